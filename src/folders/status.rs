//! The state of folders as last known, and its metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use strum::{EnumCount, IntoStaticStr, VariantArray};

use crate::exposition::{Kind, Metric};

/// For how long the last look at a folder is exposed.
const FRESH: Duration = Duration::from_secs(60);

/// The outcome of a closed chunk in an announced folder.
#[derive(Debug, Clone, Copy, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Outcome {
    /// Its size is known.
    Measured,
    /// The folder holds no such file by now.
    Missing,
    /// Its folder cannot be read, or it is not below its folder.
    Unreadable,
    /// A queue or another limit was full.
    Dropped,
}

/// The last look at the folders of a server below one mount point.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) announced: usize,
    pub(super) readable: usize,
    pub(super) unreadable: usize,
    /// By the mount points to which symbolic links lead.
    pub(super) free: Vec<(PathBuf, u64)>,
    /// When it ended; none before the first one.
    pub(super) at: Option<Instant>,
}

#[derive(Debug, Default)]
pub(super) struct Status {
    files: [u64; Outcome::COUNT],
    pub(super) looks: BTreeMap<PathBuf, Look>,
    /// Folders beyond the limit, which are not looked at.
    pub(super) untracked: usize,
    /// The kinds of errors that have been logged.
    noticed: BTreeSet<ErrorKind>,
}

/// The folders of one server at a scrape.
#[derive(Debug, Default)]
pub struct Reading {
    files: [u64; Outcome::COUNT],
    readable: usize,
    unreadable: usize,
    unknown: usize,
    untracked: usize,
    free: BTreeMap<String, u64>,
}

/// What is known by now of the folders of each server.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<BTreeMap<String, Status>>);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Status>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, server: &str, outcome: Outcome) {
        self.lock().entry(server.to_owned()).or_default().files[outcome as usize] += 1;
    }

    /// Logs that a folder cannot be read: once for each server and kind of error.
    pub(super) fn notice(&self, server: &str, folder: &Path, error: &Error) {
        let new = self.lock().entry(server.to_owned()).or_default().noticed.insert(error.kind());
        let folder = folder.display();
        if new {
            tracing::info!(
                server,
                "the folder {folder} of an output cannot be read, so its chunks are not measured: {error}; map it with the key folders if it is mounted elsewhere. Others like it are logged at debug"
            );
        } else {
            tracing::debug!(server, "the folder {folder} of an output cannot be read: {error}");
        }
    }

    /// The folders of each server as last known, `now`.
    pub(super) fn readings(&self, now: Instant) -> Vec<(String, Reading)> {
        let reading = |(server, status): (&String, &Status)| {
            let mut reading =
                Reading { files: status.files, untracked: status.untracked, ..Reading::default() };
            for look in status.looks.values() {
                if look.at.is_none_or(|at| now.saturating_duration_since(at) > FRESH) {
                    reading.unknown += look.announced;
                    continue;
                }
                reading.readable += look.readable;
                reading.unreadable += look.unreadable;
                reading.unknown += look.announced.saturating_sub(look.readable + look.unreadable);
                let free = look.free.iter().map(|(mount, free)| (mount.display().to_string(), *free));
                reading.free.extend(free);
            }
            (server.clone(), reading)
        };
        self.lock().iter().map(reading).collect()
    }
}

/// The metrics of folders.
pub const METRICS: &[Metric<Reading>] = &[
    Metric {
        name: "ems_folder_free_bytes",
        kind: Kind::Gauge,
        help: "Free space of the file systems that hold the folders of open outputs, as named in outStreamCreated, by mount point on the exporter's machine; absent where no such folder can be read, and a minute after the file system ceased to answer.",
        labels: &["mountpoint"],
        query: "ems_folder_free_bytes / (0 - (deriv(ems_folder_free_bytes[30m]) < 0))",
        samples: |reading, samples| {
            for (mountpoint, free) in &reading.free {
                samples.add(&[("mountpoint", mountpoint)], *free);
            }
        },
    },
    Metric {
        name: "ems_folders",
        kind: Kind::Gauge,
        help: "Folders of open outputs, as named in outStreamCreated, by whether the exporter can read them: readable; unreadable; unknown while the file system has not answered for a minute; untracked, those beyond 10,000 of a server. Unreadable ones are tried again after 5 seconds, then after pauses that double up to five minutes.",
        labels: &["state"],
        query: r#"ems_folders{state!="readable"} > 0"#,
        samples: |reading, samples| {
            samples.add(&[("state", "readable")], reading.readable);
            samples.add(&[("state", "unreadable")], reading.unreadable);
            samples.add(&[("state", "unknown")], reading.unknown);
            samples.add(&[("state", "untracked")], reading.untracked);
        },
    },
    Metric {
        name: "ems_exporter_chunk_files_total",
        kind: Kind::Counter,
        help: "Closed chunks in announced folders, by whether their files were measured: measured; missing, deleted before that; unreadable, as is the folder; dropped, since the file system is slow or a limit was reached.",
        labels: &["result"],
        query: r#"increase(ems_exporter_chunk_files_total{result="dropped"}[5m]) > 0"#,
        samples: |reading, samples| {
            for outcome in Outcome::VARIANTS {
                samples.add(&[("result", outcome.into())], reading.files[*outcome as usize]);
            }
        },
    },
];
