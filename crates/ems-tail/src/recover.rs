//! Files of the checkpoint that log rotation has renamed or compressed while no follower ran: their rest is read first.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tracing::{info, warn};

use super::admit::is_copy_name;
use super::checkpoint::SavedFile;
use super::compression::{compression, decompress};
use super::fingerprint::HEAD;
use super::followed::{Followed, Name};
use super::follower::Follower;
use super::listing::{Identity, Listed, modified, order};
use super::regular;
use super::status::Reason;

/// How many files of the checkpoint that match nothing now are kept in it.
const MAX_MISSING: usize = 1024;
/// Most compressed files that are looked at, the newest of a directory.
const MAX_COMPRESSED: usize = 256;
/// The most bytes that all compressed files may have without compression; the rest is not read.
const MAX_BYTES: u64 = 1 << 30;

/// A compressed file that may hold what was not read.
struct Compressed {
    path: PathBuf,
    /// Its name without the suffix of the compression.
    plain: PathBuf,
    modified: SystemTime,
    /// The pattern of the followed files whose name it has, but for suffixes.
    pattern: Option<usize>,
}

impl Follower {
    /// Finds the files of the checkpoint that no name of a pattern leads to any more: they are in the same directory, under
    /// another name or compressed. Files that were written and compressed since the checkpoint are found, too.
    pub(super) fn recover(&mut self, listing: &[Listed]) {
        let surplus = self.saved.len().saturating_sub(MAX_MISSING + listing.len());
        self.saved.drain(..surplus);
        if self.newest.is_none() {
            return;
        }
        let of_saved = self.saved.iter().filter_map(|saved| saved.path.parent());
        let of_patterns = self.patterns.iter().map(|pattern| pattern.directory());
        let directories: BTreeSet<PathBuf> = of_saved.chain(of_patterns).map(Path::to_owned).collect();
        let mut found = Vec::new();
        let mut space = MAX_BYTES;
        for directory in directories {
            let searched = if directory.as_os_str().is_empty() { Path::new(".") } else { &directory };
            let entries: Vec<DirEntry> = fs::read_dir(searched).into_iter().flatten().flatten().collect();
            self.recover_renamed(&directory, &entries, listing, &mut found);
            self.recover_compressed(&entries, listing, &mut space, &mut found);
        }
        found.sort_by_key(|file| file.modified);
        for mut file in found {
            file.sequence = self.next_sequence();
            self.files.insert(file.identity, file);
        }
    }

    /// Finds files under names that no pattern matches.
    fn recover_renamed(
        &mut self,
        directory: &Path,
        entries: &[DirEntry],
        listing: &[Listed],
        found: &mut Vec<Followed>,
    ) {
        let listed: HashSet<Identity> = listing.iter().map(|listed| listed.identity).collect();
        let here = |saved: &&SavedFile| saved.path.parent() == Some(directory);
        let lost = self.saved.iter().filter(here).filter(|saved| !listed.contains(&saved.identity()));
        let mut by_inode: HashMap<u64, Vec<SavedFile>> = HashMap::new();
        for saved in lost {
            by_inode.entry(saved.inode).or_default().push(saved.clone());
        }
        for entry in entries {
            for saved in by_inode.get(&entry.ino()).into_iter().flatten() {
                match self.renamed(&entry.path(), saved) {
                    Ok(Some(file)) => {
                        info!(path = %file.path.display(), "the file was renamed while it was not followed, its rest is read first");
                        self.saved.retain(|saved| saved.identity() != file.identity);
                        found.push(file);
                    }
                    Ok(None) => {}
                    Err(error) => warn!(path = %entry.path().display(), %error, "cannot read a renamed file"),
                }
            }
        }
    }

    fn renamed(&self, path: &Path, saved: &SavedFile) -> io::Result<Option<Followed>> {
        if !fs::metadata(path)?.is_file() {
            return Ok(None);
        }
        let handle = regular::open(path)?;
        let metadata = handle.metadata()?;
        if Identity::of(&metadata) != saved.identity() || !saved.fits(&handle)? {
            return Ok(None);
        }
        let Some(pattern) = self.pattern_of(&saved.path) else { return Ok(None) };
        let mut file = self.nameless(saved.path.clone(), pattern, modified(&metadata), handle)?;
        file.resume(saved, self.format)?;
        Ok(Some(file))
    }

    /// A file that no name of a pattern leads to.
    fn nameless(
        &self,
        path: PathBuf,
        pattern: usize,
        modified: SystemTime,
        handle: File,
    ) -> io::Result<Followed> {
        let metadata = handle.metadata()?;
        let (identity, length) = (Identity::of(&metadata), metadata.len());
        let mut file = Followed::new(Listed { path, identity, length, modified, pattern }, 0, 0, self.format);
        file.name = Name::Lost;
        file.handle = Some(handle);
        Ok(file)
    }

    fn pattern_of(&self, path: &Path) -> Option<usize> {
        self.patterns.iter().position(|pattern| pattern.matches(path))
    }

    /// Finds files that are compressed now: those of the checkpoint, and those written since.
    fn recover_compressed(
        &mut self,
        entries: &[DirEntry],
        listing: &[Listed],
        space: &mut u64,
        found: &mut Vec<Followed>,
    ) {
        let mut candidates: Vec<Compressed> =
            entries.iter().filter_map(|entry| self.candidate(&entry.path())).collect();
        if candidates.is_empty() {
            return;
        }
        candidates.sort_by(|a, b| order((a.modified, &a.path), (b.modified, &b.path)));
        candidates.drain(..candidates.len().saturating_sub(MAX_COMPRESSED));
        let known = self.saved.iter().chain(&self.retired).filter(|saved| saved.offset > 0);
        let mut lost: Vec<SavedFile> = known.cloned().collect();
        // Of one content the newest position counts.
        lost.sort_by_key(|saved| Reverse(saved.offset));
        // What is still there under some name is not read from a compressed copy.
        let found_saved = found.iter().map(Followed::saved);
        let mut present: Vec<SavedFile> = found_saved.filter(|saved| saved.offset > 0).collect();
        for file in listing.iter().filter_map(|listed| regular::open(&listed.path).ok()) {
            present.extend(lost.extract_if(.., |saved| saved.fits(&file).unwrap_or(false)));
        }
        for candidate in candidates {
            match self.decompressed(&candidate, &lost, &present, space) {
                Ok(Some((file, saved))) => {
                    info!(
                        path = %candidate.path.display(),
                        "the file was compressed while it was not followed, its rest is read first"
                    );
                    self.saved.retain(|other| saved.as_ref() != Some(other));
                    found.push(file);
                }
                Ok(None) => {}
                Err(error) => {
                    warn!(path = %candidate.path.display(), %error, "cannot read a compressed file, entries in it are lost");
                    self.status.count_error(Reason::VanishedUnread);
                }
            }
        }
    }

    /// A compressed file, by its name.
    fn candidate(&self, path: &Path) -> Option<Compressed> {
        let plain = path.with_extension("");
        let suffix = path.extension().and_then(OsStr::to_str);
        if !matches!(suffix, Some("gz" | "zst")) || plain.exists() {
            return None;
        }
        let copied = self.saved.iter().find(|saved| is_copy_name(path, &saved.path));
        let named = |text: &str| is_copy_name(path, Path::new(text));
        let pattern = copied
            .and_then(|saved| self.pattern_of(&saved.path))
            .or_else(|| self.pattern_of(&plain))
            .or_else(|| self.patterns.iter().position(|pattern| named(pattern.text())));
        let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(Compressed { path: path.to_owned(), plain, modified: modified(&metadata), pattern })
    }

    /// The content of a compressed file, if a part of it was not read: of one of the `lost` files the rest, of one that was
    /// written after the checkpoint all, if its name says that it was to be followed.
    fn decompressed(
        &self,
        file: &Compressed,
        lost: &[SavedFile],
        present: &[SavedFile],
        space: &mut u64,
    ) -> io::Result<Option<(Followed, Option<SavedFile>)>> {
        let Some(checkpoint) = &self.checkpoint else { return Ok(None) };
        let is_newer = self.newest.is_some_and(|newest| file.modified >= newest);
        let new = file.pattern.filter(|_| is_newer);
        let mut head = vec![0; HEAD];
        let length = regular::open(&file.path)?.read(&mut head)?;
        let Some(compression) = compression(&head[..length]) else { return Ok(None) };
        let mut content = Vec::new();
        match decompress(compression, regular::open(&file.path)?, HEAD as u64, &mut content) {
            Err(_) if new.is_none() => {}
            Err(error) if error.kind() != io::ErrorKind::FileTooLarge => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let is_known = lost.iter().any(|saved| saved.head.begins(&content));
        if !is_known && new.is_none() {
            return Ok(None);
        }
        let mut plain = tempfile::tempfile_in(checkpoint.directory())?;
        decompress(compression, regular::open(&file.path)?, *space, &mut plain)?;
        *space = space.saturating_sub(plain.metadata()?.len());
        for saved in lost {
            if saved.fits(&plain)?
                && let Some(pattern) = self.pattern_of(&saved.path)
            {
                let mut followed = self.nameless(saved.path.clone(), pattern, file.modified, plain)?;
                followed.resume(saved, self.format)?;
                return Ok(Some((followed, Some(saved.clone()))));
            }
        }
        let Some(pattern) = new else { return Ok(None) };
        if present.iter().any(|saved| saved.fits(&plain).unwrap_or(false)) {
            return Ok(None);
        }
        Ok(Some((self.nameless(file.plain.clone(), pattern, file.modified, plain)?, None)))
    }
}
