//! The live feed, on real sockets.

use std::time::Duration;

use ems_exporter::feed::MAX_CLIENTS;
use serde_json::{Value, json};
use testkit::DEADLINE;
use testkit::wait::{holds, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::http::Exporter;
use crate::openapi::Document;
use crate::query::{busy, event};
use crate::support::stream;

/// A client of the feed.
struct Client {
    stream: TcpStream,
    text: String,
}

impl Client {
    async fn of(exporter: &Exporter, query: &str) -> Self {
        Self::on(TcpStream::connect(exporter.address).await.unwrap(), query).await
    }

    async fn on(mut stream: TcpStream, query: &str) -> Self {
        let request = format!("GET /api/v1/feed{query} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut client = Self { stream, text: String::new() };
        let head = client.until("\r\n\r\n").await;
        assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
        client
    }

    /// Reads up to a text, which is left out.
    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some((before, after)) = self.text.split_once(end) {
                let before = format!("{before}\r\n");
                self.text = after.to_owned();
                return before;
            }
            let mut bytes = vec![0; 1 << 16];
            let read =
                timeout(DEADLINE, self.stream.read(&mut bytes)).await.expect("something comes").unwrap();
            assert_ne!(read, 0, "the feed ended");
            self.text += &String::from_utf8_lossy(&bytes[..read]);
        }
    }

    /// The next message of any name: its name and its data.
    async fn message(&mut self) -> (String, Value) {
        self.until("event: ").await;
        let name = self.until("\n").await.trim().to_owned();
        self.until("data: ").await;
        // The body is sent in chunks, whose sizes stand on lines of their own.
        let mut data = String::new();
        loop {
            data += &self.until("\n").await;
            if let Ok(value) = serde_json::from_str(data.trim()) {
                return (name, value);
            }
        }
    }

    async fn named(&mut self, name: &str) -> Value {
        loop {
            let (found, value) = self.message().await;
            if found == name {
                return value;
            }
        }
    }
}

#[tokio::test]
async fn begins_with_a_whole_snapshot_and_continues_with_changes() {
    let exporter = busy().await;
    let document = Document::read();
    let mut client = Client::of(&exporter, "?only=snapshot").await;
    let whole = client.named("snapshot").await;
    assert_eq!(document.faults(document.schema("Snapshot"), &whole, "whole"), Vec::<String>::new());
    assert_eq!(whole["whole"], true);
    let names = |value: &Value| -> Vec<String> {
        let set = value["streams"]["set"].as_object().unwrap();
        set.values().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&whole), ["cam", "gone"], "players and outputs have no row among the streams");
    assert_eq!(whole["outputs"]["set"].as_object().unwrap().len(), 2);
    assert_eq!(whole["timers"]["set"].as_object().unwrap().len(), 2);
    assert_eq!(whole["rejections"].as_array().unwrap().len(), 1);
    assert!(whole["events"].as_array().unwrap().iter().all(|one| one["event"]["event"] != "cliRequest"));
    exporter.post("/events", &event(50, "inStreamCreated", stream(20, "INR", "new"))).await;
    exporter
        .post("/events", &event(51, "timerClosed", json!({"timerId": 9, "triggerCount": 0, "value": 10})))
        .await;
    let (mut set, mut gone, mut events) = (Vec::new(), Vec::new(), Vec::new());
    while set.is_empty() || gone.is_empty() {
        let change = client.named("snapshot").await;
        assert_eq!(document.faults(document.schema("Snapshot"), &change, "change"), Vec::<String>::new());
        assert_eq!(change["whole"], false);
        set.extend(names(&change));
        gone.extend(change["timers"]["gone"].as_array().unwrap().clone());
        events.extend(change["events"].as_array().unwrap().iter().map(|one| one["event"]["event"].clone()));
    }
    assert_eq!((set, gone), (vec!["new".to_owned()], vec![json!("ems/100/9")]));
    assert!(
        events.contains(&json!("inStreamCreated")) && events.contains(&json!("timerClosed")),
        "{events:?}"
    );
}

#[tokio::test]
async fn sends_events_rejections_and_derived_events_at_once() {
    let exporter = busy().await;
    let document = Document::read();
    let mut client = Client::of(&exporter, "?only=event,rejection,derived").await;
    exporter.post("/events", &event(50, "inStreamCreated", stream(20, "INR", "new"))).await;
    exporter.post("/events", "nonsense").await;
    let (name, data) = client.message().await;
    assert_eq!(
        (name.as_str(), &data["event"], &data["stream"]),
        ("event", &json!("inStreamCreated"), &json!("new"))
    );
    assert_eq!(document.faults(document.schema("Event"), &data, "event"), Vec::<String>::new());
    let (name, data) = client.message().await;
    assert_eq!((name.as_str(), &data["reason"]), ("rejection", &json!("format")));
    assert_eq!(document.faults(document.schema("Rejection"), &data, "rejection"), Vec::<String>::new());
    let later = ems_protocol::Timestamp::now().plus(Duration::from_secs(60));
    exporter.app.pipeline.tick(later);
    let happened = client.named("derived").await;
    assert_eq!(document.faults(document.schema("Event"), &happened, "derived"), Vec::<String>::new());
    assert_eq!((&happened["event"], &happened["change"]), (&json!("streamMissing"), &json!("missing")));
}

#[tokio::test]
async fn clients_are_limited_until_one_leaves() {
    let exporter = Exporter::start().await;
    let mut clients = Vec::new();
    for _ in 0..MAX_CLIENTS {
        clients.push(Client::of(&exporter, "").await);
    }
    let rejected = exporter.get("/api/v1/feed").await;
    assert!(rejected.starts_with("HTTP/1.1 503") && rejected.contains("retry-after: 10\r\n"), "{rejected}");
    assert_eq!(exporter.app.exporter_metrics.feed_clients_rejected.get(), 1);
    assert_eq!(exporter.app.exporter_metrics.feed_clients.get(), MAX_CLIENTS as i64);
    clients.pop();
    until("a free place", async || holds(exporter.app.pipeline.feed.clients() < MAX_CLIENTS, ())).await;
    Client::of(&exporter, "").await.named("snapshot").await;
}

#[tokio::test]
async fn a_slow_client_is_informed_of_its_loss_and_delays_no_publisher() {
    let exporter = Exporter::start().await;
    // A small buffer is soon full.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8192).unwrap();
    let mut slow = Client::on(socket.connect(exporter.address).await.unwrap(), "?only=event").await;
    let name = "x".repeat(100);
    let lines: Vec<String> = (1..=60_000u64)
        .map(|id| event(id, "timerTriggered", json!({"timerId": id % 50, "value": name})))
        .collect();
    for some in lines.chunks(20_000) {
        let answer = exporter.post("/events", &some.join("\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let lagged = slow.named("lagged").await;
    assert!(lagged["missed"].as_u64().unwrap() > 0, "{lagged}");
    let document = Document::read();
    assert_eq!(document.faults(document.schema("Lagged"), &lagged, "lagged"), Vec::<String>::new());
    slow.named("event").await;
    assert!(exporter.app.exporter_metrics.feed_lagged.get() > 0);
}

#[tokio::test]
async fn open_feeds_do_not_delay_the_stop() {
    let exporter = Exporter::start().await;
    let mut client = Client::of(&exporter, "").await;
    client.named("snapshot").await;
    timeout(DEADLINE, exporter.stop()).await.expect("the exporter stops soon");
}
