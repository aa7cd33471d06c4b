//! Rows of W3C event files: tab-separated columns, named by the file's `#Fields:` line.
//!
//! Only events of streams, feeds, downloads and sessions are written in this format, without
//! sequence numbers, and with a time only if the sink is configured to write one. Nothing is
//! escaped.

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

/// Decodes one row; `header` holds the names of its columns, separated by tabs.
pub fn decode<'a>(header: &'a [u8], row: &'a [u8]) -> Result<Message<'a>, Rejection> {
    let row = row.strip_suffix(b"\r").unwrap_or(row);
    let names = split(header);
    let values = columns(header, row)?;
    let mut name = None;
    let mut fields = Vec::with_capacity(96);
    let payload = add(&mut fields, b"payload", Value::Map)?;
    // Columns of one object stand together, so an object is open while its columns go on.
    let mut object: &[u8] = b"";
    let mut open = payload;
    let mut time = None;
    for (column, value) in names.zip(values).filter(|(_, value)| *value != b"-") {
        let value = Value::Text(Text::plain(value));
        if column == b"INFO" {
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

/// The columns of a row. A tab in the name of a stream, which is not escaped, makes too many of
/// them: the surplus is the name's.
fn columns<'a>(header: &[u8], row: &'a [u8]) -> Result<Vec<&'a [u8]>, Rejection> {
    let mut values: Vec<&[u8]> = split(row).collect();
    let surplus = values.len().checked_sub(split(header).count());
    let name = split(header).position(|column| column == b"name");
    match (surplus, name) {
        (Some(0), _) => {}
        (Some(surplus), Some(name)) => {
            let start: usize = values[..name].iter().map(|value| value.len() + 1).sum();
            let joined = values.drain(name..=name + surplus).map(|value| value.len() + 1).sum::<usize>() - 1;
            values.insert(name, &row[start..start + joined]);
        }
        (None, _) | (Some(_), None) => {
            return Err(syntax("a row has not as many columns as the #Fields line"));
        }
    }
    Ok(values)
}

fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    line.split(|byte| *byte == b'\t')
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
