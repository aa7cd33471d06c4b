//! Prometheus exporter for EvoStream Media Server (EMS) and its open fork RMS.
//!
//! # The road
//!
//! ```text
//! bytes ──wire──▶ Message ──event──▶ Event ──state──▶ Change ──rules──▶ Call ──actions──▶ ems_api
//!   ▲                                           │
//! POST /events                                State ──metrics──▶ /metrics
//! event files                                   ▲
//!                                               │
//! listStreams … ──ems_api──▶ reconcile ─────────┘
//! ```
//!
//! [`ingest::Ingest::accept`] is this road. Each step is total in its own way: [`wire`] and
//! [`event`] may refuse, and say which field; [`state::State::apply`] never refuses.
//!
//! # The map
//!
//! A spine by layer, leaves by family.
//!
//! | file | purpose | imports |
//! | --- | --- | --- |
//! | `main.rs` | arguments, configuration, logging, bind, run, exit code | cli, config, http, ingest, moment, rehearse, replay, simulate, web, run |
//! | `lib.rs` | this map; [`run()`] | all |
//! | `cli.rs` | flags and subcommands | simulate, tail |
//! | `config.rs` | YAML and flags to [`config::Config`], every fault at once | actions, ems_api, event, family, guard, ingest, rules, tail, web |
//! | `moment.rs` | a moment of time, in Unix milliseconds | – |
//! | `wire.rs`, `wire/` | bytes to [`wire::Message`]; reading a field or naming the bad one; limits | moment |
//! | `event.rs` | message to [`event::Event`]; the list of kinds | wire, family |
//! | `family.rs`, `family/` | the families: what the server says, what is true, what we show | wire, exposition, moment |
//! | `state.rs`, `state/` | the tables of one server; a new server process empties them all | event, family, exposition, moment, wire |
//! | `exposition.rs` | the text writer, from values straight to bytes | moment |
//! | `metrics.rs`, `metrics/` | the catalogue, our own registry, the page | state, family, exposition, ingest, files, reconcile, actions, moment |
//! | `feed.rs` | changes and snapshots for whoever listens, who hold up nobody | – |
//! | `ingest.rs`, `ingest/` | **the road**, de-duplication, what became of each event | wire, event, state, rules, family, feed, exposition, moment |
//! | `tail.rs`, `tail/` | follow event files through new names, rotation, truncation and half lines; checkpoint | – |
//! | `files.rs` | the log door: entries of followed files down the road | tail, ingest, exposition, moment, wire |
//! | `replay.rs` | finished event files, and what was in them | tail, files, ingest, family, exposition, metrics, moment, wire |
//! | `rules.rs`, `rules/` | what happened, and the state, to the calls that are to be made; pure | event, state, ems_api, family, wire, moment |
//! | `actions.rs`, `actions/` | making those calls: queue, order, further attempts, outcomes | rules, ems_api, ingest, exposition, wire, moment |
//! | `rehearse.rs` | what rules would do with the events of a file | config, rules, event, state, ems_api, family, wire, moment |
//! | `ems_api.rs`, `ems_api/` | the server's runtime API: encoding, commands, one function for each that we use | http, wire |
//! | `reconcile.rs` | compare state with the server's own lists, correct it, count the corrections | ems_api, family, ingest, state, exposition, moment, wire |
//! | `api.rs`, `api/` | lists as JSON, and the picture of the live page | ingest, state, family, feed, files, reconcile, actions, metrics, moment |
//! | `http.rs`, `http/` | listeners, the door for events, routes, the live page, requests of our own, tolerance for the server's broken header | api, cli, feed, guard, ingest, files, reconcile, actions, exposition, metrics, moment, reload, web, wire |
//! | `page/` | the live page: one file of HTML, style and script | – |
//! | `guard.rs` | who may post events: secret and addresses | wire |
//! | `web.rs`, `web/` | how our own pages are served: TLS, users, headers | – |
//! | `reload.rs` | reading configuration files again | actions, config, guard, ingest, metrics, moment, rules, web |
//! | `simulate.rs`, `simulate/` | a simulated media server | – |
//!
//! A test reads the `use crate::` lines and fails on any import that is not in the last column.
//!
//! # What always holds
//!
//! * Gauges are sizes of tables, never running sums.
//! * A thing is known by (server, process, id); names are labels only.
//! * received = applied + duplicate + rejected + dropped, at every instant.
//! * Time comes in as an argument: only `http`, `files`, `tail`, `reconcile`, `actions`, `reload`, `web`, `simulate`, `main` and
//!   [`run()`] ask the clock.
//! * decided = outcomes + queued, for every rule, at every instant.
//! * A server's lock is held for one event, the samples of one metric or a copy of some rows, never across an await.
//! * Everything has a limit; each limit that is hit moves a counter.

pub mod actions;
pub mod api;
pub mod cli;
pub mod config;
pub mod ems_api;
pub mod event;
pub mod exposition;
pub mod family;
pub mod feed;
pub mod files;
pub mod guard;
pub mod http;
pub mod ingest;
pub mod metrics;
pub mod moment;
pub mod reconcile;
pub mod rehearse;
pub mod reload;
pub mod replay;
pub mod rules;
pub mod simulate;
pub mod state;
pub mod tail;
pub mod web;
pub mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use http::serve::listen;

use actions::Actions;
use api::live::Live;
use config::Config;
use ems_api::Api;
use files::{Files, Following};
use http::gate::{Gate, Side};
use http::intake::Intake;
use http::routes::{self, App};
use http::serve::Served;
use ingest::Ingest;
use metrics::Own;
use moment::Moment;
use reconcile::Reconciler;
use reload::Reloader;
use rules::Rules;
use tail::Storage;

/// How often the passing of time is looked at: stalls are logged at most this late.
const TICK: Duration = Duration::from_secs(1);

/// The exporter itself, with nothing started yet.
pub fn app(config: &Config) -> Result<Arc<App>, Error> {
    let mut ingest = Ingest::new(&config.servers, &config.settings, config.max_servers);
    let files = config.sources.iter().map(|source| {
        let server = ingest.server(source.server.as_deref())?;
        if source.format.is_some_and(|format| !files::format_of(format).is_numbered()) {
            server.owned_by_files();
        }
        Ok(Files::new(server))
    });
    let files = files.collect::<Result<Vec<_>, wire::Refusal>>()?;
    let apis: BTreeMap<&str, Arc<Api>> =
        config.apis.iter().map(|remote| (remote.server.as_str(), Arc::new(remote.api()))).collect();
    let reconcilers = apis.iter().map(|(name, api)| {
        let server = ingest.server(Some(name))?;
        Ok(Reconciler::new(server, Arc::clone(api), config.reconcile_interval))
    });
    let reconcilers = reconcilers.collect::<Result<Vec<_>, wire::Refusal>>()?;
    let actions = (!config.rules.is_empty()).then(|| {
        let actions = actions(config, &apis);
        let offered = Arc::clone(&actions);
        let offer = Box::new(move |calls| offered.offer(calls, Moment::now()));
        ingest.react(Rules::new(&config.rules), offer);
        actions
    });
    let own = Arc::new(Own::new(Moment::now())?);
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
    Server(#[from] wire::Refusal),
    /// Event files cannot be followed.
    #[error("cannot follow event files: {0}")]
    Files(#[from] tail::Fault),
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
    let room = http::serve::room() / listeners.len().max(1);
    for (place, listener) in listeners.into_iter().enumerate() {
        let side = match () {
            () if place >= config.listen.len() => Side::Ingest,
            () if config.ingest.listen.is_empty() => Side::Both,
            () => Side::Web,
        };
        let gate = Gate::new(Arc::clone(&app), side, routes::router(Arc::clone(&app)));
        // Media servers speak no TLS.
        let web = (side != Side::Ingest).then(|| Arc::clone(&app.web));
        let served = Served { gate, room, web, own: Arc::clone(&app.own) };
        tasks.spawn(http::serve::serve(listener, served, stop.clone()));
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
            app.ingest.tick(Moment::now());
            if !app.ingest.feed.wants_snapshots() {
                app.live.rest();
                continue;
            }
            let app = Arc::clone(&app);
            let shown = tokio::task::spawn_blocking(move || {
                app.live.tick(app.sources(), &app.unready(), Moment::now());
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
        let options = tail::Options {
            format: source.format,
            start: config.start,
            storage: storage.map(|directory| Storage { directory, name: files.server.name.clone() }),
            ..tail::Options::new(source.patterns.clone())
        };
        followings.push(Arc::clone(files).follow(options, Arc::clone(&app.ingest))?);
    }
    Ok(followings)
}
