//! The HTTP transport, on real sockets.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use ems_exporter::config::Config;
use ems_exporter::http::state::App;
use ems_exporter::pipeline::tally::Transport;
use ems_protocol::Timestamp;
use flate2::read::GzDecoder;
use testkit::http::{exchange, exchange_on};
use testkit::wait::{holds, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{PROGRAM, Samples};

/// A running exporter that stops with the test.
pub struct Exporter {
    pub address: SocketAddr,
    /// The address that takes events.
    pub events: SocketAddr,
    pub app: Arc<App>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    _guard: DropGuard,
}

impl Exporter {
    pub async fn start() -> Self {
        Self::with(&Config::default()).await
    }

    pub async fn with(config: &Config) -> Self {
        let mut listeners = Vec::new();
        for _ in config.addresses() {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
        }
        let address = listeners[0].local_addr().unwrap();
        let events = listeners.last().unwrap().local_addr().unwrap();
        let app = ems_exporter::app::build(config).unwrap();
        let stop = CancellationToken::new();
        let (running, config, stopping) = (Arc::clone(&app), config.clone(), stop.clone());
        let running = tokio::spawn(async move {
            ems_exporter::app::run(running, &config, listeners, stopping).await.unwrap();
        });
        Self { address, events, app, stop: stop.clone(), running, _guard: stop.drop_guard() }
    }

    /// Stops the exporter and waits until it has.
    pub async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }

    /// Sends bytes on a new connection and reads until one answer is whole.
    pub async fn raw(&self, request: &[u8]) -> String {
        Self::raw_to(self.address, request).await
    }

    pub async fn raw_to(address: SocketAddr, request: &[u8]) -> String {
        exchange(address, request).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: &str) -> String {
        let length = body.len();
        self.raw(
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes(),
        )
        .await
    }

    pub async fn get(&self, path: &str) -> String {
        self.raw(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await
    }

    pub async fn metrics(&self) -> String {
        testkit::http::get(self.address, "/metrics", &[]).await.unwrap().text().to_owned()
    }

    pub async fn read(&self) -> Samples {
        Samples::of(&self.metrics().await)
    }
}

pub const TIMER: &str = r#"{"id":5,"payload":{"PID":1,"timerId":9,"triggerCount":1,"value":3},"processId":1,"timestamp":1795364096,"type":"timerTriggered"}"#;

#[tokio::test]
async fn answers_at_once_with_a_reason_phrase_and_a_length_and_closes_only_when_asked() {
    let exporter = Exporter::start().await;
    let mut stream = TcpStream::connect(exporter.address).await.unwrap();
    for _ in 0..3 {
        let request =
            format!("POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{TIMER}", TIMER.len());
        let answer = exchange_on(&mut stream, request.as_bytes()).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("content-length: 0\r\n"),
            "{answer}"
        );
    }
    let closing = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{TIMER}",
        TIMER.len()
    );
    stream.write_all(closing.as_bytes()).await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.starts_with("HTTP/1.1 200 OK\r\n"), "{rest}");
    let old = exporter
        .raw(format!("POST / HTTP/1.0\r\nContent-Length: {}\r\n\r\n{TIMER}", TIMER.len()).as_bytes())
        .await;
    assert!(old.starts_with("HTTP/1.0 200 OK\r\n"), "{old}");
    let samples = exporter.read().await;
    assert_eq!(samples.get("ems_timers_triggered_total"), Some(1.0));
    assert_eq!(
        samples.get("ems_exporter_events_duplicate_total{transport=\"http\",format=\"json\"}"),
        Some(4.0)
    );
}

#[tokio::test]
async fn rejections_get_one_sentence_and_are_counted_by_reason() {
    let exporter = Exporter::start().await;
    let mixed = r#""V_TIMESTAMP,V_DATE,V_TIME,V_TYPED_MAP and V_BYTEARRAY not supported by JSON""#;
    let cases = [
        ("", "empty", "the body is empty\n"),
        ("hello", "format", "the body is neither JSON nor XML\n"),
        (
            r#"{"type":"timerCreated","payload":{]}"#,
            "syntax",
            "invalid json at byte 35: a member's name is missing\n",
        ),
        ("<MAP>", "syntax", "invalid xml at byte 5: it ends too early\n"),
        (
            mixed,
            "mixed_sinks",
            "the server could not write this event as JSON: put JSON sinks before XML sinks in its config.lua\n",
        ),
        (r#"{"payload":{}}"#, "not_an_event", "not an event: it has no type\n"),
        ("[]", "not_an_event", "not an event: the array is empty\n"),
        (r#"{"type":"timerCreated","payload":{}}"#, "missing_field", "the field timerId is missing\n"),
        (
            r#"{"type":"timerCreated","payload":{"timerId":"x"}}"#,
            "bad_field",
            "the field timerId is not a whole number that is not negative\n",
        ),
    ];
    for (body, reason, sentence) in cases {
        let answer = exporter.post("/events", body).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{sentence}")), "{answer}");
        let kept = exporter.app.pipeline.rejections();
        assert_eq!(kept.last().unwrap().rejection.reason().unwrap().label(), reason, "{body}");
    }
    assert!(exporter.post("/events", TIMER).await.starts_with("HTTP/1.1 200"));
    let samples = exporter.read().await;
    assert_eq!(samples.sum("ems_exporter_events_rejected_total"), cases.len() as f64);
    assert_eq!(samples.sum("ems_exporter_events_applied_total"), 1.0);
    assert_eq!(samples.get("ems_exporter_http_responses_total{code=\"400\"}"), Some(cases.len() as f64));
}

#[tokio::test]
async fn keeps_the_last_hundred_rejections() {
    let exporter = Exporter::start().await;
    for _ in 0..105 {
        exporter.post("/events/a", "hello").await;
    }
    let kept = exporter.app.pipeline.rejections();
    assert_eq!(kept.len(), 100);
    assert_eq!(kept[0].server, "a");
}

#[tokio::test]
async fn a_body_may_hold_several_events_and_a_bad_one_does_not_disturb_the_next() {
    let exporter = Exporter::start().await;
    let other = TIMER.replace("\"id\":5", "\"id\":6");
    let bad = r#"{"type":"timerClosed"}"#;
    let array = format!("[{TIMER},\n{bad}, {other}]");
    let answer = exporter.post("/events/array", &array).await;
    assert!(
        answer.ends_with("1 of 3 events were rejected, the first because the field timerId is missing\n"),
        "{answer}"
    );
    let lines = format!("{TIMER}\n{{broken\n{other},\n");
    let answer = exporter.post("/events/lines", &lines).await;
    assert!(answer.contains("1 of 3 events were rejected"), "{answer}");
    let page = exporter.metrics().await;
    for server in ["array", "lines"] {
        assert!(page.contains(&format!("ems_timers_triggered_total{{server=\"{server}\"}} 2\n")), "{server}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_gets_413() {
    let exporter = Exporter::with(&Config { max_body: 1024, ..Config::default() }).await;
    let answer = exporter.post("/events", &"x".repeat(1025)).await;
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
    assert!(answer.ends_with("the body is larger than 1024 bytes\n"), "{answer}");
    let samples = exporter.read().await;
    let reason =
        "ems_exporter_events_rejected_total{transport=\"http\",format=\"unknown\",reason=\"too_large\"}";
    assert_eq!(samples.get(reason), Some(1.0));
}

#[tokio::test]
async fn two_servers_never_mix_and_unnamed_events_belong_to_ems() {
    let exporter = Exporter::start().await;
    exporter.post("/events/a", TIMER).await;
    exporter.post("/events/b", TIMER).await;
    exporter.post("/events", TIMER).await;
    exporter.post("/", TIMER).await;
    let page = exporter.metrics().await;
    for (server, count) in [("a", 1), ("b", 1), ("ems", 1)] {
        assert!(page.contains(&format!("ems_timers_triggered_total{{server=\"{server}\"}} {count}\n")));
    }
}

#[tokio::test]
async fn configured_servers_are_the_only_ones() {
    let known =
        |name: &str| ems_exporter::pipeline::ConfiguredServer { name: name.to_owned(), expected: Vec::new() };
    let one = Exporter::with(&Config { servers: vec![known("west")], ..Config::default() }).await;
    assert!(one.post("/events", TIMER).await.starts_with("HTTP/1.1 200"));
    assert!(one.metrics().await.contains("ems_timers_triggered_total{server=\"west\"} 1\n"));
    let answer = one.post("/events/east", TIMER).await;
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.ends_with("no server of this name is configured\n"),
        "{answer}"
    );

    let two =
        Exporter::with(&Config { servers: vec![known("west"), known("east")], ..Config::default() }).await;
    let answer = two.post("/events", TIMER).await;
    assert!(answer.ends_with("several servers are configured: post to /events/NAME\n"), "{answer}");
    assert_eq!(two.read().await.sum("ems_exporter_events_rejected_total"), 1.0);
}

#[tokio::test]
async fn names_of_servers_are_checked_and_limited() {
    let exporter = Exporter::with(&Config { max_servers: 2, ..Config::default() }).await;
    assert!(exporter.post("/events/a%22b", TIMER).await.starts_with("HTTP/1.1 400"));
    assert!(exporter.post("/events/a", TIMER).await.starts_with("HTTP/1.1 200"));
    assert!(exporter.post("/events/b", TIMER).await.starts_with("HTTP/1.1 200"));
    let answer = exporter.post("/events/c", TIMER).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let samples = exporter.read().await;
    assert_eq!(samples.sum("ems_exporter_events_dropped_total"), 1.0);
    assert_eq!(samples.sum("ems_exporter_events_received_total"), 4.0);
}

#[tokio::test]
async fn received_is_the_sum_of_applied_duplicate_rejected_and_dropped() {
    let exporter = Exporter::start().await;
    for body in [TIMER, TIMER, "nonsense", "", r#"[{"type":"x"},{"type":"y"},7]"#] {
        exporter.post("/events", body).await;
    }
    let samples = exporter.read().await;
    let sum = |part: &str| samples.sum(&format!("ems_exporter_events_{part}_total"));
    assert_eq!(sum("received"), 7.0);
    assert_eq!((sum("applied"), sum("duplicate"), sum("rejected"), sum("dropped")), (3.0, 1.0, 3.0, 0.0));
    assert_eq!(samples.get("ems_events_total{event=\"other\"}"), Some(2.0));
    assert_eq!(samples.sum("ems_events_total"), sum("applied"));
}

#[tokio::test]
async fn the_pages_beside_metrics() {
    let exporter = Exporter::start().await;
    assert!(exporter.get("/-/healthy").await.ends_with("\r\n\r\nok\n"));
    let ready = exporter.get("/-/ready").await;
    assert!(
        ready.contains("content-type: application/json") && ready.ends_with(r#"{"ready":true,"reasons":[]}"#),
        "{ready}"
    );
    assert!(exporter.get("/").await.contains("<a href=\"/metrics\">"));
    let lost = exporter.get("/metric").await;
    assert!(
        lost.starts_with("HTTP/1.1 404")
            && lost.ends_with("no endpoint at /metric: the metrics are at /metrics\n")
    );
    let lost = exporter.get("/api/v1/stream").await;
    assert!(lost.starts_with("HTTP/1.1 404"), "{lost}");
    assert!(lost.ends_with(
        "no endpoint at /api/v1/stream: the endpoints of the API are listed in /api/v1/openapi.yml\n"
    ));
    for (answer, methods) in [
        (exporter.get("/events").await, "POST"),
        (exporter.get("/-/reload").await, "POST"),
        (exporter.post("/metrics", "").await, "GET, HEAD"),
        (exporter.post("/api/v1/streams", "").await, "GET, HEAD"),
    ] {
        assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
        let allow = format!("\r\nallow: {}\r\n", methods).to_lowercase();
        assert_eq!(answer.to_lowercase().matches(&allow).count(), 1, "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\nthis path accepts only {methods}\n")), "{answer}");
    }
}

#[test]
fn a_failed_health_check_says_why() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let check = || {
        let output = PROGRAM.run(&["healthcheck", "--web.listen-address", &address]);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let silent = check();
    assert!(
        silent.ends_with(&format!(
            "nothing healthy answers at http://{address}/-/healthy: no answer within 3s\n"
        )),
        "{silent}"
    );
    let tls = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(stream);
        (stream, _) = listener.accept().unwrap();
        std::io::Read::read(&mut stream, &mut [0; 1024]).unwrap();
        // The alert of a TLS server that gets plain HTTP: decode error.
        std::io::Write::write_all(&mut stream, &[21, 3, 3, 0, 2, 2, 50]).unwrap();
    });
    let plain = check();
    tls.join().unwrap();
    assert!(
        plain.contains("no answer over plain HTTP; if the exporter serves TLS, pass its --web.config.file"),
        "{plain}"
    );
    let closed = check();
    assert!(closed.contains("healthy: cannot connect: Connection refused"), "{closed}");
}

#[test]
fn a_storage_path_that_is_a_file_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    for command in ["serve", "check-config"] {
        let output = PROGRAM.run(&[command, "--web.listen-address=127.0.0.1:0", "--storage.path", path]);
        assert!(!output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error, format!("ems-exporter: storage.path {path} is not a directory\n"));
    }
}

#[test]
fn a_storage_path_belongs_to_one_exporter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let first = PROGRAM.serve(&["--storage.path", path]);
    let second = || PROGRAM.run(&["serve", "--web.listen-address=127.0.0.1:0", "--storage.path", path]);
    let output = second();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "ems-exporter: storage.path {path} is used by another exporter: stop it, or give each a path of its own\n"
        )
    );
    drop(first);
    drop(PROGRAM.serve(&["--storage.path", path]));
}

#[tokio::test]
async fn metrics_are_compressed_and_formatted_as_requested() {
    let exporter = Exporter::start().await;
    exporter.post("/events", TIMER).await;
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: gzip\r\nAccept: application/openmetrics-text\r\n\r\n";
    let mut stream = TcpStream::connect(exporter.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    assert!(
        text.contains("content-encoding: gzip")
            && text.contains("application/openmetrics-text; version=1.0.0"),
        "{text}"
    );
    let mut page = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[head..]), &mut page).unwrap();
    assert!(page.ends_with("# EOF\n"));
    assert!(
        page.contains("# TYPE ems_timers_triggered counter\nems_timers_triggered_total{server=\"ems\"} 1\n")
    );
}

#[tokio::test]
async fn an_open_request_is_answered_after_the_stop() {
    let exporter = Exporter::start().await;
    let mut stream = TcpStream::connect(exporter.address).await.unwrap();
    let head = format!("POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", TIMER.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    // The connection is counted once the exporter has it in its hands.
    until("the connection", async || holds(exporter.app.exporter_metrics.connections.get() > 0, ())).await;
    stream.write_all(&TIMER.as_bytes()[..10]).await.unwrap();
    exporter.stop.cancel();
    stream.write_all(&TIMER.as_bytes()[10..]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let state = exporter.app.pipeline.server(None).unwrap().read(|state| state.timers.open());
    assert_eq!(state, 1);
}

#[tokio::test]
async fn a_sink_path_that_can_only_mean_one_thing_works_and_any_other_is_rejected_and_kept() {
    let exporter = Exporter::start().await;
    let mut id = 100;
    let mut post = async |path: &str| {
        id += 1;
        exporter.post(path, &TIMER.replace("\"id\":5", &format!("\"id\":{id}"))).await
    };
    for (path, server) in [
        ("/events/", "ems"),
        ("//events", "ems"),
        ("/events//", "ems"),
        ("//", "ems"),
        ("/events/west/", "west"),
        ("//events//west", "west"),
    ] {
        let answer = post(path).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        assert!(exporter.app.pipeline.servers().iter().any(|known| known.name == server), "{path}");
    }
    let rejected =
        "ems_exporter_events_rejected_total{transport=\"http\",format=\"unknown\",reason=\"server\"}";
    let paths = ["/evowebservices/evowebservices.php", "/event", "/events/a/b", "/eventsx", "/Events"];
    for (number, path) in paths.iter().enumerate() {
        let answer = post(path).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        assert!(answer.ends_with("post events to /events, /events/NAME or /\n"), "{path}: {answer}");
        assert_eq!(exporter.read().await.get(rejected), Some(number as f64 + 1.0), "{path}");
    }
    assert_eq!(exporter.app.pipeline.rejections().len(), paths.len());
    for path in ["/metrics", "/api/v1/streams", "/-/ready"] {
        assert!(post(path).await.starts_with("HTTP/1.1 405"), "{path}");
    }
    assert_eq!(exporter.read().await.get(rejected), Some(paths.len() as f64));
}

#[tokio::test]
async fn a_request_has_exactly_one_host_and_no_answer_is_sniffed() {
    let exporter = Exporter::start().await;
    for (request, status) in [
        ("GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
        ("GET /-/healthy HTTP/1.0\r\n\r\n", 200),
        ("GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
        ("GET /-/healthy HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        ("GET /-/healthy HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n", 400),
        ("POST /events HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 400),
    ] {
        let answer = exporter.raw(request.as_bytes()).await;
        assert!(answer.split(' ').nth(1) == Some(&status.to_string()), "{request}{answer}");
        assert!(answer.contains("\r\nx-content-type-options: nosniff\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn compressed_bodies_are_read_within_the_limits() {
    let exporter = Exporter::with(&Config { max_body: 100_000, ..Config::default() }).await;
    let event = TIMER.as_bytes();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    zlib.write_all(event).unwrap();
    let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    raw.write_all(event).unwrap();
    let whole = gzip(event);
    let bomb = gzip(&vec![b' '; 100_001]);
    let mut applied = 0.0;
    for (encoding, body, status) in [
        ("gzip", whole.clone(), 200),
        ("X-GZIP", whole.clone(), 200),
        ("deflate", zlib.finish().unwrap(), 200),
        ("deflate", raw.finish().unwrap(), 200),
        ("Identity", event.to_vec(), 200),
        ("gzip", whole[..whole.len() - 9].to_vec(), 400),
        ("gzip", event.to_vec(), 400),
        ("gzip", Vec::new(), 400),
        ("gzip", bomb, 413),
        ("br", whole.clone(), 400),
        ("gzip, gzip", whole.clone(), 400),
        ("gzip\r\nContent-Encoding: gzip", whole.clone(), 400),
    ] {
        let head = format!(
            "POST /events HTTP/1.1\r\nHost: x\r\nContent-Encoding: {encoding}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let answer = exporter.raw(&[head.as_bytes(), &body].concat()).await;
        assert_eq!(answer.split(' ').nth(1), Some(status.to_string().as_str()), "{encoding}: {answer}");
        applied += f64::from(u8::from(status == 200));
        let samples = exporter.read().await;
        let counted = samples.sum("ems_events_total") + samples.sum("ems_exporter_events_duplicate_total");
        assert_eq!(counted, applied, "{encoding}");
    }
    let rejected = exporter.read().await.sum("ems_exporter_events_rejected_total");
    assert_eq!(rejected, 7.0);
}

#[tokio::test]
async fn web_pages_of_other_sites_change_and_read_nothing() {
    let config = Config { lifecycle: true, ..Config::default() };
    let exporter = Exporter::with(&config).await;
    let other = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors";
    let rebound = "Accept-Language: en";
    for (method, path, host, headers, status) in [
        ("POST", "/events", "localhost", other, 403),
        ("POST", "/events", "localhost", "Origin: http://evil.example", 403),
        ("POST", "/-/reload", "localhost", "Origin: null", 403),
        ("GET", "/metrics", "localhost", other, 403),
        ("GET", "/metrics", "evil.example", rebound, 421),
        ("POST", "/-/reload", "evil.example", rebound, 421),
        ("GET", "/api/v1/streams", "evil.example", rebound, 421),
        ("GET", "/", "127.0.0.1:10777", rebound, 200),
        ("GET", "/", "localhost", "Sec-Fetch-Site: same-origin", 200),
        ("GET", "/metrics", "ems.example.com:10777", "User-Agent: Prometheus/3.0", 200),
        ("POST", "/-/reload", "ems.example.com:10777", "User-Agent: curl/8", 200),
    ] {
        let body = if path == "/events" { TIMER } else { "" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let answer = exporter.raw(request.as_bytes()).await;
        assert_eq!(answer.split(' ').nth(1), Some(status.to_string().as_str()), "{request}{answer}");
    }
    assert_eq!(exporter.read().await.sum("ems_events_total"), 0.0);
    let mut named = Config::default();
    named.ingest.guard.names = vec!["ems.example.com".to_owned()];
    let exporter = Exporter::with(&named).await;
    let request =
        "GET / HTTP/1.1\r\nHost: ems.example.com\r\nAccept-Language: en\r\nConnection: close\r\n\r\n";
    assert!(exporter.raw(request.as_bytes()).await.starts_with("HTTP/1.1 200"));
}

/// Fills a page that is larger than the buffers of sockets.
fn open_streams(app: &App, streams: u64) {
    let server = app.pipeline.server(None).unwrap();
    let name = "x".repeat(100);
    for id in 1..=streams {
        let payload =
            serde_json::json!({"PID": 1, "uniqueId": id, "type": "INR", "name": format!("{id}-{name}")});
        let event =
            serde_json::json!({"id": id, "type": "inStreamCreated", "processId": 1, "payload": payload});
        app.pipeline.accept(Transport::Http, &server, event.to_string().as_bytes(), Timestamp::now());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_page_is_sent_in_pieces_and_whole() {
    let exporter = Exporter::start().await;
    open_streams(&exporter.app, 3000);
    let path = "/metrics?collect[]=ems_stream_up&collect[]=ems_stream_bytes_total";
    let plain = testkit::http::get(exporter.address, path, &[]).await.unwrap();
    assert_eq!(plain.header("transfer-encoding"), "chunked");
    assert_eq!(plain.text().lines().filter(|line| line.starts_with("ems_stream_up{")).count(), 3000);
    let gzip = [("accept-encoding", "gzip")];
    let gzip = testkit::http::get(exporter.address, path, &gzip).await.unwrap();
    let mut unpacked = String::new();
    GzDecoder::new(&gzip.body[..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.text());
    let short = testkit::http::get(exporter.address, "/metrics?collect[]=timers", &[]).await.unwrap();
    assert_eq!(short.header("content-length"), short.body.len().to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_read_give_way_to_those_that_do() {
    let exporter = Exporter::start().await;
    open_streams(&exporter.app, 6000);
    let mut silent = Vec::new();
    for _ in 0..40 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(exporter.address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        silent.push(stream);
    }
    let overloads = "ems_exporter_http_overloads_total{kind=\"metrics\"}";
    let own = "/metrics?collect[]=exporter";
    until("a scrape beside them", async || {
        let page = testkit::http::get(exporter.address, own, &[]).await.unwrap();
        if page.status == 503 {
            assert_eq!(page.header("retry-after"), "1");
            return holds(false, [None; 2]);
        }
        let samples = Samples::of(page.text());
        let closed = "ems_exporter_http_connections_closed_total{reason=\"slow_reader\"}";
        let counts = [samples.get(overloads), samples.get(closed)];
        holds(counts.iter().all(|count| count.is_some_and(|count| count >= 1.0)), counts)
    })
    .await;
}
