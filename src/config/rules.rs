//! `rules` of the configuration: checks that concern several keys at once.

use std::time::Duration;

use super::document::{Members, Node, Section, shown};
use super::key::misspelt;
use super::values::Config;
use crate::model::{api_call, connection};
use crate::rules::{Act, Condition, Match, ParameterTemplate, Rule, Template};
use ems_protocol::runtime_api::Address;
use ems_protocol::runtime_api::command::Command;

/// A rule as the file describes it; `RULE_KEYS` documents the fields.
pub struct Draft {
    pub name: String,
    pub on: Option<&'static str>,
    pub matching: Match,
    pub when: Option<Condition>,
    pub call: Option<&'static Command>,
    pub post: Option<Address>,
    pub with: Option<Members>,
    pub delay: Duration,
    pub cooldown: Duration,
    pub max_per_minute: usize,
    pub dry_run: bool,
    pub include_own: bool,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            name: String::new(),
            on: None,
            matching: Match::default(),
            when: None,
            call: None,
            post: None,
            with: None,
            delay: Duration::ZERO,
            cooldown: Duration::ZERO,
            max_per_minute: 1000,
            dry_run: false,
            include_own: false,
        }
    }
}

/// Makes a rule, if its section has no fault that forbids it. Servers and their APIs must have been read.
pub(super) fn check(draft: Draft, section: &Section, config: &Config) -> Option<Rule> {
    let Draft {
        name,
        on,
        matching,
        when,
        call,
        post,
        with,
        delay,
        cooldown,
        max_per_minute,
        dry_run,
        include_own,
    } = draft;
    if let (Some(on), Some(when)) = (on, when)
        && !when.fits(on)
    {
        let wanted = match when {
            Condition::LastOutput => "needs an event of an outbound stream, such as outStreamClosed",
            Condition::StillStalled => "needs chunkStalled or outputNeverStarted",
            Condition::StreamOpen | Condition::StreamGone => "fits every event",
        };
        section.fault("when", wanted);
    }
    match (section.has("call"), section.has("post")) {
        (true, true) => section.fault("", "has both call and post: make two rules of it"),
        (false, false) => section.fault("", "has neither call nor post"),
        (true, false) | (false, true) => {}
    }
    let has_api = config.apis.iter().any(|api| matching.server(&api.server));
    if section.has("call") && !has_api {
        section.fault("call", "needs a runtime API: set servers[].api.url of a server that the rule matches");
    }
    if call.is_some() && on.is_some_and(is_made_by_calls) {
        let wrong = "would trigger itself, since its call causes this event: use post, or another event";
        section.fault("on", wrong);
    }
    let with = with.unwrap_or_default();
    if let Some(command) = call {
        check_parameters(command, &with, section);
    }
    let with = templates(with, on, section);
    let act = match call {
        Some(command) => Some(Act::Call(command, with)),
        None => post.map(|address| Act::Post(address, with)),
    };
    let (on, act) = on.zip(act)?;
    Some(Rule { name, on, matching, when, act, delay, cooldown, max_per_minute, dry_run, include_own })
}

/// Whether every call of the runtime API makes such an event.
fn is_made_by_calls(on: &str) -> bool {
    let made =
        |event: &connection::Name| matches!(event, connection::Name::Opened(_) | connection::Name::Closed(_));
    api_call::EVENTS.iter().any(|(name, _)| *name == on)
        || connection::EVENTS.iter().any(|(name, event)| *name == on && made(event))
}

/// Checks that a command has these parameters, and that it lacks none.
fn check_parameters(command: &Command, with: &Members, section: &Section) {
    let given = |wanted: &&str| with.iter().any(|(name, _)| name.value == *wanted);
    let missing: Vec<&str> = command.mandatory.iter().copied().filter(|name| !given(name)).collect();
    if !missing.is_empty() {
        let wrong = format!("is missing required parameters of {}: {}", command.name, missing.join(", "));
        section.fault("with", &wrong);
    }
    if !command.either.is_empty() && !command.either.iter().any(given) {
        let either = command.either.join(" or ");
        section.fault("with", &format!("is missing a required parameter of {}: {either}", command.name));
    }
    for (name, _) in with.iter().filter(|(name, _)| !command.knows(&name.value)) {
        let all: Vec<&str> = command.parameters().collect();
        let hint = misspelt(&name.value, &all).unwrap_or_else(|| format!("it has {}", all.join(", ")));
        let place = format!("with.{}", shown(&name.value));
        section.fault_at(
            name.referenced,
            &place,
            &format!(" is not a parameter of {}; {hint}", command.name),
        );
    }
}

/// Compiles the values of `with`.
fn templates(with: Members, on: Option<&str>, section: &Section) -> Vec<(String, ParameterTemplate)> {
    let mut parameters = Vec::new();
    for (name, node) in with {
        let fault = |wrong: &str| {
            section.fault_at(name.referenced, &format!("with.{}", shown(&name.value)), &format!(" {wrong}"));
        };
        let template = if let Node::List(items) = &node.value {
            items
                .iter()
                .map(|item| template(&item.value, on))
                .collect::<Result<_, _>>()
                .map(ParameterTemplate::List)
        } else {
            template(&node.value, on).map(ParameterTemplate::Text)
        };
        match template {
            Ok(template) => parameters.push((name.value, template)),
            Err(Some(wrong)) => fault(&wrong),
            Err(None) => {
                let kind = node.value.kind();
                fault(&format!("is {kind}, not a text, a number, true or false, or a list of those"));
            }
        }
    }
    parameters
}

/// The template of a single value, or what is wrong with it; nothing for another kind of value.
fn template(node: &Node, on: Option<&str>) -> Result<Template, Option<String>> {
    match node {
        Node::Bool(truth, _) => Ok(Template::plain(u8::from(*truth).to_string())),
        Node::Number(text) | Node::Text(text) => Template::compile(text, on).map_err(Some),
        Node::Null | Node::List(_) | Node::Map(_) => Err(None),
    }
}
