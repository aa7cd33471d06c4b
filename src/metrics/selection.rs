//! Which part of the metrics page is asked for: `server=` and `collect[]=`.

use super::{ExporterMetrics, catalogue};
use crate::pipeline::is_server_name;

/// The parts of the page that can be asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The server itself and how many events came.
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
    /// API calls that the server got.
    Api,
    /// Launched programs.
    Processes,
    /// Event files.
    Files,
    /// The server's own lists.
    Reconcile,
    /// What rules have done.
    Actions,
    /// The exporter itself.
    Exporter,
}

impl Part {
    /// Every part, in the order of the page.
    pub const ALL: [Self; 12] = [
        Self::Server,
        Self::Streams,
        Self::Outputs,
        Self::Timers,
        Self::Sessions,
        Self::Connections,
        Self::Api,
        Self::Processes,
        Self::Files,
        Self::Reconcile,
        Self::Actions,
        Self::Exporter,
    ];

    /// The name by which it is asked for.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Streams => "streams",
            Self::Outputs => "outputs",
            Self::Timers => "timers",
            Self::Sessions => "sessions",
            Self::Connections => "connections",
            Self::Api => "api",
            Self::Processes => "processes",
            Self::Files => "files",
            Self::Reconcile => "reconcile",
            Self::Actions => "actions",
            Self::Exporter => "exporter",
        }
    }
}

/// What is asked for; nothing in particular is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    servers: Vec<String>,
    parts: Vec<Part>,
    prefixes: Vec<String>,
}

/// A question that cannot be answered, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// No name that a server can have.
    #[error("server is not a name: it has 1 to 64 letters, digits, dots, dashes and underscores")]
    Server,
    /// Neither a part nor the beginning of a metric's name.
    #[error(
        "collect[] is neither the beginning of a metric's name nor one of server, streams, outputs, timers, \
         sessions, connections, api, processes, files, reconcile, actions and exporter"
    )]
    Part,
}

impl Selection {
    /// Reads the part of an address behind the question mark. Other parameters mean nothing here:
    /// scrape configurations carry some along.
    pub fn parse(text: &str, own: &ExporterMetrics) -> Result<Self, Unknown> {
        let mut selection = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            match &*name {
                "server" if is_server_name(&value) => selection.servers.push(value.into_owned()),
                "server" => return Err(Unknown::Server),
                "collect[]" => selection.collect(&value, own)?,
                _ => {}
            }
        }
        Ok(selection)
    }

    fn collect(&mut self, what: &str, own: &ExporterMetrics) -> Result<(), Unknown> {
        if let Some(part) = Part::ALL.into_iter().find(|part| part.name() == what) {
            self.parts.push(part);
            return Ok(());
        }
        if what.is_empty() || !catalogue(own).iter().any(|metric| metric.name.starts_with(what)) {
            return Err(Unknown::Part);
        }
        self.prefixes.push(what.to_owned());
        Ok(())
    }

    /// Whether series of this server are asked for.
    pub fn has_server(&self, name: &str) -> bool {
        self.servers.is_empty() || self.servers.iter().any(|server| server == name)
    }

    /// Whether a metric of this part is asked for.
    pub fn has(&self, part: Part, metric: &str) -> bool {
        (self.parts.is_empty() && self.prefixes.is_empty())
            || self.parts.contains(&part)
            || self.prefixes.iter().any(|prefix| metric.starts_with(prefix.as_str()))
    }
}
