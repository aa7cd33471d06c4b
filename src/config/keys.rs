//! Every key of the configuration file, every flag of the exporter and every environment variable, in the order of the
//! documentation: `docs/CONFIGURATION.md`, the JSON Schema of the file, the flags and their help derive from these lists.

use std::time::Duration;

use super::key::Value::{
    Bool, Choice, Count, File, Members, Networks, Number, PasswordFile, Patterns, Secret, SecretFile, Text,
    Texts, Word, Words,
};
use super::key::{Key, Value, any, key};
use super::rules::{self, check_name, commands, conditions, events, formats, purposes, types};
use super::servers;
use super::values::Config;
use crate::pipeline::is_server_name;
use ems_tail::{Format, Start};

const FORMATS: &[(&str, &str)] = &[
    ("json", "an object in each line"),
    ("xml", "XML documents"),
    ("text", "entries of several lines"),
    ("w3c", "tab-separated lines below a line #Fields"),
];
const STARTS: &[(&str, &str)] = &[
    ("saved-or-end", "at the saved position; a file without one at its end"),
    ("saved-or-beginning", "at the saved position; a file without one at its first byte"),
    ("beginning", "at the first byte, whatever was saved"),
    ("end", "at the end, whatever was saved"),
];
const LEVELS: &[(&str, &str)] = &[
    ("error", "only failures"),
    ("warn", "also what needs an operator"),
    ("info", "also changes of state"),
    ("debug", "also every rejected event"),
    ("trace", "everything"),
];
const LOG_FORMATS: &[(&str, &str)] = &[("text", "lines for people"), ("json", "an object in each line")];

/// Keys of the file outside `servers` and `rules`, and all flags and variables.
pub const KEYS: &[Key<Config>] = &[
    Key {
        flag: "config.file",
        variable: "EMS_EXPORTER_CONFIG_FILE",
        value_name: "FILE",
        ..key("", File(|c| &mut c.origin.file), "YAML configuration file; flags and variables override it")
    },
    Key {
        flag: "web.listen-address",
        variable: "EMS_EXPORTER_WEB_LISTEN_ADDRESS",
        value_name: "ADDRESS",
        ..key(
            "web.listen_address",
            Texts(|c| &mut c.listen, check_address),
            "Address to listen on, HOST:PORT",
        )
    },
    Key {
        flag: "web.telemetry-path",
        variable: "EMS_EXPORTER_WEB_TELEMETRY_PATH",
        value_name: "PATH",
        ..key("web.telemetry_path", Text(|c| &mut c.telemetry_path, check_path), "Path of the metrics page")
    },
    Key {
        details: "Without it, a health check needs no user even if the other pages do.",
        reload: true,
        ..key(
            "web.protect_health",
            Bool(|c| &mut c.ingest.guard.protect_health),
            "Whether the health pages require a user of the web configuration file",
        )
    },
    Key {
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
    Key {
        flag: "web.enable-lifecycle",
        variable: "EMS_EXPORTER_WEB_ENABLE_LIFECYCLE",
        ..key(
            "",
            Bool(|c| &mut c.lifecycle),
            "Let POST /-/reload read the configuration files again, as SIGHUP does",
        )
    },
    Key {
        flag: "web.insecure",
        variable: "EMS_EXPORTER_WEB_INSECURE",
        details: "Without it the exporter does not start if clients on other machines could post events or reload the \
                  configuration without authentication.",
        ..key("", Bool(|c| &mut c.insecure), "Allow unauthenticated access beyond loopback")
    },
    Key {
        default: "the addresses of web.listen_address",
        details: "If it is set, no other address accepts events. These addresses speak plain HTTP, even if the web \
                  configuration file turns on TLS.",
        ..key(
            "ingest.listen_address",
            Texts(|c| &mut c.ingest.listen, check_address),
            "Addresses for events and health checks only, HOST:PORT",
        )
    },
    Key {
        default: "none",
        details: "It stands in the URL of their sink, as `?secret=…` or as the last segment of the path.",
        reload: true,
        ..key(
            "ingest.secret_file",
            SecretFile(|c| &mut c.ingest.guard.secret),
            "File with the secret that media servers must send with their events",
        )
    },
    Key {
        variable: "EMS_EXPORTER_INGEST_SECRET",
        default: "none",
        details: "It overrides `ingest.secret_file`.",
        ..key(
            "",
            Secret(|c| &mut c.ingest.guard.secret),
            "The secret that media servers must send with their events",
        )
    },
    Key {
        default: "any address",
        reload: true,
        ..key(
            "ingest.allow",
            Networks(|c| &mut c.ingest.guard.allow),
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
    key(
        "reconcile.interval",
        Value::Duration(|c| &mut c.reconcile_interval, Duration::from_secs(1)),
        "From one poll of a server's runtime API to the next",
    ),
    Key {
        flag: "events.file",
        variable: "EMS_EXPORTER_EVENTS_FILE",
        value_name: "PATTERN",
        default: "none",
        details: "HTTP notifications are lost while the exporter is down; entries of a file are not. Both may be used \
                  together: an event that arrives by both counts once. It replaces `servers[].files`.",
        ..key("", Patterns(|c| &mut c.files), "Event file of the media server to follow, as a shell pattern")
    },
    Key {
        flag: "events.format",
        variable: "EMS_EXPORTER_EVENTS_FORMAT",
        value_name: "FORMAT",
        default: "detected from the content",
        ..key(
            "",
            Choice(
                FORMATS,
                |c, name| c.format = Format::from_name(name),
                |c| c.format.map_or("", Format::name),
            ),
            "Format of the files of --events.file",
        )
    },
    Key {
        flag: "events.start",
        variable: "EMS_EXPORTER_EVENTS_START",
        value_name: "WHERE",
        ..key(
            "events.start",
            Choice(
                STARTS,
                |c, name| c.start = Start::from_name(name).unwrap_or_default(),
                |c| c.start.name(),
            ),
            "Where to begin in event files that exist at the start",
        )
    },
    Key {
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
    Key {
        flag: "log.level",
        variable: "EMS_EXPORTER_LOG_LEVEL",
        value_name: "LEVEL",
        ..key("", Choice(LEVELS, set_level, level), "How much to log")
    },
    Key {
        flag: "log.format",
        variable: "EMS_EXPORTER_LOG_FORMAT",
        value_name: "FORMAT",
        ..key(
            "",
            Choice(
                LOG_FORMATS,
                |c, name| c.log_json = name == "json",
                |c| if c.log_json { "json" } else { "text" },
            ),
            "How to write the log",
        )
    },
];

/// Keys of each item of `servers`.
pub const SERVER_KEYS: &[Key<servers::Draft>] = &[
    Key {
        required: "every server needs a name",
        ..key(
            "name",
            Text(|s| &mut s.name, check_server),
            "Value of the label server, and of NAME in /events/NAME",
        )
    },
    Key {
        default: "none",
        ..key(
            "expect",
            Texts(|s| &mut s.expect, |_| Ok(())),
            "Names of inbound streams that must be open; ems_stream_up is 0 while one is missing",
        )
    },
    Key {
        default: "none",
        ..key("files", Patterns(|s| &mut s.files), "Event files to follow, as shell patterns")
    },
    Key {
        default: "detected from the content",
        ..key(
            "format",
            Choice(
                FORMATS,
                |s, name| s.format = Format::from_name(name),
                |s| s.format.map_or("", Format::name),
            ),
            "Format of the event files",
        )
    },
    Key {
        required: "set it to an address such as http://127.0.0.1:7777",
        ..key("api.url", Word(|s| &mut s.url, any), "Address of the runtime API")
    },
    Key { default: "none", ..key("api.username", Word(|s| &mut s.username, any), "User of the runtime API") },
    Key {
        default: "none",
        ..key("api.password_file", PasswordFile(|s| &mut s.password), "File with the user's password")
    },
    key(
        "api.timeout",
        Value::Duration(|s| &mut s.timeout, Duration::ZERO),
        "How long a call of the runtime API may take",
    ),
];

/// Keys of each item of `rules`. A reload applies them all.
pub const RULE_KEYS: &[Key<rules::Draft>] = &[
    Key {
        required: "every rule needs a name",
        ..rule("name", Text(|r| &mut r.name, check_name), "Value of the label rule")
    },
    Key {
        required: "set it to the event that triggers the rule",
        ..rule("on", Word(|r| &mut r.on, events), "Event that triggers the rule")
    },
    matching("match.server", Words(|r| &mut r.servers, any), "Shell patterns of servers"),
    matching("match.stream", Words(|r| &mut r.streams, any), "Shell patterns of stream names"),
    matching("match.group", Words(|r| &mut r.groups, any), "Shell patterns of groups of outputs"),
    Key {
        details: "Files played on demand match only if it lists their type.",
        ..matching("match.type", Words(|r| &mut r.kinds, types), "Types of streams")
    },
    matching("match.purpose", Words(|r| &mut r.purposes, purposes), "Purposes of streams"),
    matching("match.format", Words(|r| &mut r.formats, formats), "Formats of outputs"),
    Key {
        default: "none",
        ..rule(
            "when",
            Word(|r| &mut r.when, conditions),
            "Condition that must still hold when the call is made",
        )
    },
    Key {
        default: "none",
        details: "A rule has either `call` or `post`.",
        ..rule("call", Word(|r| &mut r.call, commands), "Command of the runtime API to call")
    },
    Key {
        default: "none",
        ..rule("post", Word(|r| &mut r.post, any), "URL to which the whole event is posted")
    },
    Key {
        default: "none",
        details: "A value is a text, a number, true or false, or a list of those; a text is a template such as \
                  `{{ name }}`.",
        ..rule("with", Members(|r| &mut r.with), "Parameters of the command")
    },
    rule("delay", Value::Duration(|r| &mut r.delay, Duration::ZERO), "How long to wait before the call"),
    rule(
        "cooldown",
        Value::Duration(|r| &mut r.cooldown, Duration::ZERO),
        "How long the rule pauses for a stream after it ran for it",
    ),
    rule("dry_run", Bool(|r| &mut r.dry_run), "Whether the rule only logs its calls"),
    rule(
        "include_own",
        Bool(|r| &mut r.include_own),
        "Whether streams that the exporter's own calls created match too",
    ),
];

const fn rule(path: &'static str, value: Value<rules::Draft>, help: &'static str) -> Key<rules::Draft> {
    Key { reload: true, ..key(path, value, help) }
}

const fn matching(path: &'static str, value: Value<rules::Draft>, help: &'static str) -> Key<rules::Draft> {
    Key { default: "all", ..rule(path, value, help) }
}

fn set_level(config: &mut Config, name: &str) {
    config.log_level = name.parse().unwrap_or(config.log_level);
}

fn level(config: &Config) -> &'static str {
    LEVELS
        .iter()
        .map(|(name, _)| *name)
        .find(|name| name.parse().ok() == Some(config.log_level))
        .unwrap_or_default()
}

fn check_address(address: &str) -> Result<(), &'static str> {
    let port = address.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then_some(port));
    match port.map(str::parse::<u16>) {
        Some(Ok(_)) => Ok(()),
        _ => Err("is not HOST:PORT, such as 127.0.0.1:10777 or [::]:10777"),
    }
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
    if is_server_name(name) {
        return Ok(());
    }
    Err("is not 1 to 64 letters, digits, dots, dashes and underscores")
}
