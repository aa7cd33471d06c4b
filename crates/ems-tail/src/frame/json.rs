//! Objects, one on each line as the server writes them, or printed over several lines, alone or in an array.

use memchr::{memchr, memchr2, memrchr};

use super::step::Step;

/// How each entry of the server's own files starts: within another one, that one is torn.
const ENTRY_START: &[u8] = b"{\"_logEntry\":";

/// Lists and objects are distinguished down to this depth.
const DEPTH: u32 = u64::BITS;

pub(super) fn step(rest: &[u8]) -> Step {
    if let b',' | b'[' | b']' = rest[0] {
        return Step::Noise { used: 1 };
    }
    let line = memchr(b'\n', rest);
    if let Some(end) = line {
        let bytes = 0..trimmed(&rest[..end]);
        // Not the start of an object, or all of it: no need to look into it.
        if rest[0] != b'{' || rest[bytes.end - 1] == b'}' {
            return Step::Entry { bytes, used: end + 1 };
        }
    } else if rest[0] != b'{' {
        return Step::Incomplete;
    }
    match object(rest) {
        Scan::Whole(end) | Scan::Torn(end) => Step::Entry { bytes: 0..trimmed(&rest[..end]), used: end },
        Scan::Open => Step::Incomplete,
    }
}

/// Length of a line without the comma, the end of an array and the blanks that end it; at least 1.
fn trimmed(line: &[u8]) -> usize {
    line.iter()
        .rposition(|byte| !matches!(byte, b',' | b']' | b' ' | b'\r' | b'\n' | b'\t' | 0))
        .map_or(1, |last| last + 1)
}

enum Scan {
    /// The object ends here.
    Whole(usize),
    /// It is torn, and something else begins here.
    Torn(usize),
    /// Its end is not there yet.
    Open,
}

/// Looks for the end of the object that `rest` begins with.
fn object(rest: &[u8]) -> Scan {
    // One bit for each open list or object, the innermost the lowest; it is set for a list.
    let (mut lists, mut depth) = (0_u64, 0_u32);
    // Whether a value may begin here.
    let mut value = true;
    let mut at = 0;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'{' if depth > 0 && (!value || rest[at..].starts_with(ENTRY_START)) => return Scan::Torn(at),
            b'{' | b'[' => {
                depth += 1;
                lists = lists << 1 | u64::from(*byte == b'[');
                value = *byte == b'[';
            }
            b'}' | b']' => {
                depth -= 1;
                lists >>= 1;
                value = false;
                if depth == 0 {
                    return Scan::Whole(at + 1);
                }
            }
            b'"' => match string(rest, at + 1) {
                Ok(end) => {
                    at = end;
                    value = false;
                }
                Err(torn) => return torn,
            },
            b':' => value = true,
            b',' => value = lists & 1 == 1 || depth > DEPTH,
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => value = false,
        }
        at += 1;
    }
    Scan::Open
}

/// The closing quote of a string. No string goes on in another line: the writer escapes line ends.
fn string(rest: &[u8], start: usize) -> Result<usize, Scan> {
    let line = memchr(b'\n', &rest[start..]).map_or(rest.len(), |end| start + end);
    let mut at = start;
    while let Some(found) = memchr2(b'"', b'\\', &rest[at..line]) {
        at += found;
        if rest[at] == b'"' {
            return Ok(at);
        }
        at = line.min(at + 2);
    }
    if line == rest.len() {
        return Err(Scan::Open);
    }
    // What follows may have begun on this line.
    let next = memrchr(b'{', &rest[start..line]).map(|begin| start + begin);
    Err(Scan::Torn(next.unwrap_or(line + 1)))
}
