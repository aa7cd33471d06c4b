//! [`Message`]: one decoded event, and access to its fields.
//!
//! A message is a flat list of fields that borrow from the body. Nothing is unescaped, converted or
//! allocated until a field is read. What is never read (members of lists, objects nested too deep)
//! is checked and left out, so a 300 kB `applicationStart` costs no more memory than a small one.

use std::borrow::Cow;
use std::ops::Range;

use crate::limits::{MAX_FIELDS, MAX_TEXT};
use crate::rejection::Rejection;
use crate::text::{Text, shortened};
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
    payload: Range<usize>,
}

impl<'a> Message<'a> {
    /// The event's own fields; empty when the event has none.
    pub fn payload(&self) -> Map<'_, 'a> {
        Map { fields: &self.fields[self.payload.clone()] }
    }

    /// The process in which the event happened: `payload.PID`, which is an edge's when the origin
    /// relayed it; the origin's where the payload has none; 0 for EMS 1.6.
    pub fn pid(&self) -> Result<u64, Rejection> {
        Ok(self.payload().u64("PID")?.or(self.process).unwrap_or(0))
    }

    /// An item of a list of the runtime API, read like the payload of an event.
    pub(crate) fn of_members(fields: Vec<Field<'a>>) -> Result<Self, Rejection> {
        let payload = 0..fields.len();
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
        let at = if local {
            let bad = Rejection::BadField { field: "timestamp", wanted: "a time" };
            Some(top.time("timestamp")?.ok_or(bad)?)
        } else {
            top.unix("timestamp")?
        };
        let members = top.map("payload")?.map_or(0, |payload| payload.fields.len());
        let start = top.position("payload").map_or(0, |at| at + 1);
        let payload = start..start + members;
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
    /// The places of its members.
    fn places(self) -> impl Iterator<Item = usize> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let at = next;
            next += 1 + self.fields.get(at)?.members as usize;
            Some(at)
        })
    }

    fn position(self, key: &str) -> Option<usize> {
        self.places().find(|at| self.fields[*at].key == key.as_bytes())
    }

    /// The object at this place.
    fn object(self, at: usize) -> Self {
        Self { fields: &self.fields[at + 1..][..self.fields[at].members as usize] }
    }

    fn get(self, key: &str) -> Option<Value<'a>> {
        self.position(key).map(|at| self.fields[at].value)
    }

    /// All members as a JSON object, for what reads fields that no family knows. Lists are left out,
    /// as their members are not kept, and so is null.
    pub fn to_json(self) -> serde_json::Map<String, serde_json::Value> {
        use serde_json::Value as Json;
        let members = self.places().filter_map(|at| {
            let value = match self.fields[at].value {
                Value::Null | Value::List => return None,
                Value::Bool(truth) => Json::Bool(truth),
                Value::Number(digits) => serde_json::from_slice(digits)
                    .unwrap_or_else(|_| Json::String(String::from_utf8_lossy(digits).into_owned())),
                Value::Text(text) => Json::String(shortened(text.read(), MAX_TEXT).into_owned()),
                Value::Map => Json::Object(self.object(at).to_json()),
            };
            Some((String::from_utf8_lossy(self.fields[at].key).into_owned(), value))
        });
        members.collect()
    }

    /// The first object whose name ends in `suffix`, with its name.
    pub fn ending_in(self, suffix: &str) -> Option<(&'a [u8], Self)> {
        let found = self.places().find(|at| {
            let field = self.fields[*at];
            matches!(field.value, Value::Map) && field.key.ends_with(suffix.as_bytes())
        })?;
        Some((self.fields[found].key, self.object(found)))
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
            Value::Map => Ok(Some(self.object(at))),
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List => {
                Err(Rejection::BadField { field: key, wanted: "an object" })
            }
        }
    }

    /// The text of this name; a number reads as its digits; `None` when absent or null. A text beyond the limit is
    /// shortened, and stays distinct.
    pub fn text(self, key: &'static str) -> Result<Option<Cow<'a, str>>, Rejection> {
        Ok(self.whole_text(key)?.map(|text| shortened(text, MAX_TEXT)))
    }

    /// The path of this name, read like a text. One beyond the limit is rejected: no file has it.
    pub fn path(self, key: &'static str) -> Result<Option<Cow<'a, str>>, Rejection> {
        let path = self.whole_text(key)?;
        let too_long = path.as_ref().is_some_and(|path| path.len() > MAX_TEXT);
        if too_long { Err(Rejection::Path(key)) } else { Ok(path) }
    }

    fn whole_text(self, key: &'static str) -> Result<Option<Cow<'a, str>>, Rejection> {
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
        self.number(key, "a whole number that is not negative", |digits| {
            // `parse` alone would accept a plus sign.
            if digits.starts_with('+') { None } else { digits.parse().ok() }
        })
    }

    /// The number of this name, whether sent as a number or as text. Not-a-number reads as absent.
    pub fn f64(self, key: &'static str) -> Result<Option<f64>, Rejection> {
        let number = self.number(key, "a number", |digits| digits.parse().ok())?;
        Ok(number.filter(|number: &f64| number.is_finite()))
    }

    fn number<T>(
        self,
        key: &'static str,
        wanted: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Rejection> {
        let number = match self.get(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(digits)) => std::str::from_utf8(digits).ok().and_then(parse),
            Some(Value::Text(text)) => parse(&text.read()),
            Some(Value::Bool(_) | Value::Map | Value::List) => None,
        };
        number.map(Some).ok_or(Rejection::BadField { field: key, wanted })
    }

    /// The time of this name, sent as text; `None` when absent, null or not readable as a time: the
    /// server writes an empty text for some.
    pub fn time(self, key: &'static str) -> Result<Option<Timestamp>, Rejection> {
        Ok(self.text(key)?.and_then(|text| Timestamp::parse(&text)))
    }

    /// The seconds since 1970 of this name; a time before then is negative, or became a huge number in the server.
    fn unix(self, key: &'static str) -> Result<Option<Timestamp>, Rejection> {
        self.number(key, "seconds since 1970", |digits| {
            let seconds = digits.parse().or_else(|_| digits.parse().map(u64::cast_signed));
            seconds.ok().filter(|_| !digits.starts_with('+')).map(Timestamp::from_unix)
        })
    }

    /// `creationTimestamp` in whole milliseconds, which distinguishes things with a reused key; 0 when absent. The
    /// formats differ in how many decimals they give it.
    pub fn created(self) -> Result<u64, Rejection> {
        Ok(self.f64("creationTimestamp")?.map_or(0, |millis| (millis as i64).cast_unsigned()))
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

/// Adds a field; returns its place.
pub(crate) fn add<'a>(
    fields: &mut Vec<Field<'a>>,
    key: &'a [u8],
    value: Value<'a>,
) -> Result<usize, Rejection> {
    if fields.len() >= MAX_FIELDS {
        return Err(Rejection::Fields);
    }
    fields.push(Field { key, value, members: 0 });
    Ok(fields.len() - 1)
}

/// Gives the object at `place` its number of members, now that all have been added.
pub(crate) fn count_members(fields: &mut [Field<'_>], place: usize) {
    let members = (fields.len() - place - 1) as u32;
    fields[place].members = members;
}
