//! The options of the simulated server, which are flags of `simulate`.

use super::incident::Incident;
use super::stall::Stall;
use super::target::Target;
use clap::{Args, FromArgMatches};
use std::path::PathBuf;
use std::time::Duration;

/// Simulate a media server that posts its events over HTTP.
///
/// Unless a flag says otherwise, durations are the simulated server's own time: at --speed 10 they pass ten times faster
/// than on the wall. At the end the server prints its own state and counts, to compare with those of an exporter.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct Options {
    /// Where to post the events: http://host:port/path?query.
    #[arg(long, value_name = "URL", default_value_t = Target::default())]
    pub url: Target,

    /// How many streams (cam1, cam2, …) are published or pulled.
    ///
    /// Every stream is written as HLS; every odd one also as DASH and every even one as HDS; of four streams the first is
    /// pushed to another server, the third is also written as MSS and the fourth recorded. Every third stream is pulled,
    /// the others are published and, except for the first of four and those that a fault names,
    /// leave and come back after some minutes.
    #[arg(long, value_name = "COUNT", default_value_t = 4)]
    pub streams: usize,

    /// The configured length of a chunk, in whole seconds (humantime, such as 4s).
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = chunk_length)]
    pub chunk_length: Duration,

    /// How much faster than the wall clock simulated time passes; the stamps in its events stay on the wall clock.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,

    /// The seed of everything random: the same seed gives the same events.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// The serializer of the bodies.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub format: Format,

    /// Stop the server gracefully after this much real time (humantime, such as 10m); it runs until stopped when absent.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub duration: Option<Duration>,

    /// Send the NUL byte inside a header name that a stock RMS sends, with that server's names.
    #[arg(long)]
    pub nul_header: bool,

    /// Let an output stop writing chunks for a while although its stream stays up.
    ///
    /// FORMAT is hls, hds, dash, mss or record, and all of the stream's when left out; with every= the stall repeats,
    /// and with for=recreated it lasts until the output is closed and re-created. Example:
    /// cam2:hls:after=20s,for=60s,every=5m. May be given more than once.
    #[arg(long, value_name = "STREAM[:FORMAT]:after=…,for=…[,every=…]")]
    pub stall: Vec<Stall>,

    /// Let an output be unable to write for a while: the server closes it and creates it anew each second, and it is open for
    /// 50 to 105 ms of each, without a chunk.
    ///
    /// With FORMAT, for= and every= as for --stall. Example: cam1:hls:after=20s,for=2m. May be given more than once.
    #[arg(long, value_name = "STREAM[:FORMAT]:after=…,for=…[,every=…]", value_parser = with_end)]
    pub unwritable: Vec<Stall>,

    /// Write the files of chunks below this folder, a few of them for each output.
    #[arg(long, value_name = "FOLDER")]
    pub write_files: Option<PathBuf>,

    /// Let the disk be full for an output for a while: the files of its chunks are empty, and the events say nothing of it.
    ///
    /// With FORMAT, for= and every= as for --stall. Example: cam2:hls:after=20s,for=2m. May be given more than once.
    #[arg(
        long,
        value_name = "STREAM[:FORMAT]:after=…,for=…[,every=…]",
        value_parser = with_end,
        requires = "write_files"
    )]
    pub disk_full: Vec<Stall>,

    /// Let no more packets arrive on a stream whose connection stays up: none of its outputs writes a chunk until the
    /// stream is reconnected.
    ///
    /// Example: cam3:after=20s. May be given more than once.
    #[arg(long, value_name = "STREAM:after=…")]
    pub freeze: Vec<Incident>,

    /// The server's streamsExpireTimer: a frozen stream is closed after 1.8 to 2.1 times this, and its source is back some
    /// seconds later. Frozen streams stay open when absent.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub stream_expiry: Option<Duration>,

    /// Let the remote server of a stream's push go away for good: the push closes, and only a newly created push connects
    /// again.
    ///
    /// Example: cam1:after=20s. May be given more than once.
    #[arg(long, value_name = "STREAM:after=…")]
    pub lose_push: Vec<Incident>,

    /// Let a stream have no video: the server reports the codec VPT for it one second after the start, and its video feed
    /// as stopped for ever. It is written as DASH alone, whose video track has no chunks.
    ///
    /// May be given more than once.
    #[arg(long, value_name = "STREAM")]
    pub audio_only: Vec<String>,

    /// Let a stream have no audio: the server reports the codec APT for it one second after the start, and its audio feed
    /// as stopped for ever. It is written as HLS alone.
    ///
    /// May be given more than once.
    #[arg(long, value_name = "STREAM", conflicts_with = "audio_only")]
    pub video_only: Vec<String>,

    /// The share of all events that are lost on the way, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub lose: f64,

    /// The share of closing events (streams, timers, web sessions) that are lost on the way, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub lose_closes: f64,

    /// The share of events that are posted twice, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub duplicates: f64,

    /// The share of events that are held back for up to two real seconds, so that later ones overtake them, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub reorder: f64,

    /// Crash after this long, without any event, and restart as a new process whose ids begin at 1.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub crash_after: Option<Duration>,

    /// How long the server is gone after a crash.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = duration)]
    pub crash_pause: Duration,

    /// Keep the process id across the crash, as in a container where the server always has the same one.
    #[arg(long, requires = "crash_after")]
    pub crash_keep_pid: bool,

    /// Open this many more streams (burst1, burst2, …) at once, for half a minute, shortly after the start and again later.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub burst: usize,

    /// The time from one burst to the next, at least one minute.
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = burst_every)]
    pub burst_every: Duration,

    /// Create outputs, pushes and timers only on API commands; streams still come and go.
    #[arg(long)]
    pub unattended: bool,

    /// Where the runtime API is served: host:port; it is off when absent.
    #[arg(long, value_name = "ADDRESS")]
    pub api: Option<String>,

    /// Answer also below /apiproxy/, as behind the web server's proxy, to callers with this user and password.
    #[arg(long, value_name = "USER:PASSWORD", requires = "api", value_parser = login)]
    pub api_auth: Option<String>,

    /// Requested faults of API calls.
    #[command(flatten)]
    pub api_faults: ApiFaults,

    /// Add streams whose names hold spaces, quotes, markup, control bytes, invalid UTF-8, path steps and more.
    #[arg(long)]
    pub hostile_names: bool,
}

/// The shares of calls that fail, by kind of fault; their sum is at most 1.
#[derive(Args, Clone, Copy, Debug, PartialEq)]
pub struct ApiFaults {
    /// The share of API calls that are answered with FAIL, from 0 to 1.
    #[arg(long = "api-fail", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub fail: f64,

    /// The share of API calls whose connection is dropped without an answer; about half of them have been carried out.
    #[arg(long = "api-reset", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub reset: f64,

    /// The share of API calls that are answered with invalid JSON; about half of them have been carried out.
    #[arg(long = "api-garbage", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub garbage: f64,

    /// The share of API calls that are answered late; about half of them have been carried out at once.
    #[arg(long = "api-slow", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub slow: f64,

    /// The delay of late answers, in real time.
    #[arg(long = "api-slow-for", value_name = "DURATION", default_value = "3s", value_parser = duration)]
    pub slow_for: Duration,
}

impl Default for ApiFaults {
    /// No faults.
    fn default() -> Self {
        Options::default().api_faults
    }
}

/// How the server writes the body of a request.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Compact JSON.
    Json,
    /// Typed XML.
    Xml,
    /// An XML-RPC call.
    Xmlrpc,
}

impl Default for Options {
    /// The same as no flags at all.
    fn default() -> Self {
        let command = Self::augment_args(clap::Command::new("simulate"));
        let read =
            command.try_get_matches_from(["simulate"]).and_then(|flags| Self::from_arg_matches(&flags));
        read.unwrap_or_else(|error| unreachable!("no flag is required: {error}"))
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{text:?} is not a duration: {error}"))
}

fn with_end(text: &str) -> Result<Stall, String> {
    let stall: Stall = text.parse()?;
    if stall.lasting.is_some() { Ok(stall) } else { Err("for= must be a duration".to_owned()) }
}

fn chunk_length(text: &str) -> Result<Duration, String> {
    let length = duration(text)?;
    if length.subsec_nanos() == 0 && (1..=3600).contains(&length.as_secs()) {
        Ok(length)
    } else {
        Err("the server takes a chunk length in whole seconds, from 1s to 1h".to_owned())
    }
}

fn burst_every(text: &str) -> Result<Duration, String> {
    let every = duration(text)?;
    if every >= Duration::from_secs(60) {
        Ok(every)
    } else {
        Err("bursts must be at least one minute apart".to_owned())
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if (0.01..=1000.0).contains(&factor) => Ok(factor),
        Ok(_) | Err(_) => Err("the speed must be a number from 0.01 to 1000".to_owned()),
    }
}

fn login(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some((user, _)) if !user.is_empty() => Ok(text.to_owned()),
        Some(_) | None => Err("expected USER:PASSWORD".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Ok(_) | Err(_) => Err("a share must be a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::Options;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        Line::try_parse_from([&["simulate"], arguments].concat())
            .map(|line| line.options)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn no_flags_are_the_default() {
        assert_eq!(parse(&[]).unwrap(), Options::default());
    }

    #[test]
    fn flags_are_read() {
        let options = parse(&[
            "--stall",
            "cam2:hls:after=20s,for=60s,every=5m",
            "--stall",
            "cam1:after=1s,for=2s",
            "--crash-after",
            "1m",
            "--crash-keep-pid",
            "--format",
            "xmlrpc",
            "--api",
            "127.0.0.1:0",
            "--api-reset",
            "0.25",
            "--freeze",
            "cam3:after=20s",
            "--unattended",
        ])
        .unwrap();
        assert_eq!(options.stall.len(), 2);
        assert!(options.crash_keep_pid && options.unattended);
        assert_eq!(options.api_faults.reset, 0.25);
        assert_eq!(options.freeze[0].stream, "cam3");
    }

    #[test]
    fn wrong_values_are_rejected_with_their_reason() {
        for (arguments, reason) in [
            (["--chunk-length", "4500ms"], "whole seconds"),
            (["--chunk-length", "long"], "not a duration"),
            (["--speed", "0"], "from 0.01 to 1000"),
            (["--speed", "NaN"], "from 0.01 to 1000"),
            (["--duplicates", "1.5"], "from 0 to 1"),
            (["--burst-every", "10s"], "one minute apart"),
            (["--url", "https://h/"], "https is not supported"),
            (["--stall", "cam1:after=1s"], "needs both"),
            (["--unwritable", "cam1:after=1s,for=recreated"], "for= must be a duration"),
            (["--disk-full", "cam1:after=1s,for=1m"], "--write-files"),
            (["--freeze", "cam1"], "expected STREAM"),
            (["--api-fail", "2"], "from 0 to 1"),
            (["--api-auth", "me"], "USER:PASSWORD"),
        ] {
            let error = parse(&arguments).unwrap_err();
            assert!(error.contains(reason), "{arguments:?}: {error}");
        }
    }
}
