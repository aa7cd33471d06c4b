//! `rules` of the configuration: checks that concern several keys at once.

use std::time::Duration;

use glob::Pattern;
use strum::VariantArray;

use super::document::{Fault, Place, Plain};
use super::key::{Members, Placed};
use super::values::Remote;
use crate::model::event::EventKind;
use crate::model::output::Format;
use crate::model::state::DerivedEvent;
use crate::model::stream::{Purpose, TYPES};
use crate::model::{api_call, connection};
use crate::pipeline::ConfiguredServer;
use crate::rules::{Act, Condition, Match, ParameterTemplate, Rule, Template};
use ems_protocol::runtime_api::Address;
use ems_protocol::runtime_api::command::{COMMANDS, Command};

/// The similarity, from 0 to 1, from which on a name counts as a misspelling of another.
const ALIKE: f64 = 0.75;
/// Most names that are proposed for a misspelt one.
const PROPOSED: usize = 3;
/// The longest name of a rule, in bytes: it is the value of a label.
const NAME_BYTES: usize = 100;

/// A rule as the file describes it.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Its name.
    pub name: String,
    /// The event that triggers it.
    pub on: Option<Placed>,
    /// Shell patterns of servers.
    pub servers: Vec<Placed>,
    /// Shell patterns of stream names.
    pub streams: Vec<Placed>,
    /// Shell patterns of groups.
    pub groups: Vec<Placed>,
    /// Types of streams.
    pub kinds: Vec<Placed>,
    /// Purposes of streams.
    pub purposes: Vec<Placed>,
    /// Formats of outputs.
    pub formats: Vec<Placed>,
    /// The condition.
    pub when: Option<Placed>,
    /// The command to call.
    pub call: Option<Placed>,
    /// The URL to post to.
    pub post: Option<Placed>,
    /// The parameters of the command, and the place of their section.
    pub with: Option<Members>,
    /// How long to wait before the call.
    pub delay: Duration,
    /// How long to pause after a call for the same stream.
    pub cooldown: Duration,
    /// Whether only to log the call.
    pub dry_run: bool,
    /// Whether streams that the exporter's own calls made match too.
    pub include_own: bool,
}

/// Checks rules, and makes those that can be made. Servers and their APIs must have been read.
pub(super) fn check(
    drafts: Vec<(Draft, Place)>,
    servers: &[ConfiguredServer],
    apis: &[Remote],
    faults: &mut Vec<Fault>,
) -> Vec<Rule> {
    let mut names: Vec<String> = Vec::new();
    let mut rules = Vec::new();
    for (draft, place) in drafts {
        if !draft.name.is_empty() && names.contains(&draft.name) {
            faults.push(place.fault("rules[].name", "is used twice: names must differ"));
        }
        names.push(draft.name.clone());
        rules.extend(check_rule(draft, place, servers, apis, faults));
    }
    rules
}

fn check_rule(
    draft: Draft,
    place: Place,
    servers: &[ConfiguredServer],
    apis: &[Remote],
    faults: &mut Vec<Fault>,
) -> Option<Rule> {
    let on = draft.on.as_ref().and_then(|(on, place)| check_on(on, *place, faults));
    let matching = Match {
        servers: patterns("server", draft.servers, faults),
        streams: patterns("stream", draft.streams, faults),
        groups: patterns("group", draft.groups, faults),
        kinds: choices("type", draft.kinds, &TYPES.map(|kind| (kind, kind)), faults),
        purposes: choices(
            "purpose",
            draft.purposes,
            &Purpose::VARIANTS.iter().map(|purpose| (purpose.label(), *purpose)).collect::<Vec<_>>(),
            faults,
        ),
        formats: choices(
            "format",
            draft.formats,
            &Format::VARIANTS.iter().map(|format| (format.label(), *format)).collect::<Vec<_>>(),
            faults,
        ),
    };
    let when = draft.when.and_then(|when| check_when(when, on, faults));
    let has_api = servers
        .iter()
        .any(|server| matching.server(&server.name) && apis.iter().any(|api| api.server == server.name));
    let act = check_act(draft.call, draft.post, draft.with, place, has_api, faults);
    if let (Some(on), Some(Act::Call(..))) = (on, &act)
        && is_made_by_calls(on)
    {
        let wrong = "would trigger itself, since its call causes this event: use post, or another event";
        faults.push(place.fault("rules[].on", wrong));
    }
    let (on, act) = on.zip(act)?;
    let Draft { name, delay, cooldown, dry_run, include_own, .. } = draft;
    Some(Rule { name, on, matching, when, act, delay, cooldown, dry_run, include_own })
}

/// Whether every call of the runtime API makes such an event.
fn is_made_by_calls(on: &str) -> bool {
    let made =
        |what: &connection::Name| matches!(what, connection::Name::Opened(_) | connection::Name::Closed(_));
    api_call::EVENTS.iter().any(|(name, _)| *name == on)
        || connection::EVENTS.iter().any(|(name, what)| *name == on && made(what))
}

/// A name is the value of a label.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    if !name.is_empty() && name.len() <= NAME_BYTES && !name.contains(char::is_control) {
        return Ok(());
    }
    Err("is not a name of 1 to 100 bytes on one line")
}

/// All events that may trigger a rule.
pub(super) fn events() -> Vec<&'static str> {
    EventKind::all()
        .map(EventKind::label)
        .filter(|label| *label != "other")
        .chain(DerivedEvent::NAMES)
        .collect()
}

/// All conditions.
pub(super) fn conditions() -> Vec<&'static str> {
    Condition::VARIANTS.iter().map(|condition| condition.name()).collect()
}

/// All commands that a rule may call.
pub(super) fn commands() -> Vec<&'static str> {
    COMMANDS.iter().map(|command| command.name).collect()
}

/// All types of streams.
pub(super) fn types() -> Vec<&'static str> {
    TYPES.to_vec()
}

/// All purposes of streams.
pub(super) fn purposes() -> Vec<&'static str> {
    Purpose::VARIANTS.iter().map(|purpose| purpose.label()).collect()
}

/// All formats of outputs.
pub(super) fn formats() -> Vec<&'static str> {
    Format::VARIANTS.iter().map(|format| format.label()).collect()
}

fn check_on(on: &str, place: Place, faults: &mut Vec<Fault>) -> Option<&'static str> {
    let events = events();
    if let Some(event) = events.iter().find(|event| **event == on) {
        return Some(event);
    }
    let hint = hint(on, &events, "known are");
    faults.push(place.fault("rules[].on", &format!("is an unknown event; {hint}")));
    None
}

fn patterns(key: &str, texts: Vec<Placed>, faults: &mut Vec<Fault>) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for (text, place) in texts {
        match Pattern::new(&text) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                let wrong = format!("is not a pattern such as cam*: {}", error.msg);
                faults.push(place.fault(&format!("rules[].match.{key}"), &wrong));
            }
        }
    }
    patterns
}

/// Values out of a closed set.
fn choices<T: Copy>(
    key: &str,
    texts: Vec<Placed>,
    known: &[(&'static str, T)],
    faults: &mut Vec<Fault>,
) -> Vec<T> {
    let mut chosen = Vec::new();
    for (text, place) in texts {
        if let Some((_, value)) = known.iter().find(|(name, _)| *name == text) {
            chosen.push(*value);
        } else {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let wrong = format!("is unknown; known are {}", names.join(", "));
            faults.push(place.fault(&format!("rules[].match.{key}"), &wrong));
        }
    }
    chosen
}

fn check_when((text, place): Placed, on: Option<&str>, faults: &mut Vec<Fault>) -> Option<Condition> {
    let Some(condition) = Condition::VARIANTS.iter().copied().find(|condition| condition.name() == text)
    else {
        let names = conditions().join(", ");
        faults.push(place.fault("rules[].when", &format!("is an unknown condition; known are {names}")));
        return None;
    };
    if on.is_some_and(|on| !condition.fits(on)) {
        let wanted = match condition {
            Condition::LastOutput => "needs an event of an outbound stream, such as outStreamClosed",
            Condition::StillStalled => "needs chunkStalled or outputNeverStarted",
            Condition::StreamOpen | Condition::StreamGone => "fits every event",
        };
        faults.push(place.fault("rules[].when", wanted));
    }
    Some(condition)
}

fn check_act(
    call: Option<Placed>,
    post: Option<Placed>,
    with: Option<Members>,
    place: Place,
    has_api: bool,
    faults: &mut Vec<Fault>,
) -> Option<Act> {
    match (&call, &post) {
        (Some(_), Some(_)) => {
            faults.push(place.fault("rules[]", "has both call and post: make two rules of it"))
        }
        (None, None) => faults.push(place.fault("rules[]", "has neither call nor post")),
        (Some(_), None) | (None, Some(_)) => {}
    }
    let post = post.and_then(|(url, place)| {
        let address = Address::of_other(&url);
        address.map_err(|wrong| faults.push(place.fault("rules[].post", wrong))).ok()
    });
    let with_place = with.as_ref().map(|(_, place)| *place);
    let with = with.map(|(with, _)| with).unwrap_or_default();
    let Some((name, at)) = call else {
        if let Some(place) = with_place.filter(|_| post.is_some()) {
            faults.push(place.fault("rules[].with", "belongs to call; post sends the whole event"));
        }
        return post.map(Act::Post);
    };
    if !has_api {
        faults.push(at.fault(
            "rules[].call",
            "needs a runtime API: set servers[].api.url of a server that the rule matches",
        ));
    }
    let Some(command) = Command::named(&name) else {
        let names = commands().join(", ");
        faults.push(at.fault("rules[].call", &format!("is an unknown command; known are {names}")));
        return None;
    };
    check_parameters(command, &with, with_place.unwrap_or(at), faults);
    let with = with.into_iter().map(|(name, plain, place)| {
        let given = templates(&name, plain, place, faults);
        (name, given)
    });
    Some(Act::Call(command, with.collect()))
}

fn check_parameters(
    command: &Command,
    with: &[(String, Plain, Place)],
    place: Place,
    faults: &mut Vec<Fault>,
) {
    for (name, _, place) in with.iter().filter(|(name, ..)| !command.knows(name)) {
        let all = [command.mandatory, command.either, command.optional].concat();
        let wrong = format!("is not a parameter of {}; {}", command.name, hint(name, &all, "it has"));
        faults.push(place.fault(&format!("rules[].with.{name}"), &wrong));
    }
    let given = |wanted: &&str| with.iter().any(|(name, ..)| name == wanted);
    let missing: Vec<&str> = command.mandatory.iter().copied().filter(|name| !given(name)).collect();
    if !missing.is_empty() {
        let wrong = format!("is missing required parameters of {}: {}", command.name, missing.join(", "));
        faults.push(place.fault("rules[].with", &wrong));
    }
    if !command.either.is_empty() && !command.either.iter().any(given) {
        let wrong =
            format!("is missing a required parameter of {}: {}", command.name, command.either.join(" or "));
        faults.push(place.fault("rules[].with", &wrong));
    }
}

/// The value of a parameter, compiled.
fn templates(name: &str, plain: Plain, place: Place, faults: &mut Vec<Fault>) -> ParameterTemplate {
    let mut template = |plain: Plain| match plain {
        Plain::Number(digits) => Template::plain(digits),
        Plain::Truth(truth) => Template::plain(if truth { "1" } else { "0" }.to_owned()),
        Plain::Text(source) => Template::compile(&source).unwrap_or_else(|why| {
            faults.push(
                place.fault(&format!("rules[].with.{name}"), &format!("is not a valid template: {why}")),
            );
            Template::plain(source)
        }),
        // A list holds no lists.
        Plain::List(_) => Template::plain(String::new()),
    };
    match plain {
        Plain::List(items) => ParameterTemplate::List(items.into_iter().map(template).collect()),
        one @ (Plain::Text(_) | Plain::Number(_) | Plain::Truth(_)) => ParameterTemplate::Text(template(one)),
    }
}

/// The known names that a misspelt one is most like, or all of them.
fn hint(name: &str, known: &[&str], all: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let alike = |known: &str| strsim::normalized_damerau_levenshtein(&lower, &known.to_ascii_lowercase());
    let mut near: Vec<(f64, &str)> = known.iter().map(|known| (alike(known), *known)).collect();
    near.retain(|(alike, _)| *alike >= ALIKE);
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    let near: Vec<&str> = near.into_iter().take(PROPOSED).map(|(_, name)| name).collect();
    if near.is_empty() {
        format!("{all} {}", known.join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    }
}
