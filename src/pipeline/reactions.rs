//! Runs the rules for each trigger, and hands their calls over.

use std::fmt;

use arc_swap::ArcSwap;

use crate::model::state::State;
use crate::rules::{Call, Rules, Trigger};

/// Takes the calls that rules decided on; it must not wait.
pub type Enqueue = Box<dyn Fn(Vec<Call>) + Send + Sync>;

/// Rules, and where their calls go.
pub(super) struct Reactions {
    pub(super) rules: ArcSwap<Rules>,
    enqueue: Enqueue,
}

impl fmt::Debug for Reactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactions").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Reactions {
    pub(super) fn new(rules: Rules, enqueue: Enqueue) -> Self {
        Self { rules: ArcSwap::from_pointee(rules), enqueue }
    }

    /// Runs the rules for a trigger. It is called under the server's lock, so that calls keep the order of their events.
    pub(super) fn run(&self, trigger: &Trigger, state: &State) {
        let calls = self.rules.load().decide(trigger, state);
        if !calls.is_empty() {
            (self.enqueue)(calls);
        }
    }
}
