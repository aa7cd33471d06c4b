//! Prometheus exporter for EvoStream Media Server (EMS) and its open fork RMS (RDK Media Server).
//!
//! # The pipeline
//!
//! ```text
//! bytes ─decode─▶ Message ─interpret─▶ Event ─apply─▶ Change ─trigger rules─▶ Call ─enqueue─▶ call the server
//!   ▲                                            │
//! POST /events                                 State ─render─▶ /metrics
//! event files                                    ▲
//!                                                │
//! listStreams … ─runtime API─▶ reconcile ────────┘
//! ```
//!
//! One event, from the socket to `/metrics`, in seven files:
//!
//! 1. `http/server.rs` accepts the connection and parses the request; `http/gate.rs` only chooses who answers it.
//! 2. `http/events.rs` reads the body of a POST, hands it to the pipeline and answers.
//! 3. `pipeline.rs`, [`pipeline::Pipeline::accept`], is the pipeline in one function.
//! 4. `crates/ems-protocol/src/decode.rs` decodes the body into messages, in any of the server's formats.
//! 5. `model/event.rs` interprets a message: which event of which family it is.
//! 6. `model/state.rs` applies the event to the tables of its server; each table is in its family's module.
//! 7. `metrics.rs` renders the tables when Prometheus scrapes.
//!
//! Decoding and interpreting may reject an event, and name the field that is wrong. Applying an event never fails.
//!
//! # The map
//!
//! | module | purpose | imports |
//! | --- | --- | --- |
//! | `ems_protocol` | crate: decoders, fields, timestamps, the client of the runtime API | – |
//! | `ems_tail` | crate: follow files through rotation, truncation and restarts | – |
//! | `ems_simulator` | crate: a simulated media server, an independent oracle for tests and demo | – |
//! | `exposition` | the text writer, from values straight to bytes | ems_protocol |
//! | `feed` | fan-out of changes and snapshots to clients; a slow client delays no publisher | – |
//! | `auth` | who may post events: secret and addresses | ems_protocol |
//! | `web` | how pages are served: TLS, users, headers | – |
//! | `model` | events, the state of a server, and a module for each family: what EMS sends, what is true, what is exposed | ems_protocol, exposition |
//! | `rules` | derives calls from triggers and state; pure | ems_protocol, model |
//! | `pipeline` | **the pipeline**: decode, interpret, de-duplicate, apply, count, trigger rules | ems_protocol, exposition, feed, model, rules |
//! | `file_input` | entries of followed event files into the pipeline | ems_protocol, ems_tail, exposition, pipeline |
//! | `folders` | the sizes of chunks and the free space, where the folders of outputs can be read | ems_tail, exposition, model, pipeline |
//! | `actions` | makes the calls that rules decide on: queue, retries, outcomes | ems_protocol, exposition, pipeline, rules |
//! | `reconcile` | compares the state with the server's own lists, corrects it, counts the corrections | ems_protocol, exposition, model, pipeline |
//! | `metrics` | the catalogue, the exporter's own metrics, the page | actions, ems_protocol, exposition, file_input, folders, model, pipeline, reconcile |
//! | `query` | JSON lists, and the snapshots of the live page | actions, ems_protocol, feed, file_input, metrics, model, pipeline, reconcile |
//! | `config` | YAML, flags and environment to [`config::Config`], all faults at once | actions, auth, ems_protocol, ems_tail, folders, model, pipeline, rules, web |
//! | `reload` | reads the configuration files again | actions, auth, config, ems_protocol, metrics, pipeline, rules, web |
//! | `http` | listeners, gate, router, endpoints, server-sent events, live page | actions, auth, ems_protocol, exposition, feed, file_input, folders, metrics, pipeline, query, reconcile, reload, sink_config, web |
//! | `sink_config` | the block of `config.lua` that makes the server send its events | model |
//! | `page` | the live page: one file of HTML, style and script | – |
//! | `app` | the composition root: builds, runs and stops everything | actions, config, ems_protocol, ems_tail, file_input, folders, http, metrics, pipeline, query, reconcile, reload, rules |
//! | `cli` | flags and subcommands | config, ems_simulator, ems_tail |
//! | `commands` | a file for each subcommand | app, cli, config, ems_protocol, ems_simulator, ems_tail, exposition, file_input, http, metrics, model, pipeline, rules, sink_config, web |
//! | `main` | parses arguments, runs the subcommand, ends with an exit code | cli, commands |
//!
//! A test compares this table with the imports in the source. It fails on cycles, between these modules and between the
//! files of each of them.
//!
//! # Invariants
//!
//! * Gauges are sizes of tables, never running sums.
//! * A stream is identified by (server, process, id); names are labels only.
//! * received = applied + duplicate + rejected + dropped, at every instant.
//! * decided = outcomes + queued, for every rule, at every instant.
//! * Time comes in as an argument: only `app`, `http`, `file_input`, `folders`, `ems_tail`, `reconcile`, `actions`,
//!   `reload`, `ems_simulator` and `commands` read the clock. It never steps; answers show its times by the host's wall
//!   clock.
//! * A server's lock is held for one event, the samples of one metric or a copy of some rows, never across an await.
//! * Everything has a limit; each limit that is hit moves a counter.

pub mod actions;
pub mod app;
pub mod auth;
pub mod cli;
pub mod commands;
pub mod config;
pub mod exposition;
pub mod feed;
pub mod file_input;
pub mod folders;
pub mod http;
pub mod metrics;
pub mod model;
pub mod pipeline;
pub mod query;
pub mod reconcile;
pub mod reload;
pub mod rules;
pub mod sink_config;
pub mod web;
