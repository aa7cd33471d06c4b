//! `replay`: reads finished event files through the pipeline as fast as possible, and summarises them.

mod source;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::source::Source;
use crate::config::{LogFormat, LogLevel};
use crate::exposition::Style;
use crate::file_input;
use crate::metrics::{self, ExporterMetrics, Sources};
use crate::model::Settings;
use crate::pipeline::tally::Transport;
use crate::pipeline::{ConfiguredServer, Pipeline, Server};
use anyhow::{Context, bail};
use ems_protocol::Rejection;
use ems_protocol::Timestamp;
use ems_tail::{self, Entry, Follower, Format, Frame, Options, Reason, Start, Status};
use jiff::tz::TimeZone;

/// The name of the server whose files are replayed.
const SERVER: &str = "replay";
/// Longer than any recording: nothing is forgotten during a replay.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The content of some event files.
#[derive(Debug)]
pub struct Replayed {
    pipeline: Pipeline,
    server: Arc<Server>,
    end: Timestamp,
    /// The files that could not be read, or not all of them, each with the reason.
    faults: Vec<String>,
}

/// Reads files to their end, in the order of their first events. `progress` receives the bytes that are done and the
/// total.
pub fn replay(
    paths: &[PathBuf],
    format: Option<Format>,
    progress: &mut impl FnMut(u64, u64),
) -> Result<Replayed, ems_tail::Fault> {
    let zone = file_input::zone();
    let (mut pipeline, server) = empty();
    pipeline.follow_event_times();
    server.expect_files();
    let sources: Vec<Source> = paths.iter().map(|path| Source::new(path)).collect();
    let size = |source: &Source| std::fs::metadata(source.path()).map_or(0, |metadata| metadata.len());
    let (mut done, all) = (0, sources.iter().map(size).sum());
    let mut replayed = Replayed { pipeline, server, end: Timestamp::default(), faults: Vec::new() };
    for source in in_order(&sources, format, &zone)? {
        let read = replayed.read(source, format, &zone, &mut |bytes| progress(done + bytes, all))?;
        done += read;
    }
    Ok(replayed)
}

fn empty() -> (Pipeline, Arc<Server>) {
    let settings = Settings { retention: FOR_EVER, ..Settings::default() };
    let servers = [ConfiguredServer { name: SERVER.to_owned(), expected: Vec::new() }];
    let pipeline = Pipeline::new(&servers, &settings, 1);
    let server = pipeline.servers().swap_remove(0);
    (pipeline, server)
}

fn follower(path: &Path, format: Option<Format>) -> Result<Follower, ems_tail::Fault> {
    let patterns = vec![glob::Pattern::escape(&path.to_string_lossy())];
    Follower::new(Options { format, start: Start::Beginning, finished: true, ..Options::new(patterns) })
}

/// The files in the order of their first events. Times of writing show nothing: a copy has that of the copying. Where
/// a file has no times inside, the order is the given one.
fn in_order<'s>(
    sources: &'s [Source],
    format: Option<Format>,
    zone: &TimeZone,
) -> Result<Vec<&'s Source>, ems_tail::Fault> {
    let mut files = Vec::new();
    for source in sources {
        files.push((first_event(source.path(), format, zone)?, source));
    }
    if files.iter().all(|(first, _)| first.is_some()) {
        files.sort_by_key(|(first, _)| *first);
    }
    Ok(files.into_iter().map(|(_, source)| source).collect())
}

/// The time of the first event of a file that has one.
fn first_event(
    path: &Path,
    format: Option<Format>,
    zone: &TimeZone,
) -> Result<Option<Timestamp>, ems_tail::Fault> {
    let (pipeline, server) = empty();
    let mut first = None;
    let mut follower = follower(path, format)?;
    follower.poll(Instant::now(), &mut |frame| {
        if let (None, Frame::Entry(entry)) = (first, frame) {
            file_input::accept(&pipeline, &server, &entry, zone, Timestamp::default());
            let last = server.read(|state| state.server.last_event());
            first = Some(last).filter(|last| *last > Timestamp::default());
        }
    });
    Ok(first)
}

impl Replayed {
    /// Reads a file to its end. Returns how many bytes that were.
    fn read(
        &mut self,
        source: &Source,
        format: Option<Format>,
        zone: &TimeZone,
        progress: &mut impl FnMut(u64),
    ) -> Result<u64, ems_tail::Fault> {
        let mut follower = follower(source.path(), format)?;
        loop {
            let done = follower.poll(Instant::now(), &mut |frame| match frame {
                Frame::Entry(entry) => self.accept(&entry, zone),
                Frame::Oversized { limit, .. } => self.reject(&Rejection::Size(limit)),
                Frame::Unreadable(remedy) => self.reject(&Rejection::File(remedy)),
            });
            let status = follower.status();
            progress(status.bytes_read);
            if !done.more {
                self.note_faults(source, status);
                return Ok(status.bytes_read + status.bytes_behind);
            }
        }
    }

    fn reject(&self, rejection: &Rejection) {
        self.pipeline.reject(Transport::File, Some(SERVER), rejection, self.end);
    }

    fn note_faults(&mut self, source: &Source, status: &Status) {
        let path = &source.name;
        if let Some(fault) = &source.fault {
            self.faults.push(fault.clone());
            return;
        }
        let reasons = Reason::ALL.into_iter().filter(|reason| status.error(*reason) > 0);
        let reasons: Vec<&str> = reasons.map(Reason::name).collect();
        if !reasons.is_empty() {
            self.faults.push(format!("{}: {}", path.display(), reasons.join(", ")));
        } else if status.entries_read == 0 {
            self.faults.push(format!("{}: it holds no event", path.display()));
        }
    }

    fn accept(&mut self, entry: &Entry<'_>, zone: &TimeZone) {
        // Text and W3C files may hold no times at all; then every entry counts as written when the file ended.
        let written =
            if entry.format == Format::Json { self.end } else { self.end.max(modified(entry.path)) };
        file_input::accept(&self.pipeline, &self.server, entry, zone, written);
        self.end = self.end.max(self.server.read(|state| state.server.last_event()));
    }
}

fn modified(path: &Path) -> Timestamp {
    let time = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    time.map_or(Timestamp::default(), Timestamp::from)
}

impl Replayed {
    /// The metrics page that these events lead to, as of the last of them.
    pub fn page(&self) -> Result<String, prometheus::Error> {
        let own = ExporterMetrics::new(self.end)?;
        let mut page = Vec::new();
        let mut take = |bytes: &[u8]| page.extend_from_slice(bytes);
        metrics::render(Sources::of_events(&self.pipeline, &own), Style::Prometheus, self.end, &mut take);
        Ok(String::from_utf8_lossy(&page).into_owned())
    }

    /// Why not all could be read; empty if it was.
    pub fn faults(&self) -> Vec<String> {
        let (_, [_, _, rejected, _]) = self.pipeline.tally().sums();
        let rejected = (rejected > 0).then(|| format!("{rejected} events were rejected"));
        self.faults.iter().cloned().chain(rejected).collect()
    }

    /// The same as a text table.
    pub fn summary(&self) -> Result<String, prometheus::Error> {
        let page = self.page()?;
        let mut out = String::new();
        let sections = [
            ("events", "ems_events_total"),
            ("streams opened", "ems_streams_opened_total"),
            ("streams still open", "ems_streams"),
            ("chunks closed", "ems_chunks_closed_total"),
            ("chunk stalls", "ems_chunk_stalls_total"),
            ("chunk errors", "ems_chunk_errors_total"),
            ("outputs still open", "ems_outputs"),
            ("stalled at the end", "ems_chunk_stalled"),
            ("timers triggered", "ems_timers_triggered_total"),
            ("HTTP sessions started", "ems_sessions_started_total"),
            ("feeds stopped", "ems_stream_feed_stopped_total"),
            ("pulls failed", "ems_pull_failures_total"),
            ("server restarts", "ems_server_restarts_total"),
            ("corrections", "ems_exporter_corrections_total"),
            ("duplicates", "ems_exporter_events_duplicate_total"),
            ("rejected", "ems_exporter_events_rejected_total"),
        ];
        for (title, metric) in sections {
            section(&mut out, title, &samples(&page, metric));
        }
        for record in self.pipeline.rejections().iter().take(5) {
            out += &format!("  such as: {}\n", record.rejection);
        }
        if self.server.read(|state| state.server.last_event()) == Timestamp::default() {
            out += "no event was found\n";
        }
        Ok(out)
    }
}

/// The samples of a metric that are not 0, by their labels other than the server's.
fn samples<'p>(page: &'p str, metric: &str) -> BTreeMap<&'p str, u64> {
    let of_metric = |line: &'p str| {
        let (series, value) = line.rsplit_once(' ')?;
        let labels = series.strip_prefix(metric)?.strip_prefix('{')?.strip_suffix('}')?;
        let labels = labels.strip_prefix("server=\"replay\"").unwrap_or(labels);
        let value = value.parse().ok().filter(|value| *value > 0)?;
        Some((labels.trim_start_matches(','), value))
    };
    page.lines().filter_map(of_metric).collect()
}

fn section(out: &mut String, title: &str, samples: &BTreeMap<&str, u64>) {
    let sum: u64 = samples.values().sum();
    *out += &format!("{title:<24} {sum:>12}\n");
    for (labels, value) in samples.iter().filter(|(labels, _)| !labels.is_empty()) {
        *out += &format!("  {value:>10}  {labels}\n");
    }
}

/// Prints the summary of the files.
pub fn run(flags: &crate::cli::Replay) -> anyhow::Result<()> {
    super::start_logging(LogLevel::Warn, LogFormat::Text);
    for file in &flags.files {
        let metadata = std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?;
        if !metadata.is_file() {
            bail!("cannot read {}: it is not a regular file", file.display());
        }
        std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    let mut shown = 0;
    let terminal = std::io::stderr().is_terminal();
    let replayed = replay(&flags.files, flags.format, &mut |done, all| {
        let percent = (done * 100).checked_div(all).unwrap_or(100);
        if terminal && percent != shown {
            shown = percent;
            eprint!("\r{percent:3} % of {} MB", all >> 20);
        }
    })?;
    if terminal {
        eprint!("\r                      \r");
    }
    super::print(&if flags.metrics { replayed.page()? } else { replayed.summary()? });
    let faults = replayed.faults();
    if !faults.is_empty() {
        bail!("not everything could be read: {}", faults.join("; "));
    }
    Ok(())
}
