//! What is to be done, ready to be sent.

use std::sync::Arc;

use serde_json::json;

use super::template::Context;
use super::{Act, Condition, Given, Rule, Trigger, secrets};
use crate::model::output::{Format, Track};
use crate::model::state::State;
use crate::model::stream::{Direction, Purpose};
use crate::model::{Key, MARK};
use ems_protocol::Timestamp;
use ems_protocol::runtime_api::Address;
use ems_protocol::runtime_api::command::Command;
use ems_protocol::runtime_api::parameter::{self, Parameter, Unsendable, Value};

/// What one rule wants done on one trigger.
#[derive(Debug, Clone)]
pub struct Call {
    /// The rule.
    pub rule: Arc<Rule>,
    /// The server that it is about.
    pub server: Arc<str>,
    /// When what triggered it happened.
    pub at: Timestamp,
    /// What conditions are asked of.
    pub subject: Subject,
    /// What is sent, or why nothing is.
    pub action: Result<Action, Skipped>,
}

/// What a call is about, as far as conditions and its order need to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
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

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A command with its parameters.
    Command(&'static Command, Vec<Parameter>),
    /// A body of JSON.
    Post(Address, String),
}

impl Action {
    /// What it is called in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Command(command, _) => command.name,
            Self::Post(..) => "post",
        }
    }
}

/// Why nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Skipped {
    /// A condition does not hold.
    #[error("{} does not hold", .0.name())]
    Condition(Condition),
    /// It cannot be written.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Why a call cannot be written. No value is part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A template names what the event does not have, or fails otherwise.
    #[error("the parameter {parameter} cannot be written: {why}")]
    Template {
        /// The parameter.
        parameter: String,
        /// What is wrong.
        why: String,
    },
    /// The server would take it for something else.
    #[error(transparent)]
    Unsendable(#[from] Unsendable),
}

/// What a rule that an trigger triggers wants done.
pub(super) fn plan(rule: &Arc<Rule>, trigger: &Trigger, state: &State) -> Call {
    let subject = trigger.subject(state);
    let action = match rule.when.filter(|condition| !condition.holds(&subject, state)) {
        Some(condition) => Err(Skipped::Condition(condition)),
        None => write(rule, trigger).map_err(Skipped::Refused),
    };
    Call { rule: Arc::clone(rule), server: Arc::clone(&trigger.server), at: trigger.at, subject, action }
}

fn write(rule: &Rule, trigger: &Trigger) -> Result<Action, Refused> {
    match &rule.act {
        Act::Post(address) => Ok(Action::Post(address.clone(), body(rule, trigger))),
        Act::Call(command, with) => {
            let context = Context::new(trigger.context(rule.on));
            let mut parameters = Vec::new();
            for (name, given) in with {
                let value = value(&context, given)
                    .map_err(|why| Refused::Template { parameter: name.clone(), why })?;
                parameters.push((name.clone(), value));
            }
            if command.takes_marks() && !with.iter().any(|(name, _)| name == MARK.0) {
                parameters.push((MARK.0.to_owned(), MARK.1.into()));
            }
            parameter::encode(&parameters)?;
            Ok(Action::Command(command, parameters))
        }
    }
}

fn value(context: &Context, given: &Given) -> Result<Value, String> {
    Ok(match given {
        Given::Text(source) => Value::Text(context.render(source)?),
        Given::List(sources) => {
            Value::List(sources.iter().map(|source| context.render(source)).collect::<Result<_, _>>()?)
        }
    })
}

/// The event for another program, without what may be secret.
fn body(rule: &Rule, trigger: &Trigger) -> String {
    let time = i64::try_from(trigger.at.millis())
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    json!({
        "event": rule.on,
        "server": &*trigger.server,
        "rule": rule.name,
        "time": time.map(|time| time.to_string()),
        "change": trigger.change.map(|change| change.label()),
        "stream": trigger.stream,
        "fields": secrets::leave_out(&trigger.context(rule.on)),
    })
    .to_string()
}
