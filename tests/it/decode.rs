//! The decoders: whatever the bytes, no panic; whatever JSON is valid, the same as `serde_json`.

use ems_protocol::{Format, Rejection, decode};
use proptest::prelude::*;

use crate::support::{body, examples};

/// How many events a body holds, and the first rejection.
fn decoded(body: &[u8]) -> (usize, Option<Rejection>) {
    let (mut events, mut rejection) = (0, None);
    decode::decode(body, Format::of(body), usize::MAX, |message| {
        events += 1;
        if let Err(error) = message {
            rejection.get_or_insert(error);
        }
    });
    (events, rejection)
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(".{0,8}", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        decoded(&bytes);
        for format in Format::ALL {
            decode::decode(&bytes, format, usize::MAX, |_| ());
        }
        let (header, row) = bytes.split_at(bytes.len() / 2);
        decode::decode_row(header, row, drop);
    }

    #[test]
    fn no_damage_to_a_real_body_makes_it_panic(
        which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()
    ) {
        let examples = examples();
        let (_, request) = which.get(&examples);
        let mut bytes = body(request).to_vec();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        decoded(&bytes);
    }

    #[test]
    fn reads_valid_json_as_serde_json_does(
        payload in prop::collection::btree_map("[a-z]{1,4}", json_value(), 0..8), name in "[^\u{0}]{0,20}", pretty in any::<bool>()
    ) {
        let event = serde_json::json!({"type": name, "payload": payload});
        let text = if pretty { serde_json::to_string_pretty(&event) } else { serde_json::to_string(&event) }.unwrap();
        let mut read = None;
        decode::decode(text.as_bytes(), Format::Json, usize::MAX, |message| read = Some(message));
        let message = read.unwrap().unwrap();
        prop_assert_eq!(&message.name, &name);
        for (key, value) in payload {
            let key: &'static str = Box::leak(key.into_boxed_str());
            match value {
                serde_json::Value::Null => prop_assert!(!message.payload().has(key)),
                serde_json::Value::Bool(truth) => prop_assert_eq!(message.payload().bool(key).unwrap(), Some(truth)),
                serde_json::Value::Number(number) => {
                    prop_assert_eq!(message.payload().f64(key).unwrap(), number.as_f64());
                    if let Some(whole) = number.as_u64() {
                        prop_assert_eq!(message.payload().u64(key).unwrap(), Some(whole));
                    }
                }
                serde_json::Value::String(text) => {
                    let read = message.payload().text(key).unwrap();
                    prop_assert_eq!(read.as_deref(), Some(text.as_str()));
                }
                serde_json::Value::Array(_) => prop_assert!(message.payload().text(key).is_err()),
                serde_json::Value::Object(_) => prop_assert!(message.payload().map(key).unwrap().is_some()),
            }
        }
    }

    #[test]
    fn rejects_json_that_is_cut_short(at in any::<prop::sample::Index>()) {
        let examples = examples();
        let (_, request) = examples.iter().find(|(name, _)| name == "inStreamCreated.INR.json.http").unwrap();
        let whole = body(request);
        // A body that lacks nothing but its last brace is taken: a sender may count one byte short.
        prop_assert_eq!(decoded(&whole[..whole.len() - 1]).1, None);
        prop_assert!(decoded(&whole[..at.index(whole.len() - 1)]).1.is_some());
    }
}

#[test]
fn a_body_without_any_event_is_rejected_in_every_format() {
    for format in Format::ALL {
        let mut rejections = Vec::new();
        decode::decode(b"\xef\xbb\xbf \n", format, usize::MAX, |message| rejections.push(message.err()));
        assert_eq!(rejections, [Some(Rejection::Empty)], "{format:?}");
    }
    for array in ["[]", " [ ]\n"] {
        assert_eq!(decoded(array.as_bytes()), (1, Some(Rejection::NotAnEvent("the array is empty"))));
    }
}

#[test]
fn empty_elements_of_xml_are_read_like_pairs_of_tags() {
    let document = br#"<MAP name=""><STR name="type">x</STR><MAP name="payload"><STR name="name"/>
<NULL name="appName"/><MAP name="audio"/><MAP name="list" isArray="true"/><UINT64 name="uniqueId">7</UINT64></MAP></MAP>"#;
    let mut seen = 0;
    decode::decode(document, Format::Xml, usize::MAX, |message| {
        let message = message.unwrap();
        let payload = message.payload();
        assert_eq!(payload.text("name").unwrap().as_deref(), Some(""));
        assert!(!payload.has("appName"));
        assert!(payload.map("audio").unwrap().is_some());
        assert!(payload.map("list").is_err());
        assert_eq!(payload.u64("uniqueId").unwrap(), Some(7));
        seen += 1;
    });
    assert_eq!(seen, 1);
}

#[test]
fn invalid_json_is_rejected_with_its_position() {
    let cases = [
        ("{", "a member's name is missing"),
        ("{\"type\" \"x\"}", "a colon is missing"),
        ("{\"type\":\"x\",\"payload\":{\"a\":1", "a comma or the end of the object is missing"),
        ("{\"type\":\"x", "a string does not end"),
        ("{\"type\":tru}", "an unknown word"),
        ("{\"type\":01.}", "a number is broken"),
        ("[{\"type\":\"x\"}", "a comma or the end of the array is missing"),
        ("[{\"type\":\"x\"}] 1", "something follows the array"),
    ];
    for (body, expected) in cases {
        match decoded(body.as_bytes()).1 {
            Some(Rejection::Syntax { what, .. }) => assert_eq!(what, expected, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn entities_that_a_document_declares_are_never_expanded() {
    let bomb = r#"<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<MAP isArray="false" name=""><MAP isArray="false" name="payload"><UINT32 name="timerId">1</UINT32><STR name="v">&b;</STR></MAP><STR name="type">x&amp;y &#x41;</STR></MAP>"#;
    let mut names = Vec::new();
    decode::decode(bomb.as_bytes(), Format::of(bomb.as_bytes()), usize::MAX, |message| {
        let message = message.unwrap();
        assert_eq!(message.payload().text("v").unwrap().unwrap(), "&b;");
        names.push(message.name.into_owned());
    });
    assert_eq!(names, ["x&y A"]);
}

#[test]
fn an_xml_rpc_call_may_hold_one_struct() {
    let call = br#"<?xml version="1.0"?><methodCall><methodName>event.Log</methodName><params><param><value><struct>
<member><name>payload</name><value><struct><member><name>timerId</name><value><int>9</int></value></member>
<member><name>note</name><value>plain &lt;text&gt;</value></member></struct></value></member>
<member><name>type</name><value><string>timerClosed</string></value></member></struct></value></param></params></methodCall>"#;
    let mut seen = 0;
    decode::decode(call, Format::of(call), usize::MAX, |message| {
        let message = message.unwrap();
        assert_eq!(message.name, "timerClosed");
        assert_eq!(message.payload().u64("timerId").unwrap(), Some(9));
        assert_eq!(message.payload().text("note").unwrap().unwrap(), "plain <text>");
        seen += 1;
    });
    assert_eq!(seen, 1);
}

/// The names of the streams in a row, or that one was rejected.
fn rows(header: &str, row: &str) -> Vec<Result<String, ()>> {
    let mut read = Vec::new();
    decode::decode_row(header.as_bytes(), row.as_bytes(), |message| {
        read.push(message.map_err(drop).map(|message| {
            assert_eq!(message.pid(), Ok(7), "{row}");
            message.payload().text("name").unwrap().unwrap().into_owned()
        }));
    });
    read
}

#[test]
fn a_row_has_as_many_columns_as_its_header() {
    let good = |name: &str| Ok(name.to_owned());
    let server = "processId\tINFO\tname\tuniqueId";
    let timed = "timestamp\tprocessId\tINFO\tname";
    let blanks = "timestamp processId INFO name";
    let name_first = "INFO processId name";
    for (header, row, expected) in [
        (server, "7\tinStreamCreated\tcam 1\t5", vec![good("cam 1")]),
        (server, "7\tinStreamCreated\ta\tb\t5", vec![Err(())]),
        (server, "7\tinStreamCreated\ta", vec![Err(())]),
        (server, "7\tinStreamCreated\tcam7\tinStreamClosed\tcam 2\t6", vec![Err(()), good("cam 2")]),
        (server, "7\tinStreamCreated\tcam\0\0\x007\tinStreamClosed\tcam 2\t6", vec![Err(()), good("cam 2")]),
        (server, "7\tinStreamCreated\tcam 12345677\tinStreamClosed\tcam 2\t6", vec![Err(())]),
        (timed, "2026-Nov-22 15:50:02\t7\tinStreamClosed\tcam", vec![good("cam")]),
        (timed, "2026-Nov2026-Nov-22 15:50:02\t7\tinStreamClosed\tcam", vec![Err(()), good("cam")]),
        (blanks, "2026-Nov-22 15:50:02 7 inStreamClosed cam", vec![good("cam")]),
        (blanks, "2026-Nov-22 15:50:02  7   inStreamClosed cam ", vec![good("cam")]),
        (blanks, "2026-Nov-22 15:50:02\t7\tinStreamClosed\tcam 1", vec![good("cam 1")]),
        (blanks, "2026-Nov-22 15:50:02 7 inStreamClosed cam 1", vec![Err(())]),
        (
            blanks,
            "2026-Nov-22 15:50:02 7 inStr2026-Nov-22 15:50:03 7 inStreamClosed cam",
            vec![Err(()), good("cam")],
        ),
        (name_first, "inStreamClosed 7 cam\r", vec![good("cam")]),
        (name_first, "inStreamClosed 7 cainStreamClosed 7 cam", vec![Err(()), good("cam")]),
        (name_first, "inStrinStreamClosed 7 cam", vec![Err(()), good("cam")]),
    ] {
        assert_eq!(rows(header, row), expected, "{row}");
    }
}

#[test]
fn a_line_feed_in_a_name_does_not_lose_a_text_entry() {
    let entry =
        b"00007\tinStreamCreated\n\tPID: 7\n\taudio:\n\t\tcodec: AAAC\n\tname: a\nb: c\n\tuniqueId: 5\n";
    let mut seen = 0;
    decode::decode(entry, Format::Text, usize::MAX, |message| {
        let message = message.unwrap();
        assert_eq!(message.payload().text("name").unwrap().unwrap(), "a");
        assert_eq!(message.payload().u64("uniqueId").unwrap(), Some(5));
        assert_eq!(message.payload().map("audio").unwrap().unwrap().text("codec").unwrap().unwrap(), "AAAC");
        seen += 1;
    });
    assert_eq!(seen, 1);
}

#[test]
fn an_entry_that_follows_a_truncated_one_on_its_line_is_not_lost() {
    let whole = r#"{"_logEntry":"00000","id":1,"payload":{},"processId":2,"timestamp":3,"type":"x"}"#;
    for cut in 1..whole.len() - 1 {
        let line = format!("{}{whole}", &whole[..cut]);
        let mut read = Vec::new();
        decode::decode(line.as_bytes(), Format::Json, usize::MAX, |message| read.push(message.is_ok()));
        assert_eq!(read, [false, true], "cut at {cut}");
    }
}
