//! The files that the patterns match now, and the order in which they are read.
//!
//! Order: the time of the last change, then the name with its numbers compared as numbers. One
//! writer that goes from file to file has written the last byte of the old file before the first
//! byte of the new one, so this is the order of writing, also where names do not show it: local
//! time that is set back an hour in autumn, part numbers that begin again at 1. The name decides
//! between files that a copy gave the same time; there `events.json.1` goes before `events.json`,
//! as log rotation names the older one.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::status::{Reason, Troubles};

/// The most files that one follower takes; the patterns' oldest files beyond it are left out.
pub(super) const MAX_FILES: usize = 10_000;

/// How shells match: no wildcard matches a `/` or a leading dot.
const OPTIONS: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The identity of a file in the file system, whatever its names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    /// The device that holds the file.
    pub(super) device: u64,
    /// The number of the file on this device; it is given to another file after a deletion.
    pub(super) inode: u64,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// One name that matches, and the file behind it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    pub(super) length: u64,
    pub(super) modified: SystemTime,
    /// The index of the pattern that matched.
    pub(super) pattern: usize,
}

/// The modification time of a file; the epoch where the file system has none.
pub(super) fn modified(metadata: &Metadata) -> SystemTime {
    metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// One pattern of file names.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    glob: glob::Pattern,
    /// The part before the first wildcard: a directory.
    base: PathBuf,
    literal: bool,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self, glob::PatternError> {
        let glob = glob::Pattern::new(text)?;
        let wild = |part: &OsStr| part.as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
        let path = Path::new(text);
        let literal = !wild(path.as_os_str());
        let mut base: PathBuf = path.components().take_while(|part| !wild(part.as_os_str())).collect();
        if literal {
            base.pop();
        }
        if base.as_os_str().is_empty() {
            base.push(".");
        }
        Ok(Self { text: text.to_owned(), glob, base, literal })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether `path` is a name that the pattern matches.
    pub(super) fn matches(&self, path: &Path) -> bool {
        path == Path::new(&self.text) || !self.literal && self.glob.matches_path_with(path, OPTIONS)
    }

    /// The directory in which a change can make the pattern match, or the nearest one above it
    /// that exists.
    pub(super) fn directory(&self) -> &Path {
        let existing = self.base.ancestors().find(|path| path.is_dir());
        existing.unwrap_or_else(|| Path::new(if self.base.is_absolute() { "/" } else { "." }))
    }

    /// Adds the files that match now to `found`.
    fn expand(&self, pattern: usize, found: &mut Vec<Listed>, troubles: &mut Troubles) {
        let before = found.len();
        let mut troubled = false;
        if self.literal {
            troubled = self.add(PathBuf::from(&self.text), pattern, found, troubles);
        } else {
            for path in glob::glob_with(&self.text, OPTIONS).into_iter().flatten() {
                match path {
                    Ok(path) => troubled |= self.add(path, pattern, found, troubles),
                    Err(error) => {
                        troubled = true;
                        let reason = reason(error.error().kind(), Reason::ListFailed);
                        troubles.enter(
                            error.path(),
                            reason,
                            &format!("cannot list the directory: {}", error.error()),
                        );
                    }
                }
            }
        }
        if found.len() == before && !self.literal && fs::exists(&self.text).unwrap_or(false) {
            // As in a shell, a pattern that matches nothing is a name.
            troubled |= self.add(PathBuf::from(&self.text), pattern, found, troubles);
        }
        if found.len() == before && !troubled {
            self.explain(troubles);
        }
    }

    /// Adds one name; returns whether that failed.
    fn add(&self, path: PathBuf, pattern: usize, found: &mut Vec<Listed>, troubles: &mut Troubles) -> bool {
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {
                found.push(Listed {
                    identity: Identity::of(&metadata),
                    length: metadata.len(),
                    modified: modified(&metadata),
                    path,
                    pattern,
                });
                false
            }
            Ok(metadata) if metadata.is_dir() && !self.literal => false,
            Ok(_) => {
                troubles.enter(&path, Reason::NotRegularFile, "not a regular file, it is not followed");
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => false,
            Err(error) => {
                let reason = reason(error.kind(), Reason::ReadFailed);
                troubles.enter(&path, reason, &format!("cannot read the metadata of the file: {error}"));
                true
            }
        }
    }

    /// What of the pattern a shell would replace, for a message; empty if there is nothing.
    pub(super) fn unlike_a_shell(&self) -> &'static str {
        let text = &self.text;
        match () {
            () if text.starts_with('~') => "; ~ is not replaced: write the whole path of the directory",
            () if text.starts_with('$') || text.contains("/$") => {
                "; variables are not replaced: write the whole path"
            }
            () if text.contains('{') && text.contains('}') => {
                "; braces are not expanded: give a pattern for each name"
            }
            () if text.contains("[^") => "; write [!…] for any other byte than these, not [^…]",
            () if text.contains('\\') => "; \\ has no meaning in a pattern: write [*] for a star in a name",
            () => "",
        }
    }

    /// Reports why nothing matches.
    fn explain(&self, troubles: &mut Troubles) {
        let path = Path::new(&self.text);
        match fs::metadata(&self.base) {
            Ok(metadata) if metadata.is_dir() => {
                let hint = self.unlike_a_shell();
                let detail = format!("no file of this name yet{hint}");
                if hint.is_empty() {
                    troubles.enter_expected(path, Reason::NothingMatches, &detail);
                } else {
                    troubles.enter(path, Reason::NothingMatches, &detail);
                }
            }
            Ok(_) => {
                troubles.enter(path, Reason::DirectoryMissing, "the directory of this pattern is a file")
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                troubles.enter(path, Reason::PermissionDenied, "cannot reach the directory of this pattern");
            }
            Err(error) => {
                let hint = self.unlike_a_shell();
                let detail = format!("cannot reach the directory of this pattern: {error}{hint}");
                troubles.enter(path, Reason::DirectoryMissing, &detail);
            }
        }
    }
}

/// The reason for an error of the file system: no permission, or `otherwise`.
pub(super) fn reason(kind: ErrorKind, otherwise: Reason) -> Reason {
    if kind == ErrorKind::PermissionDenied { Reason::PermissionDenied } else { otherwise }
}

/// The files that match now in reading order, each once under the name that sorts first.
pub(super) fn list(patterns: &[Pattern], troubles: &mut Troubles) -> Vec<Listed> {
    let mut found = Vec::new();
    for (index, pattern) in patterns.iter().enumerate() {
        pattern.expand(index, &mut found, troubles);
    }
    found.sort_by(|a, b| order((a.modified, &a.path), (b.modified, &b.path)));
    let mut seen = std::collections::HashSet::new();
    found.retain(|listed| seen.insert(listed.identity));
    if found.len() > MAX_FILES {
        let first = Path::new(patterns.first().map_or("", Pattern::text));
        let surplus = found.len() - MAX_FILES;
        troubles.enter(
            first,
            Reason::TooManyFiles,
            &format!("{surplus} files too many match, the oldest are left out"),
        );
        found.drain(..surplus);
    }
    found
}

/// The order of reading two files.
pub(super) fn order(a: (SystemTime, &Path), b: (SystemTime, &Path)) -> Ordering {
    a.0.cmp(&b.0).then_with(|| {
        let (first, second) = (a.1.as_os_str().as_bytes(), b.1.as_os_str().as_bytes());
        if first.starts_with(second) || second.starts_with(first) {
            return second.len().cmp(&first.len());
        }
        let name = |path: &Path| path.file_name().unwrap_or_default().to_owned();
        natural(name(a.1).as_bytes(), name(b.1).as_bytes()).then_with(|| first.cmp(second))
    })
}

/// Compares names with their runs of digits as numbers.
fn natural(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let (Some(&first), Some(&second)) = (a.first(), b.first()) else {
            return a.len().cmp(&b.len());
        };
        if first.is_ascii_digit() && second.is_ascii_digit() {
            let (left, rest_a) = number(a);
            let (right, rest_b) = number(b);
            let ordering = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
            if ordering.is_ne() {
                return ordering;
            }
            (a, b) = (rest_a, rest_b);
        } else if first == second {
            (a, b) = (&a[1..], &b[1..]);
        } else {
            return first.cmp(&second);
        }
    }
}

/// The digits that `text` begins with, without leading zeros, and what follows them.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let zeros = digits.iter().position(|&digit| digit != b'0').unwrap_or(digits.len());
    (&digits[zeros..], rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_compare_as_numbers() {
        let mut names = ["e_10.json", "e_0009.json", "e.json", "e_9999.json", "e_10000.json"];
        names.sort_by(|a, b| natural(a.as_bytes(), b.as_bytes()));
        assert_eq!(names, ["e.json", "e_0009.json", "e_10.json", "e_9999.json", "e_10000.json"]);
    }

    #[test]
    fn the_base_of_a_pattern_is_the_part_without_wildcards() {
        let base = |text| Pattern::new(text).unwrap().base;
        assert_eq!(base("/logs/ems/events.json"), Path::new("/logs/ems"));
        assert_eq!(base("/logs/*/events_*.json"), Path::new("/logs"));
        assert_eq!(base("events*.json"), Path::new("."));
        assert_eq!(base("events.json"), Path::new("."));
    }
}
