//! Rows of W3C event files: columns separated by tabs, or by blanks, and named by the file's `#Fields:` line.
//!
//! Only events of streams, feeds, downloads and sessions are written in this format, without
//! sequence numbers, and with a time only if the sink is configured to write one. Nothing is
//! escaped: a name that holds a separator has its row rejected.

use crate::format::Format;
use crate::message::{Message, Value, add, count_members};
use crate::rejection::Rejection;
use crate::text::Text;

/// Columns that have another name, or another place, in the other formats: the object that they
/// belong to, and their name there.
const COLUMNS: [(&[u8], &[u8], &[u8]); 18] = [
    (b"processId", b"", b"PID"),
    (b"applicationName", b"", b"appName"),
    (b"IP", b"", b"ip"),
    (b"nearIP", b"", b"nearIp"),
    (b"swf-url", b"", b"swfUrl"),
    (b"audio-bytes", b"audio", b"bytesCount"),
    (b"audio-codec", b"audio", b"codec"),
    (b"audio-codecNumeric", b"audio", b"codecNumeric"),
    (b"audio-droppedBytes", b"audio", b"droppedBytesCount"),
    (b"audio-droppedPackets", b"audio", b"droppedPacketsCount"),
    (b"audio-packets", b"audio", b"packetsCount"),
    (b"video-bytes", b"video", b"bytesCount"),
    (b"video-codec", b"video", b"codec"),
    (b"video-codecNumeric", b"video", b"codecNumeric"),
    (b"video-droppedBytes", b"video", b"droppedBytesCount"),
    (b"video-droppedPackets", b"video", b"droppedPacketsCount"),
    (b"video-packets", b"video", b"packetsCount"),
    (b"timestamp", b"timestamp", b"timestamp"),
];

/// The events that are written in this format.
const EVENTS: [&[u8]; 14] = [
    b"inStreamCreated",
    b"inStreamCodecsUpdated",
    b"inStreamClosed",
    b"outStreamCreated",
    b"outStreamCodecsUpdated",
    b"outStreamClosed",
    b"streamCreated",
    b"streamCodecsUpdated",
    b"streamClosed",
    b"audioFeedStopped",
    b"videoFeedStopped",
    b"mediaFileDownloaded",
    b"streamingSessionStarted",
    b"streamingSessionEnded",
];

/// The column of event names.
const NAME: &[u8] = b"INFO";

/// The length of a time as the server writes it.
const TIME: usize = "2026-Nov-22 15:50:02".len();

/// How many digits a process id has at most.
const PROCESS: usize = 7;

/// Decodes one row; `header` holds the names of its columns. Behind a row that a crash has torn, another may stand on
/// the same line: the torn one is rejected.
pub fn decode<'a>(header: &'a [u8], row: &'a [u8], mut each: impl FnMut(Result<Message<'a>, Rejection>)) {
    let row = row.strip_suffix(b"\r").unwrap_or(row);
    let (names, mut values) = (split(header).count(), columns(header, row));
    let Some(surplus) = values.len().checked_sub(names) else {
        return each(Err(syntax("a row has not as many columns as the #Fields line")));
    };
    values.drain(..surplus);
    let start = first_column(header, &values);
    if surplus > 0 && start.is_none() {
        return each(Err(syntax("a row has more columns than the #Fields line")));
    }
    let start = start.unwrap_or_default();
    if surplus > 0 || start > 0 {
        each(Err(syntax("a row is cut off")));
    }
    if let Some(first) = values.first_mut() {
        *first = &first[start..];
    }
    each(event(header, &values));
}

/// Where the first column of a row begins in `values`, the last columns of its line: the rest of a torn row may stand
/// before it. `None` if these are not the columns of a row of the server's.
fn first_column(header: &[u8], values: &[&[u8]]) -> Option<usize> {
    let info = split(header).position(|column| column == NAME)?;
    let (first, name) = (values.first()?, values.get(info)?);
    let is_name = |name: &[u8]| EVENTS.contains(&name);
    if info == 0 {
        let name = EVENTS.iter().filter(|name| first.ends_with(name)).max_by_key(|name| name.len())?;
        return Some(first.len() - name.len());
    }
    if !is_name(name) {
        return None;
    }
    let length = match split(header).next()? {
        b"timestamp" => TIME.min(first.len()),
        b"processId" => {
            let digits = first.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
            if digits > PROCESS {
                return None;
            }
            digits
        }
        _ => return Some(0),
    };
    Some(first.len() - length)
}

/// The event in a row of as many values as columns.
fn event<'a>(header: &'a [u8], values: &[&'a [u8]]) -> Result<Message<'a>, Rejection> {
    let names = split(header);
    let values = values.iter().copied();
    let mut name = None;
    let mut fields = Vec::with_capacity(96);
    let payload = add(&mut fields, b"payload", Value::Map)?;
    // Columns of one object stand together, so an object is open while its columns go on.
    let mut object: &[u8] = b"";
    let mut open = payload;
    let mut time = None;
    for (column, value) in names.zip(values).filter(|(_, value)| *value != b"-") {
        let value = Value::Text(Text::plain(value));
        if column == NAME {
            name = Some(value);
            continue;
        }
        let (of, key) = place(column);
        if of == b"timestamp" {
            time = Some(value);
            continue;
        }
        if of != object {
            count_members(&mut fields, open);
            object = of;
            open = if of.is_empty() { payload } else { add(&mut fields, of, Value::Map)? };
        }
        add(&mut fields, key, value)?;
    }
    count_members(&mut fields, open);
    count_members(&mut fields, payload);
    let name = name.ok_or_else(|| syntax("a row has no event name in its column INFO"))?;
    add(&mut fields, b"type", name)?;
    if let Some(time) = time {
        add(&mut fields, b"timestamp", time)?;
    }
    Message::open(fields)
}

/// The columns of a row. Between blanks a time is two columns with one name.
fn columns<'a>(header: &[u8], row: &'a [u8]) -> Vec<&'a [u8]> {
    if row.contains(&b'\t') || !split(header).any(|column| column == b"timestamp") {
        return split(row).collect();
    }
    let (mut values, mut start, mut end) = (Vec::new(), 0, 0);
    for column in row.split(|byte| *byte == b' ') {
        let is_clock = matches!(column, [_, _, b':', _, _, b':', _, _]);
        if is_clock && let Some(date) = values.last_mut() {
            *date = &row[start..end + column.len()];
        } else if !column.is_empty() {
            start = end;
            values.push(column);
        }
        end += column.len() + 1;
    }
    values
}

/// The columns of a line: between tabs, or between blanks if it has no tab.
fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let blanks = !line.contains(&b'\t');
    line.split(move |byte| *byte == if blanks { b' ' } else { b'\t' })
        .filter(move |column| !blanks || !column.is_empty())
}

const fn syntax(what: &'static str) -> Rejection {
    Rejection::Syntax { format: Format::W3c, what, at: 0 }
}

/// The object that a column belongs to, and its name there.
fn place(column: &[u8]) -> (&[u8], &[u8]) {
    if let Some((_, object, key)) = COLUMNS.iter().find(|(name, _, _)| *name == column) {
        return (object, key);
    }
    match memchr::memchr(b'-', column) {
        // Columns of the embedded web server are the payload's own.
        Some(dash) if &column[..dash] == b"ews" => (b"", &column[dash + 1..]),
        Some(dash) => (&column[..dash], &column[dash + 1..]),
        None => (b"", column),
    }
}
