//! The composition root: builds the exporter from its configuration, runs it and stops it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use ems_protocol::Rejection;
use ems_protocol::runtime_api::Api;
use ems_protocol::{Timestamp, Wall};
use ems_tail::Storage;

use crate::actions::Actions;
use crate::config::{self, Config};
use crate::file_input::{self, FileInput, Following};
use crate::folders::{FileSystem, Folders};
use crate::http::answers::Answers;
use crate::http::gate::{Gate, ListenerRole};
use crate::http::intake::Intake;
use crate::http::router;
use crate::http::server::{self, Shared};
use crate::http::state::App;
use crate::metrics::ExporterMetrics;
use crate::pipeline::Pipeline;
use crate::query::snapshot::Live;
use crate::reconcile::Reconciler;
use crate::reload::{self, Reloader};
use crate::rules::Rules;

/// How often stalls are detected and snapshots sent.
const TICK: Duration = Duration::from_secs(1);

/// Why the exporter cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server of some event files is not accepted.
    #[error("cannot follow event files: {0}")]
    Server(#[from] Rejection),
    /// Event files cannot be followed.
    #[error("cannot follow event files: {0}")]
    Files(#[from] ems_tail::Fault),
    /// The exporter's own metrics cannot be registered.
    #[error("cannot register the exporter's own metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The web configuration has got faults since it was checked.
    #[error("{0}")]
    Web(#[from] config::Faults),
}

/// Builds the exporter; nothing is started yet.
pub fn build(config: &Config) -> Result<Arc<App>, Error> {
    let mut pipeline = Pipeline::new(&config.servers, &config.settings, config.max_servers);
    let files = file_inputs(config, &pipeline)?;
    let apis: Apis = config.apis.iter().map(|api| (api.server.clone(), Arc::new(api.api()))).collect();
    let reconcilers = reconcilers(config, &pipeline, &apis)?;
    let actions = (!config.rules.is_empty()).then(|| actions(config, &mut pipeline, apis));
    let folders = Folders::new(&config.folders, &config.server_folders);
    let measuring = Arc::clone(&folders);
    pipeline.set_measure(Box::new(move |server, chunk| measuring.enqueue(server, chunk)));
    let exporter_metrics = Arc::new(ExporterMetrics::new(Timestamp::now())?);
    let pipeline = Arc::new(pipeline);
    let reloader = Reloader::new(config, &pipeline, actions.as_ref(), &exporter_metrics)?;
    Ok(Arc::new(App {
        live: Live::new(Arc::clone(&pipeline.feed)),
        events_address: config.ingest.listen.first().cloned(),
        address: config.own_address().map_or_else(String::new, |address| address.to_string()),
        files,
        reconcilers,
        pipeline,
        folders,
        pages: Answers::new(exporter_metrics.overloads("metrics")),
        lists: Answers::new(exporter_metrics.overloads("api")),
        exporter_metrics,
        actions,
        telemetry_path: config.telemetry_path.clone(),
        intake: Intake::new(config.max_body),
        web: reloader.web(),
        guard: reloader.guard(),
        reloader: Arc::new(reloader),
        lifecycle: config.lifecycle,
    }))
}

/// The runtime APIs by the name of their server.
type Apis = BTreeMap<String, Arc<Api>>;

fn file_inputs(config: &Config, pipeline: &Pipeline) -> Result<Vec<Arc<FileInput>>, Rejection> {
    let inputs = config.sources.iter().map(|source| {
        let server = pipeline.server(source.server.as_deref())?;
        if source.format.is_some_and(|format| !file_input::format_of(format).is_numbered()) {
            server.accept_files_only();
        }
        Ok(FileInput::new(server))
    });
    inputs.collect()
}

fn reconcilers(config: &Config, pipeline: &Pipeline, apis: &Apis) -> Result<Vec<Arc<Reconciler>>, Rejection> {
    let reconcilers = apis.iter().map(|(name, api)| {
        let server = pipeline.server(Some(name))?;
        Ok(Reconciler::new(server, Arc::clone(api), config.reconcile_interval))
    });
    reconcilers.collect()
}

/// The actions, to which the pipeline hands the calls of rules.
fn actions(config: &Config, pipeline: &mut Pipeline, apis: Apis) -> Arc<Actions> {
    let servers: Vec<&str> = config.servers.iter().map(|server| server.name.as_str()).collect();
    let actions = Actions::new(config.actions, apis, &config.rules, &servers);
    let queue = Arc::clone(&actions);
    pipeline
        .set_rules(Rules::new(&config.rules), Box::new(move |calls| queue.enqueue(calls, Timestamp::now())));
    actions
}

/// Runs the exporter on `listeners`, those of [`Config::addresses`] in that order, until `stop`. Then open requests may
/// finish, and the read positions of event files are saved.
pub async fn run(
    app: Arc<App>,
    config: &Config,
    listeners: Vec<TcpListener>,
    stop: CancellationToken,
) -> Result<(), Error> {
    app.folders.start(&app.pipeline, FileSystem::default());
    let followed = follow(&app, config)?;
    let mut tasks = JoinSet::new();
    // Before anything is answered: a client that has an answer may send SIGHUP.
    tasks.spawn(Arc::clone(&app.reloader).run(reload::hangups(), stop.clone()));
    serve(&app, config, listeners, &stop, &mut tasks);
    for reconciler in &app.reconcilers {
        let (reconciler, pipeline, stop) = (Arc::clone(reconciler), Arc::clone(&app.pipeline), stop.clone());
        tasks.spawn(async move { reconciler.run(&pipeline, stop).await });
    }
    let actions = async {
        if let Some(actions) = &app.actions {
            Arc::clone(actions).run(Arc::clone(&app.pipeline), stop.clone()).await;
        }
    };
    tokio::select! {
        () = tick(&app) => {}
        () = end_feeds(&app, &stop) => {}
        ((), ()) = async { tokio::join!(actions, async { while tasks.join_next().await.is_some() {} }) } => {}
    }
    for following in followed {
        following.stop();
    }
    Ok(())
}

/// Serves HTTP on each listener in its role.
fn serve(
    app: &Arc<App>,
    config: &Config,
    listeners: Vec<TcpListener>,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
    let capacity = server::max_connections() / listeners.len().max(1);
    for (index, listener) in listeners.into_iter().enumerate() {
        let role = match () {
            () if index >= config.listen.len() => ListenerRole::Events,
            () if config.ingest.listen.is_empty() => ListenerRole::Both,
            () => ListenerRole::Web,
        };
        let gate = Gate::new(Arc::clone(app), role, router::router(Arc::clone(app)));
        // Media servers do not support TLS.
        let web = (role != ListenerRole::Events).then(|| Arc::clone(&app.web));
        let shared = Shared { gate, capacity, web, exporter_metrics: Arc::clone(&app.exporter_metrics) };
        tasks.spawn(server::serve(listener, shared, stop.clone()));
    }
}

/// Detects stalls and sends snapshots, forever.
async fn tick(app: &Arc<App>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        app.pipeline.set_wall(Wall::now());
        app.pipeline.regular_tick(Timestamp::now());
        if !app.pipeline.feed.wants_snapshots() {
            app.live.rest();
            continue;
        }
        let app = Arc::clone(app);
        let snapshot = tokio::task::spawn_blocking(move || {
            app.live.tick(app.sources(), &app.unready_reasons(), Timestamp::now());
        });
        if snapshot.await.is_err() {
            tracing::error!("cannot render the snapshot of the live page");
        }
    }
}

/// Ends the open feeds at `stop`: as requests they would never finish.
async fn end_feeds(app: &App, stop: &CancellationToken) {
    stop.cancelled().await;
    app.live.ended.cancel();
    std::future::pending().await
}

/// Follows the event files.
fn follow(app: &App, config: &Config) -> Result<Vec<Following>, Error> {
    if !config.sources.is_empty() && config.storage.is_none() {
        tracing::warn!(
            "no --storage.path is set: a restarted exporter skips what was written to event files in the meantime"
        );
    }
    let zone = file_input::zone();
    let followed = config.sources.iter().zip(&app.files).map(|(source, files)| {
        let storage = config.storage.clone();
        let options = ems_tail::Options {
            format: source.format,
            start: config.start,
            storage: storage.map(|directory| Storage { directory, name: files.server.name.clone() }),
            ..ems_tail::Options::new(source.patterns.clone())
        };
        Ok(Arc::clone(files).follow(options, zone.clone(), Arc::clone(&app.pipeline))?)
    });
    followed.collect()
}
