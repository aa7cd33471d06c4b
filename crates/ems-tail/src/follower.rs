//! The follower: all that can be done now, in one call that never blocks.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use tracing::info;

use super::checkpoint::{Checkpoint, Content, SavedFile};
use super::drain::{Frame, Reader};
use super::followed::Followed;
use super::frame::Format;
use super::listing::{Identity, Listed, Pattern, list, modified};
use super::options::{Fault, Options, Start};
use super::status::{Progress, Reason, Status, Troubles};

/// The shortest time between two writings of the checkpoint while entries arrive.
pub const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// How many finished files the checkpoint keeps.
const KEPT_FINISHED: usize = 16;

/// Follows the files of one server.
#[derive(Debug)]
pub struct Follower {
    pub(super) patterns: Vec<Pattern>,
    pub(super) format: Option<Format>,
    pub(super) start: Start,
    pub(super) files: HashMap<Identity, Followed>,
    /// Files of the checkpoint that were not found yet.
    pub(super) saved: Vec<SavedFile>,
    /// The patterns of the checkpoint.
    pub(super) saved_patterns: Vec<String>,
    /// The newest time of writing of all files that were ever listed, and of their directories: what is older was seen.
    pub(super) newest: Option<SystemTime>,
    /// Positions in content that a file has lost, and in files that were released: it may
    /// come back under another name.
    pub(super) retired: Vec<SavedFile>,
    /// Those of content that was lost since the last listing. A copy of it may exist that was not listed yet: until then
    /// the checkpoint keeps them.
    pub(super) truncated: Vec<SavedFile>,
    pub(super) reader: Reader,
    pub(super) status: Status,
    pub(super) troubles: Troubles,
    /// The sequence number of the next file.
    pub(super) sequence: u64,
    /// The first poll is over.
    pub(super) polled: bool,
    /// The checkpoint on disk is not the newest.
    pub(super) unsaved: bool,
    pub(super) checkpoint: Option<Checkpoint>,
    last_save: Option<Instant>,
    save_failure: Option<String>,
}

impl Follower {
    /// Creates a follower and reads its checkpoint. No event file is touched before the first
    /// poll.
    ///
    /// # Errors
    /// When there is no pattern, or an invalid one.
    pub fn new(options: Options) -> Result<Self, Fault> {
        let mut patterns = Vec::new();
        for text in &options.patterns {
            patterns.push(Pattern::new(text).map_err(|error| Fault::Pattern { text: text.clone(), error })?);
        }
        if patterns.is_empty() {
            return Err(Fault::NoPattern);
        }
        let checkpoint = options.storage.as_ref().map(Checkpoint::new);
        let mut status = Status::default();
        let mut content = Content::default();
        match checkpoint.as_ref().map(Checkpoint::load) {
            Some(Ok(loaded)) if matches!(options.start, Start::SavedOrEnd | Start::SavedOrBeginning) => {
                content = loaded;
            }
            Some(Err(reason)) => status.count_error(reason),
            Some(Ok(_)) | None => {}
        }
        Ok(Self {
            patterns,
            format: options.format,
            start: options.start,
            files: HashMap::new(),
            saved: content.files,
            saved_patterns: content.patterns,
            newest: content.newest,
            retired: content.finished,
            truncated: Vec::new(),
            reader: Reader::new(options.max_entry, options.finished),
            status,
            troubles: Troubles::default(),
            sequence: 0,
            polled: false,
            unsaved: true,
            checkpoint,
            last_save: None,
            save_failure: None,
        })
    }

    /// Finds new and lost names, detects changes of the files, passes new entries to `sink`, the files in the order
    /// of their writing, and writes the checkpoint when it is due. Reads 16 MiB or a little more at most;
    /// [`Progress::more`] says that there is more to read.
    ///
    /// An entry counts as delivered when `sink` returns.
    pub fn poll(&mut self, now: Instant, sink: &mut impl FnMut(Frame<'_>)) -> Progress {
        let listing = self.list();
        self.advance(&listing, now, sink)
    }

    /// The first half of a poll: finds new and lost names, and the lengths of the files. Their content is not read,
    /// except to search files of the checkpoint at the first poll.
    pub(super) fn list(&mut self) -> Vec<Listed> {
        // The listing comes first: that a new file has content proves that its writer is done
        // with the old one only if the old one is read afterwards.
        let directories = self.patterns.iter().filter_map(|pattern| fs::metadata(pattern.directory()).ok());
        let changed = directories.map(|metadata| modified(&metadata)).max();
        let listing = list(&self.patterns, &mut self.troubles);
        self.truncated.clear();
        if !self.polled {
            self.recover(&listing);
        }
        self.newest = self.newest.max(changed).max(listing.iter().map(|listed| listed.modified).max());
        self.admit(&listing);
        self.measure(Followed::behind);
        listing
    }

    /// The second half of a poll: detects changes of the content and reads.
    pub(super) fn advance(
        &mut self,
        listing: &[Listed],
        now: Instant,
        sink: &mut impl FnMut(Frame<'_>),
    ) -> Progress {
        self.check_contents();
        for remedy in self.files.values_mut().filter_map(|file| file.remedy.take()) {
            sink(Frame::Unreadable(remedy));
        }
        if !self.polled {
            self.forget_missing();
        }
        let progress = self.read(sink);
        if !progress.more {
            self.retire(listing);
        }
        self.close_surplus();
        self.polled = true;
        self.account(&progress, now);
        if self.unsaved && self.save_due(now) {
            self.save();
            self.last_save = Some(now);
        }
        if let Some((checkpoint, failure)) = self.checkpoint.as_ref().zip(self.save_failure.as_ref()) {
            self.troubles.enter(checkpoint.path(), Reason::CheckpointFailed, failure);
        }
        self.troubles.settle(&mut self.status);
        progress
    }

    /// The status after the last poll.
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// Whether a kill at this moment would repeat something: there is a checkpoint, and it is
    /// older than the last progress.
    pub(super) const fn unsaved(&self) -> bool {
        self.unsaved && self.checkpoint.is_some()
    }

    /// Writes the checkpoint if it is not the newest: the last call before a clean end.
    pub fn stop(&mut self) {
        if self.unsaved {
            self.save();
        }
    }

    /// The directories to watch now: those of the patterns, or the nearest
    /// ones above them that exist, and those that hold the files behind symlinks.
    pub(super) fn directories(&self) -> BTreeSet<PathBuf> {
        let of_patterns = self.patterns.iter().map(|pattern| pattern.directory().to_owned());
        let open = self.files.values().filter(|file| file.handle.is_some());
        of_patterns.chain(open.filter_map(|file| file.directory.clone())).collect()
    }

    /// Counts a directory that cannot be watched.
    pub(super) const fn count_watch_failure(&mut self) {
        self.status.count_error(Reason::WatchFailed);
    }

    fn account(&mut self, progress: &Progress, now: Instant) {
        let status = &mut self.status;
        status.files = self.files.values().filter(|file| file.is_event_file()).count() as u64;
        status.bytes_read += progress.bytes;
        status.entries_read += progress.entries;
        if progress.bytes > 0 {
            status.last_read = Some(now);
            self.unsaved = true;
        }
        for _ in 0..progress.rejected {
            status.count_error(Reason::EntryTooLong);
        }
        self.measure(Followed::behind_now);
    }

    pub(super) fn measure(&mut self, behind: impl Fn(&Followed) -> u64) {
        self.status.bytes_behind = self.files.values().map(behind).sum();
        self.status.measured = Some(Instant::now());
    }

    fn save_due(&self, now: Instant) -> bool {
        self.last_save.is_none_or(|last| now.duration_since(last) >= SAVE_INTERVAL)
    }

    fn save(&mut self) {
        let Some(checkpoint) = &self.checkpoint else { return };
        let patterns = self.patterns.iter().map(|pattern| pattern.text().to_owned()).collect();
        let mut followed: Vec<_> = self.files.values().filter(|file| file.is_started()).collect();
        followed.sort_by_key(|file| file.sequence);
        let followed = followed.into_iter().map(Followed::saved);
        let files = followed.chain(self.truncated.iter().chain(&self.saved).cloned()).collect();
        let finished = self.retired[self.retired.len().saturating_sub(KEPT_FINISHED)..].to_vec();
        let newest = self.newest;
        match checkpoint.save(&Content { patterns, files, finished, newest, ..Content::default() }) {
            Ok(()) => {
                self.unsaved = false;
                if self.save_failure.take().is_some() {
                    info!(path = %checkpoint.path().display(), "the checkpoint is written again");
                }
            }
            Err(error) => self.save_failure = Some(format!("cannot write the checkpoint: {error}")),
        }
    }
}
