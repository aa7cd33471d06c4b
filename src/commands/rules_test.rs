//! `rules test`: reports what rules would do with the events of a file. Nothing is sent.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use strum::VariantArray;

use crate::config::Config;
use crate::model::event;
use crate::model::output::{Format, Stall, StallTransition, Track};
use crate::model::state::{DerivedEvent, State};
use crate::rules::{Action, Call, Condition, Rule, Rules, Skipped, Trigger, secrets};
use ems_protocol::Timestamp;
use ems_protocol::runtime_api::parameter::{Parameter, Value};
use ems_protocol::{Message, Rejection, decode};

/// Why rules cannot be tested.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    File(String, std::io::Error),
    /// It holds something other than an event.
    #[error("event {0} is rejected: {1}")]
    Event(usize, Rejection),
    /// It holds no event.
    #[error("the file holds no event")]
    Empty,
}

/// Applies the events of a file in order to an empty state, and reports what each rule would do
/// with each of them. `server` is the name of the server that they come from; events without a time
/// happen at `now`.
pub fn test_file(config: &Config, file: &Path, server: &str, now: Timestamp) -> Result<String, Error> {
    let body = std::fs::read(file).map_err(|error| Error::File(file.display().to_string(), error))?;
    test_body(config, &body, server, now)
}

/// Like [`test_file`], with the content of the file.
pub fn test_body(config: &Config, body: &[u8], server: &str, now: Timestamp) -> Result<String, Error> {
    // No tick has detected the stall that a derived event of the file is about.
    let given: Vec<Rule> = config.rules.iter().cloned().map(assume_stalled).collect();
    let mut dry_run = DryRun {
        config,
        rules: &Rules::new(&config.rules),
        given: &Rules::new(&given),
        state: State::new(&config.settings),
        server,
        now,
        report: String::new(),
        count: 0,
    };
    let mut failed = None;
    decode(body, |message| {
        dry_run.count += 1;
        if let Err(rejection) = message.and_then(|message| dry_run.take(&message)) {
            failed.get_or_insert(Error::Event(dry_run.count, rejection));
        }
    });
    match failed {
        Some(error) => Err(error),
        None if dry_run.count == 0 => Err(Error::Empty),
        None => Ok(dry_run.report),
    }
}

/// The rule with the condition assumed that the output is stalled.
fn assume_stalled(rule: Rule) -> Rule {
    Rule { when: rule.when.filter(|condition| *condition != Condition::StillStalled), ..rule }
}

/// Decodes a posted body, or else the entries of a text or W3C file.
fn decode<'a>(body: &'a [u8], mut each: impl FnMut(Result<Message<'a>, Rejection>)) {
    let text = body.trim_ascii_start();
    let posted = ems_protocol::Format::of(body);
    if text.is_empty() {
        return;
    }
    if posted != ems_protocol::Format::Unknown {
        decode::decode(body, posted, usize::MAX, each);
    } else if text.starts_with(b"#") {
        decode_rows(text, each);
    } else {
        // Entries end with empty lines.
        let mut rest = text;
        while !rest.is_empty() {
            let end = memchr::memmem::find(rest, b"\n\n").unwrap_or(rest.len());
            decode::decode(&rest[..end], ems_protocol::Format::Text, usize::MAX, &mut each);
            rest = rest[end..].trim_ascii_start();
        }
    }
}

fn decode_rows<'a>(text: &'a [u8], mut each: impl FnMut(Result<Message<'a>, Rejection>)) {
    let mut header = None;
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        if let Some(names) = line.strip_prefix(b"#Fields:") {
            header = Some(names.trim_ascii());
        } else if !line.starts_with(b"#") {
            let missing = Rejection::NotAnEvent("a row has no #Fields line before it");
            match header {
                Some(header) => decode::decode_row(header, line, &mut each),
                None => each(Err(missing)),
            }
        }
    }
}

struct DryRun<'c> {
    config: &'c Config,
    rules: &'c Rules,
    /// The rules for derived events of the file, with their stall assumed.
    given: &'c Rules,
    state: State,
    server: &'c str,
    now: Timestamp,
    report: String,
    count: usize,
}

impl DryRun<'_> {
    fn take(&mut self, message: &Message<'_>) -> Result<(), Rejection> {
        let now = message.at.unwrap_or(self.now);
        if DerivedEvent::NAMES.contains(&&*message.name) {
            let derived = derived(message, &self.state)?;
            self.print(&format!("{}: {} (derived event)\n", self.count, derived.name()));
            let trigger = Trigger::of_derived_event(self.server, &derived, &self.state, now);
            self.explain(self.given, &trigger);
            return Ok(());
        }
        let event = event::interpret(message)?;
        let input = Trigger::input(&event, &self.state);
        let change = self.state.apply(&event, now).change;
        self.print(&format!("{}: {} ({})\n", self.count, message.name, change.label()));
        let trigger = Trigger::of_event(self.server, message, &event, change, input, &self.state, now);
        match trigger {
            Some(trigger) => self.explain(self.rules, &trigger),
            None => self.print("   triggers nothing: it adds nothing new\n"),
        }
        Ok(())
    }

    fn print(&mut self, text: &str) {
        self.report.push_str(text);
    }

    fn explain(&mut self, rules: &Rules, trigger: &Trigger) {
        for (rule, verdict) in rules.explain(trigger, &self.state) {
            let lines = match verdict {
                Err(failure) => format!("   {}: does not match: {failure}\n", rule.name),
                Ok(call) => self.matched(&call),
            };
            self.print(&lines);
        }
    }

    fn matched(&self, call: &Call) -> String {
        let rule = &call.rule;
        let mut report = format!("   {}: matches\n", rule.name);
        let mut line = |text: &str| report.extend(["      ", text, "\n"]);
        let configured = self.config.rules.iter().find(|known| known.name == rule.name);
        if rule.when.is_none()
            && let Some(condition) = configured.and_then(|known| known.when)
        {
            line(&format!("when {}: assumed", condition.name()));
        }
        if let Some(condition) = rule.when {
            let holds = condition.holds(&call.target, &self.state);
            line(&format!("when {}: {}", condition.name(), if holds { "holds" } else { "does not hold" }));
        }
        if rule.needs_proof() {
            line("waits for proof that the server is alive");
        }
        match &call.action {
            Ok(Action::Command(command, parameters)) => {
                line(&format!("call {}{}", command.name, shown(parameters)));
            }
            Ok(Action::Post(address, body)) => line(&format!("post {address} {body}")),
            Err(Skipped::Condition(_)) => line("nothing is sent"),
            Err(why @ (Skipped::Template { .. } | Skipped::Large | Skipped::Unsendable(_))) => {
                line(&format!("rejected: {why}"))
            }
        }
        for (name, duration) in [("delay", rule.delay), ("cooldown", rule.cooldown)] {
            if duration > Duration::ZERO {
                line(&format!("{name} {}", humantime::format_duration(duration)));
            }
        }
        if rule.dry_run || self.config.actions.dry_run {
            line("dry run: nothing is sent");
        }
        report
    }
}

/// Parameters without those that may be secret.
fn shown(parameters: &[Parameter]) -> String {
    let one = |(name, value): &Parameter| {
        let (text, plain) = match value {
            Value::Text(text) => (json!(text), text.clone()),
            Value::List(texts) => (json!(texts), texts.join(" ")),
        };
        let text = if secrets::may_be(name, &plain) { json!(secrets::MASK) } else { text };
        format!(" {name}={text}")
    };
    parameters.iter().map(one).collect()
}

/// Reads a derived event of the file: its name, and its subject as the payload.
fn derived(message: &Message<'_>, state: &State) -> Result<DerivedEvent, Rejection> {
    let payload = message.payload();
    let text = |name| Ok(payload.text(name)?.unwrap_or_default());
    let stream = payload.text("stream")?.ok_or(Rejection::MissingField("stream"))?;
    let transition = match &*message.name {
        "chunkStalled" => StallTransition::Stalled,
        "outputNeverStarted" => StallTransition::NeverStarted,
        "chunkRecovered" => StallTransition::Recovered,
        _ => return Ok(DerivedEvent::StreamMissing(stream.as_ref().into())),
    };
    let (format, track): (_, std::borrow::Cow<'_, str>) = (text("format")?, text("track")?);
    let wanted = "hls, hds, dash, mss or record";
    let format = Format::VARIANTS.iter().copied().find(|known| known.label() == format);
    let format = format.ok_or(Rejection::BadField { field: "format", wanted })?;
    let track = Track::VARIANTS.iter().copied().find(|known| known.label() == track);
    let track = track.ok_or(Rejection::BadField { field: "track", wanted: "audio, video or empty" })?;
    let (group, writer) = (text("group")?, state.outputs.writer(format, &text("group")?, &stream));
    Ok(DerivedEvent::Output(Stall {
        transition,
        format,
        group: group.as_ref().into(),
        stream: stream.as_ref().into(),
        track,
        writer,
        input: None,
    }))
}

/// Prints what the rules would do.
pub fn run(flags: &crate::cli::RulesTest) -> anyhow::Result<()> {
    let config = Config::load(Some(&flags.config_file), &crate::config::Overrides::default())?;
    let first = config.servers.first().map_or(crate::pipeline::DEFAULT_SERVER, |server| &server.name);
    let server = flags.server.as_deref().unwrap_or(first);
    super::print(&test_file(&config, &flags.event, server, Timestamp::now())?);
    Ok(())
}
