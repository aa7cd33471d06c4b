//! Text values as they were sent, and how their escapes are resolved.

use std::borrow::Cow;

/// Text as it was sent, escapes and all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) escapes: Escapes,
}

/// How a text is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// Not at all: the bytes are the text.
    None,
    /// With `\`, at least once.
    Json,
    /// With `&…;`, a comment or a CDATA section, at least once.
    Xml,
}

impl<'a> Text<'a> {
    /// Text of a format that escapes nothing.
    pub(crate) const fn plain(raw: &'a [u8]) -> Self {
        Self { raw, escapes: Escapes::None }
    }

    /// Text between the tags of XML.
    pub(crate) fn xml(raw: &'a [u8]) -> Self {
        let escapes = if memchr::memchr2(b'&', b'<', raw).is_some() { Escapes::Xml } else { Escapes::None };
        Self { raw, escapes }
    }

    /// The text itself. Invalid UTF-8 becomes U+FFFD: hostile stream names contain it.
    pub(crate) fn read(self) -> Cow<'a, str> {
        match self.escapes {
            // Checking first is faster than the lossy conversion.
            Escapes::None => std::str::from_utf8(self.raw)
                .map_or_else(|_| String::from_utf8_lossy(self.raw), Cow::Borrowed),
            Escapes::Json => Cow::Owned(unescape_json(self.raw)),
            Escapes::Xml => Cow::Owned(unescape_xml(self.raw)),
        }
    }
}

/// `text` in at most `limit` bytes. A longer one keeps its start and gains a hash, so that two long texts stay two.
pub fn shortened(text: Cow<'_, str>, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return text;
    }
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let start = text.floor_char_boundary(limit.saturating_sub(17));
    Cow::Owned(format!("{}~{hash:016x}", &text[..start]))
}

/// Text with its `\` escapes resolved. An escape that JSON does not know stands for itself.
fn unescape_json(raw: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(found) = memchr::memchr(b'\\', rest) {
        bytes.extend_from_slice(&rest[..found]);
        let (escape, after) = rest[found + 1..].split_first().unwrap_or((&b'\\', &[]));
        rest = after;
        match escape {
            b'b' => bytes.push(8),
            b'f' => bytes.push(12),
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'u' => {
                let (character, after) = code_point(rest);
                rest = after;
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => bytes.push(*other),
        }
    }
    bytes.extend_from_slice(rest);
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The character behind `\u`, and what follows it; a lone or broken half becomes U+FFFD.
fn code_point(rest: &[u8]) -> (char, &[u8]) {
    let unit = |rest: &[u8]| -> Option<u32> {
        let digits = std::str::from_utf8(rest.get(..4)?).ok()?;
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let Some(first) = unit(rest) else {
        return (char::REPLACEMENT_CHARACTER, rest);
    };
    let after = &rest[4..];
    if (0xD800..0xDC00).contains(&first)
        && let Some(low) = after.strip_prefix(b"\\u").and_then(unit)
        && (0xDC00..0xE000).contains(&low)
    {
        let joined = 0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00);
        return (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), &after[6..]);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), after)
}

/// Text with the entities of XML resolved, and CDATA sections as they are; any other entity stays. Comments are left
/// out.
fn unescape_xml(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let mut plain = String::with_capacity(text.len());
    let mut rest = &*text;
    let resolve = |part: &str, plain: &mut String| match quick_xml::escape::unescape(part) {
        Ok(resolved) => plain.push_str(&resolved),
        Err(_) => plain.push_str(part),
    };
    while let Some((before, markup)) = rest.split_once("<!") {
        resolve(before, &mut plain);
        if let Some(section) = markup.strip_prefix("[CDATA[") {
            let (verbatim, after) = section.split_once("]]>").unwrap_or((section, ""));
            plain.push_str(verbatim);
            rest = after;
        } else {
            rest = markup.split_once("-->").map_or("", |(_, after)| after);
        }
    }
    resolve(rest, &mut plain);
    plain
}
