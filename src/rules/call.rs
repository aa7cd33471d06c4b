//! A call that a rule decided on, ready to be sent.

use std::sync::Arc;

use serde_json::json;

use super::condition::Condition;
use super::rule::{Act, ParameterTemplate, Rule};
use super::secrets;
use super::target::Target;
use super::template::Context;
use super::trigger::Trigger;
use crate::model::MARK;
use crate::model::state::State;
use ems_protocol::Timestamp;
use ems_protocol::runtime_api::Address;
use ems_protocol::runtime_api::command::Command;
use ems_protocol::runtime_api::parameter::{self, Parameter, Unsendable, Value};

/// The largest body for another program, in bytes: a thousand of them may wait, and a real event has some thousand bytes.
const MAX_BODY: usize = 64 << 10;

/// The call that one trigger caused by one rule.
#[derive(Debug, Clone)]
pub struct Call {
    /// The rule.
    pub rule: Arc<Rule>,
    /// The media server.
    pub server: Arc<str>,
    /// When the trigger happened.
    pub at: Timestamp,
    /// The stream or output that it is about.
    pub target: Target,
    /// The request, or why none is sent.
    pub action: Result<Action, Skipped>,
}

/// The request of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A command with its parameters.
    Command(&'static Command, Vec<Parameter>),
    /// A body of JSON.
    Post(Address, String),
}

impl Action {
    /// The name for logs: the command or `post`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Command(command, _) => command.name,
            Self::Post(..) => "post",
        }
    }
}

/// Why no request is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Skipped {
    /// A condition does not hold.
    #[error("{} does not hold", .0.name())]
    Condition(Condition),
    /// A template names a field that the event does not have, or fails otherwise. No value is part of the reason.
    #[error("cannot render the parameter {parameter}: {why}")]
    Template {
        /// The parameter.
        parameter: String,
        /// What is wrong.
        why: String,
    },
    /// The body for another program is too large to be kept until it is sent.
    #[error("the event has more than {MAX_BODY} bytes")]
    Large,
    /// The server would misread the value.
    #[error(transparent)]
    Unsendable(#[from] Unsendable),
}

/// The call that a rule makes for a trigger which matches it.
pub(super) fn plan(rule: &Arc<Rule>, trigger: &Trigger, state: &State) -> Call {
    let target = trigger.target(state);
    let action = match rule.when.filter(|condition| !condition.holds(&target, state)) {
        Some(condition) => Err(Skipped::Condition(condition)),
        None => request(rule, trigger),
    };
    Call { rule: Arc::clone(rule), server: Arc::clone(&trigger.server), at: trigger.at, target, action }
}

fn request(rule: &Rule, trigger: &Trigger) -> Result<Action, Skipped> {
    match &rule.act {
        Act::Post(address, with) => {
            let body = body(rule, trigger, rendered(with, trigger, rule.on)?);
            let fits = body.len() <= MAX_BODY;
            fits.then(|| Action::Post(address.clone(), body)).ok_or(Skipped::Large)
        }
        Act::Call(command, with) => {
            let mut parameters = rendered(with, trigger, rule.on)?;
            if command.keeps_marks() && !with.iter().any(|(name, _)| name == MARK.0) {
                parameters.push((MARK.0.to_owned(), MARK.1.into()));
            }
            parameter::encode(&parameters)?;
            Ok(Action::Command(command, parameters))
        }
    }
}

fn rendered(
    with: &[(String, ParameterTemplate)],
    trigger: &Trigger,
    on: &str,
) -> Result<Vec<Parameter>, Skipped> {
    if with.is_empty() {
        return Ok(Vec::new());
    }
    let context = Context::new(trigger.context(on));
    let one = |(name, template): &(String, ParameterTemplate)| {
        let failed = |why| Skipped::Template { parameter: name.clone(), why };
        Ok((name.clone(), render(template, &context).map_err(failed)?))
    };
    with.iter().map(one).collect()
}

fn render(parameter: &ParameterTemplate, context: &Context) -> Result<Value, String> {
    Ok(match parameter {
        ParameterTemplate::Text(template) => Value::Text(template.render(context)?),
        ParameterTemplate::List(templates) => {
            Value::List(templates.iter().map(|template| template.render(context)).collect::<Result<_, _>>()?)
        }
    })
}

/// The event for another program: the fields that may be posted, and those that the rule names.
fn body(rule: &Rule, trigger: &Trigger, named: Vec<Parameter>) -> String {
    let mut fields = secrets::posted(&trigger.context(rule.on));
    fields.extend(named.into_iter().map(|(name, value)| match value {
        Value::Text(text) => (name, json!(text)),
        Value::List(texts) => (name, json!(texts)),
    }));
    let time = i64::try_from(trigger.wall.time(trigger.at).millis())
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    json!({
        "event": rule.on,
        "server": &*trigger.server,
        "rule": rule.name,
        "time": time.map(|time| time.to_string()),
        "change": trigger.change.map(|change| change.label()),
        "stream": trigger.stream,
        "fields": fields,
    })
    .to_string()
}
