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
        self.hand_over(self.rules.load().decide(trigger, state));
    }

    /// Runs the rules that waited for proof of these derived events. The two tracks of an output cause the same call:
    /// it is made once.
    pub(super) fn run_proven(&self, triggers: &[Trigger], state: &State) {
        let rules = self.rules.load();
        let mut calls: Vec<Call> = Vec::new();
        for call in triggers.iter().flat_map(|trigger| rules.decide_proven(trigger, state)) {
            let same = |other: &Call| other.rule.name == call.rule.name && other.action == call.action;
            if call.action.is_err() || !calls.iter().any(same) {
                calls.push(call);
            }
        }
        self.hand_over(calls);
    }

    /// Whether a derived event causes calls that wait for proof.
    pub(super) fn needs_proof(&self, trigger: &Trigger, state: &State) -> bool {
        self.rules.load().needs_proof(trigger, state)
    }

    fn hand_over(&self, calls: Vec<Call>) {
        if !calls.is_empty() {
            (self.enqueue)(calls);
        }
    }
}
