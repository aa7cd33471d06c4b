//! [`Message`]: one decoded event, and access to its fields.
//!
//! A message is a flat list of fields that borrow from the body. Nothing is unescaped, converted or
//! allocated until a field is read. What is never read (members of lists, objects nested too deep)
//! is checked and left out, so a 300 kB `applicationStart` costs no more memory than a small one.

use std::borrow::Cow;

use crate::limits::MAX_FIELDS;
use crate::rejection::Rejection;
use crate::text::{Escapes, Text};
use crate::timestamp::Timestamp;

/// One event as it was sent, in no particular format.
#[derive(Debug)]
pub struct Message<'a> {
    /// `type`: the event's name.
    pub name: Cow<'a, str>,
    /// `id`: the sequence number, absent in bodies of EMS 1.6. It restarts with the server.
    pub id: Option<u64>,
    /// `timestamp`: when the server logged the event, in whole seconds; absent in EMS 1.6.
    pub at: Option<Timestamp>,
    /// Whether `at` was written as local time without a zone, and taken as if it were UTC.
    pub local: bool,
    /// `processId`: the origin process, absent in EMS 1.6.
    pub process: Option<u64>,
    fields: Vec<Field<'a>>,
    payload: (usize, usize),
}

impl<'a> Message<'a> {
    /// The event's own fields; empty when the event has none.
    pub fn payload(&self) -> Map<'_, 'a> {
        Map { fields: &self.fields[self.payload.0..self.payload.1] }
    }

    /// The process in which the event happened: `payload.PID`, which is an edge's when the origin
    /// relayed it; the origin's where the payload has none; 0 for EMS 1.6.
    pub fn pid(&self) -> Result<u64, Rejection> {
        Ok(self.payload().u64("PID")?.or(self.process).unwrap_or(0))
    }

    /// An item of a list of the runtime API, read like the payload of an event.
    pub(crate) fn of_members(fields: Vec<Field<'a>>) -> Result<Self, Rejection> {
        let payload = (0, fields.len());
        let process = Map { fields: &fields }.u64("processId")?;
        Ok(Self { name: Cow::Borrowed(""), id: None, at: None, local: false, process, fields, payload })
    }

    /// Reads the envelope out of the fields of one event.
    pub(crate) fn open(fields: Vec<Field<'a>>) -> Result<Self, Rejection> {
        let top = Map { fields: &fields };
        let Some(name) = top.text("type")? else {
            return Err(Rejection::NotAnEvent("it has no type"));
        };
        let (id, process) = (top.u64("id")?, top.u64("processId")?);
        let local = matches!(top.get("timestamp"), Some(Value::Text(_)));
        let at = match top.get("timestamp") {
            None | Some(Value::Null) => None,
            Some(Value::Text(text)) => Some(
                Timestamp::parse(&text.read())
                    .ok_or(Rejection::BadField { field: "timestamp", wanted: "a time" })?,
            ),
            Some(_) => top.u64("timestamp")?.map(Timestamp::from_seconds),
        };
        let payload = match top.position("payload") {
            None => (0, 0),
            Some(at) => match fields[at].value {
                Value::Map => (at + 1, at + 1 + fields[at].members as usize),
                Value::Null => (0, 0),
                Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List => {
                    return Err(Rejection::BadField { field: "payload", wanted: "an object" });
                }
            },
        };
        Ok(Self { name, id, at, local, process, fields, payload })
    }
}

/// A named value. Members of an object follow it directly, so that the object's next sibling is
/// `members` further on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: Value<'a>,
    pub(crate) members: u32,
}

/// A value as it was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// The digits: a 64-bit integer must not go through a float.
    Number(&'a [u8]),
    Text(Text<'a>),
    /// An object: its members are the fields that follow.
    Map,
    /// A list: no family reads one, so its members are not kept.
    List,
}

/// An object's members, read by name.
#[derive(Debug, Clone, Copy)]
pub struct Map<'m, 'a> {
    fields: &'m [Field<'a>],
}

impl<'m, 'a> Map<'m, 'a> {
    fn position(self, key: &str) -> Option<usize> {
        let mut at = 0;
        while let Some(field) = self.fields.get(at) {
            if field.key == key.as_bytes() {
                return Some(at);
            }
            at += 1 + field.members as usize;
        }
        None
    }

    fn get(self, key: &str) -> Option<Value<'a>> {
        self.position(key).map(|at| self.fields[at].value)
    }

    /// All members as a JSON object, for what reads fields that no family knows. Lists are left out,
    /// as their members are not kept, and so is null.
    pub fn to_json(self) -> serde_json::Map<String, serde_json::Value> {
        use serde_json::Value as Json;
        let mut object = serde_json::Map::new();
        let mut at = 0;
        while let Some(field) = self.fields.get(at) {
            let members = field.members as usize;
            let value = match field.value {
                Value::Null | Value::List => None,
                Value::Bool(truth) => Some(Json::Bool(truth)),
                Value::Number(digits) => Some(
                    serde_json::from_slice(digits)
                        .unwrap_or_else(|_| Json::String(String::from_utf8_lossy(digits).into_owned())),
                ),
                Value::Text(text) => Some(Json::String(text.read().into_owned())),
                Value::Map => {
                    Some(Json::Object(Self { fields: &self.fields[at + 1..at + 1 + members] }.to_json()))
                }
            };
            if let Some(value) = value {
                object.insert(String::from_utf8_lossy(field.key).into_owned(), value);
            }
            at += 1 + members;
        }
        object
    }

    /// The first object whose name ends in `suffix`, with its name.
    pub fn ending_in(self, suffix: &str) -> Option<(&'a [u8], Self)> {
        let mut at = 0;
        while let Some(field) = self.fields.get(at) {
            let members = field.members as usize;
            if matches!(field.value, Value::Map) && field.key.ends_with(suffix.as_bytes()) {
                return Some((field.key, Self { fields: &self.fields[at + 1..at + 1 + members] }));
            }
            at += 1 + members;
        }
        None
    }

    /// Whether there is a member of this name that is not null.
    pub fn has(self, key: &str) -> bool {
        !matches!(self.get(key), None | Some(Value::Null))
    }

    /// The object of this name; `None` when it is absent or null.
    pub fn map(self, key: &'static str) -> Result<Option<Self>, Rejection> {
        let Some(at) = self.position(key) else {
            return Ok(None);
        };
        match self.fields[at].value {
            Value::Null => Ok(None),
            Value::Map => {
                Ok(Some(Self { fields: &self.fields[at + 1..at + 1 + self.fields[at].members as usize] }))
            }
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List => {
                Err(Rejection::BadField { field: key, wanted: "an object" })
            }
        }
    }

    /// The text of this name; a number reads as its digits; `None` when absent or null.
    pub fn text(self, key: &'static str) -> Result<Option<Cow<'a, str>>, Rejection> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.read())),
            Some(Value::Number(digits)) => Ok(Some(String::from_utf8_lossy(digits))),
            Some(Value::Bool(_) | Value::Map | Value::List) => {
                Err(Rejection::BadField { field: key, wanted: "a text" })
            }
        }
    }

    /// The whole number of this name, whether sent as a number or as text.
    pub fn u64(self, key: &'static str) -> Result<Option<u64>, Rejection> {
        self.number(key, "a whole number that is not negative", whole)
    }

    /// The number of this name, whether sent as a number or as text. Not-a-number reads as absent.
    pub fn f64(self, key: &'static str) -> Result<Option<f64>, Rejection> {
        let number = self.number(key, "a number", |digits| std::str::from_utf8(digits).ok()?.parse().ok())?;
        Ok(number.filter(|number: &f64| number.is_finite()))
    }

    fn number<T>(
        self,
        key: &'static str,
        wanted: &'static str,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, Rejection> {
        let digits = match self.get(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(digits)) => digits,
            Some(Value::Text(Text { raw, escapes: Escapes::None })) => raw,
            Some(Value::Text(_) | Value::Bool(_) | Value::Map | Value::List) => {
                return Err(Rejection::BadField { field: key, wanted });
            }
        };
        parse(digits).map(Some).ok_or(Rejection::BadField { field: key, wanted })
    }

    /// The time of this name, sent as text; `None` when absent, null or not readable as a time: the
    /// server writes an empty text for some.
    pub fn time(self, key: &'static str) -> Result<Option<Timestamp>, Rejection> {
        Ok(self.text(key)?.and_then(|text| Timestamp::parse(&text)))
    }

    /// `creationTimestamp` in whole milliseconds, which distinguishes things with a reused key; 0 when absent. The
    /// formats differ in how many decimals they give it.
    pub fn created(self) -> Result<u64, Rejection> {
        Ok(self.f64("creationTimestamp")?.map_or(0, |millis| millis.max(0.0) as u64))
    }

    /// The boolean of this name, sent as a boolean or as text; `None` when absent or null.
    pub fn bool(self, key: &'static str) -> Result<Option<bool>, Rejection> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(truth)),
            Some(Value::Number(b"1") | Value::Text(Text { raw: b"true" | b"1", .. })) => Ok(Some(true)),
            Some(Value::Number(b"0") | Value::Text(Text { raw: b"false" | b"0", .. })) => Ok(Some(false)),
            Some(Value::Number(_) | Value::Text(_) | Value::Map | Value::List) => {
                Err(Rejection::BadField { field: key, wanted: "true or false" })
            }
        }
    }
}

/// The whole number that `digits` are.
fn whole(digits: &[u8]) -> Option<u64> {
    let add = |sum: u64, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

/// Adds a field unless it lies too deep to be asked for.
pub(crate) fn keep<'a>(fields: &mut Vec<Field<'a>>, field: Field<'a>) -> Result<(), Rejection> {
    if fields.len() >= MAX_FIELDS {
        return Err(Rejection::Fields);
    }
    fields.push(field);
    Ok(())
}
