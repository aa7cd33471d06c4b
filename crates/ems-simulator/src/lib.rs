//! A simulated media server that posts its events over HTTP as a real one does, with faults on request.
//!
//! The order in which to read:
//!
//! * `options`: the flags; `stall`, `incident` and `target` are values of flags.
//! * `world`: the events over time, without any socket; the same for the same options and commands.
//! * `event`, `command` and `value`: its output and input; `serialize` and `request` write events as bytes.
//! * `sender`: posts events; `faults` decides which of them are lost, repeated or delayed.
//! * `api`: serves the runtime API, whose calls are commands to the world.
//! * `simulation`: advances the world with the clock (`shared_world`) and connects it with the sender and the API.
//! * `truth`: the state of the simulated server, to compare an exporter's numbers with.

mod api;
mod clock;
mod command;
mod event;
mod faults;
mod files;
mod incident;
mod options;
mod output_format;
mod request;
mod sender;
mod serialize;
mod shared_world;
mod simulation;
mod stall;
mod target;
#[cfg(test)]
mod tests;
mod truth;
mod value;
mod world;

pub use api::{Call, CallAnswer};
pub use incident::Incident;
pub use options::{ApiFaults, Format, Options};
pub use output_format::OutputFormat;
pub use simulation::{Error, Simulation, run};
pub use stall::Stall;
pub use target::Target;
pub use truth::{ChunksClosed, Configuration, Input, Output, Push, Timer, Truth};
