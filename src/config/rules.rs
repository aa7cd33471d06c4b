//! `rules` and `actions` of the configuration.

use std::time::Duration;

use glob::Pattern;
use strum::VariantArray;

use super::Remote;
use super::document::{Fault, Place, Plain, Section};
use crate::actions;
use crate::model::event::Kind;
use crate::model::output::Format;
use crate::model::state::DerivedEvent;
use crate::model::stream::{Purpose, TYPES};
use crate::model::{api_call, connection};
use crate::pipeline::ConfiguredServer;
use crate::rules::{Act, Condition, Match, ParameterTemplate, Rule, Template};
use ems_protocol::runtime_api::Address;
use ems_protocol::runtime_api::command::{COMMANDS, Command};

/// How much alike two names must be for one to be taken for a misspelling of the other.
const ALIKE: f64 = 0.75;
/// Most names that are proposed for a misspelt one.
const PROPOSED: usize = 3;
/// The longest name of a rule, in bytes: it is the value of a label.
const NAME_BYTES: usize = 100;

/// Reads the section `actions`.
pub(super) fn read_actions(mut section: Section, into: &mut actions::Options, faults: &mut Vec<Fault>) {
    section.truth("dry_run", &mut into.dry_run, faults);
    section.duration("max_age", &mut into.max_age, faults);
    section.count("queue", 1, 1_000_000, &mut into.queue, faults);
    section.finish(faults);
}

/// Reads the list `rules`. Servers and their APIs must have been read.
pub(super) fn read_rules(
    sections: Vec<Section>,
    servers: &[ConfiguredServer],
    apis: &[Remote],
    faults: &mut Vec<Fault>,
) -> Vec<Rule> {
    let mut names: Vec<String> = Vec::new();
    let mut rules = Vec::new();
    for section in sections {
        let place = section.place();
        let (name, rule) = read_rule(section, servers, apis, faults);
        if let Some(name) = name {
            if names.contains(&name) {
                faults.push(place.fault("rules[].name", "is used twice: names must differ"));
            }
            names.push(name);
        }
        rules.extend(rule);
    }
    rules
}

/// A rule's name, if it has one, and the rule, if nothing is wrong with it.
fn read_rule(
    mut section: Section,
    servers: &[ConfiguredServer],
    apis: &[Remote],
    faults: &mut Vec<Fault>,
) -> (Option<String>, Option<Rule>) {
    let (place, before) = (section.place(), faults.len());
    if !section.has("name") {
        faults.push(place.fault("rules[].name", "is missing: every rule needs a name"));
    }
    let mut name = String::new();
    section.text("name", check_name, &mut name, faults);
    let on = read_on(&mut section, place, faults);
    let matching =
        section.section("match", faults).map(|section| read_match(section, faults)).unwrap_or_default();
    let when = read_when(&mut section, on, faults);
    let api = |matching: &Match| {
        servers
            .iter()
            .any(|server| matching.server(&server.name) && apis.iter().any(|api| api.server == server.name))
    };
    let act = read_act(&mut section, place, faults, api(&matching));
    if let (Some(on), Some(Act::Call(..))) = (on, &act)
        && is_made_by_calls(on)
    {
        let wrong = "would be triggered by its own call, again and again: post may be used instead";
        faults.push(place.fault("rules[].on", wrong));
    }
    let (mut delay, mut cooldown) = (Duration::ZERO, Duration::ZERO);
    let (mut dry_run, mut include_own) = (false, false);
    section.duration("delay", &mut delay, faults);
    section.duration("cooldown", &mut cooldown, faults);
    section.truth("dry_run", &mut dry_run, faults);
    section.truth("include_own", &mut include_own, faults);
    section.finish(faults);
    let known = (!name.is_empty()).then(|| name.clone());
    let rule = on.zip(act).filter(|_| faults.len() == before).map(|(on, act)| Rule {
        name,
        on,
        matching,
        when,
        act,
        delay,
        cooldown,
        dry_run,
        include_own,
    });
    (known, rule)
}

/// Whether every call of the runtime API makes such an event.
fn is_made_by_calls(on: &str) -> bool {
    let made =
        |what: &connection::Name| matches!(what, connection::Name::Opened(_) | connection::Name::Closed(_));
    api_call::EVENTS.iter().any(|(name, _)| *name == on)
        || connection::EVENTS.iter().any(|(name, what)| *name == on && made(what))
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if !name.is_empty() && name.len() <= NAME_BYTES && !name.contains(char::is_control) {
        return Ok(());
    }
    Err("is not a name of 1 to 100 bytes on one line")
}

fn read_on(section: &mut Section, place: Place, faults: &mut Vec<Fault>) -> Option<&'static str> {
    if !section.has("on") {
        faults.push(place.fault("rules[].on", "is missing: the event that triggers the rule"));
    }
    let (on, place) = section.word("on", faults)?;
    if let Some(derived) = DerivedEvent::NAMES.iter().find(|derived| **derived == on) {
        return Some(derived);
    }
    let kind = Kind::of(&on).label();
    if kind != "other" {
        return Some(kind);
    }
    let events: Vec<&str> =
        Kind::all().map(Kind::label).filter(|label| *label != "other").chain(DerivedEvent::NAMES).collect();
    let near = near(&on, &events);
    let hint = if near.is_empty() {
        format!("there are {}", events.join(", "))
    } else {
        format!("is it {}?", near.join(" or "))
    };
    faults.push(place.fault("rules[].on", &format!("is no known event: {hint}")));
    None
}

fn read_match(mut section: Section, faults: &mut Vec<Fault>) -> Match {
    let patterns = |section: &mut Section, key, faults: &mut Vec<Fault>| {
        let mut patterns = Vec::new();
        for (text, place) in section.words(key, faults) {
            match Pattern::new(&text) {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => {
                    let wrong = format!("is no pattern such as cam*: {}", error.msg);
                    faults.push(place.fault(&format!("rules[].match.{key}"), &wrong));
                }
            }
        }
        patterns
    };
    let matching = Match {
        servers: patterns(&mut section, "server", faults),
        streams: patterns(&mut section, "stream", faults),
        groups: patterns(&mut section, "group", faults),
        kinds: choices(&mut section, "type", &TYPES.map(|kind| (kind, kind)), faults),
        purposes: choices(
            &mut section,
            "purpose",
            &Purpose::ALL.map(|purpose| (purpose.label(), purpose)),
            faults,
        ),
        formats: choices(&mut section, "format", &Format::ALL.map(|format| (format.label(), format)), faults),
    };
    section.finish(faults);
    matching
}

/// Values out of a closed set.
fn choices<T: Copy>(
    section: &mut Section,
    key: &'static str,
    known: &[(&'static str, T)],
    faults: &mut Vec<Fault>,
) -> Vec<T> {
    let mut chosen = Vec::new();
    for (text, place) in section.words(key, faults) {
        if let Some((_, value)) = known.iter().find(|(name, _)| *name == text) {
            chosen.push(*value);
        } else {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let wrong = format!("is not known: there are {}", names.join(", "));
            faults.push(place.fault(&format!("rules[].match.{key}"), &wrong));
        }
    }
    chosen
}

fn read_when(section: &mut Section, on: Option<&str>, faults: &mut Vec<Fault>) -> Option<Condition> {
    let (text, place) = section.word("when", faults)?;
    let Some(condition) = Condition::VARIANTS.iter().copied().find(|condition| condition.name() == text)
    else {
        let names: Vec<&str> = Condition::VARIANTS.iter().map(|condition| condition.name()).collect();
        let names = names.join(", ");
        faults.push(place.fault("rules[].when", &format!("is no known condition: there are {names}")));
        return None;
    };
    if on.is_some_and(|on| !condition.fits(on)) {
        let wanted = match condition {
            Condition::LastOutput => "asks for an event of an outbound stream, such as outStreamClosed",
            Condition::StillStalled => "asks for chunkStalled or outputNeverStarted",
            Condition::StreamOpen | Condition::StreamGone => "fits every event",
        };
        faults.push(place.fault("rules[].when", wanted));
    }
    Some(condition)
}

fn read_act(section: &mut Section, place: Place, faults: &mut Vec<Fault>, api: bool) -> Option<Act> {
    match (section.has("call"), section.has("post")) {
        (true, true) => faults.push(place.fault("rules[]", "has both call and post: make two rules of it")),
        (false, false) => faults.push(place.fault("rules[]", "has neither call nor post")),
        (true, false) | (false, true) => {}
    }
    let post = section.word("post", faults).and_then(|(url, place)| {
        let address = Address::of_other(&url);
        address.map_err(|wrong| faults.push(place.fault("rules[].post", wrong))).ok()
    });
    let call = section.word("call", faults);
    let (with_place, with) = match section.section("with", faults) {
        Some(with) => (Some(with.place()), with.rest(faults)),
        None => (None, Vec::new()),
    };
    let Some((name, at)) = call else {
        if let Some(place) = with_place.filter(|_| post.is_some()) {
            faults.push(place.fault("rules[].with", "belongs to call: post sends the whole event"));
        }
        return post.map(Act::Post);
    };
    if !api {
        faults.push(at.fault(
            "rules[].call",
            "needs a server that the rule matches to have an api: set servers[].api.url",
        ));
    }
    let Some(command) = Command::named(&name) else {
        let names: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
        faults
            .push(at.fault("rules[].call", &format!("is no known command: there are {}", names.join(", "))));
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
        let near = near(name, &all);
        let hint = if near.is_empty() {
            format!("it knows {}", all.join(", "))
        } else {
            format!("is it {}?", near.join(" or "))
        };
        let wrong = format!("is no parameter of {}: {hint}", command.name);
        faults.push(place.fault(&format!("rules[].with.{name}"), &wrong));
    }
    let given = |wanted: &&str| with.iter().any(|(name, ..)| name == wanted);
    let missing: Vec<&str> = command.mandatory.iter().copied().filter(|name| !given(name)).collect();
    if !missing.is_empty() {
        let wrong = format!("lacks what {} cannot do without: {}", command.name, missing.join(", "));
        faults.push(place.fault("rules[].with", &wrong));
    }
    if !command.either.is_empty() && !command.either.iter().any(given) {
        let wrong = format!("lacks one of what {} needs: {}", command.name, command.either.join(" or "));
        faults.push(place.fault("rules[].with", &wrong));
    }
}

/// The value of a parameter, compiled.
fn templates(name: &str, plain: Plain, place: Place, faults: &mut Vec<Fault>) -> ParameterTemplate {
    let mut template = |plain: Plain| match plain {
        Plain::Number(digits) => Template::plain(digits),
        Plain::Truth(truth) => Template::plain(if truth { "1" } else { "0" }.to_owned()),
        Plain::Text(source) => Template::compile(&source).unwrap_or_else(|why| {
            faults.push(place.fault(&format!("rules[].with.{name}"), &format!("is no template: {why}")));
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

/// The known names that a misspelt one may stand for, the most alike first.
fn near<'n>(name: &str, known: &[&'n str]) -> Vec<&'n str> {
    let name = name.to_ascii_lowercase();
    let alike = |known: &str| strsim::normalized_damerau_levenshtein(&name, &known.to_ascii_lowercase());
    let mut near: Vec<(f64, &str)> = known.iter().map(|known| (alike(known), *known)).collect();
    near.retain(|(alike, _)| *alike >= ALIKE);
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    near.into_iter().take(PROPOSED).map(|(_, name)| name).collect()
}
