//! The rows of the outputs of one server, and how they are found.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;

use hashbrown::HashMap;
use slab::Slab;

use super::format::Format;
use super::paths;
use super::row::{Identity, Row};
use crate::exposition::bounded;
use crate::model::OVERFLOW;
use ems_protocol::Timestamp;

/// Most outputs of one stream name that have series of their own: groups may be named at random.
const OUTPUTS_PER_STREAM: usize = 64;
/// Most outputs for each stream name that may have series of its own, all in all.
const OUTPUTS_PER_NAME: usize = 4;
/// Most folders that lead to one output.
const FOLDERS: usize = 8;

/// An output that may have been removed since. The record of each chunk holds one: a name would cost
/// it more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputRef {
    row: u32,
    serial: NonZeroU32,
}

/// How many folders of a path may be that of its output: DASH and MSS have the most, three. A path of thousands costs no
/// more.
const LEVELS: usize = 16;

/// Where a folder leads.
#[derive(Debug, Clone, Copy)]
struct Place {
    row: usize,
    /// Whether the server named the folder, rather than the path of a file in it.
    announced: bool,
}

/// Rows by identity and by folder.
#[derive(Debug)]
pub(super) struct Rows {
    rows: Slab<Row>,
    by_identity: HashMap<Identity, usize>,
    by_folder: HashMap<(Format, Arc<str>), Place>,
    /// How many rows each stream name has.
    streams: HashMap<Arc<str>, usize>,
    limit: usize,
    overflows: u64,
    /// The serial number of the last row that was made.
    last_serial: NonZeroU32,
}

impl std::ops::Index<usize> for Rows {
    type Output = Row;

    fn index(&self, index: usize) -> &Row {
        &self.rows[index]
    }
}

impl std::ops::IndexMut<usize> for Rows {
    fn index_mut(&mut self, index: usize) -> &mut Row {
        &mut self.rows[index]
    }
}

impl Rows {
    /// No rows; at most `limit` stream names will have rows of their own.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            rows: Slab::new(),
            by_identity: HashMap::new(),
            by_folder: HashMap::new(),
            streams: HashMap::new(),
            limit,
            overflows: 0,
            last_serial: NonZeroU32::MIN,
        }
    }

    /// How many outputs have a row of their own.
    pub(super) fn own(&self) -> usize {
        self.rows.len() - self.streams.get(OVERFLOW).copied().unwrap_or(0)
    }

    /// Most outputs that have a row of their own.
    pub(super) const fn limit(&self) -> usize {
        self.limit.saturating_mul(OUTPUTS_PER_NAME)
    }

    /// How many times an output shared the row of [`OVERFLOW`].
    pub(super) const fn overflows(&self) -> u64 {
        self.overflows
    }

    pub(super) fn iter(&self) -> slab::Iter<'_, Row> {
        self.rows.iter()
    }

    pub(super) fn iter_mut(&mut self) -> slab::IterMut<'_, Row> {
        self.rows.iter_mut()
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Row> {
        self.rows.get_mut(index)
    }

    pub(super) fn reference(&self, index: usize) -> Option<OutputRef> {
        Some(OutputRef { row: u32::try_from(index).ok()?, serial: self.rows.get(index)?.serial })
    }

    /// The row of a reference, unless it has been removed.
    pub(super) fn resolve(&self, output: OutputRef) -> Option<&Row> {
        self.rows.get(output.row as usize).filter(|row| row.serial == output.serial)
    }

    /// The row of a reference, unless it has been removed.
    pub(super) fn resolve_mut(&mut self, output: OutputRef) -> Option<&mut Row> {
        self.rows.get_mut(output.row as usize).filter(|row| row.serial == output.serial)
    }

    pub(super) fn by_identity(&self, identity: &Identity) -> Option<usize> {
        self.by_identity.get(identity).copied()
    }

    pub(super) fn by_folder(&self, format: Format, folder: &str) -> Option<usize> {
        self.by_folder.get(&Folder(format, folder)).map(|place| place.row)
    }

    /// The server names this folder as that of a row.
    pub(super) fn announce(&mut self, index: usize, format: Format, folder: &str) {
        self.assign_folder(index, format, folder);
        if let Some(place) =
            self.by_folder.get_mut(&Folder(format, folder)).filter(|place| place.row == index)
        {
            place.announced = true;
        }
    }

    /// The nearest folder of a normalised path that the server named; for a recording, its path without extension and
    /// part number.
    pub(super) fn announced(&self, format: Format, path: &str) -> Option<Arc<str>> {
        let find = |folder: &str| {
            let (key, place) = self.by_folder.get_key_value(&Folder(format, folder))?;
            place.announced.then(|| Arc::clone(&key.1))
        };
        nearest(format, path, find)
    }

    /// The folders of open outputs that the server named.
    pub(super) fn announced_folders(&self) -> impl Iterator<Item = (Format, &Arc<str>)> {
        let announced =
            self.by_folder.iter().filter(|(_, place)| place.announced && self.rows[place.row].open());
        announced.map(|((format, folder), _)| (*format, folder))
    }

    /// The output whose folder holds a normalised path.
    pub(super) fn by_path(&self, format: Format, path: &str) -> Option<usize> {
        nearest(format, path, |folder| self.by_folder(format, folder))
    }

    /// The row of an output, made if it is not there; beyond the limits one that stands for all.
    pub(super) fn find_or_make(
        &mut self,
        format: Format,
        group: &str,
        stream: &str,
        folder: &str,
        now: Timestamp,
    ) -> usize {
        let (group, stream) = (bounded(Cow::Borrowed(group)), bounded(Cow::Borrowed(stream)));
        let identity = Identity { format, group: Arc::from(&*group), stream: Arc::from(&*stream) };
        if let Some(index) = self.by_identity(&identity) {
            self.assign_folder(index, format, folder);
            return index;
        }
        let of_stream = self.streams.get(&identity.stream).copied().unwrap_or(0);
        let names = self.streams.len() - usize::from(self.streams.contains_key(OVERFLOW));
        let full = of_stream >= OUTPUTS_PER_STREAM
            || (of_stream == 0 && names >= self.limit)
            || self.own() >= self.limit();
        if full && &*identity.stream != OVERFLOW {
            self.overflows += 1;
            return self.overflow(format, now);
        }
        *self.streams.entry(Arc::clone(&identity.stream)).or_default() += 1;
        // Wraps after four thousand million outputs, of which the records hold a hundred.
        self.last_serial = self.last_serial.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let index = self.rows.insert(Row::new(identity.clone(), self.last_serial, now));
        self.by_identity.insert(identity, index);
        self.assign_folder(index, format, folder);
        index
    }

    /// The row that stands for all outputs of a format without rows of their own.
    pub(super) fn overflow(&mut self, format: Format, now: Timestamp) -> usize {
        self.find_or_make(format, OVERFLOW, OVERFLOW, "", now)
    }

    /// Lets the folder lead to this row. A row that was only guessed from the folder's name is merged
    /// into the one that the server named.
    pub(super) fn assign_folder(&mut self, index: usize, format: Format, folder: &str) {
        if folder.is_empty() || self.by_folder(format, folder) == Some(index) {
            return;
        }
        let folder: Arc<str> = Arc::from(folder);
        let place = Place { row: index, announced: false };
        let before = self.by_folder.insert((format, Arc::clone(&folder)), place);
        if let Some(Place { row: guess, .. }) = before
            && self.rows.get(guess).is_some_and(|row| row.adopted)
            && let Some(guess) = self.remove(guess)
        {
            self.rows[index].absorb(guess);
        }
        let folders = &mut self.rows[index].folders;
        folders.push(folder);
        if folders.len() > FOLDERS {
            let oldest = folders.remove(0);
            self.release_folder(index, format, oldest);
        }
    }

    /// Lets a folder lead nowhere, unless it leads to another row by now.
    fn release_folder(&mut self, index: usize, format: Format, folder: Arc<str>) {
        let key = (format, folder);
        if self.by_folder.get(&key).is_some_and(|place| place.row == index) {
            self.by_folder.remove(&key);
        }
    }

    /// Removes a row that has no writer.
    pub(super) fn remove(&mut self, index: usize) -> Option<Row> {
        let mut row = self.rows.try_remove(index)?;
        self.by_identity.remove(&row.identity);
        for folder in row.folders.drain(..) {
            self.release_folder(index, row.identity.format, folder);
        }
        if let Some(rows) = self.streams.get_mut(&row.identity.stream) {
            *rows -= 1;
            if *rows == 0 {
                self.streams.remove(&row.identity.stream);
            }
        }
        Some(row)
    }
}

/// The first of the folders of a normalised path, the nearest first, that `find` knows; for a recording, its path
/// without extension and part number stands for them.
fn nearest<T>(format: Format, path: &str, mut find: impl FnMut(&str) -> Option<T>) -> Option<T> {
    if format == Format::Record {
        find(paths::recording(path))
    } else {
        paths::folders(path).take(LEVELS).find_map(find)
    }
}

/// A borrowed key of the map by folder.
#[derive(Hash)]
struct Folder<'f>(Format, &'f str);

impl hashbrown::Equivalent<(Format, Arc<str>)> for Folder<'_> {
    fn equivalent(&self, key: &(Format, Arc<str>)) -> bool {
        self.0 == key.0 && *self.1 == *key.1
    }
}
