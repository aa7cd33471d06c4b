//! The catalogue of keys: each of them from the file, its flag and its variable, and the documents that derive from it.
//! `UPDATE_GOLDEN=1 cargo test --test it configuration` writes `docs/CONFIGURATION.md` and the JSON Schema anew.

#![allow(clippy::wildcard_enum_match_arm, reason = "few kinds of values differ from the others here")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use ems_exporter::config::key::{ConfigKey, Value};
use ems_exporter::config::keys::{KEYS, RULE_KEYS, SERVER_KEYS};
use ems_exporter::config::{Config, Overrides};
use serde_json::{Map, json};

use crate::config::{flags, load};

const PAGE: &str = "docs/CONFIGURATION.md";
const SCHEMA: &str = "docs/ems-exporter.schema.json";

/// A value of each key that is not its default, and one that is wrong; empty if no text is wrong.
fn samples<T>(key: &ConfigKey<T>) -> (String, String) {
    let (good, wrong) = match &key.value {
        Value::Bool(_) => ("true", "perhaps"),
        Value::Count(..) => ("2000", "1.5"),
        Value::Number(..) => ("2.5", "x"),
        Value::Duration(..) => ("77s", "10"),
        Value::File(_) => ("/some/where", ""),
        Value::Choice(names, ..) => (names().last().unwrap().0, "nonsense"),
        Value::Text(..) | Value::Texts(..) => match key.path {
            "web.listen_address" | "ingest.listen_address" => ("127.0.0.1:7", "nowhere"),
            "web.telemetry_path" => ("/other", "other"),
            "name" => ("west", "a b"),
            _ => ("cam1", ""),
        },
        Value::One(..) | Value::Many(..) => match (key.path, key.flag) {
            ("ingest.allow", _) => ("10.0.0.0/8", "10.0.0.0/33"),
            ("files", _) | (_, "events.file") => ("/log/*.json", "a["),
            ("ingest.secret_file" | "api.password_file", _) => ("", "/does/not/exist"),
            ("", "") => ("0123456789abcdef", "short"),
            ("api.url" | "post", _) => ("http://127.0.0.1:7", "https://x"),
            ("api.username", _) => ("", ""),
            _ => ("cam*", "a["),
        },
        Value::OneOf(names, _) | Value::ManyOf(names, _) => (names()[0], "no such thing"),
        Value::Folders(_) | Value::Members(_) => ("", ""),
    };
    (good.to_owned(), wrong.to_owned())
}

/// A document that sets one key, and the line of its value.
fn document(path: &str, value: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    let (last, sections) = parts.split_last().unwrap();
    let mut document = String::new();
    for (depth, section) in sections.iter().enumerate() {
        writeln!(document, "{}{section}:", "  ".repeat(depth)).unwrap();
    }
    writeln!(document, "{}{last}: '{value}'", "  ".repeat(sections.len())).unwrap();
    document
}

fn shown(key: &ConfigKey<Config>, config: &Config) -> String {
    key.show(&mut config.clone())
}

#[test]
fn every_key_is_set_by_the_file() {
    let default = Config::default();
    for key in KEYS.iter().filter(|key| !key.path.is_empty()) {
        let (good, wrong) = samples(key);
        if !good.is_empty() {
            let config = load(&document(key.path, &good)).unwrap();
            assert!(config != Config { origin: config.origin.clone(), ..default.clone() }, "{}", key.path);
            let kept = shown(key, &config).replace("1m 17s", "77s");
            assert!(
                kept == good || matches!(key.value, Value::One(..) | Value::Many(..)),
                "{}: {kept}",
                key.path
            );
            let changed = default.frozen_changes(&config);
            assert_eq!(changed.contains(&key.path), !key.reload, "{}: {changed:?}", key.path);
        }
        if !wrong.is_empty() {
            let faults = load(&document(key.path, &wrong)).unwrap_err();
            let (line, last) = (key.path.split('.').count(), key.path.rsplit('.').next().unwrap());
            let column = 2 * (line - 1) + last.len() + 3;
            let place = format!("ems.yml:{line}:{column}: {}: ", key.path);
            assert!(faults.starts_with("the configuration has 1 fault:\n"), "{faults}");
            let remedy = faults.split(&place).nth(1).unwrap_or_else(|| panic!("{place}: {faults}"));
            assert!(
                remedy.starts_with(&format!("{wrong} is not ")) || remedy.contains("cannot be read"),
                "{faults}"
            );
        }
        if matches!(key.value, Value::Folders(_)) {
            continue;
        }
        let faults = load(&document(key.path, "").replace("''", "{a: 1}")).unwrap_err();
        assert!(faults.contains(&format!("{} is a section, not ", key.path)), "{faults}");
    }
}

#[test]
fn every_key_of_servers_and_rules_is_known_and_checked() {
    let check = |list: &str, path: &str, wrong: &str| {
        let inside: String =
            document(path, wrong).lines().map(|line| format!("    {line}\n")).collect::<String>();
        let faults = load(&format!("{list}:\n  -\n{inside}")).unwrap_err();
        assert!(!faults.contains("is not a known key"), "{faults}");
        assert!(
            wrong.is_empty() || faults.contains(&format!(": {list}[].{path}: ")),
            "{list} {path}: {faults}"
        );
    };
    for key in SERVER_KEYS {
        check("servers", key.path, &samples(key).1);
    }
    for key in RULE_KEYS {
        let wrong = if key.path == "name" { "x".repeat(101) } else { samples(key).1 };
        check("rules", key.path, &wrong);
    }
}

#[test]
fn every_flag_and_variable_is_checked() {
    for key in KEYS.iter().filter(|key| !key.flag.is_empty() && key.flag != "config.file") {
        let (good, wrong) = samples(key);
        let needed: &[(&'static str, &str)] =
            if key.flag == "events.format" { &[("events.file", "x")] } else { &[] };
        let set = |text: &str| Config::load(None, &flags(&[&[(key.flag, text)], needed].concat()));
        if key.flag == "web.config.file" {
            assert!(set(&good).unwrap_err().to_string().contains("/some/where: cannot be read"));
            continue;
        }
        let kept = shown(key, &set(&good).unwrap());
        assert!(kept == good || key.flag == "events.file", "--{}: {kept}", key.flag);
        if !wrong.is_empty() {
            let faults = set(&wrong).unwrap_err().to_string();
            assert!(faults.contains(&format!("--{}: {wrong} is not ", key.flag)), "{faults}");
        }
    }
}

fn run(environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ems-exporter"));
    command.arg("check-config");
    for key in KEYS.iter().filter(|key| !key.variable.is_empty()) {
        command.env_remove(key.variable);
    }
    command.envs(environment.iter().copied()).output().unwrap()
}

#[test]
fn every_variable_is_read_and_an_empty_one_is_unset() {
    let all: Vec<(&str, &str)> =
        KEYS.iter().filter(|key| !key.variable.is_empty()).map(|key| (key.variable, "")).collect();
    let output = run(&all);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for key in KEYS.iter().filter(|key| !key.variable.is_empty()) {
        let file = matches!(key.value, Value::File(_));
        let wrong = if file { "/does/not/exist".to_owned() } else { samples(key).1 };
        let output = run(&[(key.variable, &wrong)]);
        let said = String::from_utf8_lossy(&output.stderr);
        if key.variable == "EMS_EXPORTER_STORAGE_PATH" {
            continue;
        }
        assert!(!output.status.success(), "{} {wrong}", key.variable);
        let named =
            [key.variable, key.flag, &wrong].iter().any(|name| !name.is_empty() && said.contains(name));
        assert!(named, "{}: {said}", key.variable);
        assert!(!key.flag.is_empty() || !said.contains("short"), "{said}");
    }
}

#[test]
fn the_catalogue_is_consistent() {
    let flags = KEYS.iter().filter(|key| !key.flag.is_empty());
    for key in flags {
        let variable = format!("EMS_EXPORTER_{}", key.flag.to_uppercase().replace(['.', '-'], "_"));
        assert_eq!(key.variable, variable);
    }
    let names = |name: fn(&'static ConfigKey<Config>) -> &'static str| {
        let names: Vec<_> = KEYS.iter().map(name).filter(|name| !name.is_empty()).collect();
        assert_eq!(
            names.iter().collect::<BTreeSet<_>>().len(),
            names.len(),
            "one is declared twice: {names:?}"
        );
    };
    names(|key| key.path);
    names(|key| key.flag);
    names(|key| key.variable);
    for key in KEYS {
        assert!(!key.help.ends_with('.') && !key.help.is_empty(), "{}", key.help);
        assert!(!key.path.is_empty() || !key.variable.is_empty(), "nothing sets it: {}", key.help);
    }
}

#[test]
fn numbers_and_truth_values_are_texts_as_they_are_spelt() {
    let config =
        load("servers:\n  - name: 1\n    expect: [101, 007, 1e3, yes, 12:30, 0x1F, '09']\n").unwrap();
    assert_eq!(config.servers[0].name, "1");
    assert_eq!(config.servers[0].expected, ["101", "007", "1e3", "yes", "12:30", "0x1F", "09"]);
    let aliased = load("x-cameras: &all [007, 'ü', 008]\nservers: [{name: a, expect: *all}]\n").unwrap();
    assert_eq!(aliased.servers[0].expected, ["007", "ü", "008"]);
    let faults = load("servers:\n  - name: a\n    expect: [1, null]\n").unwrap_err();
    assert!(faults.contains("ems.yml:3:17: servers[].expect is empty, not a text"), "{faults}");
}

#[test]
fn anchors_stand_below_keys_of_their_own() {
    let config = load(
        "x-defaults: &api\n  timeout: 7s\nservers:\n  - name: a\n    api: {<<: *api, url: 'http://127.0.0.1:7777'}\n",
    );
    assert_eq!(config.unwrap().apis[0].timeout.as_secs(), 7);
    let faults = load("web:\n  x-more: 1\n").unwrap_err();
    assert!(faults.contains("2:3: web.x-more is not a known key"), "{faults}");
}

#[test]
fn a_key_that_is_given_twice_is_a_fault_with_its_place() {
    let faults = load("series: {retention: 5m}\nseries: {retention: 6m}\nstall: {factor: x}\n").unwrap_err();
    assert!(faults.contains("ems.yml:2:1: series is given twice"), "{faults}");
    assert!(faults.contains("ems.yml:3:17: stall.factor: x is not a number"), "{faults}");
}

#[test]
fn a_document_that_cannot_be_parsed_is_reported_in_our_own_words() {
    for (text, expected) in [
        ("web: [\n", "not valid YAML: check quotes"),
        ("a: 'b\n", "not valid YAML: check quotes"),
        ("web: {a: 1}}\n", "not valid YAML: check quotes"),
        ("web:\n\t- a\n", "not valid YAML: check quotes"),
        ("a: *nothing\n", "not valid YAML: an alias such as *name must come after its anchor &name"),
        ("web:\n---\nweb:\n", "the file must hold one document"),
        ("<<: 3\n", "<< must refer to a section"),
        ("x-a: &a [*a]\n", "an alias must not refer to a value that holds it"),
        ("? [a]\n: 1\n", "the name of a key must be a text"),
        ("~: 1\n", "the name of a key must be a text"),
        ("limits: {streams: !!int x}\n", "the value does not fit its tag"),
        (
            &format!("x-a: &a 1\nx-b: [{}]\n", "*a,".repeat(60_000)),
            "has too many once its aliases are replaced",
        ),
        (
            &format!("x-a: {}{}\n", "[".repeat(300), "]".repeat(300)),
            "lists and sections are nested too deeply",
        ),
    ] {
        let faults = load(text).unwrap_err();
        assert!(faults.starts_with("the configuration has 1 fault:\n  ems.yml:"), "{faults}");
        assert!(faults.contains(expected), "{text:?}: {faults}");
    }
}

#[test]
fn a_file_that_is_not_utf8_is_a_fault_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ems.yml");
    std::fs::write(&path, b"web:\n  telemetry_path: /m\xe9\n").unwrap();
    let faults = Config::load(Some(&path), &Overrides::default()).unwrap_err().to_string();
    assert!(faults.contains("ems.yml:2: is not UTF-8: save the file as UTF-8"), "{faults}");
}

#[test]
fn numbers_without_a_value_are_faults_of_their_keys() {
    let faults = load(
        "stall: {factor: .nan, minimum: .inf}\nlimits: {streams: 1e400, body: -.inf}\nseries: {retention: 1e400}\nweb: 3\n",
    )
    .unwrap_err();
    for expected in [
        "6 faults",
        "1:17: stall.factor: .nan is not a number from 1 to 1000",
        "1:32: stall.minimum: .inf is not a duration",
        "2:19: limits.streams: 1e400 is not a whole number",
        "2:32: limits.body: -.inf is not a whole number",
        "3:21: series.retention: 1e400 is not a duration",
        "4:6: web is a number, not a section with keys",
    ] {
        assert!(faults.contains(expected), "{expected}: {faults}");
    }
}

#[test]
fn wrong_values_are_shown_short_and_on_one_line() {
    let long = "x".repeat(1000);
    let faults = load(&format!(
        "web: {{telemetry_path: \"a\\n\\e[31m\\u202Eb\", \"k\\n\": 1}}\nseries: {{retention: {long}, {long}: 1}}\n"
    ))
    .unwrap_err();
    assert!(faults.contains(r#"telemetry_path: "a\n\u{1b}[31m\u{202e}b" is not a path"#), "{faults}");
    assert!(faults.contains(r#"web."k\n" is not a known key"#), "{faults}");
    assert!(faults.contains(&format!("retention: {}… is not a duration", &long[..64])), "{faults}");
    assert!(!faults.contains(&long[..65]), "{faults}");
}

#[test]
fn faults_of_variables_and_flags_come_with_those_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ems.yml");
    std::fs::write(&path, "stall: {factor: x}\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ems-exporter"));
    command.args(["check-config", "--log.format", "xml", "--config.file"]).arg(&path);
    command.envs([("EMS_EXPORTER_LOG_LEVEL", "loud"), ("EMS_EXPORTER_WEB_INSECURE", "maybe")]);
    let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
    for expected in [
        "the configuration has 4 faults:",
        "ems.yml:1:17: stall.factor: x is not a number from 1 to 1000",
        "--web.insecure (EMS_EXPORTER_WEB_INSECURE): maybe is not true or false",
        "--log.level (EMS_EXPORTER_LOG_LEVEL): loud is not one of error, warn, info, debug, trace",
        "--log.format: xml is not one of text, json",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn a_boolean_variable_may_be_false_and_a_flag_overrides_it() {
    let run = |variable: &str, flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ems-exporter"));
        command.args(["check-config", "--web.listen-address", ":1"]).args(flags);
        command.env("EMS_EXPORTER_WEB_INSECURE", variable).output().unwrap().status.success()
    };
    assert!(run("1", &[]) && run("0", &["--web.insecure"]));
    assert!(!run("0", &[]) && !run("off", &[]));
}

#[test]
fn files_are_relative_to_the_file_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ems.yml");
    std::fs::create_dir(folder.path().join("sec")).unwrap();
    std::fs::write(folder.path().join("sec/lf"), "0123456789abcdef\n").unwrap();
    std::fs::write(
        &path,
        "ingest: {secret_file: sec/lf}\nstorage: {path: state}\n\
         servers: [{name: a, files: [log/*.json, /abs/*.json], api: {url: 'http://a', username: me, password_file: sec/lf}}]\n",
    )
    .unwrap();
    let config = Config::load(Some(&path), &Overrides::default()).unwrap();
    assert!(config.ingest.guard.secret.is_some());
    assert_eq!(config.storage, Some(folder.path().join("state")));
    let log = folder.path().join("log/*.json");
    assert_eq!(config.sources[0].patterns, [log.to_str().unwrap(), "/abs/*.json"]);
    assert_eq!(config.apis[0].login.as_ref().unwrap().password, "0123456789abcdef");
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

/// One row of the page.
fn row<T>(key: &ConfigKey<T>, prefix: &str, from: &mut T) -> String {
    let mut names = Vec::new();
    if !key.path.is_empty() {
        names.push(format!("`{prefix}{}`", key.path));
    }
    if !key.flag.is_empty() {
        names.push(format!("`--{}`", key.flag));
    }
    if !key.variable.is_empty() {
        names.push(format!("`{}`", key.variable));
    }
    let shown = key.show(from);
    let default = match () {
        () if !key.required.is_empty() => "required".to_owned(),
        () if !shown.is_empty() => code(&shown),
        () if !key.default.is_empty() => key.default.to_owned(),
        () => "none".to_owned(),
    };
    let value = match &key.value {
        Value::Choice(names, ..) => names()
            .iter()
            .map(|(name, meaning)| format!("`{name}`: {meaning}"))
            .collect::<Vec<_>>()
            .join("; "),
        _ => key.wanted(),
    };
    let effect = if key.path.is_empty() || !key.reload { "restart" } else { "reload" };
    let details = if key.details.is_empty() {
        String::new()
    } else {
        format!(". {}", key.details.trim_end_matches('.'))
    };
    let help = format!("{}{details}.", key.help).replace("__", "\\_\\_");
    format!("| {} | {help} | {value} | {default} | {effect} |\n", names.join("<br>"))
}

fn page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         Every value that can be configured. This file is written from the catalogue in the code:\n\
         `UPDATE_GOLDEN=1 cargo test --test it configuration` writes it anew.\n\n\
         Values come from a YAML file (`--config.file`), from flags, and from environment variables. A flag overrides its\n\
         variable, and both override the file. An empty variable counts as unset. `ems-exporter check-config` reports every\n\
         fault at once, with its place. [ems-exporter.schema.json](ems-exporter.schema.json) describes the file for editors:\n\n\
         ```yaml\n# yaml-language-server: $schema=ems-exporter.schema.json\n```\n\n\
         * Durations are written as `10s` or `1h 30m`. A list may be one text alone; flags and variables separate its items by\n  \
           commas.\n\
         * Numbers and truth values where a text is wanted are taken as they are spelt: `expect: [007]` is the stream `007`.\n\
         * Relative file names in the file are relative to the folder of the file, those of flags and variables to the working\n  \
           directory.\n\
         * Keys that start with `x-` are allowed at the top level, to hold anchors.\n\
         * *Applied by*: `reload` values change with SIGHUP or `POST /-/reload` (`--web.enable-lifecycle`), others at a restart.\n\n",
    );
    let head = "| set by | meaning | value | default | applied by |\n| --- | --- | --- | --- | --- |\n";
    page += &format!("## Exporter\n\n{head}");
    KEYS.iter().for_each(|key| page += &row(key, "", &mut Config::default()));
    page += &format!(
        "\n## Media servers\n\nItems of the list `servers`. Without it, a server is created for each NAME in `/events/NAME`; `/events` is the server\n`ems`.\n\n{head}"
    );
    SERVER_KEYS.iter().for_each(|key| page += &row(key, "servers[].", &mut Default::default()));
    page += &format!(
        "\n## Rules\n\nItems of the list `rules`. Rules can be changed by a reload if there were any at the start.\n\n{head}"
    );
    RULE_KEYS.iter().for_each(|key| page += &row(key, "rules[].", &mut Default::default()));
    page += "\n## Web configuration file\n\nThe file of `--web.config.file` has the format of \
             [exporter-toolkit](https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md). What the\n\
             exporter does not support is a fault, never ignored: `rate_limit`, `client_allowed_sans`, unverified client\n\
             certificates, and TLS before 1.2. It is read again when it or a file that it names changes, and at every reload.\n";
    page
}

/// The schema of one value.
fn value_schema<T>(key: &ConfigKey<T>, from: &mut T) -> serde_json::Value {
    let text = json!({"type": ["string", "number", "boolean"]});
    let several = |one: serde_json::Value| json!({"anyOf": [one.clone(), {"type": "array", "items": one}]});
    let mut schema = match &key.value {
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Count(_, range) => {
            json!({"type": "integer", "minimum": range.start(), "maximum": range.end()})
        }
        Value::Number(_, range) => {
            json!({"type": "number", "minimum": range.start(), "maximum": range.end()})
        }
        Value::Duration(..) | Value::File(_) => json!({"type": "string"}),
        Value::One(form, _) if *form == "a file name" => json!({"type": "string"}),
        Value::Text(..) | Value::One(..) => text,
        Value::Texts(..) | Value::Many(..) => several(text.clone()),
        Value::Choice(names, ..) => {
            json!({"enum": names().iter().map(|(name, _)| *name).collect::<Vec<_>>()})
        }
        Value::OneOf(names, _) => json!({"enum": names()}),
        Value::ManyOf(names, _) => several(json!({"enum": names()})),
        Value::Folders(_) => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Value::Members(_) => json!({"type": "object"}),
    };
    let details = if key.details.is_empty() { String::new() } else { format!(" {}", key.details) };
    schema["description"] = format!("{}.{details}", key.help).into();
    let shown = key.show(from);
    if !shown.is_empty() && key.required.is_empty() {
        schema["default"] = match &key.value {
            Value::Bool(_) | Value::Count(..) | Value::Number(..) => serde_json::from_str(&shown).unwrap(),
            _ => shown.into(),
        };
    }
    schema
}

/// The schema of a section.
fn section_schema<T: Default>(keys: &[ConfigKey<T>]) -> serde_json::Value {
    let section = || json!({"type": ["object", "null"], "additionalProperties": false, "properties": {}});
    let mut root = section();
    for key in keys.iter().filter(|key| !key.path.is_empty()) {
        let (above, last) = key.path.rsplit_once('.').map_or(("", key.path), |(above, last)| (above, last));
        let mut at = &mut root;
        for part in above.split('.').filter(|part| !part.is_empty()) {
            let properties = at["properties"].as_object_mut().unwrap();
            at = properties.entry(part).or_insert_with(section);
        }
        at["properties"][last] = value_schema(key, &mut T::default());
        if !key.required.is_empty() {
            let required = at.as_object_mut().unwrap().entry("required").or_insert_with(|| json!([]));
            required.as_array_mut().unwrap().push(last.into());
        }
    }
    root
}

fn schema() -> String {
    let mut schema = section_schema(KEYS);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "Configuration of ems-exporter".into();
    schema["patternProperties"] = json!({"^x-": {}});
    let list = |items: serde_json::Value, description: &str| json!({"type": ["array", "null"], "items": items, "description": description});
    schema["properties"]["servers"] = list(section_schema(SERVER_KEYS), "Media servers.");
    schema["properties"]["rules"] = list(section_schema(RULE_KEYS), "Calls to make when something happens.");
    format!("{}\n", serde_json::to_string_pretty(&schema).unwrap())
}

fn compare(name: &str, document: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, document).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    for (line, (ours, written)) in document.lines().zip(written.lines()).enumerate() {
        assert_eq!(ours, written, "{name}:{}: UPDATE_GOLDEN=1 rewrites it", line + 1);
    }
    assert_eq!(document.len(), written.len(), "{name}: UPDATE_GOLDEN=1 rewrites it");
}

#[test]
fn the_page_of_keys_is_current() {
    compare(PAGE, &page());
}

#[test]
fn the_schema_is_current() {
    compare(SCHEMA, &schema());
}

/// What of a document the schema does not allow; only what [`schema`] makes use of.
fn disallowed(value: &serde_json::Value, schema: &serde_json::Value, path: &str, into: &mut Vec<String>) {
    use serde_json::Value as Json;
    if let Some(any) = schema["anyOf"].as_array() {
        let fits = any.iter().any(|one| {
            let mut wrong = Vec::new();
            disallowed(value, one, path, &mut wrong);
            wrong.is_empty()
        });
        if !fits {
            into.push(format!("{path}: {value}"));
        }
        return;
    }
    let kind = match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    let types: Vec<&str> = match &schema["type"] {
        Json::String(one) => vec![one.as_str()],
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    let fits = types.is_empty() || types.contains(&kind) || (value.is_u64() && types.contains(&"integer"));
    let listed = schema["enum"].as_array().is_none_or(|names| names.contains(value));
    if !fits || !listed {
        into.push(format!("{path}: {value}"));
    }
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    for (name, member) in value.as_object().into_iter().flatten() {
        match properties.get(name) {
            Some(inner) => disallowed(member, inner, &format!("{path}.{name}"), into),
            None if schema["additionalProperties"] == false && !name.starts_with("x-") => {
                into.push(format!("{path}.{name}"));
            }
            None => {}
        }
    }
    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
        disallowed(item, &schema["items"], &format!("{path}[{place}]"), into);
    }
    let missing = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
    into.extend(
        missing.filter(|name| value.get(name).is_none()).map(|name| format!("{path}.{name} is missing")),
    );
}

#[test]
fn the_schema_allows_the_shipped_configurations_and_refuses_others() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let check = |text: &str| {
        let value: serde_json::Value = serde_saphyr::from_str(text).unwrap();
        let mut wrong = Vec::new();
        disallowed(&value, &schema, "", &mut wrong);
        wrong
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/rules");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "yml") {
            seen += 1;
            assert_eq!(check(&std::fs::read_to_string(&path).unwrap()), [""; 0], "{}", path.display());
        }
    }
    assert!(seen > 3, "{seen}");
    assert_eq!(check(&crate::deployment::default_configuration(true)), [""; 0]);
    let wrong = check(
        "web: {port: 1}\nstall: {factor: x}\nservers: [{expect: 7}]\nrules: [{name: a, on: nothing}]\nx-y: 1\n",
    );
    assert_eq!(
        wrong,
        [".rules[0].on: \"nothing\"", ".servers[0].name is missing", ".stall.factor: \"x\"", ".web.port"]
    );
}
