//! Outputs that write files: HLS, HDS, DASH, Smooth Streaming and recordings; their chunks, their
//! playlists, and whether they stall.
//!
//! Chunk events name no stream. Their output is found by the folder in the event of its creation,
//! else by the shape of the path; see [`paths`].

mod event;
mod format;
mod metrics;
pub mod paths;
mod row;
mod rows;
mod signs;
mod table;
mod together;
mod verdict;
mod view;

pub use event::{Closed, Configured, EVENTS, Event, Name, Output, Step, interpret, listed, of_stream};
pub use format::{Format, Playlist, Track};
pub use metrics::METRICS;
pub use row::{StallTransition, Writer};
pub use rows::OutputRef;
pub use table::{ClosedChunk, Stall, Table};
pub use verdict::{Scope, Together, Verdict};
pub use view::{Aged, OutputCounts, View};
