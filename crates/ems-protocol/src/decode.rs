//! Bytes to [`Message`], by format.
//!
//! A body is decoded once, front to back.

pub mod json;
mod text;
mod w3c;
mod xml;

use crate::format::{Format, skip_space};
use crate::message::Message;
use crate::rejection::Rejection;

/// Decodes a body and hands over each event in it, or why one was rejected. A rejected event
/// does not affect the next, as far as the format lets the next one be found.
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
