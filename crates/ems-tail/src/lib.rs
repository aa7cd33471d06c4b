//! Follows the event files of one server through rotation, truncation and restarts, and delivers
//! every entry that is still there to be read.
//!
//! [`Follower::poll`] does all that can be done now and never blocks; [`run`] calls it when a
//! directory changes. Entries are complete and in the order in which they were written.
//!
//! | module | purpose |
//! | --- | --- |
//! | `options` | the settings of a follower |
//! | `run` | the thread's loop: polls when a directory changes, and from time to time |
//! | `watch` | directory changes by inotify |
//! | `follower` | the state of a follower, and the steps of a poll |
//! | `listing` | the files that match the patterns now, in reading order |
//! | `mounts` | the mount points of this machine, and whether a file is one |
//! | `recover` | files of the checkpoint that were renamed or compressed while no follower ran |
//! | `admit` | new, renamed and vanished files; where a new file starts |
//! | `advance` | open, check, read and release files |
//! | `followed` | one followed file |
//! | `regular` | opens regular files only |
//! | `drain` | reads a file from its offset and delivers its entries |
//! | `compression` | files that log rotation has compressed |
//! | `frame` | where entries begin and end, in each format |
//! | `fingerprint` | how a file is recognised by its content |
//! | `checkpoint` | positions on disk |
//! | `status` | counters, rotations, reasons of errors |
//!
//! How changes of files are handled:
//!
//! - The server starts a new file at each start and, with chunks, at each interval: new names are
//!   found, and the old file is read to its end before the next one.
//! - The server appends to an old file: its end is read.
//! - A file is renamed or deleted and a new one created, or a symlink changes: the old file stays
//!   open and is read until the new one has content, which proves that the writer has finished
//!   with the old one.
//! - A file is renamed while no follower runs: it is searched by its inode in its directory. Log rotation compresses it: it
//!   is searched by its content. Files that were written and compressed meanwhile are read whole.
//! - A file is copied and truncated: it is read from its start when it is shorter than its offset, or
//!   when its first bytes or those before the offset have changed. What the writer adds between
//!   the last poll and the truncation is only in the copy, and lost unless a pattern matches the
//!   copy too. A copy whose name is that of the original plus a suffix is recognised, and only
//!   what is new in it is delivered.
//! - An entry is half written: it waits. An entry is too long: it is rejected once and skipped.
//! - A file is missing or unreadable: it is tried again at each poll; the condition is logged when
//!   it begins and when it ends.
//!
//! An entry is delivered at least once. After a clean stop none is repeated, after a kill those
//! of the last [`SAVE_INTERVAL`] are. `text` and `w3c` do not escape names: a stream whose name
//! contains line ends can split its own entry.

mod admit;
mod advance;
mod checkpoint;
mod compression;
mod drain;
mod fingerprint;
mod followed;
mod follower;
mod frame;
mod listing;
mod mounts;
mod options;
mod recover;
pub mod regular;
mod run;
mod status;
mod watch;

#[cfg(test)]
mod tests;

pub use checkpoint::{Storage, lock};
pub use compression::{Compression, compression, decompress};
pub use drain::{Entry, Frame};
pub use follower::{Follower, SAVE_INTERVAL};
pub use frame::Format;
pub use mounts::mount_points;
pub use options::{Fault, Options, Start};
pub use run::run;
pub use status::{Progress, Reason, Rotation, Status};
pub use watch::{Wake, Watch};
