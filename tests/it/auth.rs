//! Who may post events, on real sockets.

use std::io::Write;
use std::process::Output;

use ems_exporter::auth::{Guard, Secret, network};
use ems_exporter::config::{Config, Ingest};

use crate::config::load;
use crate::http::{Exporter, TIMER};
use crate::support::PROGRAM;

const SECRET: &str = "3f9a0c1d2e4b5a69";

fn with(guard: Guard) -> Config {
    Config { ingest: Ingest { guard, ..Ingest::default() }, ..Config::default() }
}

fn secret() -> Guard {
    Guard { secret: Some(Secret::new(SECRET).unwrap()), ..Guard::default() }
}

const FORBIDDEN: &str =
    "ems_exporter_events_rejected_total{transport=\"http\",format=\"unknown\",reason=\"forbidden\"}";

#[tokio::test]
async fn events_need_the_secret_and_nothing_repeats_it() {
    let exporter = Exporter::with(&with(secret())).await;
    for path in ["/events?secret=", "/events/west?secret=", "/?secret=", "/events/", "/events/west/"] {
        let answer = exporter.post(&format!("{path}{SECRET}"), TIMER).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {answer}");
    }
    let wrong = SECRET.replace('3', "4");
    let tries = ["/", "/events", "/events/west", "/events?secret="].map(str::to_owned);
    let tries =
        tries.into_iter().chain(["/events?secret=", "/events/west/"].map(|path| format!("{path}{wrong}")));
    let mut count = 0.0;
    for path in tries {
        let answer = exporter.post(&path, TIMER).await;
        assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{path}: {answer}");
        assert!(answer.ends_with("the secret in the URL is missing or wrong\n"), "{answer}");
        count += 1.0;
    }
    // A right secret in a URL that is wrong elsewhere.
    for path in ["/events/a/b/", "/event/", "/events/west/x?secret="] {
        let answer = exporter.post(&format!("{path}{SECRET}"), TIMER).await;
        assert!(answer.starts_with("HTTP/1.1 404") && !answer.contains(SECRET), "{path}: {answer}");
        let answer = exporter.get(&format!("/events/a/{SECRET}")).await;
        assert!(answer.starts_with("HTTP/1.1 404") && !answer.contains(SECRET), "{answer}");
    }
    let samples = exporter.read().await;
    assert_eq!(samples.get(FORBIDDEN), Some(count));
    assert_eq!(samples.get("ems_timers_triggered_total"), Some(1.0));
    assert_eq!(samples.get("ems_exporter_http_responses_total{code=\"403\"}"), Some(count));
    let sum = |part: &str| samples.sum(&format!("ems_exporter_events_{part}_total"));
    assert_eq!(sum("received"), sum("applied") + sum("duplicate") + sum("rejected") + sum("dropped"));
    let page = exporter.metrics().await;
    assert!(!page.contains(SECRET) && !page.contains(&wrong));
    assert!(!format!("{:?}", exporter.app).contains(SECRET));
}

#[tokio::test]
async fn a_secret_in_a_path_is_not_repeated_although_none_is_required() {
    let exporter = Exporter::start().await;
    let answer = exporter.post(&format!("/events/west/{SECRET}"), TIMER).await;
    assert!(
        answer.starts_with("HTTP/1.1 404") && answer.contains("no endpoint at this path: post events to"),
        "{answer}"
    );
    assert!(!answer.contains(SECRET), "{answer}");
}

#[tokio::test]
async fn events_come_from_allowed_addresses_only() {
    let allow = |text: &str| with(Guard { allow: vec![network(text).unwrap()], ..Guard::default() });
    let inside = Exporter::with(&allow("127.0.0.0/8")).await;
    assert!(inside.post("/events", TIMER).await.starts_with("HTTP/1.1 200"));
    let outside = Exporter::with(&allow("10.0.0.0/8")).await;
    let answer = outside.post("/events", TIMER).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.ends_with("events may not be posted from this address\n"), "{answer}");
    assert_eq!(outside.read().await.get(FORBIDDEN), Some(1.0));
}

#[tokio::test]
async fn events_may_have_an_address_of_their_own() {
    let ingest = Ingest { listen: vec!["127.0.0.1:0".to_owned()], guard: Guard::default() };
    let exporter = Exporter::with(&Config { ingest, ..Config::default() }).await;
    let length = TIMER.len();
    let post = format!("POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{TIMER}");
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let there = Exporter::raw_to(exporter.events, post.as_bytes()).await;
    assert!(there.starts_with("HTTP/1.1 200"), "{there}");
    let here = exporter.raw(post.as_bytes()).await;
    assert!(here.starts_with("HTTP/1.1 404") && here.contains("ingest.listen_address"), "{here}");
    let health = Exporter::raw_to(exporter.events, get("/-/healthy").as_bytes()).await;
    assert!(health.ends_with("ok\n"), "{health}");
    for path in ["/metrics", "/", "/events", "/-/reload"] {
        let answer = Exporter::raw_to(exporter.events, get(path).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    assert_eq!(exporter.read().await.sum("ems_timers_triggered_total"), 1.0);
}

#[test]
fn the_guard_is_configured_with_all_its_faults_at_once() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{SECRET}").unwrap();
    let config = load(&format!(
        "ingest: {{listen_address: '127.0.0.1:1', secret_file: {}, allow: [10.0.0.0/8, '::1']}}\nweb: {{protect_health: true}}\n",
        file.path().display()
    ))
    .unwrap();
    assert_eq!(config.ingest.listen, ["127.0.0.1:1"]);
    let guard = &config.ingest.guard;
    assert_eq!((&guard.secret, guard.allow.len(), guard.protect_health), (&secret().secret, 2, true));
    assert!(!format!("{config:?}").contains(SECRET));
    let mut short = tempfile::NamedTempFile::new().unwrap();
    write!(short, "s3cret").unwrap();
    let faults = load(&format!(
        "ingest: {{listen_address: here, secret_file: {}, allow: [10.0.0.0/33], secret: x}}\n",
        short.path().display()
    ))
    .unwrap_err();
    for expected in [
        "the configuration has 4 faults:",
        "1:26: ingest.listen_address: here is not HOST:PORT",
        "the secret must be 16 to 256 letters",
        "ingest.allow: 10.0.0.0/33 is not an address or network such as 10.0.0.0/8",
        "ingest.secret is not a known key: known here are listen_address, secret_file, allow",
    ] {
        assert!(faults.contains(expected), "{expected}: {faults}");
    }
    assert!(!faults.contains("s3cret"), "{faults}");
}

fn check_config(arguments: &[&str], secret: Option<&str>) -> Output {
    let mut command = PROGRAM.command(&[&["check-config"], arguments].concat());
    command.envs(secret.map(|secret| ("EMS_EXPORTER_INGEST_SECRET", secret))).output().unwrap()
}

#[test]
fn unauthenticated_access_beyond_loopback_must_be_allowed_explicitly() {
    let everywhere = ["--web.listen-address", "0.0.0.0:10777"];
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let refused = check_config(&everywhere, None);
    assert!(!refused.status.success());
    assert!(
        said(&refused).contains("anybody who reaches 0.0.0.0:10777 can post events: set ingest.secret_file")
    );
    assert!(said(&refused).contains("or allow it with --web.insecure"));
    assert!(check_config(&[&everywhere[..], &["--web.insecure"]].concat(), None).status.success());
    assert!(check_config(&everywhere, Some(SECRET)).status.success());
    assert!(check_config(&["--web.listen-address", "[::1]:10777,localhost:1"], None).status.success());
    let port = check_config(&["--web.listen-address", ":10777"], None);
    assert!(said(&port).contains("anybody who reaches :10777 can post events"), "{}", said(&port));
    let lifecycle = check_config(&[&everywhere[..], &["--web.enable-lifecycle"]].concat(), Some(SECRET));
    assert!(said(&lifecycle).contains("anybody who reaches 0.0.0.0:10777 can reload the configuration"));
    let wrong = check_config(&[], Some("short-s3cret"));
    assert!(said(&wrong).contains("EMS_EXPORTER_INGEST_SECRET: the secret must be 16"), "{}", said(&wrong));
    assert!(!said(&wrong).contains("s3cret"));
}
