//! Documents one after the other, indented or each on a line, with or without a prolog.

use memchr::{memchr, memchr_iter, memchr2, memmem, memrchr};

use super::step::Step;

/// The roots of documents, and the elements between them that are counted to find the end of one.
const ROOTS: [&[u8]; 3] = [b"MAP", b"TYPED_MAP", b"methodCall"];

/// The longest start tag of a root.
const ROOT_TAG: usize = 1024;

pub(super) fn step(rest: &[u8]) -> Step {
    if rest.starts_with(b"<?") || rest.starts_with(b"<!") {
        // A prolog may be torn.
        return match memchr2(b'<', b'>', &rest[1..]) {
            Some(end) => Step::Noise { used: end + 1 + usize::from(rest[end + 1] == b'>') },
            None => Step::Incomplete,
        };
    }
    let first = mark(rest, 0);
    if rest[0] != b'<' || !matches!(first, Mark::Root { .. } | Mark::Inner { .. } | Mark::Unfinished) {
        return foreign(rest);
    }
    let mut depth = 0;
    let mut skipped = 0;
    for at in memchr_iter(b'<', rest) {
        if at < skipped {
            continue;
        }
        match mark(rest, at) {
            Mark::Root { .. } | Mark::Prolog if at > 0 => return entry(rest, at),
            Mark::Root { empty } | Mark::Inner { empty } => depth += usize::from(!empty),
            Mark::End(end) => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return entry(rest, end);
                }
            }
            Mark::Verbatim(end) => skipped = end,
            Mark::Unfinished => return Step::Incomplete,
            Mark::Prolog | Mark::Other => {}
        }
        if depth == 0 && at == 0 {
            return memchr(b'>', rest).map_or(Step::Incomplete, |end| entry(rest, end + 1));
        }
    }
    Step::Incomplete
}

/// Where the next document may begin.
pub(super) fn start(rest: &[u8]) -> Option<usize> {
    memchr_iter(b'<', rest)
        .filter(|at| rest.get(at + 1) != Some(&b'!'))
        .find(|at| matches!(mark(rest, *at), Mark::Root { .. } | Mark::Prolog))
}

/// Length of the tag at the end of `rest` that is not complete and may be the start of a document.
pub(super) fn unfinished(rest: &[u8]) -> usize {
    memrchr(b'<', rest)
        .map(|at| rest.len() - at)
        .filter(|length| *length <= ROOT_TAG && memchr(b'>', &rest[rest.len() - length..]).is_none())
        .unwrap_or_default()
}

/// What is not a document: up to the end of the line, or the start of a document.
fn foreign(rest: &[u8]) -> Step {
    let line = memchr(b'\n', rest);
    let document = start(&rest[1..line.unwrap_or(rest.len())]).map(|at| at + 1);
    document.or(line.map(|end| end + 1)).map_or(Step::Incomplete, |end| entry(rest, end))
}

fn entry(rest: &[u8], used: usize) -> Step {
    Step::Entry { bytes: 0..rest[..used].trim_ascii_end().len(), used }
}

/// Markup by which the ends of documents are found.
enum Mark {
    /// The start tag of a document: in those the server names nothing.
    Root {
        empty: bool,
    },
    /// The start tag of a map in a document.
    Inner {
        empty: bool,
    },
    /// The end tag of one of them; it ends here.
    End(usize),
    Prolog,
    /// A comment or a CDATA section; it ends here.
    Verbatim(usize),
    /// The tag is not complete.
    Unfinished,
    Other,
}

/// The markup that begins at `at`.
fn mark(rest: &[u8], at: usize) -> Mark {
    let tag = &rest[at + 1..];
    match tag.first() {
        None => Mark::Unfinished,
        Some(b'/') => match named(&tag[1..]) {
            None => Mark::Other,
            Some(length) => match memchr2(b'>', b'<', &tag[1 + length..]) {
                Some(end) if tag[1 + length + end] == b'>' => Mark::End(at + length + end + 3),
                Some(_) => Mark::Other,
                None => Mark::Unfinished,
            },
        },
        Some(b'?') if b"?xml".starts_with(&tag[..tag.len().min(4)]) => Mark::Prolog,
        Some(b'!') => {
            let end: &[u8] = if tag.starts_with(b"!--") { b"-->" } else { b"]]>" };
            if tag.starts_with(b"!--") || tag.starts_with(b"![CDATA[") {
                memmem::find(tag, end).map_or(Mark::Unfinished, |found| Mark::Verbatim(at + 1 + found))
            } else {
                Mark::Other
            }
        }
        Some(_) => named(tag).map_or(Mark::Other, |length| start_tag(tag, length)),
    }
}

/// Length of the name of a root that `tag` begins with.
fn named(tag: &[u8]) -> Option<usize> {
    ROOTS.iter().map(|name| name.len()).zip(ROOTS).find_map(|(length, name)| {
        let ends = tag.get(length).is_none_or(|byte| byte.is_ascii_whitespace() || b"/><".contains(byte));
        (tag.starts_with(name) && ends).then_some(length)
    })
}

/// A start tag whose name is of this length.
fn start_tag(tag: &[u8], length: usize) -> Mark {
    let mut at = length;
    let mut root = true;
    loop {
        at += tag[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        match tag.get(at) {
            None => return Mark::Unfinished,
            // Within a tag this can only be the next one.
            Some(b'<') => return Mark::Other,
            Some(b'>') => {
                let empty = tag[at - 1] == b'/';
                return if root { Mark::Root { empty } } else { Mark::Inner { empty } };
            }
            Some(_) => {}
        }
        let name = at;
        at += tag[at..].iter().take_while(|byte| !b"=<> \t\r\n\"'".contains(byte)).count();
        let is_name = &tag[name..at] == b"name";
        at += tag[at..].iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b'=').count();
        if let Some(quote @ (b'"' | b'\'')) = tag.get(at) {
            match memchr2(*quote, b'<', &tag[at + 1..]) {
                None => return Mark::Unfinished,
                Some(end) if tag[at + 1 + end] == b'<' => return Mark::Other,
                Some(end) => {
                    root &= !is_name || end == 0;
                    at += end + 2;
                }
            }
        } else if at == name {
            at += 1;
        }
    }
}
