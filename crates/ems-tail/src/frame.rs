//! Where one entry of an event file ends and the next begins, for each of the four formats.
//!
//! Everything here is a pure function over bytes that start at an entry boundary; the caller
//! keeps the buffer, the offset and the header line.

use std::ops::Range;

use memchr::memchr;
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// The trailer of a W3C writer at the end of a chunk, without a newline.
const W3C_FOOTER: &[u8] = b"# ======= End of file ========";

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
    /// One object per line, each followed by a comma.
    Json,
    /// Documents without a common root, each closed by `</MAP>` or `</TYPED_MAP>` at column 0.
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
            Self::Text => 3,
            // "\n</TYPED_MAP>" and the two newlines that follow it.
            Self::Xml => 15,
        }
    }

    /// How many of the last bytes of an entry whose end is searched may belong to that end.
    pub(super) const fn overlap(self) -> usize {
        match self {
            Self::Json | Self::W3c => 0,
            Self::Text => 2,
            Self::Xml => 12,
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
    /// No event file begins like this.
    Unknown,
}

/// Recognises the format from the beginning of a file.
pub(super) fn detect(head: &[u8]) -> Detection {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let head = &head[blank(head)..];
    match head.first() {
        None => Detection::Undecided,
        Some(b'{') => Detection::Known(Format::Json),
        Some(b'<') => Detection::Known(Format::Xml),
        Some(b'#') => Detection::Known(Format::W3c),
        Some(first) if first.is_ascii_digit() => detect_columns(head),
        Some(_) => Detection::Unknown,
    }
}

/// Distinguishes a text entry (`00092<TAB>name[<TAB><TIMESTAMP …>]`) from a W3C row without its
/// header.
fn detect_columns(head: &[u8]) -> Detection {
    let Some(end) = memchr(b'\n', head) else {
        return if head.len() < FIRST_LINE { Detection::Undecided } else { Detection::Unknown };
    };
    let mut columns = head[..end].split(|&byte| byte == b'\t');
    let number = columns.next().unwrap_or_default();
    if columns.next().is_none() {
        return Detection::Unknown;
    }
    match columns.next() {
        Some(third) if !third.starts_with(b"<TIMESTAMP") => Detection::Known(Format::W3c),
        Some(_) | None if number.iter().all(u8::is_ascii_digit) => Detection::Known(Format::Text),
        Some(_) | None => Detection::Unknown,
    }
}

/// One step through bytes that begin at an entry boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A whole entry; `used` bytes are processed.
    Entry {
        /// The entry without its separators.
        bytes: Range<usize>,
        /// Length of the entry with its separators.
        used: usize,
    },
    /// A `#Fields:` line: the names of the columns from here on.
    Fields {
        /// The names, tab-separated.
        bytes: Range<usize>,
        /// Length of the whole line.
        used: usize,
    },
    /// Separators, other `#` lines, an XML prolog, bytes of a hole in the file.
    Noise {
        /// How many bytes to skip.
        used: usize,
    },
    /// The entry is not complete yet.
    Incomplete,
}

/// The prepared searches for entry ends.
#[derive(Debug)]
pub(super) struct Framer {
    blank_lines: Finder<'static>,
    closing_tag: Finder<'static>,
}

impl Framer {
    pub(super) fn new() -> Self {
        Self { blank_lines: Finder::new(b"\n\n\n"), closing_tag: Finder::new(b"\n</") }
    }

    /// The next entry of `rest`, which starts at an entry boundary.
    #[inline]
    pub(super) fn step(&self, format: Format, rest: &[u8]) -> Step {
        match rest.first() {
            None => return Step::Incomplete,
            Some(b' ' | b'\t' | b'\r' | b'\n' | 0) => return Step::Noise { used: blank(rest) },
            Some(_) => {}
        }
        match format {
            Format::Json => json(rest),
            Format::W3c => w3c(rest),
            Format::Text => match self.blank_lines.find(rest) {
                Some(end) => Step::Entry { bytes: 0..end, used: end + 3 },
                None => Step::Incomplete,
            },
            Format::Xml => self.xml(rest),
        }
    }

    /// Where the entry that `rest` is in the middle of ends; none if that lies further on.
    pub(super) fn resync(&self, format: Format, rest: &[u8]) -> Option<usize> {
        match format {
            Format::Json | Format::W3c => memchr(b'\n', rest).map(|end| end + 1),
            Format::Text => self.blank_lines.find(rest).map(|end| end + 3),
            Format::Xml => self.root_end(rest),
        }
    }

    fn xml(&self, rest: &[u8]) -> Step {
        if rest.starts_with(b"<?") {
            return match memchr(b'>', rest) {
                Some(end) => Step::Noise { used: end + 1 },
                None => Step::Incomplete,
            };
        }
        match self.root_end(rest) {
            Some(end) => Step::Entry { bytes: 0..end, used: end },
            None => Step::Incomplete,
        }
    }

    /// The end of the first closing root tag. Inner closing tags are indented.
    fn root_end(&self, rest: &[u8]) -> Option<usize> {
        self.closing_tag.find_iter(rest).find_map(|at| {
            [&b"\n</MAP>"[..], b"\n</TYPED_MAP>"]
                .into_iter()
                .find(|tag| rest[at..].starts_with(tag))
                .map(|tag| at + tag.len())
        })
    }
}

/// Length of the separators, and of the NUL bytes of a hole, that `rest` begins with.
fn blank(rest: &[u8]) -> usize {
    rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0)).unwrap_or(rest.len())
}

fn json(rest: &[u8]) -> Step {
    match memchr(b'\n', rest) {
        Some(end) => Step::Entry { bytes: 0..trimmed(&rest[..end]), used: end + 1 },
        None => Step::Incomplete,
    }
}

/// Length of a line without the comma and blanks that end it.
fn trimmed(line: &[u8]) -> usize {
    line.iter().rposition(|byte| !matches!(byte, b',' | b' ' | b'\r')).map_or(0, |last| last + 1)
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
#[path = "frame_tests.rs"]
mod tests;
