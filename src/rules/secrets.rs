//! Fields that are never shown or sent on: addresses with passwords in them, tokens and the like.

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

/// The fields without those that may hold a secret, at any depth.
pub fn leave_out(fields: &Map<String, Value>) -> Map<String, Value> {
    let kept = fields.iter().filter_map(|(name, value)| {
        let shown = match value {
            Value::Object(members) => Value::Object(leave_out(members)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                value.clone()
            }
        };
        (!may_be(name, value.as_str().unwrap_or_default())).then(|| (name.clone(), shown))
    });
    kept.collect()
}
