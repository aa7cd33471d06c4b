//! A rule, as the configuration declares it.

use std::time::Duration;

use super::condition::Condition;
use super::matching::Match;
use super::template::Template;
use ems_protocol::runtime_api::Address;
use ems_protocol::runtime_api::command::Command;

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The value of the label `rule`.
    pub name: String,
    /// The event or derived event that triggers it.
    pub on: &'static str,
    /// Which of these events.
    pub matching: Match,
    /// What else must be true.
    pub when: Option<Condition>,
    /// What it does.
    pub act: Act,
    /// How long after the event.
    pub delay: Duration,
    /// How long it does nothing more for the same stream.
    pub cooldown: Duration,
    /// Most calls to one server within a minute.
    pub max_per_minute: usize,
    /// Whether calls are only logged, not made.
    pub dry_run: bool,
    /// Whether events caused by the exporter's own calls trigger it too.
    pub include_own: bool,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Calls a command of the server's runtime API.
    Call(&'static Command, Vec<(String, ParameterTemplate)>),
    /// Posts the event as JSON to another program, with these fields beside those that are always posted.
    Post(Address, Vec<(String, ParameterTemplate)>),
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterTemplate {
    /// One text.
    Text(Template),
    /// Several texts.
    List(Vec<Template>),
}
