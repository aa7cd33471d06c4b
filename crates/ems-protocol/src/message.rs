//! Bytes to [`Message`]: which format a body has, its limits, and reading a field or naming the bad one.
//!
//! A body is decoded once, front to back, into a flat list of fields that borrow from it. Nothing
//! is unescaped, converted or allocated until a family asks for a field. What a family can never
//! ask for (members of lists, objects below [`KEPT_DEPTH`]) is checked and left out, so a 300 kB
//! `applicationStart` costs no more memory than a small one.

pub mod json;
pub mod text;
pub mod w3c;
pub mod xml;

use std::borrow::Cow;

use crate::timestamp::Timestamp;

/// Deepest nesting that is read; a deeper body is refused.
pub const MAX_DEPTH: usize = 64;
/// Most fields that are kept of one event; the largest real one has about 120.
pub const MAX_FIELDS: usize = 4096;
/// How deep fields are kept: the envelope is 1, the payload 2, an object in the payload 3.
pub const KEPT_DEPTH: usize = 3;
/// What a JSON sink sends for every event when an XML sink stands before it in the configuration.
const MIXED_SINKS: &[u8] = b"V_TIMESTAMP,V_DATE,V_TIME,V_TYPED_MAP and V_BYTEARRAY not supported by JSON";

/// The formats in which an event can arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One object, an array of them, or one on each line.
    Json,
    /// The server's own XML: `<MAP>` or `<TYPED_MAP>`.
    Xml,
    /// A `<methodCall>`.
    XmlRpc,
    /// Entries of several lines; in event files only.
    Text,
    /// Rows of columns; in event files only.
    W3c,
    /// Nothing that could be recognised.
    Unknown,
}

impl Format {
    /// Every format, in the order of the metrics.
    pub const ALL: [Self; 6] = [Self::Json, Self::Xml, Self::XmlRpc, Self::Text, Self::W3c, Self::Unknown];

    /// The value of the label `format`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
            Self::XmlRpc => "xmlrpc",
            Self::Text => "text",
            Self::W3c => "w3c",
            Self::Unknown => "unknown",
        }
    }

    /// Whether its events have the sequence numbers by which duplicates are known.
    pub const fn is_numbered(self) -> bool {
        !matches!(self, Self::Text | Self::W3c)
    }

    /// Finds the format of a posted body from its first bytes: the server's Content-Type cannot be trusted.
    pub fn of(body: &[u8]) -> Self {
        let start = skip_space(body);
        match body.get(start) {
            Some(b'{' | b'[' | b'"') => Self::Json,
            Some(b'<') if xml::is_method_call(&body[start..]) => Self::XmlRpc,
            Some(b'<') => Self::Xml,
            _ => Self::Unknown,
        }
    }
}

/// Why something was refused: the closed set behind the label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No byte in the body.
    Empty,
    /// Neither JSON nor XML.
    Format,
    /// The format's own grammar is broken.
    Syntax,
    /// More than one of the limits on a body: bytes, depth or fields.
    TooLarge,
    /// The sender's JSON sink stands after an XML sink.
    MixedSinks,
    /// A well-formed body that is no event.
    NotAnEvent,
    /// A field that the event cannot do without is missing.
    MissingField,
    /// A field has a value of the wrong kind.
    BadField,
    /// The path names a server that is not configured, or is no name.
    Server,
    /// The sender broke off before the body was whole.
    Aborted,
    /// Who sent it may not.
    Forbidden,
}

impl Reason {
    /// Every reason, in the order of the metrics.
    pub const ALL: [Self; 11] = [
        Self::Empty,
        Self::Format,
        Self::Syntax,
        Self::TooLarge,
        Self::MixedSinks,
        Self::NotAnEvent,
        Self::MissingField,
        Self::BadField,
        Self::Server,
        Self::Aborted,
        Self::Forbidden,
    ];

    /// The value of the label `reason`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Format => "format",
            Self::Syntax => "syntax",
            Self::TooLarge => "too_large",
            Self::MixedSinks => "mixed_sinks",
            Self::NotAnEvent => "not_an_event",
            Self::MissingField => "missing_field",
            Self::BadField => "bad_field",
            Self::Server => "server",
            Self::Aborted => "aborted",
            Self::Forbidden => "forbidden",
        }
    }
}

/// Why something was dropped that may have been good: the closed set behind the label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// There are as many servers as there may be.
    Servers,
    /// More came at once than can be taken.
    Overload,
}

impl DropReason {
    /// Every shortage, in the order of the metrics.
    pub const ALL: [Self; 2] = [Self::Servers, Self::Overload];

    /// The value of the label `reason`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Servers => "server_limit",
            Self::Overload => "overload",
        }
    }
}

/// One refused body or event, as a sentence. No value of the event is ever part of it: values may
/// hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// See [`Reason::Empty`].
    #[error("the body is empty")]
    Empty,
    /// See [`Reason::Format`].
    #[error("the body is neither JSON nor XML")]
    Format,
    /// See [`Reason::Syntax`].
    #[error("the {0} is broken at byte {2}: {1}", format.label(), what, at)]
    Syntax {
        /// The format whose grammar is broken.
        format: Format,
        /// What was found or missed.
        what: &'static str,
        /// Where, counted from the start of the body.
        at: usize,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the event is nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// More than [`MAX_FIELDS`] fields.
    #[error("the event has more than {MAX_FIELDS} fields")]
    Fields,
    /// More bytes than the limit.
    #[error("the body is larger than {0} bytes")]
    Size(usize),
    /// See [`Reason::MixedSinks`].
    #[error(
        "the server could not write this event as JSON: put JSON sinks before XML sinks in its config.lua"
    )]
    MixedSinks,
    /// See [`Reason::NotAnEvent`].
    #[error("this is no event: {0}")]
    NotAnEvent(&'static str),
    /// See [`Reason::MissingField`].
    #[error("the field {0} is missing")]
    MissingField(&'static str),
    /// See [`Reason::BadField`].
    #[error("the field {field} is not {wanted}")]
    BadField {
        /// The field's name.
        field: &'static str,
        /// What it should have been.
        wanted: &'static str,
    },
    /// See [`Reason::Server`].
    #[error("{0}")]
    Server(&'static str),
    /// A good name, but there are as many servers as there may be: dropped, not rejected.
    #[error("events come for more than {0} servers, the limit")]
    Servers(usize),
    /// See [`DropReason::Overload`]: dropped, not rejected.
    #[error("more events come at once than can be taken: try again in a moment")]
    Overload,
    /// See [`Reason::Aborted`].
    #[error("the sender broke off before the body was whole")]
    Aborted,
    /// See [`Reason::Forbidden`].
    #[error("{0}")]
    Forbidden(&'static str),
}

impl Rejection {
    /// Whether the name of the server is what was refused.
    pub const fn is_of_server(&self) -> bool {
        matches!(self, Self::Server(_) | Self::Servers(_))
    }

    /// The metric's word for it; `None` for what was dropped for want of room.
    pub fn reason(&self) -> Option<Reason> {
        self.verdict().ok()
    }

    /// Why it was rejected, or for want of what it was dropped.
    pub const fn verdict(&self) -> Result<Reason, DropReason> {
        Ok(match self {
            Self::Servers(_) => return Err(DropReason::Servers),
            Self::Overload => return Err(DropReason::Overload),
            Self::Empty => Reason::Empty,
            Self::Format => Reason::Format,
            Self::Syntax { .. } => Reason::Syntax,
            Self::Depth | Self::Fields | Self::Size(_) => Reason::TooLarge,
            Self::MixedSinks => Reason::MixedSinks,
            Self::NotAnEvent(_) => Reason::NotAnEvent,
            Self::MissingField(_) => Reason::MissingField,
            Self::BadField { .. } => Reason::BadField,
            Self::Server(_) => Reason::Server,
            Self::Aborted => Reason::Aborted,
            Self::Forbidden(_) => Reason::Forbidden,
        })
    }
}

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

    /// Something that a list of the runtime API tells, in the words of an event's payload.
    fn of_members(fields: Vec<Field<'a>>) -> Result<Self, Rejection> {
        let payload = (0, fields.len());
        let process = Map { fields: &fields }.u64("processId")?;
        Ok(Self { name: Cow::Borrowed(""), id: None, at: None, local: false, process, fields, payload })
    }

    /// Reads the envelope out of the fields of one event.
    fn open(fields: Vec<Field<'a>>) -> Result<Self, Rejection> {
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
struct Field<'a> {
    key: &'a [u8],
    value: Value<'a>,
    members: u32,
}

/// A value as it was sent.
#[derive(Debug, Clone, Copy)]
enum Value<'a> {
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

/// Text as it was sent, escapes and all.
#[derive(Debug, Clone, Copy)]
struct Text<'a> {
    raw: &'a [u8],
    escapes: Escapes,
}

/// How a text is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// Not at all: the bytes are the text.
    None,
    /// With `\`, at least once.
    Json,
    /// With `&…;`, at least once.
    Xml,
}

impl<'a> Text<'a> {
    /// The text itself. Bytes that are no UTF-8 become U+FFFD: hostile stream names hold them.
    fn read(self) -> Cow<'a, str> {
        match self.escapes {
            // Good UTF-8 is told faster so than by the lossy reading.
            Escapes::None => std::str::from_utf8(self.raw)
                .map_or_else(|_| String::from_utf8_lossy(self.raw), Cow::Borrowed),
            Escapes::Json => Cow::Owned(json::unescape(self.raw)),
            Escapes::Xml => Cow::Owned(xml::unescape(self.raw)),
        }
    }
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

    /// `creationTimestamp` in whole milliseconds, by which things with a reused key are told apart;
    /// 0 when absent. The formats differ in how many decimals they give it.
    pub fn created(self) -> Result<u64, Rejection> {
        Ok(self.f64("creationTimestamp")?.map_or(0, |millis| millis.max(0.0) as u64))
    }

    /// The truth of this name, sent as a boolean or as text; `None` when absent or null.
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

/// Decodes a body and hands over each event in it, or why one was refused. A refused event does
/// not disturb the next, as far as the format lets the next one be found.
pub fn decode<'a>(body: &'a [u8], format: Format, mut each: impl FnMut(Result<Message<'a>, Rejection>)) {
    match format {
        Format::Json => json::decode(body, &mut each),
        Format::Xml => each(xml::decode(body)),
        Format::XmlRpc => each(xml::decode_call(body)),
        Format::Text => each(text::decode(body)),
        // Rows are decoded with their header, by `decode_row`.
        Format::W3c => each(Err(Rejection::Format)),
        Format::Unknown if body[skip_space(body)..].is_empty() => each(Err(Rejection::Empty)),
        Format::Unknown => each(Err(Rejection::Format)),
    }
}

/// Decodes a row of a W3C event file; `header` holds the names of its columns.
pub fn decode_row<'a>(header: &'a [u8], row: &'a [u8]) -> Result<Message<'a>, Rejection> {
    w3c::decode(header, row)
}

/// Where the first byte is that is neither white space nor part of a byte order mark.
fn skip_space(bytes: &[u8]) -> usize {
    let start = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let space = bytes[start..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    start + space
}

/// Adds a field unless it lies too deep to be asked for.
fn keep<'a>(fields: &mut Vec<Field<'a>>, field: Field<'a>) -> Result<(), Rejection> {
    if fields.len() >= MAX_FIELDS {
        return Err(Rejection::Fields);
    }
    fields.push(field);
    Ok(())
}
