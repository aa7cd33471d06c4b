//! Shared by the tests: events, requests that post them, and connections.

use testkit::http::{block_on, exchange};
use testkit::{Exporter, Program};
use tokio::net::TcpStream;

/// The exporter's program.
pub const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_ems-exporter"));

/// The exporter, with these flags.
pub fn serve(flags: &[&str]) -> Exporter {
    PROGRAM.serve(flags)
}

/// A raw connection.
pub async fn connect(exporter: &Exporter) -> TcpStream {
    TcpStream::connect(exporter.address).await.unwrap()
}

/// Posts an event, and returns the whole answer.
pub fn answer_to(exporter: &Exporter, body: &[u8]) -> String {
    block_on(exchange(exporter.address, &post(body))).unwrap()
}

/// A request with an event.
pub fn post(body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("POST /events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// An event of a number.
pub fn timer(id: usize) -> Vec<u8> {
    let event = format!(
        r#"{{"id":{id},"payload":{{"PID":1,"timerId":9,"triggerCount":{id},"value":3}},"processId":1,"timestamp":1795364096,"type":"timerTriggered"}}"#
    );
    event.into_bytes()
}

/// An event that opens a stream.
pub fn stream(id: usize, name: &str) -> Vec<u8> {
    let payload = serde_json::json!({
        "PID": 1, "uniqueId": id, "type": "INR", "name": name, "creationTimestamp": 1_795_364_000_000.25,
        "queryTimestamp": 1_795_364_001_000.0, "upTime": 2000.0,
        "audio": {"codec": "AUNK", "bytesCount": 0, "packetsCount": 0, "droppedPacketsCount": 0},
        "video": {"codec": "VUNK", "bytesCount": 0, "packetsCount": 0, "droppedPacketsCount": 0},
    });
    let event = serde_json::json!({
        "id": id, "payload": payload, "processId": 1, "timestamp": 1_795_364_000, "type": "inStreamCreated"
    });
    event.to_string().into_bytes()
}
