//! Groups of metrics.

/// The groups of metrics that a scrape can select, in the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::VariantArray, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum MetricGroup {
    /// The server itself and its events.
    Server,
    /// Streams.
    Streams,
    /// Outputs, chunks and playlists.
    Outputs,
    /// Timers.
    Timers,
    /// Viewers over HTTP.
    Sessions,
    /// Connections.
    Connections,
    /// API calls that the server received.
    Api,
    /// Launched programs.
    Processes,
    /// Event files.
    Files,
    /// Reconciliation with the server's own lists.
    Reconcile,
    /// The calls of rules.
    Actions,
    /// The folders of outputs.
    Folders,
    /// The exporter itself.
    Exporter,
}

impl MetricGroup {
    /// The name by which it is selected.
    pub fn name(self) -> &'static str {
        self.into()
    }
}
