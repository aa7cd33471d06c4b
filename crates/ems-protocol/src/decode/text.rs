//! Entries of text event files: a line with number and name, then one indented line a field.
//!
//! Nothing is escaped and nothing is typed; null members are left out. There is no sequence number
//! and no process but the payload's, and a time only if the sink is configured to write one.

use memchr::{memchr, memmem};

use crate::format::Format;
use crate::limits::KEPT_DEPTH;
use crate::message::{Field, Message, Value, add, count_members};
use crate::rejection::Rejection;
use crate::text::Text;

/// Decodes one entry: the lines up to the empty ones that end it.
pub(super) fn decode(entry: &[u8]) -> Result<Message<'_>, Rejection> {
    let mut lines = entry.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let head = lines.next().unwrap_or_default();
    let mut fields = Vec::with_capacity(96);
    envelope(head, &mut fields)?;
    // The open objects, the payload first.
    let mut open = vec![add(&mut fields, b"payload", Value::Map)?];
    for line in lines.filter(|line| !line.is_empty()) {
        let depth = line.iter().take_while(|byte| **byte == b'\t').count();
        let Some(line) = line.get(depth..).filter(|_| depth > 0) else {
            // The rest of a value that holds a line feed: it belongs to no field.
            continue;
        };
        for place in open.drain(depth.min(open.len())..) {
            count_members(&mut fields, place);
        }
        if open.len() < depth || depth >= KEPT_DEPTH {
            // A member of what was not kept.
            continue;
        }
        let Some(colon) = memchr(b':', line) else {
            continue;
        };
        let (key, value) = (&line[..colon], &line[colon + 1..]);
        // An object has nothing behind its colon, an empty text has a space.
        if value.is_empty() {
            open.push(add(&mut fields, key, Value::Map)?);
        } else {
            let text = Text::plain(value.strip_prefix(b" ").unwrap_or(value));
            add(&mut fields, key, Value::Text(text))?;
        }
    }
    for place in open {
        count_members(&mut fields, place);
    }
    Message::open(fields)
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
    add(fields, b"type", Value::Text(Text::plain(name)))?;
    if let Some(time) = columns.next().and_then(|column| between(column, b">", b"<")) {
        add(fields, b"timestamp", Value::Text(Text::plain(time)))?;
    }
    Ok(())
}

/// The bytes between the first `start` and the next `end`.
fn between<'a>(bytes: &'a [u8], start: &[u8], end: &[u8]) -> Option<&'a [u8]> {
    let from = memmem::find(bytes, start)? + start.len();
    let to = from + memmem::find(&bytes[from..], end)?;
    Some(&bytes[from..to])
}
