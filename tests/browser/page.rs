//! Shared by the tests of the page: expressions for its content, and events that fill it.

use serde_json::{Value, json};
use testkit::{Exporter, now};

/// The texts of the first cells of a table's rows, as an expression.
pub(crate) fn names(table: &str) -> String {
    format!(
        "[...document.querySelectorAll('#{table} tbody th .name:first-child')].map((name) => name.textContent)"
    )
}

/// Posts events to the exporter, each on a line of its own; returns the status of the answer.
pub(crate) fn post(exporter: &Exporter, events: &[Value]) -> u16 {
    exporter.post(events.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")).status
}

/// The creation of an inbound stream.
pub(crate) fn stream(id: u64, name: &str) -> Value {
    event(id, "inStreamCreated", &json!({ "uniqueId": id, "type": "INR", "name": name }))
}

/// The creation of an HLS output.
pub(crate) fn output(id: u64, name: &str) -> Value {
    let settings = json!({
        "chunkLength": 4, "groupName": "g", "localStreamName": name, "targetFolder": format!("/srv/{id}"),
    });
    let payload = json!({ "uniqueId": id, "type": "OFHLS", "name": name, "hlsSettings": settings });
    event(id, "outStreamCreated", &payload)
}

fn event(id: u64, name: &str, payload: &Value) -> Value {
    let mut payload = payload.clone();
    payload["PID"] = json!(7);
    payload["creationTimestamp"] = json!(now() * 1000.0);
    json!({ "id": id, "processId": 7, "timestamp": now() as u64, "type": name, "payload": payload })
}
