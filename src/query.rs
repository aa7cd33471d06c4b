//! The JSON API: lists of the current state and of recent events, and the snapshots behind the live page. Each family
//! defines the rows of its things; this module combines them.

pub mod lists;
pub mod parameters;
mod servers;
pub mod snapshot;

pub use lists::{List, answer};
pub use parameters::{Query, QueryError};
