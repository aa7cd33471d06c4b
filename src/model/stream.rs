//! Streams: inbound and outbound, their codecs and traffic, feeds that stop, pulls that fail.

mod event;
mod metrics;
mod names;
mod row;
mod table;
mod verdict;

pub use event::{ALIASES, Direction, EVENTS, Event, Name, Purpose, Stream, TYPES, interpret, listed};
pub use metrics::METRICS;
pub use row::Properties;
pub use table::{Aged, Derived, ListingResult, Removed, Table, View};
pub use verdict::InputState;
