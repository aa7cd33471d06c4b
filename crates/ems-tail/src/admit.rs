//! New, renamed and vanished files, and where to start reading a new file.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tracing::{info, warn};

use super::checkpoint::SavedFile;
use super::fingerprint::HEAD;
use super::followed::{Followed, Name, State};
use super::follower::Follower;
use super::listing::{Identity, Listed};
use super::mounts::mounted_files;
use super::options::Start;
use super::status::{Reason, Rotation};

/// How many finished files are remembered in case their name comes back.
const MAX_RETIRED: usize = 1024;

impl Follower {
    /// Forgets the files of the checkpoint that are gone: their pattern matches others, and
    /// none of these can still turn out to be one of them.
    pub(super) fn forget_missing(&mut self) {
        let (patterns, files) = (&self.patterns, &self.files);
        self.saved.retain(|saved| {
            let pattern = patterns.iter().position(|pattern| pattern.matches(&saved.path));
            let mut others =
                files.values().filter(|file| file.is_named() && Some(file.pattern) == pattern).peekable();
            pattern.is_some() && (others.peek().is_none() || others.any(|file| !file.is_started()))
        });
    }

    /// Updates the followed files from the names that match now.
    pub(super) fn admit(&mut self, listing: &[Listed]) {
        let fresh: Vec<&Listed> =
            listing.iter().filter(|listed| !self.files.contains_key(&listed.identity)).collect();
        let mut former = HashMap::new();
        if !fresh.is_empty() {
            former = self.files.values().map(|file| (file.path.clone(), file.identity)).collect();
        }
        let named: HashSet<Identity> = listing.iter().map(|listed| listed.identity).collect();
        for file in self.files.values_mut().filter(|file| !named.contains(&file.identity)) {
            file.name = Name::Lost;
        }
        let found: Vec<&Path> = listing
            .iter()
            .filter(|listed| self.files.get(&listed.identity).is_none_or(|file| !file.is_named()))
            .map(|listed| listed.path.as_path())
            .collect();
        let mounted = if found.is_empty() { Vec::new() } else { mounted_files(found.into_iter()) };
        let name = |path: &Path| if mounted.contains(&path) { Name::MountPoint } else { Name::Matched };
        for listed in listing {
            if let Some(file) = self.files.get_mut(&listed.identity) {
                if !file.is_named() {
                    file.name = name(&listed.path);
                }
                file.length = listed.length;
                file.modified = listed.modified;
                file.pattern = listed.pattern;
                if file.path != listed.path {
                    info!(from = %file.path.display(), to = %listed.path.display(), "a followed file was renamed");
                    file.path.clone_from(&listed.path);
                    self.unsaved = true;
                }
            }
        }
        for listed in fresh {
            self.count_arrival(listed, former.get(&listed.path));
            let start = self.start_of(listed);
            let mut file = Followed::new(listed.clone(), self.next_sequence(), start, self.format);
            file.name = name(&listed.path);
            info!(path = %file.path.display(), bytes = file.length, "following a file");
            self.files.insert(file.identity, file);
            self.unsaved = true;
        }
        self.release_vanished(listing);
        for file in self.files.values().filter(|file| file.name == Name::MountPoint) {
            let advice =
                "this file is itself a mount point, its rotation cannot be seen: mount its directory instead";
            self.troubles.enter(&file.path, Reason::FileMountPoint, advice);
        }
    }

    pub(super) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Counts the rotation that brought a new file.
    fn count_arrival(&mut self, listed: &Listed, former: Option<&Identity>) {
        let kind = match former.and_then(|identity| self.files.get(identity)) {
            Some(old) => {
                if fs::symlink_metadata(&listed.path).is_ok_and(|metadata| metadata.is_symlink()) {
                    Rotation::Relinked
                } else if old.is_named() || old.links().is_some_and(|links| links > 0) {
                    Rotation::Renamed
                } else {
                    Rotation::Replaced
                }
            }
            None if self.polled && self.files.values().any(|file| file.pattern == listed.pattern) => {
                Rotation::Next
            }
            None => return,
        };
        self.status.count_rotation(kind);
    }

    /// Where to start reading a new file unless it is in the checkpoint.
    fn start_of(&self, listed: &Listed) -> u64 {
        let known = self.saved_patterns.iter().any(|known| known == self.patterns[listed.pattern].text());
        match self.start {
            Start::Beginning | Start::SavedOrBeginning => 0,
            Start::End | Start::SavedOrEnd if self.polled => 0,
            // The checkpoint lists all files of its patterns, so this one is newer.
            Start::SavedOrEnd if known => 0,
            Start::End | Start::SavedOrEnd => listed.length,
        }
    }

    /// Drops the files whose name is gone and that are not open. While a pattern matches
    /// nothing at all, its directory may only be out of reach: then they stay.
    fn release_vanished(&mut self, listing: &[Listed]) {
        let reached: HashSet<usize> = listing.iter().map(|listed| listed.pattern).collect();
        let gone: Vec<Identity> = self
            .files
            .values()
            .filter(|file| !file.is_named() && file.handle.is_none() && reached.contains(&file.pattern))
            .map(|file| file.identity)
            .collect();
        for identity in gone {
            self.drop_file(identity, Reason::VanishedUnread);
        }
    }

    /// Releases a file; `loss` is the reason if it has bytes that were not delivered.
    pub(super) fn drop_file(&mut self, identity: Identity, loss: Reason) {
        let Some(file) = self.files.remove(&identity) else { return };
        let bytes = file.behind();
        if bytes > 0 {
            warn!(path = %file.path.display(), bytes, reason = loss.name(), "the end of a file could not be delivered");
            self.status.count_error(loss);
        } else {
            info!(path = %file.path.display(), "a file is finished");
        }
        if file.is_started() {
            self.remember(file.saved());
        }
        self.unsaved = true;
    }

    /// Decides where to start reading an open file. False: it is a copy that is still being made, or all of
    /// it is to be read in the original as well; ask again at the next poll.
    pub(super) fn start_file(&mut self, file: &mut Followed) -> io::Result<bool> {
        let Some(handle) = &file.handle else { return Ok(false) };
        // A file that was not read has no fingerprint that distinguishes it from a new one with the same inode.
        let itself = |saved: &SavedFile| saved.identity() == file.identity && saved.offset > 0;
        // The device number of a network mount, or the inode of a restored file, has changed.
        let files = &self.files;
        let moved = |saved: &SavedFile| {
            saved.path.as_os_str() == file.path.as_os_str()
                && saved.offset > 0
                && !files.contains_key(&saved.identity())
        };
        let mut known = take_fitting(&mut self.saved, handle, itself)?;
        if known.is_none() {
            known = take_fitting(&mut self.retired, handle, itself)?;
        }
        if known.is_none() {
            known = take_fitting(&mut self.saved, handle, moved)?;
        }
        if known.is_none() {
            known = take_fitting(&mut self.retired, handle, moved)?;
        }
        // An editor, or a program that synchronises files, puts a new file with the same content in the place of the old
        // one, a long file in several writes. A few equal bytes are no sign of that: W3C files begin alike.
        for old in files.values().filter(|old| old.is_started() && old.checked_as == file.path) {
            if old.offset > 0 && old.saved().fits(handle)? {
                known = known.or_else(|| Some(old.saved()));
            } else if old.links() == Some(0)
                && (HEAD as u64..old.offset).contains(&file.length)
                && file.is_copy_of(old)?
            {
                file.state = State::Copy;
                return Ok(false);
            }
        }
        if let Some(saved) = known {
            file.resume(&saved, self.format)?;
            return Ok(true);
        }
        self.start_originals_of(file);
        let was_copy = std::mem::replace(&mut file.state, State::New) == State::Copy;
        for original in self.files.values().filter(|original| is_copy_name(&file.path, &original.checked_as))
        {
            if original.is_started() && file.length != original.offset && file.is_copy_of(original)? {
                file.state = State::Copy;
                return Ok(false);
            }
        }
        if let Some(copied) = self.copied(file, handle)? {
            file.resume(&copied, self.format)?;
            return Ok(true);
        }
        let unread = |saved: &SavedFile| saved.identity() == file.identity && saved.offset == 0;
        let beyond =
            |retired: &SavedFile| retired.offset > file.length && is_copy_name(&file.path, &retired.path);
        if was_copy && self.retired.iter().any(beyond) {
            // The original was read further than it was copied, and is truncated now.
            file.offset = file.length;
        } else if let Some(index) = self.saved.iter().position(unread) {
            file.resume(&self.saved.remove(index), self.format)?;
            return Ok(true);
        } else if let Some(index) = self.saved.iter().position(|saved| saved.identity() == file.identity) {
            // A copy of what was there before may still turn up.
            let former = self.saved.remove(index);
            self.remember(former);
            self.status.count_rotation(Rotation::Truncated);
            file.offset = 0;
        }
        file.start(self.format)?;
        Ok(true)
    }

    /// Decides where to start reading the files that `file` may be a copy of.
    fn start_originals_of(&mut self, file: &Followed) {
        let undecided = |other: &&Followed| !other.is_started() && is_copy_name(&file.path, &other.path);
        let originals: Vec<Identity> =
            self.files.values().filter(undecided).map(|original| original.identity).collect();
        for identity in originals {
            let Some(mut original) = self.files.remove(&identity) else { continue };
            self.inspect(&mut original);
            self.files.insert(identity, original);
        }
    }

    /// The file that `file` was copied from before that one was truncated: what was delivered
    /// from the original is not delivered again from the copy.
    fn copied(&self, file: &Followed, handle: &File) -> io::Result<Option<SavedFile>> {
        let copied = |path: &Path, offset: u64| offset > 0 && is_copy_name(&file.path, path);
        let known = self.saved.iter().chain(&self.retired).filter(|saved| copied(&saved.path, saved.offset));
        let started = self.files.values().filter(|original| original.is_started());
        let followed = started.filter(|original| copied(&original.checked_as, original.offset));
        for saved in known.cloned().chain(followed.map(Followed::saved)) {
            if saved.fits(handle)? {
                return Ok(Some(saved));
            }
        }
        Ok(None)
    }

    /// Remembers how far the content that a file has lost, or a file that is let go, was read.
    pub(super) fn remember(&mut self, saved: SavedFile) {
        self.retired.push(saved);
        if self.retired.len() > MAX_RETIRED {
            self.retired.remove(0);
        }
    }
}

/// Takes the first of `known` that is `wanted` and whose content `handle` carries.
fn take_fitting(
    known: &mut Vec<SavedFile>,
    handle: &File,
    wanted: impl Fn(&SavedFile) -> bool,
) -> io::Result<Option<SavedFile>> {
    for (index, saved) in known.iter().enumerate() {
        if wanted(saved) && saved.fits(handle)? {
            return Ok(Some(known.remove(index)));
        }
    }
    Ok(None)
}

/// Whether `path` is the name that log rotation gives to a copy of `original`: its whole name
/// with a suffix, in the same directory.
pub(super) fn is_copy_name(path: &Path, original: &Path) -> bool {
    let path = path.as_os_str().as_bytes();
    path.strip_prefix(original.as_os_str().as_bytes())
        .is_some_and(|rest| !rest.is_empty() && !rest.contains(&b'/'))
}
