//! Every key of the configuration file, every flag of the exporter and every environment variable, in the order of the
//! documentation: `docs/CONFIGURATION.md`, the JSON Schema of the file, the flags and their help derive from these lists.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use glob::Pattern;
use strum::{EnumMessage, VariantArray};

use super::document::shown;
use super::key::Value::{
    Bool, Choice, Count, File, Folders, Many, ManyOf, Members, Number, One, OneOf, Text, Texts,
};
use super::key::{ConfigKey, Value, key, names, no_such, one_of, variant};
use super::rules;
use super::servers;
use super::values::{Config, LogFormat, LogLevel};
use crate::auth::{Secret, network};
use crate::model::event::EventKind;
use crate::model::output;
use crate::model::state::DerivedEvent;
use crate::model::stream::{Purpose, TYPES};
use crate::pipeline::is_server_name;
use crate::rules::Condition;
use ems_protocol::runtime_api::Address;
use ems_protocol::runtime_api::command::{COMMANDS, Command};
use ems_tail::{Format, Start};

/// The longest name of a rule, in bytes: it is the value of a label.
const RULE_NAME_BYTES: usize = 100;
/// The largest file of a secret, in bytes.
const LARGEST_SECRET: u64 = 64 << 10;
/// The form of a name of event files.
const PATTERN: &str = "a file name or pattern, such as /var/log/ems/events*.json";
/// The purpose of path maps.
const FOLDERS_HELP: &str =
    "Folders of outputs as the media server names them, each with its place on the exporter's machine";
/// When path maps are needed.
const FOLDERS_DETAILS: &str = "For example `{/srv/www: /mnt/www}`, if the exporter runs in a container. The longest \
                               prefix counts. Folders that are not below one are looked for under their own path, \
                               relative ones not at all. The sizes of chunks and the free space are known only of \
                               folders that the exporter can read.";
/// The form of a list of names or patterns.
const TEXTS: &str = "a text or a list of texts";

/// Keys of the file outside `servers` and `rules`, and all flags and variables.
pub const KEYS: &[ConfigKey<Config>] = &[
    ConfigKey {
        flag: "config.file",
        variable: "EMS_EXPORTER_CONFIG_FILE",
        value_name: "FILE",
        ..key("", File(|c| &mut c.origin.file), "YAML configuration file; flags and variables override it")
    },
    ConfigKey {
        flag: "web.listen-address",
        variable: "EMS_EXPORTER_WEB_LISTEN_ADDRESS",
        value_name: "ADDRESS",
        ..key(
            "web.listen_address",
            Texts(|c| &mut c.listen, check_address),
            "Address to listen on: HOST:PORT, or :PORT for all interfaces",
        )
    },
    ConfigKey {
        flag: "web.telemetry-path",
        variable: "EMS_EXPORTER_WEB_TELEMETRY_PATH",
        value_name: "PATH",
        ..key("web.telemetry_path", Text(|c| &mut c.telemetry_path, check_path), "Path of the metrics page")
    },
    ConfigKey {
        details: "Without it, a health check needs no user even if the other pages do.",
        reload: true,
        ..key(
            "web.protect_health",
            Bool(|c| &mut c.ingest.guard.protect_health),
            "Whether the health pages require a user of the web configuration file",
        )
    },
    ConfigKey {
        default: "none",
        details: "Browsers also reach it by an address, by localhost and by a name without dots. Any other name is refused \
                  over plain HTTP without users, since a web page of that name could be pointed at the exporter. Prometheus \
                  and other programs need no name here.",
        reload: true,
        ..key(
            "web.names",
            Texts(|c| &mut c.ingest.guard.names, check_name),
            "Host names by which browsers reach the live page",
        )
    },
    ConfigKey {
        flag: "web.config.file",
        variable: "EMS_EXPORTER_WEB_CONFIG_FILE",
        value_name: "FILE",
        details: "It is read again when it or a file that it names changes.",
        ..key(
            "",
            File(|c| &mut c.web_file),
            "File with TLS, users and headers for the exporter's pages, in the format of Prometheus' exporter-toolkit",
        )
    },
    ConfigKey {
        flag: "web.enable-lifecycle",
        variable: "EMS_EXPORTER_WEB_ENABLE_LIFECYCLE",
        ..key(
            "",
            Bool(|c| &mut c.lifecycle),
            "Let POST /-/reload read the configuration files again, as SIGHUP does",
        )
    },
    ConfigKey {
        flag: "web.insecure",
        variable: "EMS_EXPORTER_WEB_INSECURE",
        details: "Without it the exporter does not start if clients on other machines could post events or reload the \
                  configuration without authentication.",
        ..key("", Bool(|c| &mut c.insecure), "Allow unauthenticated access beyond loopback")
    },
    ConfigKey {
        default: "the addresses of web.listen_address",
        details: "If it is set, no other address accepts events. These addresses speak plain HTTP, even if the web \
                  configuration file turns on TLS.",
        ..key(
            "ingest.listen_address",
            Texts(|c| &mut c.ingest.listen, check_address),
            "Addresses for events and health checks only: HOST:PORT, or :PORT for all interfaces",
        )
    },
    ConfigKey {
        details: "It stands in the URL of their sink, as `?secret=…` or as the last segment of the path.",
        reload: true,
        ..key(
            "ingest.secret_file",
            One("a file name", |c, name, folder| {
                let secret = Secret::new(&secret_in(name, folder)?)?;
                c.ingest.guard.secret = Some(secret);
                Ok(())
            }),
            "File with the secret that media servers must send with their events",
        )
    },
    ConfigKey {
        variable: "EMS_EXPORTER_INGEST_SECRET",
        details: "It overrides `ingest.secret_file`.",
        ..key(
            "",
            One("a text", |c, text, _| {
                Ok(Secret::new(text).map(|secret| c.ingest.guard.secret = Some(secret))?)
            }),
            "The secret that media servers must send with their events",
        )
    },
    ConfigKey {
        default: "any address",
        reload: true,
        ..key(
            "ingest.allow",
            Many("an address or network such as 10.0.0.0/8", |c, text, _| {
                let wrong = || format!("{} is not an address or network such as 10.0.0.0/8", shown(text));
                network(text).map(|network| c.ingest.guard.allow.push(network)).ok_or_else(wrong)
            }),
            "Addresses and networks from which events may be posted",
        )
    },
    key(
        "series.retention",
        Value::Duration(|c| &mut c.settings.retention, Duration::ZERO),
        "How long the counters of a closed stream or output stay",
    ),
    key(
        "stall.factor",
        Number(|c| &mut c.settings.stall_factor, 1.0..=1000.0),
        "An output stalls after this many chunk lengths without a new chunk",
    ),
    key(
        "stall.minimum",
        Value::Duration(|c| &mut c.settings.stall_minimum, Duration::ZERO),
        "No output stalls sooner than this after its last chunk",
    ),
    key(
        "limits.streams",
        Count(|c| &mut c.settings.streams, 1..=1_000_000),
        "Most stream names with series of their own; further ones share stream=\"__overflow__\"",
    ),
    key("limits.body", Count(|c| &mut c.max_body, 1024..=1 << 30), "Largest body of a request, in bytes"),
    key(
        "limits.servers",
        Count(|c| &mut c.max_servers, 1..=10_000),
        "Most servers that events may create while none is configured",
    ),
    ConfigKey {
        details: FOLDERS_DETAILS,
        default: "none",
        ..key("folders", Folders(|c| &mut c.folders), FOLDERS_HELP)
    },
    key(
        "reconcile.interval",
        Value::Duration(|c| &mut c.reconcile_interval, Duration::from_secs(1)),
        "From one poll of a server's runtime API to the next",
    ),
    ConfigKey {
        flag: "events.file",
        variable: "EMS_EXPORTER_EVENTS_FILE",
        value_name: "PATTERN",
        default: "none",
        details: "HTTP notifications are lost while the exporter is down; entries of a file are not. Both may be used \
                  together: an event that arrives by both counts once. It replaces `servers[].files`.",
        ..key(
            "",
            Many(PATTERN, |c, text, folder| files(text, folder).map(|files| c.files.push(files))),
            "Event file of the media server to follow, as a shell pattern",
        )
    },
    ConfigKey {
        flag: "events.format",
        variable: "EMS_EXPORTER_EVENTS_FORMAT",
        value_name: "FORMAT",
        default: "detected from the content",
        ..key(
            "",
            Choice(
                formats,
                |c, name, _| variant(name).map(|format| c.format = Some(format)),
                |c| c.format.map_or("", Format::name),
            ),
            "Format of the files of --events.file",
        )
    },
    ConfigKey {
        flag: "events.start",
        variable: "EMS_EXPORTER_EVENTS_START",
        value_name: "WHERE",
        ..key(
            "events.start",
            Choice(starts, |c, name, _| variant(name).map(|start| c.start = start), |c| c.start.name()),
            "Where to begin in event files that exist at the start",
        )
    },
    ConfigKey {
        flag: "storage.path",
        variable: "EMS_EXPORTER_STORAGE_PATH",
        value_name: "DIRECTORY",
        default: "none",
        ..key(
            "storage.path",
            File(|c| &mut c.storage),
            "Directory for the checkpoint, which says how far event files have been read",
        )
    },
    key("actions.dry_run", Bool(|c| &mut c.actions.dry_run), "Whether all rules only log their calls"),
    key(
        "actions.max_age",
        Value::Duration(|c| &mut c.actions.max_age, Duration::ZERO),
        "Events older than this trigger no rule",
    ),
    key(
        "actions.queue",
        Count(|c| &mut c.actions.queue, 1..=1_000_000),
        "Most calls that may wait or be under way",
    ),
    ConfigKey {
        flag: "log.level",
        variable: "EMS_EXPORTER_LOG_LEVEL",
        value_name: "LEVEL",
        ..key(
            "",
            Choice(
                meanings::<LogLevel>,
                |c, name, _| variant(name).map(|level| c.log_level = level),
                |c| c.log_level.into(),
            ),
            "How much to log",
        )
    },
    ConfigKey {
        flag: "log.format",
        variable: "EMS_EXPORTER_LOG_FORMAT",
        value_name: "FORMAT",
        ..key(
            "",
            Choice(
                meanings::<LogFormat>,
                |c, name, _| variant(name).map(|format| c.log_format = format),
                |c| c.log_format.into(),
            ),
            "How to write the log",
        )
    },
];

/// Keys of each item of `servers`.
pub const SERVER_KEYS: &[ConfigKey<servers::Draft>] = &[
    ConfigKey {
        required: "every server needs a name",
        ..key(
            "name",
            Text(|s| &mut s.name, check_server),
            "Value of the label server, and of NAME in /events/NAME",
        )
    },
    key(
        "expect",
        Texts(|s| &mut s.expect, |_| Ok(())),
        "Names of inbound streams that must be open; ems_stream_up is 0 while one is missing",
    ),
    key(
        "files",
        Many(PATTERN, |s, text, folder| files(text, folder).map(|files| s.files.push(files))),
        "Event files to follow, as shell patterns",
    ),
    ConfigKey {
        default: "detected from the content",
        ..key(
            "format",
            Choice(
                formats,
                |s, name, _| variant(name).map(|format| s.format = Some(format)),
                |s| s.format.map_or("", Format::name),
            ),
            "Format of the event files",
        )
    },
    ConfigKey {
        details: "They come before those of the key `folders` outside `servers`.",
        default: "none",
        ..key("folders", Folders(|s| &mut s.folders), FOLDERS_HELP)
    },
    ConfigKey {
        required: "set it to an address such as http://127.0.0.1:7777",
        ..key(
            "api.url",
            One("a text", |s, text, _| url(text.parse()).map(|url| s.url = Some(url))),
            "Address of the runtime API",
        )
    },
    key(
        "api.username",
        One("a text", |s, user, _| {
            s.username = (!user.is_empty()).then(|| user.to_owned());
            Ok(())
        }),
        "User of the runtime API",
    ),
    key(
        "api.password_file",
        One("a file name", |s, name, folder| secret_in(name, folder).map(|text| s.password = Some(text))),
        "File with the user's password",
    ),
    key(
        "api.timeout",
        Value::Duration(servers::Draft::timeout, Duration::ZERO),
        "How long a call of the runtime API may take",
    ),
];

/// Keys of each item of `rules`. A reload applies them all.
pub const RULE_KEYS: &[ConfigKey<rules::Draft>] = &[
    ConfigKey {
        required: "every rule needs a name",
        ..rule("name", Text(|r| &mut r.name, check_rule), "Value of the label rule")
    },
    ConfigKey {
        required: "set it to the event that triggers the rule",
        ..rule(
            "on",
            OneOf(events, |r, name, _| one_of(name, &events()).map(|event| r.on = Some(event))),
            "Event that triggers the rule",
        )
    },
    matching(
        "match.server",
        Many(TEXTS, |r, text, _| pattern(text).map(|pattern| r.matching.servers.push(pattern))),
        "Shell patterns of servers",
    ),
    matching(
        "match.stream",
        Many(TEXTS, |r, text, _| pattern(text).map(|pattern| r.matching.streams.push(pattern))),
        "Shell patterns of stream names",
    ),
    matching(
        "match.group",
        Many(TEXTS, |r, text, _| pattern(text).map(|pattern| r.matching.groups.push(pattern))),
        "Shell patterns of groups of outputs",
    ),
    ConfigKey {
        details: "Files played on demand match only if it lists their type.",
        ..matching(
            "match.type",
            ManyOf(
                || TYPES.to_vec(),
                |r, name, _| one_of(name, &TYPES).map(|kind| r.matching.kinds.push(kind)),
            ),
            "Types of streams",
        )
    },
    matching(
        "match.purpose",
        ManyOf(names::<Purpose>, |r, name, _| variant(name).map(|it| r.matching.purposes.push(it))),
        "Purposes of streams",
    ),
    matching(
        "match.format",
        ManyOf(names::<output::Format>, |r, name, _| variant(name).map(|it| r.matching.formats.push(it))),
        "Formats of outputs",
    ),
    rule(
        "when",
        OneOf(names::<Condition>, |r, name, _| variant(name).map(|it| r.when = Some(it))),
        "Condition that must still hold when the call is made",
    ),
    ConfigKey {
        details: "A rule has either `call` or `post`.",
        ..rule(
            "call",
            OneOf(commands, |r, name, _| {
                let command = Command::named(name).ok_or_else(|| no_such(name, &commands()));
                command.map(|command| r.call = Some(command))
            }),
            "Command of the runtime API to call",
        )
    },
    rule(
        "post",
        One("a text", |r, text, _| url(Address::of_other(text)).map(|url| r.post = Some(url))),
        "URL to which the event is posted, without fields that may hold a secret",
    ),
    ConfigKey {
        details: "A value is a text, a number, true or false, or a list of those; a text is a template such as \
                  `{{ name }}`.",
        ..rule("with", Members(|r| &mut r.with), "Parameters of the command, or further fields to post")
    },
    rule("delay", Value::Duration(|r| &mut r.delay, Duration::ZERO), "How long to wait before the call"),
    rule(
        "cooldown",
        Value::Duration(|r| &mut r.cooldown, Duration::ZERO),
        "How long the rule pauses for a stream after it ran for it",
    ),
    ConfigKey {
        details: "Applies to each server. Raise it where more streams than that start at once, as after a restart of \
                  the server.",
        ..rule(
            "max_per_minute",
            Count(|r| &mut r.max_per_minute, 1..=100_000),
            "Most calls that the rule makes within a minute",
        )
    },
    rule("dry_run", Bool(|r| &mut r.dry_run), "Whether the rule only logs its calls"),
    rule(
        "include_own",
        Bool(|r| &mut r.include_own),
        "Whether streams that the exporter's own calls created match too",
    ),
];

const fn rule(path: &'static str, value: Value<rules::Draft>, help: &'static str) -> ConfigKey<rules::Draft> {
    ConfigKey { reload: true, ..key(path, value, help) }
}

const fn matching(
    path: &'static str,
    value: Value<rules::Draft>,
    help: &'static str,
) -> ConfigKey<rules::Draft> {
    ConfigKey { default: "all", ..rule(path, value, help) }
}

/// The names of an enum's variants, with their meanings.
fn meanings<E>() -> Vec<(&'static str, &'static str)>
where
    E: VariantArray + EnumMessage + Copy + Into<&'static str>,
{
    let meaning = |variant: &E| ((*variant).into(), variant.get_message().unwrap_or_default());
    E::VARIANTS.iter().map(meaning).collect()
}

fn formats() -> Vec<(&'static str, &'static str)> {
    let meaning = |format: &Format| match format {
        Format::Text => "entries of several lines",
        Format::Json => "an object in each line",
        Format::Xml => "XML documents",
        Format::W3c => "tab-separated lines below a line #Fields",
    };
    Format::VARIANTS.iter().map(|format| (format.name(), meaning(format))).collect()
}

fn starts() -> Vec<(&'static str, &'static str)> {
    let meaning = |start: &Start| match start {
        Start::SavedOrEnd => "at the saved position; a file without one at its end",
        Start::SavedOrBeginning => "at the saved position; a file without one at its first byte",
        Start::Beginning => "at the first byte, whatever was saved",
        Start::End => "at the end, whatever was saved",
    };
    Start::VARIANTS.iter().map(|start| (start.name(), meaning(start))).collect()
}

fn events() -> Vec<&'static str> {
    EventKind::all()
        .map(EventKind::label)
        .filter(|label| *label != "other")
        .chain(DerivedEvent::NAMES)
        .collect()
}

fn commands() -> Vec<&'static str> {
    COMMANDS.iter().map(|command| command.name).collect()
}

/// A URL is not shown: it may hold a password.
fn url(parsed: Result<Address, &str>) -> Result<Address, String> {
    parsed.map_err(|wrong| format!("the URL {wrong}"))
}

fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::new(text)
        .map_err(|error| format!("{} is not a pattern such as cam*: {}", shown(text), error.msg))
}

/// The pattern of event files that a folder's file names.
fn files(text: &str, folder: &Path) -> Result<String, String> {
    if text.is_empty() || Pattern::new(text).is_err() {
        return Err(format!("{} is not {PATTERN}", shown(text)));
    }
    let folder = Pattern::escape(&folder.to_string_lossy());
    Ok(Path::new(&folder).join(text).to_string_lossy().into_owned())
}

/// The secret in a file: all of it but the end of its line.
fn secret_in(name: &str, folder: &Path) -> Result<String, String> {
    let file = folder.join(name);
    let unreadable = |why: &dyn Display| format!("{} cannot be read: {why}", file.display());
    let bytes = ems_tail::regular::read(&file, LARGEST_SECRET).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(bytes).map_err(|error| unreadable(&error.utf8_error()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn check_name(name: &str) -> Result<(), &'static str> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if name.is_empty() || !name.bytes().all(legal) {
        return Err("is not a host name such as ems.example.com, without scheme and port");
    }
    Ok(())
}

fn check_address(address: &str) -> Result<(), &'static str> {
    match address.rsplit_once(':').map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) | None => {
            Err("is not HOST:PORT or :PORT, such as 127.0.0.1:10777, [::]:10777 or :10777")
        }
    }
}

fn check_rule(name: &str) -> Result<(), &'static str> {
    let fits = !name.is_empty() && name.len() <= RULE_NAME_BYTES && !name.contains(char::is_control);
    fits.then_some(()).ok_or("is not a name of 1 to 100 bytes on one line")
}

fn check_path(path: &str) -> Result<(), &'static str> {
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-.".contains(&byte));
    match path {
        "/" | "/events" | "/-/healthy" | "/-/ready" | "/-/reload" => Err("is already used by the exporter"),
        path if path.starts_with("/api/") => Err("is already used by the exporter"),
        path if path.starts_with('/') && !path.starts_with("/events/") && plain => Ok(()),
        _ => Err("is not a path of plain characters that starts with /, such as /metrics"),
    }
}

fn check_server(name: &str) -> Result<(), &'static str> {
    is_server_name(name).then_some(()).ok_or("is not 1 to 64 letters, digits, dots, dashes and underscores")
}
