//! The JSON API: lists of what is true now and of what happened last, and the picture that the live
//! page is drawn from. The families say what is told of a thing; here it is put together.

pub mod lists;
pub mod parameters;
mod servers;
pub mod snapshot;

pub use lists::{List, answer};
pub use parameters::{Query, QueryError};
