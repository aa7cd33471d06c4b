//! Opens files, detects changes of their content, reads them and releases them.

use std::io::{self, ErrorKind};

use tracing::{info, warn};

use super::checkpoint::SavedFile;
use super::drain::Frame;
use super::followed::{Followed, State};
use super::follower::Follower;
use super::listing::{Identity, Listed, order, reason};
use super::status::{Progress, Reason, Rotation};

/// How many files are kept open: an open file can be read to its end after it has lost its
/// name. The files changed last are the ones; the others are opened when they change.
pub(super) const OPEN_FILES: usize = 64;

/// How many renamed files, whose writers may still have them open, are kept open at most.
const NAMELESS_FILES: usize = 32;

/// How many bytes one poll reads before it returns to its caller.
pub(super) const POLL_BUDGET: u64 = 16 * 1024 * 1024;

impl Follower {
    /// Checks the content of every file that may have changed, those changed last first: they are
    /// the most likely to lose their name next.
    pub(super) fn check_contents(&mut self) {
        let mut due: Vec<_> = self
            .files
            .values()
            .filter(|file| file.due())
            .map(|file| (file.modified, file.identity))
            .collect();
        due.sort_by_key(|&(modified, _)| std::cmp::Reverse(modified));
        let mut open = self.files.values().filter(|file| file.handle.is_some()).count();
        for (_, identity) in due {
            let Some(mut file) = self.files.remove(&identity) else { continue };
            let was_open = file.handle.is_some();
            self.inspect(&mut file);
            if !was_open && file.handle.is_some() {
                if open < OPEN_FILES {
                    open += 1;
                } else {
                    file.handle = None;
                }
            }
            self.files.insert(identity, file);
        }
        for file in self.files.values().filter(|file| file.state == State::UnknownFormat) {
            let detail = file.remedy.unwrap_or("its format is unknown");
            self.troubles.enter(
                &file.path,
                Reason::UnknownFormat,
                &format!("the file is not read: {detail}"),
            );
        }
    }

    /// Opens a file, decides where to start reading, and checks whether it is still the same. Returns
    /// whether it can be read.
    pub(super) fn inspect(&mut self, file: &mut Followed) -> bool {
        let unread = file.checked.is_some_and(|(length, _)| length > file.offset);
        // A copy was made under the name that the file had then.
        let before = file.is_started().then(|| SavedFile { path: file.checked_as.clone(), ..file.saved() });
        let format = self.format;
        let unchanged = file.open().and_then(|open| {
            let started = open && (file.is_started() || self.start_file(file)?);
            if started { file.check(format).map(Some) } else { Ok(None) }
        });
        match unchanged {
            Ok(Some(true)) => true,
            Ok(Some(false)) => {
                info!(path = %file.path.display(), bytes = file.length, "the file was truncated or replaced, it is read from its start");
                self.status.count_rotation(Rotation::Truncated);
                if unread {
                    warn!(path = %file.path.display(), "the file was truncated before its end could be delivered");
                    self.status.count_error(Reason::TruncatedUnread);
                }
                if let Some(before) = before {
                    self.truncated.push(before.clone());
                    self.remember(before);
                }
                self.unsaved = true;
                true
            }
            // Another file has the name by now, or a copy is still being made.
            Ok(None) => false,
            Err(error) => {
                self.close_failed(file, &error);
                false
            }
        }
    }

    /// Closes a file that cannot be read, to open it again if it has a name, and reports the error unless the name has
    /// just been lost.
    fn close_failed(&mut self, file: &mut Followed, error: &io::Error) {
        if error.kind() != ErrorKind::NotFound {
            let reason = reason(error.kind(), Reason::ReadFailed);
            self.troubles.enter(&file.path, reason, &format!("cannot read the file: {error}"));
        }
        file.checked = None;
        if file.is_named() {
            file.handle = None;
        }
    }

    /// Reads what the files contain after their offsets, one after the other in the order of
    /// their writing: first those that have lost their name, each before its successor.
    pub(super) fn read(&mut self, sink: &mut impl FnMut(Frame<'_>)) -> Progress {
        let mut ready: Vec<&Followed> = self
            .files
            .values()
            .filter(|file| file.is_started() && file.behind() > 0 && file.readable())
            .collect();
        ready.sort_by(|a, b| {
            let nameless = if a.is_named() || b.is_named() {
                a.is_named().cmp(&b.is_named())
            } else {
                a.sequence.cmp(&b.sequence)
            };
            nameless.then_with(|| order((a.modified, &a.path), (b.modified, &b.path)))
        });
        let ready: Vec<Identity> = ready.into_iter().map(|file| file.identity).collect();
        let mut progress = Progress::default();
        for identity in ready {
            if progress.bytes >= POLL_BUDGET {
                progress.more = true;
                break;
            }
            let Some(mut file) = self.files.remove(&identity) else { continue };
            if file.handle.is_some() || self.inspect(&mut file) {
                self.read_one(&mut file, &mut progress, sink);
            }
            self.files.insert(identity, file);
        }
        progress
    }

    fn read_one(&mut self, file: &mut Followed, progress: &mut Progress, sink: &mut impl FnMut(Frame<'_>)) {
        let budget = POLL_BUDGET - progress.bytes;
        let drained = self.reader.drain(file, budget, progress, sink);
        file.length = file.length.max(file.offset);
        match drained.and_then(|ended| file.update_head().map(|()| ended)) {
            Ok(true) => file.ended = file.checked,
            Ok(false) => progress.more = true,
            Err(error) => self.close_failed(file, &error),
        }
    }

    /// Releases the files that have lost their name and are finished. `listing` was made
    /// before they were read to their end.
    pub(super) fn retire(&mut self, listing: &[Listed]) {
        // While a pattern matches nothing at all, its directory may only be out of reach.
        let reached = |file: &Followed| listing.iter().any(|listed| listed.pattern == file.pattern);
        let mut nameless: Vec<&Followed> = self
            .files
            .values()
            .filter(|file| !file.is_named() && file.handle.is_some() && reached(file))
            .collect();
        nameless.sort_by_key(|file| file.sequence);
        let surplus = nameless.len().saturating_sub(NAMELESS_FILES);
        let finished: Vec<Identity> = nameless
            .into_iter()
            .enumerate()
            .filter(|(index, file)| *index < surplus || self.is_finished(file, listing))
            .map(|(_, file)| file.identity)
            .collect();
        for identity in finished {
            self.drop_file(identity, Reason::CutShort);
        }
    }

    /// Whether a file without a name gets no more entries: its writer has begun another one. A renamed file whose name
    /// is unused may still be written; a deleted one is released for any newer file of its pattern, since it holds
    /// space on the disk.
    fn is_finished(&self, file: &Followed, listing: &[Listed]) -> bool {
        let deleted = file.links() == Some(0);
        listing.iter().filter(|listed| listed.length > 0).any(|listed| {
            let other = self.files.get(&listed.identity);
            let newer = other.is_some_and(|other| other.sequence > file.sequence);
            let copy = other.is_some_and(|other| other.state == State::Copy);
            !copy && (listed.path == file.path || deleted && listed.pattern == file.pattern && newer)
        })
    }

    /// Closes the files that changed longest ago, beyond those that are kept open.
    pub(super) fn close_surplus(&mut self) {
        let mut open: Vec<_> = self
            .files
            .values()
            .filter(|file| file.handle.is_some() && file.is_named())
            .map(|file| (file.modified, file.identity))
            .collect();
        open.sort_by_key(|&(modified, _)| std::cmp::Reverse(modified));
        for (_, identity) in open.into_iter().skip(OPEN_FILES) {
            if let Some(file) = self.files.get_mut(&identity) {
                file.handle = None;
            }
        }
    }
}
