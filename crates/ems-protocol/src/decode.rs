//! Bytes to [`Message`], by format.
//!
pub mod json;
mod text;
mod w3c;
mod xml;

use crate::format::{Format, skip_space};
use crate::message::Message;
use crate::rejection::Rejection;
pub use w3c::decode as decode_row;

/// Decodes a body and hands over each event in it, or why one was rejected. A rejected event
/// does not affect the next, as far as the format lets the next one be found.
pub fn decode<'a>(body: &'a [u8], format: Format, mut each: impl FnMut(Result<Message<'a>, Rejection>)) {
    if body[skip_space(body)..].is_empty() {
        return each(Err(Rejection::Empty));
    }
    match format {
        Format::Json => json::decode(body, &mut each),
        Format::Xml => each(xml::decode(body)),
        Format::XmlRpc => each(xml::decode_call(body)),
        Format::Text => each(text::decode(body)),
        // Rows are decoded with their header, by `decode_row`.
        Format::W3c | Format::Unknown => each(Err(Rejection::Format)),
    }
}
