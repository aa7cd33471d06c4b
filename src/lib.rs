//! Prometheus exporter for EvoStream Media Server (EMS) and its open fork RMS.
//!
//! # The road
//!
//! ```text
//! bytes ──wire──▶ Message ──event──▶ Event ──state──▶ Change
//!                                               │
//! POST /events                                State ──metrics──▶ /metrics
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
//! | `main.rs` | arguments, configuration, logging, bind, run, exit code | cli, config, simulate, run |
//! | `lib.rs` | this map; [`run()`] | all |
//! | `cli.rs` | flags and subcommands | simulate |
//! | `config.rs` | YAML and flags to [`config::Config`], every fault at once | family, ingest |
//! | `moment.rs` | a moment of time, in Unix milliseconds | – |
//! | `wire.rs`, `wire/` | bytes to [`wire::Message`]; reading a field or naming the bad one; limits | moment |
//! | `event.rs` | message to [`event::Event`]; the list of kinds | wire, family |
//! | `family.rs`, `family/` | the families: what the server says, what is true, what we show | wire, exposition, moment |
//! | `state.rs` | the tables of one server; a new server process empties them all | event, family, exposition, moment |
//! | `exposition.rs` | the text writer, from values straight to bytes | moment |
//! | `metrics.rs` | the catalogue, our own registry, the page | state, family, exposition, ingest, moment |
//! | `ingest.rs`, `ingest/` | **the road**, de-duplication, what became of each event | wire, event, state, family, exposition, moment |
//! | `tail.rs`, `tail/` | follow event files through new names, rotation, truncation and half lines; checkpoint | – |
//! | `http.rs`, `http/` | listeners, routes, tolerance for the server's broken header | ingest, exposition, metrics, moment, wire |
//! | `simulate.rs`, `simulate/` | a simulated media server | – |
//!
//! A test reads the `use crate::` lines and fails on any import that is not in the last column.
//!
//! # What always holds
//!
//! * Gauges are sizes of tables, never running sums.
//! * A thing is known by (server, process, id); names are labels only.
//! * received = applied + duplicate + rejected + dropped, at every instant.
//! * Time comes in as an argument: only `http`, `simulate`, `main` and [`run()`] ask the clock.
//! * A server's lock is held for one event or the samples of one metric, never across an await.
//! * Everything has a limit; each limit that is hit moves a counter.

pub mod cli;
pub mod config;
pub mod event;
pub mod exposition;
pub mod family;
pub mod http;
pub mod ingest;
pub mod metrics;
pub mod moment;
pub mod simulate;
pub mod state;
pub mod tail;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use config::Config;
use http::routes::{self, App};
use ingest::Ingest;
use metrics::Own;
use moment::Moment;

/// How often the passing of time is looked at: stalls are logged at most this late.
const TICK: Duration = Duration::from_secs(1);

/// The exporter itself, with nothing started yet.
pub fn app(config: &Config) -> Result<Arc<App>, prometheus::Error> {
    Ok(Arc::new(App {
        ingest: Ingest::new(&config.servers, &config.settings, config.max_servers),
        own: Arc::new(Own::new(Moment::now())?),
        telemetry_path: config.telemetry_path.clone(),
        max_body: config.max_body,
    }))
}

/// Runs the exporter on `listeners` until `stop`, then lets open requests finish.
pub async fn run(app: Arc<App>, listeners: Vec<TcpListener>, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    for listener in listeners {
        let router = routes::router(Arc::clone(&app));
        tasks.spawn(http::serve::serve(listener, router, Arc::clone(&app.own), stop.clone()));
    }
    let ticking = async {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            ticks.tick().await;
            app.ingest.tick(Moment::now());
        }
    };
    tokio::select! {
        () = ticking => {}
        () = async { while tasks.join_next().await.is_some() {} } => {}
    }
}
