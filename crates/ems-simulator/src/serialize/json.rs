//! The JSON serializer: one compact line, and not always valid JSON, because that is what the server sends.

use crate::value::{Map, Value};

/// Writes an object.
pub(crate) fn write_map(out: &mut Vec<u8>, members: &Map) {
    out.push(b'{');
    for (position, (name, value)) in members.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write_text(out, name.as_bytes());
        out.push(b':');
        write_value(out, value);
    }
    out.push(b'}');
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Integer(_, number) => {
            out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
        }
        Value::Double(number) => out.extend_from_slice(format!("{number:.4}").as_bytes()),
        Value::Timestamp(text) => write_text(out, text.as_bytes()),
        Value::Text(text) => write_text(out, text),
        Value::List(values) => {
            out.push(b'[');
            for (position, value) in values.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write_value(out, value);
            }
            out.push(b']');
        }
        Value::Map(members) => write_map(out, members),
    }
}

/// Escapes what the server escapes; other control characters and invalid UTF-8 go out raw, as from the real one.
fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' | b'/' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::write_text;

    #[test]
    fn only_the_servers_own_escapes_are_made() {
        let mut out = Vec::new();
        write_text(&mut out, b"a\"b\\c/d\n\t\x01\xff\xc3\xa9");
        assert_eq!(out, b"\"a\\\"b\\\\c\\/d\\n\\t\x01\xff\xc3\xa9\"");
    }
}
