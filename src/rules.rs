//! Rules: what is to be called when something happens. Nothing here acts or waits: an [`Trigger`]
//! and the state of its server give the [`Call`]s that are to be made.

mod call;
mod condition;
mod guard;
mod matching;
pub mod secrets;
mod template;
mod trigger;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::event::Kind;
use crate::model::state::{DerivedEvent, State};
use ems_protocol::runtime_api::Address;
use ems_protocol::runtime_api::command::Command;

pub use call::{Action, Call, Refused, Skipped, Subject};
pub use condition::Condition;
pub use guard::Guard;
pub use matching::{Aspect, Match};
pub use template::check as check_template;
pub use trigger::Trigger;

/// What triggers rules beside the server's events.
pub const HAPPENINGS: [&str; 4] = DerivedEvent::NAMES;

/// One rule, as it is configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The value of the label `rule`.
    pub name: String,
    /// The event or derived that triggers it.
    pub on: &'static str,
    /// Which of them.
    pub matching: Match,
    /// What must be true as well.
    pub when: Option<Condition>,
    /// What is done.
    pub act: Act,
    /// How long after the event.
    pub delay: Duration,
    /// How long nothing more is done for the same stream.
    pub cooldown: Duration,
    /// Whether it is only told what would be done.
    pub dry_run: bool,
    /// Whether events of what our own calls made trigger it too.
    pub include_own: bool,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Calls a command of the server's runtime API.
    Call(&'static Command, Vec<(String, Given)>),
    /// Posts the event as JSON to some other program.
    Post(Address),
}

/// The value of a parameter, as templates.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// One text.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

/// Why a rule has nothing to do with an trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchFailure {
    /// It is for something else.
    On(&'static str),
    /// Something is not as the rule wants it.
    Aspect(Aspect),
    /// What must never trigger a rule.
    Guard(Guard),
}

impl fmt::Display for MatchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(name) => write!(f, "it is for {name}"),
            Self::Aspect(aspect) => write!(f, "its match.{} does not fit", aspect.label()),
            Self::Guard(guard) => f.write_str(guard.why()),
        }
    }
}

/// All rules.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Arc<Rule>>,
    /// Whether a rule may be triggered by events of a kind, by its place.
    listens: Vec<bool>,
}

impl Rules {
    /// Rules in the order in which they are asked.
    pub fn new(rules: &[Rule]) -> Self {
        let listens = Kind::all().map(|kind| {
            let triggered = trigger::triggered(kind.label());
            rules.iter().any(|rule| triggered.contains(&Some(rule.on)))
        });
        Self { listens: listens.collect(), rules: rules.iter().cloned().map(Arc::new).collect() }
    }

    /// Whether any rule may be triggered by events of this kind.
    pub fn listens(&self, kind: Kind) -> bool {
        self.listens.get(kind.place()).copied().unwrap_or(false)
    }

    /// Every rule, in the order in which they are asked.
    pub fn all(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// What is to be done on an trigger.
    pub fn decide(&self, trigger: &Trigger, state: &State) -> Vec<Call> {
        self.rules.iter().filter_map(|rule| consider(rule, trigger, state).ok()).collect()
    }

    /// What each rule makes of an trigger.
    pub fn explain(&self, trigger: &Trigger, state: &State) -> Vec<(Arc<Rule>, Result<Call, MatchFailure>)> {
        self.rules.iter().map(|rule| (Arc::clone(rule), consider(rule, trigger, state))).collect()
    }
}

fn consider(rule: &Arc<Rule>, trigger: &Trigger, state: &State) -> Result<Call, MatchFailure> {
    if !trigger.triggers(rule.on) {
        return Err(MatchFailure::On(rule.on));
    }
    if let Some(aspect) = rule.matching.misfit(trigger) {
        return Err(MatchFailure::Aspect(aspect));
    }
    if let Some(guard) = guard::stops(rule, trigger) {
        return Err(MatchFailure::Guard(guard));
    }
    Ok(call::plan(rule, trigger, state))
}
