//! The stream or output that a call is about.

use std::sync::Arc;

use crate::model::Key;
use crate::model::output::{Format, Track};
use crate::model::stream::{Direction, Purpose};

/// The stream or output that a call is about, as far as conditions and the order of calls need to know it.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The name of the stream; empty where there is none.
    pub stream: Arc<str>,
    /// The stream that the event was about; for an output, the one that writes it.
    pub key: Option<Key>,
    /// The stream that feeds it.
    pub input: Option<Key>,
    /// Which way it flows.
    pub direction: Option<Direction>,
    /// What it is for.
    pub purpose: Option<Purpose>,
    /// The track of an output.
    pub output: Option<(Format, Arc<str>, Track)>,
    /// The stream without which the call is pointless: it was open when the rule decided.
    pub needs: Option<Key>,
}
