//! Recordings of a real server for the tests: the values from the JSON body, their types from the XML body.

use crate::event::Event;
use crate::value::{Map, Value, Width};
use std::borrow::Cow;
use std::path::PathBuf;

/// The whole recorded request of an event in one serializer.
pub(crate) fn request(name: &str, extension: &str) -> Vec<u8> {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "../../tests/fixtures/examples", &format!("{name}.{extension}.http")]
            .iter()
            .collect();
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A recorded command with its answer.
pub(crate) struct Exchange {
    /// The parameters before they were encoded.
    pub(crate) parameters: String,
    /// Everything that came back.
    pub(crate) response: Vec<u8>,
}

/// An exchange with the API, by its number and command.
pub(crate) fn exchange(name: &str) -> Exchange {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "../../tests/fixtures/api", &format!("{name}.txt")].iter().collect();
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (request, response) = text.split_once("### response\n").unwrap();
    let parameters = between(request, "### params: ", "\n").to_owned();
    let end = response.find("\r\n\r\n").unwrap() + 4;
    let body = response[end..].find("\r\n\r\n").unwrap() + 4;
    Exchange { parameters, response: response.as_bytes()[..end + body].to_vec() }
}

/// Head and body of a request.
pub(crate) fn split(request: &[u8]) -> (&[u8], &[u8]) {
    let end = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    request.split_at(end)
}

/// The recorded event as our own tree.
pub(crate) fn event(name: &str) -> Event {
    let json = request(name, "json");
    let json: serde_json::Value = serde_json::from_slice(split(&json).1).unwrap();
    let xml = request(name, "xml");
    let xml = String::from_utf8(split(&xml).1.to_vec()).unwrap();
    let mut lines = xml.lines().skip(2);
    let mut members = read_map(&mut lines, &json);
    let Some(Value::Map(payload)) = members.remove("payload") else {
        panic!("{name} has no payload");
    };
    Event {
        id: json["id"].as_u64().unwrap(),
        name: Box::leak(json["type"].as_str().unwrap().to_owned().into_boxed_str()),
        process_id: i32::try_from(json["processId"].as_i64().unwrap()).unwrap(),
        timestamp: json["timestamp"].as_u64().unwrap(),
        payload,
        written: None,
    }
}

fn read_map<'a>(lines: &mut impl Iterator<Item = &'a str>, json: &serde_json::Value) -> Map {
    let mut map = Map::new();
    while let Some((name, value)) = read_value(lines, &|name, _| &json[name], map.len()) {
        map.insert(Cow::Owned(name), value);
    }
    map
}

fn read_value<'a, 'j>(
    lines: &mut impl Iterator<Item = &'a str>,
    json_of: &dyn Fn(&str, usize) -> &'j serde_json::Value,
    position: usize,
) -> Option<(String, Value)> {
    let line = lines.next().unwrap().trim_start();
    if line.starts_with("</") {
        return None;
    }
    let name = between(line, "name=\"", "\"").to_owned();
    let tag = line[1..].split(' ').next().unwrap();
    let json = json_of(&name, position);
    let integer = |width| Value::Integer(width, json.as_i64().unwrap());
    let value = match tag {
        "NULL" => Value::Null,
        "BOOL" => Value::Bool(json.as_bool().unwrap()),
        "INT8" => integer(Width::Int8),
        "INT32" => integer(Width::Int32),
        "INT64" => integer(Width::Int64),
        "UINT8" => integer(Width::Uint8),
        "UINT16" => integer(Width::Uint16),
        "UINT32" => integer(Width::Uint32),
        "UINT64" => integer(Width::Uint64),
        "DOUBLE" => Value::Double(json.as_f64().unwrap()),
        "TIMESTAMP" => Value::Timestamp(json.as_str().unwrap().to_owned()),
        "STR" => Value::Text(json.as_str().unwrap().as_bytes().to_vec()),
        "MAP" if line.ends_with("/>") && line.contains("isArray=\"true\"") => Value::List(vec![]),
        "MAP" if line.ends_with("/>") => Value::Map(Map::new()),
        "MAP" if line.contains("isArray=\"true\"") => {
            let mut values = Vec::new();
            while let Some((_, value)) = read_value(lines, &|_, position| &json[position], values.len()) {
                values.push(value);
            }
            Value::List(values)
        }
        "MAP" => Value::Map(read_map(lines, json)),
        other => panic!("unknown element {other}"),
    };
    Some((name, value))
}

fn between<'a>(line: &'a str, before: &str, after: &str) -> &'a str {
    let start = line.find(before).unwrap() + before.len();
    &line[start..start + line[start..].find(after).unwrap()]
}
