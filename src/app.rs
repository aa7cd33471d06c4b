//! The composition root: builds the exporter from its configuration, runs it and stops it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use ems_protocol::Timestamp;
use ems_protocol::message::Rejection;
use ems_protocol::runtime_api::Api;
use ems_tail::Storage;

use crate::actions::Actions;
use crate::config::{self, Config};
use crate::file_input::{self, FileInput, Following};
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

/// How often the passing of time is looked at: stalls are logged at most this late.
const TICK: Duration = Duration::from_secs(1);

/// The exporter itself, with nothing started yet.
pub fn build(config: &Config) -> Result<Arc<App>, Error> {
    let mut ingest = Pipeline::new(&config.servers, &config.settings, config.max_servers);
    let files = config.sources.iter().map(|source| {
        let server = ingest.server(source.server.as_deref())?;
        if source.format.is_some_and(|format| !file_input::format_of(format).is_numbered()) {
            server.owned_by_files();
        }
        Ok(FileInput::new(server))
    });
    let files = files.collect::<Result<Vec<_>, Rejection>>()?;
    let apis: BTreeMap<&str, Arc<Api>> =
        config.apis.iter().map(|remote| (remote.server.as_str(), Arc::new(remote.api()))).collect();
    let reconcilers = apis.iter().map(|(name, api)| {
        let server = ingest.server(Some(name))?;
        Ok(Reconciler::new(server, Arc::clone(api), config.reconcile_interval))
    });
    let reconcilers = reconcilers.collect::<Result<Vec<_>, Rejection>>()?;
    let actions = (!config.rules.is_empty()).then(|| {
        let actions = actions(config, &apis);
        let offered = Arc::clone(&actions);
        let offer = Box::new(move |calls| offered.offer(calls, Timestamp::now()));
        ingest.react(Rules::new(&config.rules), offer);
        actions
    });
    let own = Arc::new(ExporterMetrics::new(Timestamp::now())?);
    let ingest = Arc::new(ingest);
    let reloader = Reloader::new(config, &ingest, actions.as_ref(), &own)?;
    Ok(Arc::new(App {
        live: Live::new(Arc::clone(&ingest.feed)),
        events_address: config.ingest.listen.first().cloned(),
        address: config.own_address().map_or_else(String::new, |address| address.to_string()),
        files,
        reconcilers,
        ingest,
        own,
        actions,
        telemetry_path: config.telemetry_path.clone(),
        intake: Intake::new(config.max_body),
        web: reloader.web(),
        guard: reloader.guard(),
        reloader: Arc::new(reloader),
        lifecycle: config.lifecycle,
    }))
}

fn actions(config: &Config, apis: &BTreeMap<&str, Arc<Api>>) -> Arc<Actions> {
    let apis = apis.iter().map(|(name, api)| ((*name).to_owned(), Arc::clone(api))).collect();
    let servers: Vec<&str> = config.servers.iter().map(|known| known.name.as_str()).collect();
    Actions::new(config.actions, apis, &config.rules, &servers)
}

/// Why the exporter cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server of some files cannot be.
    #[error("cannot follow event files: {0}")]
    Server(#[from] Rejection),
    /// Event files cannot be followed.
    #[error("cannot follow event files: {0}")]
    Files(#[from] ems_tail::Fault),
    /// Metrics about ourselves cannot be registered.
    #[error("cannot register the exporter's own metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The web configuration has got faults since it was checked.
    #[error("{0}")]
    Web(#[from] config::Faults),
}

/// Runs the exporter on `listeners`, those of [`Config::addresses`] in that order, until `stop`, then
/// lets open requests finish and writes down how far event files have been read.
pub async fn run(
    app: Arc<App>,
    config: &Config,
    listeners: Vec<TcpListener>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let followings = follow(&app, config)?;
    let mut tasks = JoinSet::new();
    // Before anything is answered: who has seen an answer may send SIGHUP.
    tasks.spawn(Arc::clone(&app.reloader).run(reload::hangups(), stop.clone()));
    let room = server::max_connections() / listeners.len().max(1);
    for (place, listener) in listeners.into_iter().enumerate() {
        let side = match () {
            () if place >= config.listen.len() => ListenerRole::Pipeline,
            () if config.ingest.listen.is_empty() => ListenerRole::Both,
            () => ListenerRole::Web,
        };
        let gate = Gate::new(Arc::clone(&app), side, router::router(Arc::clone(&app)));
        // Media servers speak no TLS.
        let web = (side != ListenerRole::Pipeline).then(|| Arc::clone(&app.web));
        let served = Shared { gate, room, web, own: Arc::clone(&app.own) };
        tasks.spawn(server::serve(listener, served, stop.clone()));
    }
    for reconciler in &app.reconcilers {
        let (reconciler, ingest, stop) = (Arc::clone(reconciler), Arc::clone(&app.ingest), stop.clone());
        tasks.spawn(async move { reconciler.run(&ingest, stop).await });
    }
    let acting = async {
        if let Some(actions) = &app.actions {
            Arc::clone(actions).run(Arc::clone(&app.ingest), stop.clone()).await;
        }
    };
    let ticking = async {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            ticks.tick().await;
            app.ingest.tick(Timestamp::now());
            if !app.ingest.feed.wants_snapshots() {
                app.live.rest();
                continue;
            }
            let app = Arc::clone(&app);
            let shown = tokio::task::spawn_blocking(move || {
                app.live.tick(app.sources(), &app.unready(), Timestamp::now());
            });
            if shown.await.is_err() {
                tracing::error!("the live page could not be drawn");
            }
        }
    };
    // Open feeds would hold up the end: they are no requests to be finished.
    let feeds = Arc::clone(&app);
    let closing = async {
        stop.cancelled().await;
        feeds.live.ended.cancel();
        std::future::pending().await
    };
    tokio::select! {
        () = ticking => {}
        () = closing => {}
        ((), ()) = async { tokio::join!(acting, async { while tasks.join_next().await.is_some() {} }) } => {}
    }
    for following in followings {
        following.stop();
    }
    Ok(())
}

fn follow(app: &App, config: &Config) -> Result<Vec<Following>, Error> {
    if !config.sources.is_empty() && config.storage.is_none() {
        tracing::warn!(
            "there is no --storage.path: after a restart of the exporter, what was written to event files \
             meanwhile is skipped"
        );
    }
    let mut followings = Vec::new();
    for (source, files) in config.sources.iter().zip(&app.files) {
        let storage = config.storage.clone();
        let options = ems_tail::Options {
            format: source.format,
            start: config.start,
            storage: storage.map(|directory| Storage { directory, name: files.server.name.clone() }),
            ..ems_tail::Options::new(source.patterns.clone())
        };
        followings.push(Arc::clone(files).follow(options, Arc::clone(&app.ingest))?);
    }
    Ok(followings)
}
