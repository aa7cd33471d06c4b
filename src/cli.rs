//! Flags and subcommands.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use ems_tail::{Format, Start};

/// Prometheus exporter for EvoStream Media Server (EMS) and RMS.
///
/// Receives the event notifications that the media server posts over HTTP, keeps count of streams, chunks, timers and
/// viewers, and exposes them for Prometheus. Without a subcommand it serves.
#[derive(Parser, Debug)]
#[command(name = "ems-exporter", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; serve when left out.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Flags of `serve`, which may be given without naming it.
    #[command(flatten)]
    pub serve: Serve,
}

/// The subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Receive events and expose metrics (the default)
    Serve(Serve),
    /// Serve, with a simulated media server that posts to it
    Demo {
        /// Flags of the exporter.
        #[command(flatten)]
        serve: Serve,
        /// How many streams the simulated server has
        #[arg(long, value_name = "COUNT", default_value_t = 6)]
        streams: usize,
        /// How much faster than the wall clock the simulated server lives
        #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
        speed: f64,
    },
    /// Simulate a media server that posts its events over HTTP
    Simulate(Box<ems_simulator::Options>),
    /// Check flags and configuration file, report every fault, and exit with 0 if there is none
    CheckConfig(Serve),
    /// Ask the running exporter whether it is healthy, and exit with 0 if it is
    Healthcheck(Serve),
    /// Try rules without calling anything
    #[command(subcommand)]
    Rules(Rules),
    /// Read finished event files as fast as possible and tell what was in them
    Replay(Replay),
    /// Print the block for the media server's config.lua that makes it post its events here
    SinkConfig {
        /// Flags of the exporter that is to receive them.
        #[command(flatten)]
        serve: Serve,
        /// The name under which the server's metrics are to appear
        #[arg(long, value_name = "NAME")]
        server: Option<String>,
    },
}

/// Flags of the exporter.
#[derive(Args, Debug, Clone, Default)]
pub struct Serve {
    /// YAML configuration file; flags override what it says
    #[arg(long = "config.file", value_name = "FILE", env = "EMS_EXPORTER_CONFIG_FILE")]
    pub config_file: Option<PathBuf>,

    /// Address to listen on, HOST:PORT; may be given more than once [default: 127.0.0.1:10777]
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        env = "EMS_EXPORTER_WEB_LISTEN_ADDRESS",
        value_delimiter = ','
    )]
    pub listen: Vec<String>,

    /// Path of the metrics page [default: /metrics]
    #[arg(long = "web.telemetry-path", value_name = "PATH", env = "EMS_EXPORTER_WEB_TELEMETRY_PATH")]
    pub telemetry_path: Option<String>,

    /// File with TLS, users and headers for our own pages, in the format of Prometheus' exporter-toolkit
    ///
    /// It is read again when it or a file that it names changes.
    #[arg(long = "web.config.file", value_name = "FILE", env = "EMS_EXPORTER_WEB_CONFIG_FILE")]
    pub web_file: Option<PathBuf>,

    /// Let POST /-/reload read configuration files again, as SIGHUP does
    #[arg(
        long = "web.enable-lifecycle",
        env = "EMS_EXPORTER_WEB_ENABLE_LIFECYCLE",
        value_parser = BoolishValueParser::new()
    )]
    pub lifecycle: bool,

    /// Start although strangers could post events or reload the configuration
    ///
    /// Without it the exporter does not start when others than programs on this machine can reach it and nothing is
    /// asked of them.
    #[arg(
        long = "web.insecure",
        env = "EMS_EXPORTER_WEB_INSECURE",
        value_parser = BoolishValueParser::new()
    )]
    pub insecure: bool,

    /// Event file of the media server to follow, as a shell pattern; may be given more than once
    ///
    /// HTTP notifications are lost while nobody listens; what is in a file is not. Both doors may be open: an event that
    /// comes by both counts once.
    #[arg(
        long = "events.file",
        value_name = "PATTERN",
        env = "EMS_EXPORTER_EVENTS_FILE",
        value_delimiter = ','
    )]
    pub files: Vec<String>,

    /// Format of the event files: json, xml, text or w3c [default: found from their content]
    #[arg(
        long = "events.format",
        value_name = "FORMAT",
        value_parser = format_of,
        requires = "files",
        env = "EMS_EXPORTER_EVENTS_FORMAT"
    )]
    pub format: Option<Format>,

    /// Where to begin in files that are there already: saved-or-end, saved-or-beginning, beginning or end
    /// [default: saved-or-end]
    #[arg(
        long = "events.start",
        value_name = "WHERE",
        value_parser = start_of,
        env = "EMS_EXPORTER_EVENTS_START"
    )]
    pub start: Option<Start>,

    /// Directory in which it is kept how far event files have been read [default: none]
    #[arg(long = "storage.path", value_name = "DIRECTORY", env = "EMS_EXPORTER_STORAGE_PATH")]
    pub storage: Option<PathBuf>,

    /// How much to log
    #[arg(
        long = "log.level",
        value_name = "LEVEL",
        value_enum,
        default_value = "info",
        env = "EMS_EXPORTER_LOG_LEVEL"
    )]
    pub log_level: LogLevel,

    /// How to write the log
    #[arg(
        long = "log.format",
        value_name = "FORMAT",
        value_enum,
        default_value = "text",
        env = "EMS_EXPORTER_LOG_FORMAT"
    )]
    pub log_format: LogFormat,
}

fn format_of(name: &str) -> Result<Format, &'static str> {
    Format::from_name(name).ok_or("the formats are json, xml, text and w3c")
}

fn start_of(name: &str) -> Result<Start, &'static str> {
    Start::from_name(name).ok_or("the rules are saved-or-end, saved-or-beginning, beginning and end")
}

/// How much is logged.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// Failures only.
    Error,
    /// And what an operator should look at.
    Warn,
    /// And what changes.
    #[default]
    Info,
    /// And every refused event.
    Debug,
    /// Everything.
    Trace,
}

/// How the log is written.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// An object on each line.
    Json,
}

/// What can be done with rules.
#[derive(Subcommand, Debug, Clone)]
pub enum Rules {
    /// Apply the events of a file and tell what each rule would do with each of them
    Test(RulesTest),
}

/// Flags of `rules test`.
#[derive(Args, Debug, Clone)]
pub struct RulesTest {
    /// YAML configuration file with the rules
    #[arg(long = "config.file", value_name = "FILE", env = "EMS_EXPORTER_CONFIG_FILE")]
    pub config_file: PathBuf,

    /// File with one or more events as the media server sends them, or derived events such as
    /// {"type":"chunkStalled","payload":{"format":"hls","group":"g","stream":"cam1"}}
    #[arg(long = "event", value_name = "FILE")]
    pub event: PathBuf,

    /// The media server that they come from [default: the first that is configured]
    #[arg(long, value_name = "NAME")]
    pub server: Option<String>,
}

/// Flags of `replay`.
#[derive(Args, Debug, Clone)]
pub struct Replay {
    /// Event files, read in the order in which they were written
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Format of the files: json, xml, text or w3c [default: found from their content]
    #[arg(long, value_name = "FORMAT", value_parser = format_of)]
    pub format: Option<Format>,

    /// Print the metrics page that these events lead to, instead of the summary
    #[arg(long)]
    pub metrics: bool,
}
