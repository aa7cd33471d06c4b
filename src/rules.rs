//! Rules decide which calls to make. Nothing here acts or waits: a [`Trigger`] and the state of its server give the
//! [`Call`]s.

mod call;
mod condition;
mod matching;
mod proof;
mod rule;
mod safeguard;
pub mod secrets;
mod target;
mod template;
mod trigger;

use std::sync::Arc;

use crate::model::event::EventKind;
use crate::model::state::State;

pub use call::{Action, Call, Skipped};
pub use condition::Condition;
pub use matching::Match;
pub use proof::DESTRUCTIVE;
pub use rule::{Act, ParameterTemplate, Rule};
pub use target::Target;
pub use template::Template;
pub use trigger::Trigger;

/// Why a trigger does not run a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MatchFailure {
    /// The rule is for another event.
    #[error("it is for {0}")]
    On(&'static str),
    /// A key of `match` does not fit.
    #[error("its match.{0} does not fit")]
    Match(&'static str),
    /// A safeguard blocks it.
    #[error("{0}")]
    Safeguard(&'static str),
}

/// All rules.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Arc<Rule>>,
    /// Whether events of a kind may trigger any rule, by the kind's index.
    triggering: Vec<bool>,
}

impl Rules {
    /// Rules in the order in which they are considered.
    pub fn new(rules: &[Rule]) -> Self {
        let triggering = EventKind::all().map(|kind| {
            let triggered = trigger::triggered(kind.label());
            rules.iter().any(|rule| triggered.contains(&Some(rule.on)))
        });
        Self { triggering: triggering.collect(), rules: rules.iter().cloned().map(Arc::new).collect() }
    }

    /// Whether events of this kind may trigger any rule.
    pub fn may_trigger(&self, kind: EventKind) -> bool {
        self.triggering.get(kind.place()).copied().unwrap_or(false)
    }

    /// The calls that a trigger causes at once.
    pub fn decide(&self, trigger: &Trigger, state: &State) -> Vec<Call> {
        self.decide_if(false, trigger, state)
    }

    /// The calls that a derived event causes once it is proven.
    pub fn decide_proven(&self, trigger: &Trigger, state: &State) -> Vec<Call> {
        self.decide_if(true, trigger, state)
    }

    /// Whether a trigger causes calls that wait for proof.
    pub fn needs_proof(&self, trigger: &Trigger, state: &State) -> bool {
        !self.decide_if(true, trigger, state).is_empty()
    }

    fn decide_if(&self, needs_proof: bool, trigger: &Trigger, state: &State) -> Vec<Call> {
        let rules = self.rules.iter().filter(|rule| rule.needs_proof() == needs_proof);
        rules.filter_map(|rule| consider(rule, trigger, state).ok()).collect()
    }

    /// For each rule, the call that a trigger causes, or why it causes none.
    pub fn explain(&self, trigger: &Trigger, state: &State) -> Vec<(Arc<Rule>, Result<Call, MatchFailure>)> {
        self.rules.iter().map(|rule| (Arc::clone(rule), consider(rule, trigger, state))).collect()
    }
}

fn consider(rule: &Arc<Rule>, trigger: &Trigger, state: &State) -> Result<Call, MatchFailure> {
    if !trigger.triggers(rule.on) {
        return Err(MatchFailure::On(rule.on));
    }
    if let Some(key) = rule.matching.mismatch(trigger) {
        return Err(MatchFailure::Match(key));
    }
    if let Some(reason) = safeguard::blocks(rule, trigger) {
        return Err(MatchFailure::Safeguard(reason));
    }
    Ok(call::plan(rule, trigger, state))
}
