//! Where one entry of an event file ends and the next begins, for each of the four formats.
//!
//! Everything here is a pure function over bytes that start at an entry boundary; the caller
//! keeps the buffer, the offset and the header line. A crash can tear an entry: what follows may begin on the same line,
//! or behind NUL bytes. What is left of a torn entry is an entry too, for the decoder to reject.

mod json;
mod step;
mod xml;

use std::ops::Range;

use memchr::memchr;
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

pub(super) use step::Step;

use super::compression::compression;

/// The trailer of a W3C writer at the end of a chunk, without a newline.
const W3C_FOOTER: &[u8] = b"# ======= End of file ========";

/// The mark that some programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// So many NUL bytes are a hole that a crash has left; no entry goes on behind one.
const HOLE: &[u8] = &[0; 8];

/// The format is not detected from a first line longer than this.
const FIRST_LINE: usize = 64 * 1024;

/// The format of an event file, as the server's file sink names it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Format {
    /// Entries of several lines, each ended by two empty lines.
    Text,
    /// Objects, by the server one on each line and each followed by a comma; also over several lines, or in an array.
    Json,
    /// Documents without a common root: `<MAP>` or `<TYPED_MAP>`, indented or one on each line.
    Xml,
    /// Tab-separated lines whose columns are named by a `#Fields:` line.
    W3c,
}

impl Format {
    /// The name that the server's `format` key uses, also the label and configuration value.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The format of that name; none for any other text.
    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// How far before an arbitrary offset framing must look to see that an entry ended there.
    pub(super) const fn lookback(self) -> u64 {
        match self {
            Self::Json | Self::W3c => 1,
            // Two empty lines, which may have carriage returns.
            Self::Text => 5,
            // The start of the next document is searched.
            Self::Xml => 0,
        }
    }
}

/// The format according to the first bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detection {
    /// The format is certain.
    Known(Format),
    /// More bytes are needed.
    Undecided,
    /// What log rotation has compressed.
    Compressed,
    /// No event file begins like this; the remedy.
    Unknown(&'static str),
}

impl Detection {
    const OTHER: Self = Self::Unknown(
        "its format is none of json, xml, text and w3c: leave it out of the pattern, or set the format if it is one of these",
    );
    const UTF16: Self = Self::Unknown("it is written in UTF-16: convert it with iconv -f UTF-16 -t UTF-8");
}

/// Recognises the format from the beginning of a file.
pub(super) fn detect(head: &[u8]) -> Detection {
    if compression(head).is_some() {
        return Detection::Compressed;
    }
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Detection::UTF16;
    }
    let head = &head[blank(head)..];
    if head.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(head) {
        return Detection::Undecided;
    }
    let second = head.iter().skip(1).find(|byte| !byte.is_ascii_whitespace());
    match head[0] {
        _ if head.get(1) == Some(&0) => Detection::UTF16,
        b'{' => Detection::Known(Format::Json),
        b'[' => match second {
            None => Detection::Undecided,
            Some(b'{' | b'"' | b']') => Detection::Known(Format::Json),
            Some(_) => Detection::OTHER,
        },
        // The text that stands for events when an XML sink comes before this one.
        b'"' => Detection::Known(Format::Json),
        b'<' => Detection::Known(Format::Xml),
        b'#' => Detection::Known(Format::W3c),
        first if first.is_ascii_digit() => detect_columns(head),
        _ => Detection::OTHER,
    }
}

/// Distinguishes a text entry (`00092<TAB>name[<TAB><TIMESTAMP …>]`) from a W3C row without its
/// header.
fn detect_columns(head: &[u8]) -> Detection {
    let Some(end) = memchr(b'\n', head) else {
        return if head.len() < FIRST_LINE { Detection::Undecided } else { Detection::OTHER };
    };
    let mut columns = head[..end].split(|&byte| byte == b'\t');
    let number = columns.next().unwrap_or_default();
    if columns.next().is_none() {
        return Detection::OTHER;
    }
    match columns.next() {
        Some(third) if !third.starts_with(b"<TIMESTAMP") => Detection::Known(Format::W3c),
        Some(_) | None if number.iter().all(u8::is_ascii_digit) => Detection::Known(Format::Text),
        Some(_) | None => Detection::OTHER,
    }
}

/// The prepared searches for entry ends.
#[derive(Debug)]
pub(super) struct Framer {
    blank_lines: [Finder<'static>; 2],
    hole: Finder<'static>,
}

impl Framer {
    pub(super) fn new() -> Self {
        let blank_lines = [Finder::new(b"\n\n\n"), Finder::new(b"\n\r\n\r\n")];
        Self { blank_lines, hole: Finder::new(HOLE) }
    }

    /// The next entry of `rest`, which starts at an entry boundary.
    #[inline]
    pub(super) fn step(&self, format: Format, rest: &[u8]) -> Step {
        match rest.first() {
            None => return Step::Incomplete,
            Some(b' ' | b'\t' | b'\r' | b'\n' | 0 | 0xef) => match blank(rest) {
                0 if BYTE_ORDER_MARK.starts_with(rest) => return Step::Incomplete,
                0 => {}
                used => return Step::Noise { used },
            },
            Some(_) => {}
        }
        let step = match format {
            Format::Json => json::step(rest),
            Format::W3c => w3c(rest),
            Format::Text => match self.text_end(rest) {
                Some((end, used)) => Step::Entry { bytes: 0..end, used },
                None => Step::Incomplete,
            },
            Format::Xml => xml::step(rest),
        };
        let looked_at = match &step {
            Step::Entry { used, .. } | Step::Fields { used, .. } => *used,
            Step::Incomplete => rest.len(),
            Step::Noise { .. } | Step::Torn { .. } => return step,
        };
        match memchr(0, &rest[..looked_at]).and_then(|_| self.hole.find(&rest[..looked_at])) {
            Some(hole) => Step::Torn { bytes: 0..rest[..hole].trim_ascii_end().len(), used: hole },
            None => step,
        }
    }

    /// Where the entry that `rest` is in the middle of ends; none if that lies further on.
    pub(super) fn resync(&self, format: Format, rest: &[u8]) -> Option<usize> {
        match format {
            Format::Json | Format::W3c => memchr(b'\n', rest).map(|end| end + 1),
            Format::Text => self.text_end(rest).map(|(_, used)| used),
            Format::Xml => xml::start(rest),
        }
    }

    /// How many of the last bytes of an entry whose end is searched may belong to that end.
    pub(super) fn overlap(format: Format, rest: &[u8]) -> usize {
        match format {
            Format::Json | Format::W3c => 0,
            Format::Text => rest.len().min(4),
            Format::Xml => xml::unfinished(rest),
        }
    }

    /// The two empty lines that end a text entry: where they begin and end.
    fn text_end(&self, rest: &[u8]) -> Option<(usize, usize)> {
        let [plain, returns] = &self.blank_lines;
        let plain = plain.find(rest).map(|at| (at, at + 3));
        let before = plain.map_or(rest.len(), |(at, _)| at);
        returns.find(&rest[..before]).map(|at| (rest[..at].trim_ascii_end().len(), at + 5)).or(plain)
    }
}

/// Length of the separators, the NUL bytes of a hole and the byte order marks that `rest` begins with.
pub(super) fn blank(rest: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let blank = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0);
        at += rest[at..].iter().position(blank).unwrap_or(rest.len() - at);
        if !rest[at..].starts_with(BYTE_ORDER_MARK) {
            return at;
        }
        at += BYTE_ORDER_MARK.len();
    }
}

fn w3c(rest: &[u8]) -> Step {
    let Some(end) = memchr(b'\n', rest) else {
        return if rest == W3C_FOOTER { Step::Noise { used: rest.len() } } else { Step::Incomplete };
    };
    let line = &rest[..end];
    let length = end - usize::from(line.ends_with(b"\r"));
    let used = end + 1;
    match fields(&rest[..length]) {
        Some(bytes) => Step::Fields { bytes, used },
        None if line.starts_with(b"#") => Step::Noise { used },
        None => Step::Entry { bytes: 0..length, used },
    }
}

/// Where the column names lie in a `#Fields:` line; none for any other line.
fn fields(line: &[u8]) -> Option<Range<usize>> {
    let names = line.strip_prefix(b"#Fields:")?;
    let start = line.len() - names.len() + usize::from(names.starts_with(b" "));
    Some(start..line.len())
}

/// The last `#Fields:` line of `head`, the beginning of a W3C file: the offset of the line and
/// its column names.
pub(super) fn last_fields(head: &[u8]) -> Option<(usize, &[u8])> {
    let mut at = 0;
    let mut found = None;
    while let Some(length) = memchr(b'\n', &head[at..]) {
        if let Step::Fields { bytes, .. } = w3c(&head[at..=at + length]) {
            found = Some((at, &head[at + bytes.start..at + bytes.end]));
        }
        at += length + 1;
    }
    found
}

#[cfg(test)]
mod tests;
