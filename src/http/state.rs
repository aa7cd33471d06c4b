//! The state that all endpoints share.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::intake::Intake;
use crate::actions::Actions;
use crate::auth::Guard;
use crate::file_input::FileInput;
use crate::metrics::{ExporterMetrics, Sources};
use crate::pipeline::Pipeline;
use crate::query::snapshot::Live;
use crate::reconcile::Reconciler;
use crate::reload::Reloader;
use crate::web::Setup;

/// What the routes work with.
#[derive(Debug)]
pub struct App {
    /// The road.
    pub ingest: Arc<Pipeline>,
    /// The event files that are followed, by server.
    pub files: Vec<Arc<FileInput>>,
    /// The reconciliations of servers whose runtime API is configured.
    pub reconcilers: Vec<Arc<Reconciler>>,
    /// What rules have done, where there are any.
    pub actions: Option<Arc<Actions>>,
    /// Metrics about ourselves.
    pub own: Arc<ExporterMetrics>,
    /// What the live page shows.
    pub live: Live,
    /// Where we listen, for whoever does not say how it found us.
    pub address: String,
    /// Where we listen for events, if that is somewhere else.
    pub events_address: Option<String>,
    /// The path of the metrics page.
    pub telemetry_path: String,
    /// The room for bodies of events.
    pub intake: Intake,
    /// How our own pages are served.
    pub web: Arc<ArcSwap<Setup>>,
    /// Who may do what.
    pub guard: Arc<ArcSwap<Guard>>,
    /// What reads configuration files again.
    pub reloader: Arc<Reloader>,
    /// Whether it may be asked to over HTTP.
    pub lifecycle: bool,
}

impl App {
    /// All that can be told of.
    pub fn sources(&self) -> Sources<'_> {
        Sources {
            ingest: &self.ingest,
            files: &self.files,
            reconcilers: &self.reconcilers,
            actions: self.actions.as_deref(),
            own: &self.own,
        }
    }

    /// Why the exporter cannot do its work yet: it is ready once it listens and has caught up with
    /// its event files.
    pub fn unready(&self) -> Vec<String> {
        self.files.iter().filter_map(|files| files.unready()).collect()
    }
}
