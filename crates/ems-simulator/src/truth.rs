//! The state of the simulated server, to compare an exporter's numbers with.

use super::output_format::OutputFormat;
use serde::Serialize;
use std::collections::BTreeMap;

/// The state of the simulated server and of its deliveries at one moment.
///
/// Stream names that are not UTF-8 appear with replacement characters. Numbers of events and chunks cover the whole run,
/// over every restart; everything open belongs to the present process. Once all connections have ended,
/// `emitted + duplicated = delivered + rejected + lost` holds for each event name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Truth {
    /// False before the start, during the pause after a crash and after the graceful stop.
    pub running: bool,
    /// The pid that the events carry.
    pub process_id: i32,
    /// How often the server has started.
    pub starts: u64,
    /// The id of the newest event of the present process.
    pub last_event_id: u64,
    /// Open inbound streams: name to unique id.
    pub streams: BTreeMap<String, u64>,
    /// The same with what is known of each, by unique id.
    pub inputs: Vec<Input>,
    /// Open outputs to files, by format, stream and group.
    pub outputs: Vec<Output>,
    /// Connected RTMP players: name of the stream to their number.
    pub players: BTreeMap<String, u64>,
    /// Streams being pushed to another server: name of the stream to their number.
    pub pushes: BTreeMap<String, u64>,
    /// The same with what is known of each, by unique id.
    pub pushed: Vec<Push>,
    /// Configurations, whether their stream is open or not, by id.
    pub configs: Vec<Configuration>,
    /// Armed timers, by id.
    pub timers: Vec<Timer>,
    /// Ids of the open web streaming sessions.
    pub sessions: Vec<u64>,
    /// Complete chunks, by format, group, stream and track.
    pub chunks_closed: Vec<ChunksClosed>,
    /// Expiries of all timers.
    pub timers_triggered: u64,
    /// Events the server has logged, by name.
    pub emitted: BTreeMap<&'static str, u64>,
    /// Posts answered with 200, by name of the event; a second copy counts again.
    pub delivered: BTreeMap<&'static str, u64>,
    /// Posts answered with another status, by name of the event.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Events that never arrived: lost on request, or the connection failed or gave no answer.
    pub lost: BTreeMap<&'static str, u64>,
    /// Second copies posted on request, by name of the event.
    pub duplicated: BTreeMap<&'static str, u64>,
}

/// An open inbound stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Input {
    /// Its name.
    pub stream: String,
    /// Its unique id.
    pub unique_id: u64,
    /// The configuration of a pull; none when it is published.
    pub config_id: Option<u32>,
    /// The caller's own variables.
    pub variables: BTreeMap<String, String>,
    /// Whether a requested freeze holds it.
    pub frozen: bool,
}

/// A stream that is being pushed to another server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Push {
    /// The name of the stream.
    pub stream: String,
    /// Where it goes.
    pub target: String,
    /// Its unique id.
    pub unique_id: u64,
    /// The configuration that keeps it up.
    pub config_id: Option<u32>,
    /// The caller's own variables.
    pub variables: BTreeMap<String, String>,
}

/// A configuration: a pull, push or output that the server maintains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Configuration {
    /// Its id, which outlives a restart.
    pub id: u32,
    /// `pull`, `push`, `record`, or the format of an output.
    pub purpose: &'static str,
    /// The group of an output; otherwise empty.
    pub group: String,
    /// The name of the stream that it is about, open or not.
    pub stream: String,
    /// Whether it outlives its stream and the server.
    pub keep_alive: bool,
    /// Whether its output cannot write at this moment or writes empty files, by request; it may be closed.
    pub writes_nothing: bool,
    /// The caller's own variables.
    pub variables: BTreeMap<String, String>,
}

/// An open output to files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Output {
    /// Its format.
    pub format: OutputFormat,
    /// The group it belongs to; empty for a recording.
    pub group: String,
    /// The name of the stream it writes.
    pub stream: String,
    /// Its unique id.
    pub unique_id: u64,
    /// The configuration that keeps it up.
    pub config_id: Option<u32>,
    /// The caller's own variables.
    pub variables: BTreeMap<String, String>,
    /// Whether a requested fault, or the freeze of its stream, keeps it from writing at this moment.
    pub stalled: bool,
}

/// An armed timer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timer {
    /// Its id.
    pub id: u32,
    /// The period in seconds; none for a timer that fires once at a given time.
    pub period: Option<u64>,
    /// How often it has fired.
    pub triggered: u32,
    /// The caller's own variables.
    pub variables: BTreeMap<String, String>,
}

/// How many chunks of one track are complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChunksClosed {
    /// The format of the output.
    pub format: OutputFormat,
    /// Its group; empty for a recording.
    pub group: String,
    /// The name of the stream.
    pub stream: String,
    /// `audio` or `video` where they have chunks of their own, otherwise empty.
    pub track: &'static str,
    /// Complete chunks so far.
    pub closed: u64,
}
