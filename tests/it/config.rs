//! The configuration: every fault at once, each with its place and what would be right.

use std::io::Write;
use std::time::Duration;

use ems_exporter::config::{Config, Origin, Override, Overrides};
use ems_tail::{Format, Start};

pub fn load(text: &str) -> Result<Config, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let name = file.path().display().to_string();
    Config::load(Some(file.path()), &Overrides::default())
        .map_err(|faults| faults.to_string().replace(&name, "ems.yml"))
}

/// Flags, each set to one text.
pub fn flags(set: &[(&'static str, &str)]) -> Overrides {
    let one = |(flag, text): &(&'static str, &str)| Override {
        flag,
        is_variable: false,
        texts: vec![(*text).to_owned()],
    };
    Overrides(set.iter().map(one).collect())
}

#[test]
fn an_empty_file_is_a_valid_configuration() {
    for text in ["", "# only a comment\n"] {
        assert_eq!(Config { origin: Origin::default(), ..load(text).unwrap() }, Config::default());
    }
    assert_eq!(Config::load(None, &Overrides::default()).unwrap().listen, ["127.0.0.1:10777"]);
}

#[test]
fn everything_can_be_set() {
    let config = load(
        "web:\n  listen_address: ['[::1]:1', 'localhost:2']\n  telemetry_path: /m\n\
         series: {retention: 1h 30m}\nstall: {factor: 2.5, minimum: 4s}\n\
         limits: {streams: 7, body: 4096, servers: 3}\n\
         servers:\n  - name: west\n    expect: [cam1, cam2]\n  - name: east\n",
    )
    .unwrap();
    assert_eq!(config.listen, ["[::1]:1", "localhost:2"]);
    assert_eq!(config.telemetry_path, "/m");
    assert_eq!(config.settings.retention, Duration::from_secs(5400));
    assert_eq!((config.settings.stall_factor, config.settings.stall_minimum), (2.5, Duration::from_secs(4)));
    assert_eq!((config.settings.streams, config.max_body, config.max_servers), (7, 4096, 3));
    assert_eq!(config.servers[0].expected, ["cam1", "cam2"]);
    assert_eq!(config.servers[1].name, "east");
    let config = load(
        "events: {start: beginning}\nstorage: {path: /var/lib/x}\n\
         servers:\n  - {name: west, files: /log/*.json, format: json}\n",
    )
    .unwrap();
    assert_eq!((config.start, config.storage), (Start::Beginning, Some("/var/lib/x".into())));
    assert_eq!(config.sources[0].server.as_deref(), Some("west"));
    assert_eq!((config.sources[0].patterns.len(), config.sources[0].format), (1, Some(Format::Json)));
}

#[test]
fn the_runtime_api_of_a_server_is_read_with_its_password_from_a_file() {
    let mut password = tempfile::NamedTempFile::new().unwrap();
    writeln!(password, "hunter2").unwrap();
    let config = load(&format!(
        "servers:\n  - name: west\n    api: {{url: 'http://ems:8888/apiproxy', username: me, password_file: {}, timeout: 2s}}\n  \
         - {{name: east, api: {{url: 'http://127.0.0.1'}}}}\nreconcile: {{interval: 10s}}\n",
        password.path().display()
    ))
    .unwrap();
    let [west, east] = &config.apis[..] else { panic!("{:?}", config.apis) };
    assert_eq!(
        (west.server.as_str(), west.address.to_string()),
        ("west", "http://ems:8888/apiproxy".to_owned())
    );
    assert_eq!(west.login.as_ref().unwrap().password, "hunter2");
    assert!(!format!("{config:?}").contains("hunter2"), "a password is never printed");
    assert_eq!(
        (east.address.to_string(), east.timeout),
        ("http://127.0.0.1:7777".to_owned(), Duration::from_secs(5))
    );
    assert_eq!(config.reconcile_interval, Duration::from_secs(10));
}

#[test]
fn faults_of_the_runtime_api_come_at_once() {
    let faults = load(
        "servers:\n  - {name: a, api: {url: 'https://x'}}\n  - {name: b, api: {username: me}}\n  \
         - {name: c, api: {url: 'http://me:secret@x', username: me, password_file: /does/not/exist}}\n\
         reconcile: {interval: 10ms}\n",
    )
    .unwrap_err();
    for expected in [
        "2:26: servers[].api.url: the URL must begin with http://: for https, give the address of a proxy that forwards to it",
        "3:20: servers[].api needs both username and password_file, or neither",
        "3:20: servers[].api.url is missing: set it to an address such as http://127.0.0.1:7777",
        "4:26: servers[].api.url: the URL must not hold a password: it goes into username and password_file",
        "servers[].api.password_file: /does/not/exist cannot be read: No such file",
        "reconcile.interval: 10ms is not a duration of at least 1s, such as 10s",
    ] {
        assert!(faults.contains(expected), "{expected}: {faults}");
    }
    assert!(!faults.contains("secret"), "{faults}");
}

#[test]
fn faults_of_event_files_are_reported_too() {
    let faults =
        load("events: {start: middle}\nservers:\n  - {name: west, files: ['a[', ''], format: csv}\n")
            .unwrap_err();
    for expected in [
        "3:26: servers[].files: a[ is not a file name or pattern, such as /var/log/ems/events*.json",
        "3:32: servers[].files: \"\" is not a file name",
        "servers[].format: csv is not one of text, json, xml, w3c",
        "1:17: events.start: middle is not one of saved-or-end, saved-or-beginning, beginning, end",
    ] {
        assert!(faults.contains(expected), "{expected}: {faults}");
    }
}

#[test]
fn all_faults_come_at_once_with_their_places() {
    let faults = load(
        "web:\n  listen_address: 10777\n  telemetry_path: metrics\n  port: 1\n\
         stall: {factor: 0.5, minimum: 10}\nlimits: 7\nserver: x\n\
         servers:\n  - expect: [{a: 1}]\n  - name: a b\n  - name: c\n  - name: c\n",
    )
    .unwrap_err();
    let expected = [
        "the configuration has 11 faults:",
        "ems.yml:2:19: web.listen_address: 10777 is not HOST:PORT or :PORT, such as 127.0.0.1:10777, [::]:10777 or :10777",
        "ems.yml:3:19: web.telemetry_path: metrics is not a path of plain characters that starts with /, such as /metrics",
        "ems.yml:4:3: web.port is not a known key: known here are listen_address, telemetry_path, protect_health, names",
        "ems.yml:5:17: stall.factor: 0.5 is not a number from 1 to 1000",
        "ems.yml:5:31: stall.minimum: 10 is not a duration such as 10s or 1h 30m",
        "ems.yml:6:9: limits is a number, not a section with keys",
        "ems.yml:7:1: server is not a known key: known here are web, ingest, series, stall, limits, folders, reconcile, events, storage, actions, servers, rules",
        "ems.yml:9:5: servers[].name is missing: every server needs a name",
        "ems.yml:9:14: servers[].expect is a section, not a text",
        "ems.yml:10:11: servers[].name: \"a b\" is not 1 to 64 letters, digits, dots, dashes and underscores",
        "ems.yml:12:11: servers[].name is used twice: names must differ",
    ];
    let lines: Vec<&str> = faults.lines().map(str::trim).collect();
    assert_eq!(lines, expected);
}

#[test]
fn a_document_that_is_not_yaml_is_one_fault() {
    let faults = load("web: [\n").unwrap_err();
    assert!(faults.starts_with("the configuration has 1 fault:\n  ems.yml:"), "{faults}");
    assert!(faults.contains("ems.yml:1:6: not valid YAML: check quotes"), "{faults}");
}

#[test]
fn flags_override_the_file_and_are_checked_with_it() {
    let overrides = flags(&[("web.listen-address", "nowhere"), ("web.telemetry-path", "/events")]);
    let missing = std::path::Path::new("/does/not/exist.yml");
    let faults = Config::load(Some(missing), &overrides).unwrap_err().to_string();
    assert!(faults.starts_with("the configuration has 3 faults:"), "{faults}");
    assert!(faults.contains("/does/not/exist.yml: cannot be read: No such file"), "{faults}");
    assert!(faults.contains("--web.listen-address: nowhere is not HOST:PORT"), "{faults}");
    assert!(faults.contains("--web.telemetry-path: /events is already used by the exporter"), "{faults}");
    for path in ["/", "/-/ready", "/api/v1/streams"] {
        let overrides = flags(&[("web.telemetry-path", path)]);
        let faults = Config::load(None, &overrides).unwrap_err().to_string();
        assert!(
            faults.contains(&format!("--web.telemetry-path: {path} is already used by the exporter")),
            "{faults}"
        );
    }
}
