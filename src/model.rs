//! The state of one media server. Everything about one family of events is in that family's module:
//! its events (`Event`, `interpret`), its state (`Table`, `apply`), and its metrics and API representation
//! (`METRICS`, `View`). No family imports another.

pub mod api_call;
mod change;
pub mod connection;
pub mod discrepancies;
pub mod event;
mod key;
mod lifecycle;
pub mod output;
pub mod process;
pub mod server;
pub mod session;
mod settings;
pub mod state;
pub mod stream;
pub mod timer;

pub use change::{Change, Corrections};
pub use key::{Key, MARK, is_ours};
pub use settings::{OVERFLOW, Settings};
