//! The file transport: follows the event files of one server and passes their entries to the pipeline.

mod clock;

use std::cell::{Cell, RefCell};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::exposition::{Kind, Metric};
use crate::pipeline::tally::Transport;
use crate::pipeline::{Pipeline, Server};
use clock::EntryClock;
use ems_protocol::{Format, Message, Rejection, decode};
use ems_protocol::{Timestamp, Wall};
use ems_tail::{self, Entry, Follower, Frame, Options, Reason, Rotation, Status, Wake, Watch};

/// The event files of one server, and how far they have been read.
#[derive(Debug)]
pub struct FileInput {
    /// The server that writes the files.
    pub server: Arc<Server>,
    /// The last report of the follower.
    status: Mutex<Reading>,
}

/// The position of a follower.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    status: Status,
    /// The bytes not read yet; none while they are unknown.
    bytes_behind: Option<u64>,
    /// Whether everything that existed at the start has been read.
    caught_up: bool,
}

/// The API representation of the event files of one server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    files: u64,
    bytes_behind: Option<u64>,
    caught_up: bool,
    last_read_timestamp_seconds: Option<f64>,
}

impl Reading {
    /// The API representation.
    pub fn view(&self, wall: Wall) -> View {
        View {
            files: self.status.files,
            bytes_behind: self.bytes_behind,
            caught_up: self.caught_up,
            last_read_timestamp_seconds: self.status.last_read.map(|last| wall.seconds(last.into())),
        }
    }
}

/// A follower on a thread of its own.
#[derive(Debug)]
pub struct Following {
    wakes: Sender<Wake>,
    thread: JoinHandle<()>,
}

impl Following {
    /// Stops the follower; its checkpoint is written when this returns.
    pub fn stop(self) {
        // A thread that has ended needs no message.
        if self.wakes.send(Wake::Stop).is_ok() && self.thread.join().is_err() {
            tracing::error!("the thread that follows event files panicked");
        }
    }
}

impl FileInput {
    /// Files that are not read yet.
    pub fn new(server: Arc<Server>) -> Arc<Self> {
        Arc::new(Self { server, status: Mutex::default() })
    }

    /// How far the files are read.
    pub fn reading(&self) -> Reading {
        let reading = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Reading { bytes_behind: reading.status.known_behind(Instant::now()), ..reading }
    }

    /// Why the exporter is not ready yet, if that is because of these files.
    pub fn unready(&self) -> Option<String> {
        let reading = self.reading();
        (!reading.caught_up).then(|| {
            let behind = reading.status.bytes_behind;
            format!(
                "the event files of {} are not read to the end yet: {behind} bytes left",
                self.server.name
            )
        })
    }

    /// Follows the files on a thread of its own until stopped. Old entries in local time are of `zone`.
    pub fn follow(
        self: Arc<Self>,
        options: Options,
        zone: TimeZone,
        pipeline: Arc<Pipeline>,
    ) -> Result<Following, ems_tail::Fault> {
        let mut follower = Follower::new(options)?;
        let (wakes, woken) = channel();
        let watch = Watch::new(wakes.clone())
            .inspect_err(|error| tracing::warn!("cannot watch directories, polling them instead: {error}"))
            .ok();
        let live = LiveEntries::begin(Arc::clone(&self.server), zone, Timestamp::now());
        let thread = std::thread::spawn(move || {
            let mut sink = |frame: Frame<'_>| live.accept(&pipeline, &frame, Timestamp::now());
            let mut report = |status: &Status, more: Option<bool>| {
                let mut reading = self.status.lock().unwrap_or_else(PoisonError::into_inner);
                reading.status = status.clone();
                if let Some(more) = more {
                    live.reported(more, Timestamp::now());
                    reading.caught_up |= !more;
                }
            };
            ems_tail::run(&mut follower, &woken, watch, &mut sink, &mut report);
        });
        Ok(Following { wakes, thread })
    }
}

/// The entries of followed files on their way to the pipeline, and the times at which they happened.
#[derive(Debug)]
pub struct LiveEntries {
    server: Arc<Server>,
    clock: RefCell<EntryClock>,
    /// Whether everything that existed at the start has been read.
    caught_up: Cell<bool>,
}

impl LiveEntries {
    /// Begins to follow the files of a server at `now`. Old entries in local time are of `zone`.
    pub fn begin(server: Arc<Server>, zone: TimeZone, now: Timestamp) -> Self {
        server.suspend_judgement();
        server.expect_files();
        server.set_replaying(true);
        Self { server, clock: RefCell::new(EntryClock::new(zone, now)), caught_up: Cell::new(false) }
    }

    /// Passes a frame that was read at `now` to the pipeline.
    pub fn accept(&self, pipeline: &Pipeline, frame: &Frame<'_>, now: Timestamp) {
        match frame {
            Frame::Entry(entry) => {
                let happened = |message: &Message<'_>| self.clock.borrow_mut().happened(message, now);
                accept_entry(pipeline, &self.server, entry, now, happened);
            }
            Frame::Oversized { limit, .. } => self.reject(pipeline, &Rejection::Size(*limit), now),
            Frame::Unreadable(remedy) => self.reject(pipeline, &Rejection::File(remedy), now),
        }
    }

    fn reject(&self, pipeline: &Pipeline, rejection: &Rejection, now: Timestamp) {
        pipeline.reject(Transport::File, Some(&self.server.name), rejection, now);
    }

    /// A poll of the files ended at `now`, and left `more` to read or nothing.
    pub fn reported(&self, more: bool, now: Timestamp) {
        self.server.set_replaying(more);
        if more {
            return;
        }
        self.clock.borrow_mut().read_to_end(now);
        if !self.caught_up.replace(true) {
            self.server.judge_from(now);
        }
    }
}

/// The time zone of this host, in which local times in event files are read; UTC where there is none.
pub fn zone() -> TimeZone {
    TimeZone::try_system().unwrap_or_else(|error| {
        if std::env::var_os("TZ").is_some() {
            tracing::warn!("unknown time zone in TZ, so local times in event files are read as UTC: {error}");
        }
        TimeZone::UTC
    })
}

/// Passes one entry of a finished file to the pipeline: it happened at its stamp, or if it has none at `fallback`.
pub fn accept(pipeline: &Pipeline, server: &Server, entry: &Entry<'_>, zone: &TimeZone, fallback: Timestamp) {
    accept_entry(pipeline, server, entry, fallback, |message| match message.at {
        Some(at) if message.local => clock::in_zone(at, zone, server.read(|state| state.server.last_event())),
        Some(at) => at,
        None => fallback,
    });
}

/// Passes one entry that was read at `now` to the pipeline.
fn accept_entry(
    pipeline: &Pipeline,
    server: &Server,
    entry: &Entry<'_>,
    now: Timestamp,
    mut happened: impl FnMut(&Message<'_>) -> Timestamp,
) {
    let format = format_of(entry.format);
    if !format.is_numbered() {
        server.accept_files_only();
    }
    let mut each = |message: Result<Message<'_>, Rejection>| {
        let at = message.as_ref().map_or(now, &mut happened);
        pipeline.accept_message(Transport::File, server, format, message, at)
    };
    match entry.header {
        // Without separators these formats do not show whether something is missing at the end.
        _ if entry.torn && !format.is_numbered() => {
            each(Err(Rejection::Syntax { format, what: "it is cut off", at: entry.bytes.len() }));
        }
        Some(header) => decode::decode_row(header, entry.bytes, |message| {
            each(message);
        }),
        None if format == Format::W3c => {
            each(Err(Rejection::NotAnEvent("there is no #Fields line before this row")));
        }
        None => decode::decode(entry.bytes, format, usize::MAX, |message| {
            each(message);
        }),
    }
}

/// The decoders' format for a file format.
pub const fn format_of(format: ems_tail::Format) -> Format {
    match format {
        ems_tail::Format::Json => Format::Json,
        ems_tail::Format::Xml => Format::Xml,
        ems_tail::Format::Text => Format::Text,
        ems_tail::Format::W3c => Format::W3c,
    }
}

/// The metrics of event files.
pub const METRICS: &[Metric<Reading>] = &[
    Metric {
        name: "ems_exporter_tail_files",
        kind: Kind::Gauge,
        help: "Followed event files.",
        labels: &[],
        query: "ems_exporter_tail_files",
        samples: |reading, samples| samples.add(&[], reading.status.files),
    },
    Metric {
        name: "ems_exporter_tail_bytes_behind",
        kind: Kind::Gauge,
        help: "Bytes of event files not read yet, measured every 2 seconds or more often; absent while unknown, before the first listing and when a file system has not answered for 5 seconds.",
        labels: &[],
        query: "max by (server) (ems_exporter_tail_bytes_behind)",
        samples: |reading, samples| {
            if let Some(behind) = reading.bytes_behind {
                samples.add(&[], behind);
            }
        },
    },
    Metric {
        name: "ems_exporter_tail_bytes_read_total",
        kind: Kind::Counter,
        help: "Bytes of event files read.",
        labels: &[],
        query: "rate(ems_exporter_tail_bytes_read_total[5m])",
        samples: |reading, samples| samples.add(&[], reading.status.bytes_read),
    },
    Metric {
        name: "ems_exporter_tail_entries_read_total",
        kind: Kind::Counter,
        help: "Entries of event files read.",
        labels: &[],
        query: "rate(ems_exporter_tail_entries_read_total[5m])",
        samples: |reading, samples| samples.add(&[], reading.status.entries_read),
    },
    Metric {
        name: "ems_exporter_tail_last_read_timestamp_seconds",
        kind: Kind::Gauge,
        help: "Time of the last read from an event file; absent before the first read.",
        labels: &[],
        query: "time() - ems_exporter_tail_last_read_timestamp_seconds",
        samples: |reading, samples| {
            if let Some(last) = reading.status.last_read {
                samples.add(&[], Timestamp::from(last));
            }
        },
    },
    Metric {
        name: "ems_exporter_tail_rotations_total",
        kind: Kind::Counter,
        help: "Rotations of event files, by kind.",
        labels: &["kind"],
        query: "increase(ems_exporter_tail_rotations_total[1d])",
        samples: |reading, samples| {
            for kind in Rotation::ALL {
                samples.add(&[("kind", kind.name())], reading.status.rotation(kind));
            }
        },
    },
    Metric {
        name: "ems_exporter_tail_errors_total",
        kind: Kind::Counter,
        help: "Errors with event files, by reason; a lasting error counts once, when it begins.",
        labels: &["reason"],
        query: "increase(ems_exporter_tail_errors_total[1h]) > 0",
        samples: |reading, samples| {
            for reason in Reason::ALL {
                samples.add(&[("reason", reason.name())], reading.status.error(reason));
            }
        },
    },
];
