//! Entries of text event files: a line with number and name, then one indented line a field.
//!
//! Nothing is escaped and nothing is typed; null members are left out. There is no sequence number
//! and no process but the payload's, and a time only if the sink is configured to write one.

use memchr::{memchr, memmem};

use crate::format::Format;
use crate::limits::KEPT_DEPTH;
use crate::message::{Field, Message, Value, keep};
use crate::rejection::Rejection;
use crate::text::{Escapes, Text};

/// Decodes one entry: the lines up to the empty ones that end it.
pub(super) fn decode(entry: &[u8]) -> Result<Message<'_>, Rejection> {
    let mut lines = entry.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let head = lines.next().unwrap_or_default();
    let mut fields = Vec::with_capacity(96);
    envelope(head, &mut fields)?;
    let payload = fields.len();
    keep(&mut fields, Field { key: b"payload", value: Value::Map, members: 0 })?;
    // The objects that we are in, the payload first.
    let mut open = vec![payload];
    for line in lines.filter(|line| !line.is_empty()) {
        let depth = line.iter().take_while(|byte| **byte == b'\t').count();
        let Some(line) = line.get(depth..).filter(|_| depth > 0) else {
            // The rest of a value that holds a line feed: it belongs to no field.
            continue;
        };
        while open.len() > depth {
            settle(&mut fields, open.pop());
        }
        if open.len() < depth || depth >= KEPT_DEPTH {
            // A member of what was not kept.
            continue;
        }
        let Some(colon) = memchr(b':', line) else {
            continue;
        };
        let (key, value) = (&line[..colon], &line[colon + 1..]);
        let place = fields.len();
        // An object has nothing behind its colon, an empty text has a space.
        if value.is_empty() {
            keep(&mut fields, Field { key, value: Value::Map, members: 0 })?;
            open.push(place);
        } else {
            let text = Text { raw: value.strip_prefix(b" ").unwrap_or(value), escapes: Escapes::None };
            keep(&mut fields, Field { key, value: Value::Text(text), members: 0 })?;
        }
    }
    while let Some(place) = open.pop() {
        settle(&mut fields, Some(place));
    }
    Message::open(fields)
}

/// Gives an object its number of members, now that all have been read.
fn settle(fields: &mut [Field<'_>], place: Option<usize>) {
    let Some(place) = place else {
        return;
    };
    let members = (fields.len() - place - 1) as u32;
    fields[place].members = members;
}

/// Reads the first line: number, name, and perhaps a time.
fn envelope<'a>(head: &'a [u8], fields: &mut Vec<Field<'a>>) -> Result<(), Rejection> {
    let mut columns = head.split(|byte| *byte == b'\t');
    let number = columns.next().unwrap_or_default();
    let name = columns.next().filter(|name| !name.is_empty());
    let Some(name) = name.filter(|_| !number.is_empty() && number.iter().all(u8::is_ascii_digit)) else {
        return Err(Rejection::Syntax {
            format: Format::Text,
            what: "its first line has no number and name",
            at: 0,
        });
    };
    let text = |raw| Value::Text(Text { raw, escapes: Escapes::None });
    keep(fields, Field { key: b"type", value: text(name), members: 0 })?;
    if let Some(time) = columns.next().and_then(|column| between(column, b">", b"<")) {
        keep(fields, Field { key: b"timestamp", value: text(time), members: 0 })?;
    }
    Ok(())
}

/// What stands between the first `start` and the next `end`.
fn between<'a>(bytes: &'a [u8], start: &[u8], end: &[u8]) -> Option<&'a [u8]> {
    let from = memmem::find(bytes, start)? + start.len();
    let to = from + memmem::find(&bytes[from..], end)?;
    Some(&bytes[from..to])
}
