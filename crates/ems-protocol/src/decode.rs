//! Bytes to [`Message`], by format.

pub mod json;
mod resync;
mod text;
mod w3c;
mod xml;

use crate::format::{Format, skip_space};
use crate::message::Message;
use crate::rejection::Rejection;
pub use w3c::decode as decode_row;

/// Decodes a body and hands over each event in it, or why one was rejected. A rejected event
/// does not affect the next, as far as the format lets the next one be found. After `patience`
/// rejections the rest of the body is rejected as a whole.
pub fn decode<'a>(
    body: &'a [u8],
    format: Format,
    patience: usize,
    mut each: impl FnMut(Result<Message<'a>, Rejection>),
) {
    // Some senders end a body with the NUL byte of a C string.
    let end = body.iter().rposition(|byte| *byte != 0 && !byte.is_ascii_whitespace());
    let body = &body[..end.map_or(0, |end| end + 1)];
    if body[skip_space(body)..].is_empty() {
        return each(Err(Rejection::Empty));
    }
    match format {
        Format::Json => json::decode(body, patience, &mut each),
        Format::Xml | Format::XmlRpc => xml::decode(body, patience, &mut each),
        Format::Text => text::decode(body, &mut each),
        // Rows are decoded with their header, by `decode_row`.
        Format::W3c | Format::Unknown => each(Err(Rejection::Format)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MAX_DEPTH, MAX_FIELDS};

    /// The first rejection of a body.
    fn rejection(body: &[u8]) -> Option<Rejection> {
        let mut rejection = None;
        decode(body, Format::of(body), usize::MAX, |message| {
            if let Err(error) = message {
                rejection.get_or_insert(error);
            }
        });
        rejection
    }

    #[test]
    fn nesting_and_fields_are_limited() {
        let nested = |depth: usize| {
            format!("{{\"type\":\"x\",\"payload\":{}{}}}", "[".repeat(depth), "]".repeat(depth))
        };
        assert_eq!(rejection(nested(MAX_DEPTH + 1).as_bytes()), Some(Rejection::Depth));
        let members: Vec<String> = (0..=MAX_FIELDS).map(|number| format!("\"{number}\":0")).collect();
        let wide = format!("{{\"type\":\"x\",\"payload\":{{{}}}}}", members.join(","));
        assert_eq!(rejection(wide.as_bytes()), Some(Rejection::Fields));
        let deep = format!("<MAP name=\"\">{}", "<MAP name=\"a\">".repeat(MAX_DEPTH + 1));
        assert_eq!(rejection(deep.as_bytes()), Some(Rejection::Depth));
        let list = format!("{{\"type\":\"x\",\"payload\":{{\"list\":[{}1]}}}}", "1,".repeat(100_000));
        assert_eq!(rejection(list.as_bytes()), None, "members of lists are not kept");
    }
}
