//! The XMLRPC serializer: a call named after the event, with the envelope's five members as positional parameters.

use super::markup::{escape, indent};
use crate::value::{Map, Value};

/// Writes a whole call.
pub(crate) fn write(out: &mut Vec<u8>, event: &str, members: &Map) {
    out.extend_from_slice(b"<?xml version=\"1.0\" ?>\n<methodCall>\n");
    leaf(out, 1, "methodName", event.as_bytes());
    line(out, 1, "params");
    for value in members.values() {
        line(out, 2, "param");
        write_value(out, 3, value);
        line(out, 2, "/param");
    }
    line(out, 1, "/params");
    out.extend_from_slice(b"</methodCall>\n");
}

fn write_value(out: &mut Vec<u8>, level: usize, value: &Value) {
    line(out, level, "value");
    let inner = level + 1;
    match value {
        Value::Null => line(out, inner, "nil /"),
        Value::Bool(flag) => leaf(out, inner, "boolean", if *flag { b"1" } else { b"0" }),
        Value::Integer(_, number) => leaf(out, inner, "int", number.to_string().as_bytes()),
        Value::Double(number) => leaf(out, inner, "double", format!("{number:.3}").as_bytes()),
        Value::Timestamp(text) => leaf(out, inner, "dateTime.iso8601", text.as_bytes()),
        Value::Text(text) => leaf(out, inner, "string", text),
        Value::List(values) => {
            line(out, inner, "array");
            line(out, inner + 1, "data");
            for value in values {
                write_value(out, inner + 2, value);
            }
            line(out, inner + 1, "/data");
            line(out, inner, "/array");
        }
        Value::Map(members) if members.is_empty() => line(out, inner, "struct /"),
        Value::Map(members) => {
            line(out, inner, "struct");
            for (name, value) in members {
                line(out, inner + 1, "member");
                leaf(out, inner + 2, "name", name.as_bytes());
                write_value(out, inner + 2, value);
                line(out, inner + 1, "/member");
            }
            line(out, inner, "/struct");
        }
    }
    line(out, level, "/value");
}

fn line(out: &mut Vec<u8>, level: usize, tag: &str) {
    indent(out, level);
    out.extend_from_slice(format!("<{tag}>\n").as_bytes());
}

fn leaf(out: &mut Vec<u8>, level: usize, tag: &str, text: &[u8]) {
    indent(out, level);
    out.extend_from_slice(format!("<{tag}>").as_bytes());
    escape(out, text);
    out.extend_from_slice(format!("</{tag}>\n").as_bytes());
}
