//! Entries of text event files: a line with number and name, then one indented line a field.
//!
//! Nothing is escaped and nothing is typed; null members are left out. There is no sequence number
//! and no process but the payload's, and a time only if the sink is configured to write one.

use memchr::{memchr, memmem, memrchr};

use crate::format::Format;
use crate::limits::KEPT_DEPTH;
use crate::message::{Field, Message, Value, add, count_members};
use crate::rejection::Rejection;
use crate::text::Text;

/// How many digits the number of an entry has at least.
const NUMBER: usize = 5;

/// Decodes an entry, the lines up to the empty ones that end it. A crash may have torn others before it, which have no
/// such end: each of them is rejected.
pub(super) fn decode<'a>(entry: &'a [u8], each: &mut impl FnMut(Result<Message<'a>, Rejection>)) {
    let (mut start, mut at) = (0, 0);
    for line in entry.split_inclusive(|byte| *byte == b'\n') {
        if let Some(head) = head(line.trim_ascii_end()).map(|head| at + head).filter(|head| *head > start) {
            let before = &entry[start..head];
            let ended = before.ends_with(b"\n\n") || before.ends_with(b"\n\r\n");
            each(if ended { event(before) } else { Err(syntax("it is cut off", start)) });
            start = head;
        }
        at += line.len();
    }
    each(event(&entry[start..]));
}

/// Where the first line of an entry begins in this line: behind a torn entry it may stand at its end.
fn head(line: &[u8]) -> Option<usize> {
    let time = if line.ends_with(b">") { memmem::find(line, b"\t<TIMESTAMP") } else { None };
    let line = &line[..time.unwrap_or(line.len())];
    let tab = memrchr(b'\t', line)?;
    let name = &line[tab + 1..];
    let is_name =
        name.first().is_some_and(u8::is_ascii_lowercase) && name.iter().all(u8::is_ascii_alphabetic);
    let digits = line[..tab].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    if digits < NUMBER || !is_name {
        return None;
    }
    // Digits before it that end a torn value, or the number of a torn entry, belong to that: only zeros fill a number up.
    let whole = digits == tab && (digits == NUMBER || line[0] != b'0');
    Some(if whole { 0 } else { tab - NUMBER })
}

/// Decodes the lines of one entry.
fn event(entry: &[u8]) -> Result<Message<'_>, Rejection> {
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
        if key == b"0"
            && let Some(list) = open.last().filter(|_| open.len() > 1)
            && *list + 1 == fields.len()
        {
            // The members of a list are numbered; none of them is kept.
            fields[*list].value = Value::List;
        }
        if open.last().is_some_and(|parent| matches!(fields[*parent].value, Value::List)) {
            continue;
        }
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

const fn syntax(what: &'static str, at: usize) -> Rejection {
    Rejection::Syntax { format: Format::Text, what, at }
}

/// Reads the first line: number, name, and perhaps a time.
fn envelope<'a>(head: &'a [u8], fields: &mut Vec<Field<'a>>) -> Result<(), Rejection> {
    let mut columns = head.split(|byte| *byte == b'\t');
    let number = columns.next().unwrap_or_default();
    let name = columns.next().filter(|name| !name.is_empty());
    let Some(name) = name.filter(|_| !number.is_empty() && number.iter().all(u8::is_ascii_digit)) else {
        return Err(syntax("its first line has no number and name", 0));
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
