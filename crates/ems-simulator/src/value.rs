//! The tree of typed values that an event is made of, as the media server holds it before it is written in a format.

use std::borrow::Cow;
use std::collections::BTreeMap;
use strum::IntoStaticStr;

/// Named members in byte order of their names, which is the order on the wire.
pub(crate) type Map = BTreeMap<Cow<'static, str>, Value>;

/// One value of an event; the width of integers and the kind of text only show in the XML formats.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Unset.
    Null,
    /// True or false.
    Bool(bool),
    /// Every integer; all that the server sends fit into 63 bits.
    Integer(Width, i64),
    /// A double: four decimals in JSON, three in the XML formats.
    Double(f64),
    /// A date and time, already written as `YYYY-MM-DDTHH:MM:SS.000`.
    Timestamp(String),
    /// Text as bytes: stream names are chosen by publishers and need not be UTF-8.
    Text(Vec<u8>),
    /// Values without names.
    List(Vec<Value>),
    /// Values with names.
    Map(Map),
}

/// The declared width of an integer, named as the tag in XML.
#[derive(Clone, Copy, Debug, IntoStaticStr, PartialEq, Eq)]
#[strum(serialize_all = "UPPERCASE")]
pub(crate) enum Width {
    Int8,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
}

/// A map of the given members.
pub(crate) fn map<const N: usize>(members: [(&'static str, Value); N]) -> Map {
    members.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect()
}

pub(crate) fn text(bytes: impl AsRef<[u8]>) -> Value {
    Value::Text(bytes.as_ref().to_vec())
}

pub(crate) fn i8(number: i8) -> Value {
    Value::Integer(Width::Int8, number.into())
}

pub(crate) fn i32(number: i32) -> Value {
    Value::Integer(Width::Int32, number.into())
}

pub(crate) fn i64(number: i64) -> Value {
    Value::Integer(Width::Int64, number)
}

pub(crate) fn u8(number: u8) -> Value {
    Value::Integer(Width::Uint8, number.into())
}

pub(crate) fn u16(number: u16) -> Value {
    Value::Integer(Width::Uint16, number.into())
}

pub(crate) fn u32(number: u32) -> Value {
    Value::Integer(Width::Uint32, number.into())
}

/// A `UINT64`; what does not fit into 63 bits never occurs and is capped.
pub(crate) fn u64(number: u64) -> Value {
    Value::Integer(Width::Uint64, i64::try_from(number).unwrap_or(i64::MAX))
}

/// The members of settings that are the caller's own.
pub(crate) fn variables(settings: &Map) -> Map {
    let own = settings.iter().filter(|(name, _)| name.starts_with('_') || name.starts_with('$'));
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A member's text; empty if there is none.
pub(crate) fn text_of(members: &Map, name: &str) -> String {
    match members.get(name) {
        Some(Value::Text(text)) => String::from_utf8_lossy(text).into_owned(),
        Some(_) | None => String::new(),
    }
}
