//! Event files with faults: each costs only the entry that it hits, in every format.

use std::path::Path;
use std::time::Instant;

use ems_exporter::commands::replay::replay;
use ems_tail::{Follower, Frame, Options, Start};
use serde_json::{Value, json};

use crate::support::Samples;

/// A way in which events are written to a file.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Written {
    Json,
    JsonPrinted,
    JsonArray,
    Xml,
    XmlLines,
    Text,
    W3c,
    W3cBlanks,
}

use Written::{Json, JsonArray, JsonPrinted, Text, W3c, W3cBlanks, Xml, XmlLines};

const ALL: [Written; 8] = [Json, JsonPrinted, JsonArray, Xml, XmlLines, Text, W3c, W3cBlanks];

/// The formats of the server's own files, and the one that its manuals promise.
const OF_SERVERS: [Written; 5] = [Json, Xml, XmlLines, Text, W3c];

const EVENTS: u64 = 5;

fn event(number: u64) -> Value {
    json!({
        "_logEntry": format!("{number:05}"), "id": number, "processId": 500, "timestamp": 1_795_364_000 + number,
        "type": "inStreamCreated",
        "payload": {
            "PID": 500, "name": format!("cam{number}"), "type": "INR", "uniqueId": number,
            "audio": {"codec": "AAAC", "bytesCount": 1000}, "list": [1, 2, 3], "customData": null,
        },
    })
}

fn xml(name: &str, value: &Value, indent: usize, lines: bool, out: &mut String) {
    let (pad, end) = if lines { (String::new(), "") } else { ("    ".repeat(indent), "\n") };
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, value)| (format!("{at:#010x}"), value)).collect()
        }
        Value::Null => return *out += &format!("{pad}<NULL name=\"{name}\" />{end}"),
        Value::Number(number) => {
            return *out += &format!("{pad}<UINT64 name=\"{name}\">{number}</UINT64>{end}");
        }
        other @ (Value::Bool(_) | Value::String(_)) => {
            return *out += &format!("{pad}<STR name=\"{name}\">{}</STR>{end}", other.as_str().unwrap());
        }
    };
    *out += &format!("{pad}<MAP isArray=\"{}\" name=\"{name}\">{end}", value.is_array());
    for (name, value) in members {
        xml(&name, value, indent + 1, lines, out);
    }
    *out += &format!("{pad}</MAP>{end}");
}

fn text(value: &Value, depth: usize, out: &mut String) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (name, value) in members {
        let pad = "\t".repeat(depth);
        match value {
            Value::Null => {}
            Value::Object(_) | Value::Array(_) => {
                *out += &format!("{pad}{name}:\n");
                text(value, depth + 1, out);
            }
            Value::String(value) => *out += &format!("{pad}{name}: {value}\n"),
            Value::Bool(_) | Value::Number(_) => *out += &format!("{pad}{name}: {value}\n"),
        }
    }
}

impl Written {
    fn start(self) -> &'static str {
        match self {
            Xml => "<?xml version=\"1.0\" ?>",
            JsonArray => "[",
            W3c => "#Version: 1.0\n#Fields: timestamp\tprocessId\tINFO\tname\ttype\tuniqueId\n",
            W3cBlanks => "#Version: 1.0\n#Fields: timestamp processId INFO name type uniqueId\n",
            Json | JsonPrinted | XmlLines | Text => "",
        }
    }

    fn end(self) -> &'static str {
        if self == JsonArray { "]\n" } else { "" }
    }

    fn entry(self, number: u64) -> String {
        let event = event(number);
        let mut out = String::new();
        match self {
            Json => out = format!("{event},\n"),
            JsonPrinted => out = format!("{event:#}\n"),
            JsonArray => out = format!("{event}{}", if number == EVENTS { "" } else { ", " }),
            Xml => {
                xml("", &event, 0, false, &mut out);
                out = format!("\n{out}\n");
            }
            XmlLines => {
                xml("", &event, 0, true, &mut out);
                out += "\n";
            }
            Text => {
                text(&event["payload"], 1, &mut out);
                out = format!("{number:05}\tinStreamCreated\n{out}\n\n");
            }
            W3c | W3cBlanks => {
                let row = format!(
                    "2026-Nov-22 15:50:0{number}\t500\tinStreamCreated\tcam{number}\tINR\t{number}\n"
                );
                out = if self == W3c { row } else { row.replace('\t', " ") };
            }
        }
        out
    }

    fn file(self) -> String {
        let entries: String = (1..=EVENTS).map(|number| self.entry(number)).collect();
        format!("{}{entries}{}", self.start(), self.end())
    }

    /// A file whose third entry is cut, with something in place of its rest.
    fn torn(self, cut: usize, filler: &[u8]) -> Vec<u8> {
        let mut content = self.start().as_bytes().to_vec();
        for number in 1..=EVENTS {
            let entry = self.entry(number);
            if number == 3 {
                content.extend_from_slice(&entry.as_bytes()[..cut]);
                content.extend_from_slice(filler);
            } else {
                content.extend_from_slice(entry.as_bytes());
            }
        }
        content
    }
}

/// The streams that a file opens, and how many events it has rejected.
fn read(folder: &Path, content: &[u8]) -> (Vec<String>, f64) {
    let path = folder.join("events");
    std::fs::write(&path, content).unwrap();
    let replayed = replay(&[path], None, &mut |_, _| ()).unwrap();
    let samples = Samples::of(&replayed.page().unwrap().replace("server=\"replay\"", "server=\"ems\""));
    let streams = samples
        .of_metric("ems_stream_up")
        .map(|(labels, _)| labels.split("cam").nth(1).unwrap_or(labels).trim_end_matches("\"}").to_owned());
    (streams.collect(), samples.sum("ems_exporter_events_rejected_total"))
}

/// How many entries are delivered by following a file that is written in two parts.
fn followed(folder: &Path, content: &[u8], cut: usize) -> usize {
    let path = folder.join("followed");
    std::fs::write(&path, &content[..cut]).unwrap();
    let patterns = vec![path.to_str().unwrap().to_owned()];
    let mut follower = Follower::new(Options { start: Start::Beginning, ..Options::new(patterns) }).unwrap();
    let mut entries = 0;
    for _ in 0..2 {
        follower.poll(Instant::now(), &mut |frame| entries += usize::from(matches!(frame, Frame::Entry(_))));
        std::fs::write(&path, content).unwrap();
    }
    entries
}

fn numbers(numbers: &[u64]) -> Vec<String> {
    numbers.iter().map(u64::to_string).collect()
}

#[test]
fn every_way_of_writing_is_read_with_any_mark_hole_or_line_end() {
    let folder = tempfile::tempdir().unwrap();
    for written in ALL {
        let plain = written.file().into_bytes();
        let returns = written.file().replace('\n', "\r\n").into_bytes();
        let mut contents = vec![plain.clone(), returns.clone(), plain.trim_ascii_end().to_vec()];
        contents.push(returns.trim_ascii_end().to_vec());
        for before in [b"\xef\xbb\xbf".to_vec(), vec![0], vec![0; 1023], vec![0; 3 << 20]] {
            contents.push([before.as_slice(), &plain].concat());
            contents.push([before.as_slice(), b"\xef\xbb\xbf", &returns].concat());
        }
        contents.push([plain.as_slice(), &[0; 300_000]].concat());
        for (which, content) in contents.iter().enumerate() {
            let all = numbers(&[1, 2, 3, 4, 5]);
            assert_eq!(read(folder.path(), content), (all, 0.0), "{written:?} {which}");
        }
        // What stands between two marks is one file appended to another.
        let twice = [b"\xef\xbb\xbf".as_slice(), &plain, b"\xef\xbb\xbf", &plain].concat();
        assert_eq!(read(folder.path(), &twice).1, 0.0, "{written:?}");
        // An array on one line is one entry.
        for cut in (0..plain.len()).step_by(11).filter(|_| written != JsonArray) {
            assert_eq!(followed(folder.path(), &plain, cut), 5, "{written:?} in parts of {cut} bytes");
        }
    }
}

#[test]
fn a_torn_entry_costs_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let others = numbers(&[1, 2, 4, 5]);
    for written in OF_SERVERS {
        let entry = written.entry(3);
        let whole = entry.trim_end().trim_end_matches(',').len();
        let first = entry.len() - entry.trim_start().len() + 1;
        // Without its last brace alone, an object is all there.
        let whole = whole - usize::from(written == Json);
        for cut in (first..whole).step_by(3) {
            let line = cut + 10 < whole;
            for filler in [&b""[..], b"\n", b"\0", b"\0\0\0\n", &[0; 5000], &[0; 2 << 20]] {
                // A number that is cut is a number too.
                if !line && matches!(written, W3c) && filler.contains(&b'\n') {
                    continue;
                }
                let read = read(folder.path(), &written.torn(cut, filler));
                let name = format!("{written:?}, {cut} of {whole} bytes, {} bytes after them", filler.len());
                assert_eq!(read, (others.clone(), 1.0), "{name}: {}", &entry[..cut]);
            }
        }
    }
}

#[test]
fn a_list_of_any_length_is_read_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for written in [Json, Xml, XmlLines, Text] {
        let mut event = event(3);
        event["payload"]["list"] = (0..20_000).collect();
        let mut entry = String::new();
        match written {
            Json => entry = format!("{event},\n"),
            Xml | XmlLines => xml("", &event, 0, written == XmlLines, &mut entry),
            JsonPrinted | JsonArray | Text | W3c | W3cBlanks => {
                text(&event["payload"], 1, &mut entry);
                entry = format!("00003\tinStreamCreated\n{entry}\n\n");
            }
        }
        let content = format!("{}{}{entry}\n{}", written.start(), written.entry(1), written.entry(4));
        assert_eq!(read(folder.path(), content.as_bytes()), (numbers(&[1, 3, 4]), 0.0), "{written:?}");
    }
}
