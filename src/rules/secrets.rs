//! Which fields may be shown and sent on: not addresses with passwords in them, tokens and the like.

use serde_json::{Map, Value};

/// Parts of names, in lower case, whose values may hold a secret.
const PARTS: [&str; 12] = [
    "uri",
    "url",
    "password",
    "passwd",
    "token",
    "secret",
    "auth",
    "proxy",
    "ingestpoint",
    "publishingpoint",
    "customdata",
    "callback",
];
/// Names whose values may hold a secret.
const NAMES: [&str; 4] = ["config", "parameters", "arguments", "username"];

/// The replacement for a value that is not shown.
pub const MASK: &str = "***";

/// Whether a field of this name and value may hold a secret.
pub fn may_be(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let named = PARTS.iter().any(|part| name.contains(part)) || NAMES.contains(&name.as_str());
    named || name.starts_with('$') || value.contains("://")
}

/// The fields that are posted to another program; `docs/rules.md` lists them. Settings are posted with these members.
pub const POSTED: [&str; 90] = [
    "appName",
    "audio",
    "bandwidth",
    "bitrates",
    "buildNumber",
    "bytesCount",
    "chunkLength",
    "clientIP",
    "codec",
    "codecNumeric",
    "config_id",
    "configId",
    "connectionType",
    "creationTimestamp",
    "dashSettings",
    "direction",
    "droppedBytesCount",
    "droppedPacketsCount",
    "elapsed",
    "error",
    "event",
    "farIp",
    "farPort",
    "file",
    "format",
    "frameCount",
    "group",
    "groupName",
    "groupTargetFolder",
    "hdsSettings",
    "height",
    "hlsSettings",
    "id",
    "in_stream_id",
    "inStreamUniqueId",
    "ip",
    "keepAlive",
    "level",
    "localStreamName",
    "localStreamNames",
    "localUniqueStreamId",
    "manifestName",
    "mssSettings",
    "name",
    "nearIp",
    "nearPort",
    "operationType",
    "outputs",
    "outStreamsUniqueIds",
    "packetsCount",
    "pathToFile",
    "PID",
    "playlist",
    "playlistLength",
    "playlistName",
    "playlistStartTs",
    "playlistType",
    "port",
    "processId",
    "processType",
    "profile",
    "protocolType",
    "pullSettings",
    "purpose",
    "pushSettings",
    "queryTimestamp",
    "recordSettings",
    "releaseNumber",
    "scope",
    "segmentDuration",
    "segmentStartTs",
    "server",
    "sessionId",
    "startTime",
    "status",
    "stopTime",
    "stream",
    "streamName",
    "streamNames",
    "targetFolder",
    "timerId",
    "timestamp",
    "track",
    "triggerCount",
    "type",
    "typeNumeric",
    "uniqueId",
    "upTime",
    "video",
    "width",
];

/// The fields that may be posted, at any depth. A text that is an address is left out under any name.
pub fn posted(fields: &Map<String, Value>) -> Map<String, Value> {
    let allowed = fields.iter().filter(|(name, _)| POSTED.contains(&name.as_str()));
    allowed.filter_map(|(name, value)| Some((name.clone(), shown(value)?))).collect()
}

fn shown(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) if text.contains("://") => None,
        Value::Object(members) => Some(Value::Object(posted(members))),
        Value::Array(items) => Some(items.iter().filter_map(shown).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(value.clone()),
    }
}
