//! The formats of events, and how the format of a body is detected.

use memchr::memmem;
use strum::{EnumCount, IntoStaticStr, VariantArray};

/// The formats in which an event can arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
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
    /// Not recognised.
    Unknown,
}

impl Format {
    /// Every format, in the order of the metrics.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("ALL is as long as the list");

    /// The value of the label `format`.
    pub fn label(self) -> &'static str {
        self.into()
    }

    /// Whether its events have the sequence numbers by which duplicates are recognised.
    pub const fn is_numbered(self) -> bool {
        !matches!(self, Self::Text | Self::W3c)
    }

    /// Detects the format of a posted body from its first bytes: the server's Content-Type cannot be trusted.
    pub fn of(body: &[u8]) -> Self {
        let start = skip_space(body);
        match body.get(start) {
            Some(b'{' | b'[' | b'"') => Self::Json,
            Some(b'<') if is_method_call(&body[start..]) => Self::XmlRpc,
            Some(b'<') => Self::Xml,
            _ => Self::Unknown,
        }
    }
}

/// Whether the document's root is a `<methodCall>`.
fn is_method_call(body: &[u8]) -> bool {
    let head = &body[..body.len().min(512)];
    memmem::find(head, b"<methodCall").is_some()
}

/// Where the first byte is that is neither white space nor part of a byte order mark.
pub(crate) fn skip_space(bytes: &[u8]) -> usize {
    let start = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let space = bytes[start..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    start + space
}
