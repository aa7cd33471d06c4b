//! The state that all endpoints share.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::answers::Answers;
use super::intake::Intake;
use crate::actions::Actions;
use crate::auth::Guard;
use crate::file_input::FileInput;
use crate::folders::Folders;
use crate::metrics::{ExporterMetrics, Sources};
use crate::pipeline::Pipeline;
use crate::query::snapshot::Live;
use crate::reconcile::Reconciler;
use crate::reload::Reloader;
use crate::web::Setup;

/// The state that all endpoints share.
#[derive(Debug)]
pub struct App {
    /// The pipeline.
    pub pipeline: Arc<Pipeline>,
    /// The event files that are followed, by server.
    pub files: Vec<Arc<FileInput>>,
    /// Reconciliation of the servers with a runtime API.
    pub reconcilers: Vec<Arc<Reconciler>>,
    /// The calls of rules, where there are any.
    pub actions: Option<Arc<Actions>>,
    /// The folders of outputs.
    pub folders: Arc<Folders>,
    /// The exporter's own metrics.
    pub exporter_metrics: Arc<ExporterMetrics>,
    /// The snapshots of the live page.
    pub live: Live,
    /// The address of the pages, for requests without a `Host` header.
    pub address: String,
    /// The address for events, if it is another one.
    pub events_address: Option<String>,
    /// The path of the metrics page.
    pub telemetry_path: String,
    /// The metrics pages that are rendered or sent.
    pub pages: Answers,
    /// The other answers of many bytes: lists, snapshots, the live page.
    pub lists: Answers,
    /// The limits for bodies of events.
    pub intake: Intake,
    /// TLS, users and headers of the pages.
    pub web: Arc<ArcSwap<Setup>>,
    /// Who may post events.
    pub guard: Arc<ArcSwap<Guard>>,
    /// Reloads configuration files.
    pub reloader: Arc<Reloader>,
    /// Whether a reload may be requested over HTTP.
    pub lifecycle: bool,
}

impl App {
    /// Everything that metrics, lists and snapshots are rendered from.
    pub fn sources(&self) -> Sources<'_> {
        Sources {
            pipeline: &self.pipeline,
            files: &self.files,
            reconcilers: &self.reconcilers,
            actions: self.actions.as_deref(),
            folders: Some(&self.folders),
            exporter: &self.exporter_metrics,
        }
    }

    /// Why the exporter is not ready; empty once it has caught up with its event files.
    pub fn unready_reasons(&self) -> Vec<String> {
        self.files.iter().filter_map(|files| files.unready()).collect()
    }
}
