//! Work is linear in the bytes of a body, a path or a query, however they are made.

use std::hint::black_box;

use ems_exporter::metrics::{ExporterMetrics, Selection};
use ems_protocol::{Format, decode};
use serde_json::json;

use crate::support::{Harness, at, output};

/// How much longer the larger input is.
const FACTOR: usize = 4;
/// How many times the work it may cost: linear work costs [`FACTOR`] times as much, quadratic work its square.
const MOST: u64 = 9;
/// Work below this, in nanoseconds, is too little to be compared; quadratic work at these sizes is much more.
const LEAST: u64 = 2_000_000;

/// The time, in nanoseconds, that this thread was on a processor: other threads do not count.
fn worked() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).unwrap()
}

/// The least of some measurements.
fn cost(mut run: impl FnMut()) -> u64 {
    let mut once = || {
        let before = worked();
        run();
        worked() - before
    };
    (0..2).map(|_| once()).min().unwrap()
}

fn assert_linear(name: &str, mut run: impl FnMut(usize), size: usize) {
    let small = cost(|| run(size)).max(LEAST);
    let large = cost(|| run(size * FACTOR));
    assert!(large < small * MOST, "{name}: {size} bytes took {small} ns, {FACTOR} times as many {large} ns");
}

/// `piece` again and again, with a start and an end.
fn repeated(start: &str, piece: &str, end: &str, size: usize) -> Vec<u8> {
    format!("{start}{}{end}", piece.repeat(size / piece.len())).into_bytes()
}

#[test]
fn decoding_is_linear_in_the_bytes_of_any_body() {
    let event = r#"{"type":"x","payload":{}}"#;
    let cases = [
        (Format::Json, "", "{\n", ""),
        (Format::Json, "", "{\"", ""),
        (Format::Json, "", "{\"a\":\n", ""),
        (Format::Json, "", r#"{"_logEntry":"#, ""),
        (Format::Json, "", "{\"_logEntry\":[1,\n", ""),
        (Format::Json, "", r#"{"_logEntry":1}x"#, ""),
        (Format::Json, r#"{"_logEntry":["#, r#"{"_logEntry":1},"#, ""),
        (Format::Json, r#"{"_logEntry":["#, r#"{"_logEntry":[1}"#, ""),
        (Format::Json, "{\"a\":\"", "\\\"{\n", ""),
        (Format::Json, "", "{}\n", ""),
        (Format::Json, "", "{},", ""),
        (Format::Json, "", "{\n{\"_logEntry\":", ""),
        (Format::Json, "{\"", "{\n\"", ""),
        (Format::Json, event, "[\n{", ""),
        (Format::Json, "[", "{},", "1"),
        (Format::Json, "[", "[", ""),
        (Format::Json, "{\"type\":\"x\",\"payload\":{\"a\":[", "[],", "0]}}"),
        (Format::Json, "{\"type\":\"x\",\"payload\":{", "\"a\":0,", "\"b\":0}}"),
        (Format::Json, "{\"type\":\"", "\\u00e9", "\"}"),
        (Format::Json, "{\"type\":\"", "\u{1}", "\"}"),
        (Format::Json, "{\"type\":", "1", "}"),
        (Format::Json, "{", " ", ""),
        (Format::Xml, "<MAP name=\"\">", "<STR name=\"a\">b</STR>", "</MAP>"),
        (Format::Xml, "<MAP name=\"\">", "<MAP name=\"\">", ""),
        (Format::Xml, "<MAP name=\"\"><STR name=\"type\">", "&amp;", "</STR></MAP>"),
        (Format::Xml, "<MAP name=\"\"><STR name=\"type\">", "&", "</STR></MAP>"),
        (Format::Xml, "<MAP name=\"\"><STR name=\"type\">", "<", "</STR></MAP>"),
        (Format::Xml, "<MAP name=\"\"><STR name=\"type\">", "<a", "</STR></MAP>"),
        (Format::Xml, "<MAP name=\"\"><STR name=\"type\">", "</STR>", "</MAP>"),
        (Format::Xml, "<MAP name=\"\"><STR name=\"type\">", "<!--", "</STR></MAP>"),
        (Format::Xml, "<MAP name=\"\"><STR name=\"type\">", "<![CDATA[", "</STR></MAP>"),
        (Format::Xml, "<MAP name=\"\"><STR name=\"type\">", "<?", "</STR></MAP>"),
        (Format::Xml, "<MAP name=\"", "a", "\"/>"),
        (Format::Xml, "<MAP ", "a=\"\" ", "/>"),
        (Format::Xml, "<MAP name=\"\">", "\u{1}", "</MAP>"),
        (Format::Xml, "", "<MAP name=\"\"></MAP>", ""),
        (Format::Xml, "", "\n<MAP name=\"\">", ""),
        (Format::Xml, "", "<?xml version=\"1.0\"?><MAP", ""),
        (Format::Xml, "", "<MAP>\n</MAP", ""),
        (Format::Xml, "", "<a><b></a>\n", ""),
        (Format::Xml, "", "\n<", ""),
        (Format::Xml, "<MAP name=\"\"><STR name=\"type\">", "<![CDATA[a]]><!-- -->&amp;", "</STR></MAP>"),
        (Format::Xml, "<MAP name=\"\"><STR ", "a='=' ", "name=\"type\">x</STR></MAP>"),
        (Format::XmlRpc, "<methodCall><params>", "<param>", ""),
        (Format::XmlRpc, "<methodCall><params><param><value><string>", "<", ""),
        (Format::XmlRpc, "<methodCall><params><param><value><struct>", "<member><name>a</name></member>", ""),
        (Format::Text, "type: x\n", "a: b\n", ""),
        (Format::Text, "type: x\n", "\t", ""),
        (Format::Text, "type: x\n", ": ", ""),
        (Format::Text, "", "[", ""),
    ];
    for (format, start, piece, end) in cases {
        let name = format!("{format:?} {start}{piece}…{end}");
        let run = |size| {
            let body = repeated(start, piece, end, size);
            decode::decode(&body, format, usize::MAX, |message| drop(black_box(message)));
        };
        assert_linear(&name, run, 64 << 10);
    }
    let row = |size: usize| {
        let (header, row) = (repeated("", "a\t", "", size), repeated("", "b\t", "", size));
        decode::decode_row(&header, &row, |message| drop(black_box(message)));
    };
    assert_linear("rows", row, 128 << 10);
}

#[test]
fn state_is_linear_in_the_bytes_of_paths_and_names() {
    let pieces = ["/a", "/", "\\", "a", "/audio", "_part0", ".", "1"];
    let formats = ["hls", "hds", "dash", "mss", "record"];
    for format in formats {
        for piece in pieces {
            let mut harness = Harness::new();
            harness.post("outStreamCreated", 0.0, output(1, format, "cam", 4));
            let run = |size: usize| {
                let path = format!("/srv/{format}/cam{}/x.ts", piece.repeat(size / piece.len()));
                let closed = harness.event(&format!("{format}ChunkClosed"), 1.0, json!({"file": path}));
                harness.send(&closed, at(1.0));
                let mut named = output(2, format, "cam", 4);
                named["name"] = json!(path);
                let created = harness.event("outStreamCreated", 1.0, named);
                harness.send(&created, at(1.0));
            };
            assert_linear(&format!("{format} {piece}"), run, 64 << 10);
        }
    }
}

#[test]
fn selecting_metrics_is_linear_in_the_bytes_of_a_query() {
    let exporter = ExporterMetrics::new(at(0.0)).unwrap();
    for piece in ["collect[]=ems_chunk&", "collect[]=streams&", "server=a&", "a=b&", "%", "&", "="] {
        let run = |size: usize| {
            let query = piece.repeat(size / piece.len());
            drop(black_box(Selection::parse(&query, &exporter)));
        };
        assert_linear(piece, run, 32 << 10);
    }
}
