//! The values of a configuration, and what follows from them.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use strum::{EnumMessage, IntoStaticStr, VariantArray};

use crate::actions;
use crate::auth::Guard;
use crate::folders::PathMap;
use crate::model::Settings;
use crate::pipeline::ConfiguredServer;
use crate::rules::Rule;
use crate::web::Setup;
use ems_protocol::runtime_api::{Address, Api, Login};
use ems_tail::{Format, Start};

/// All that can be configured. Every value has a default: with no file and no flag the exporter
/// runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Addresses to listen on.
    pub listen: Vec<String>,
    /// The path of the metrics page.
    pub telemetry_path: String,
    /// The media servers; none means that a server is made for each name that events come for.
    pub servers: Vec<ConfiguredServer>,
    /// The event files of media servers.
    pub sources: Vec<Source>,
    /// The runtime APIs of media servers.
    pub apis: Vec<Remote>,
    /// Where the folders of outputs are on this machine.
    pub folders: PathMap,
    /// The same of single servers, which come first.
    pub server_folders: BTreeMap<String, PathMap>,
    /// From one poll of a server's runtime API to the next.
    pub reconcile_interval: Duration,
    /// Calls to make when something happens.
    pub rules: Vec<Rule>,
    /// How these calls are made, for all rules.
    pub actions: actions::Options,
    /// Where to begin in event files.
    pub start: Start,
    /// Directory of the checkpoint, which says how far event files have been read; none for no checkpoint.
    pub storage: Option<PathBuf>,
    /// Limits and thresholds of the state.
    pub settings: Settings,
    /// The largest body, in bytes.
    pub max_body: usize,
    /// Most servers that are made for names of unconfigured ones.
    pub max_servers: usize,
    /// The file with TLS, users and headers, if there is one.
    pub web_file: Option<PathBuf>,
    /// Whether `POST /-/reload` is answered.
    pub lifecycle: bool,
    /// Whether to start although [`Config::exposed`] has sentences.
    pub insecure: bool,
    /// The event files that flags name.
    pub files: Vec<String>,
    /// The format of the event files that flags name.
    pub format: Option<Format>,
    /// How much to log.
    pub log_level: LogLevel,
    /// How to write the log.
    pub log_format: LogFormat,
    /// Where events are posted, and who may.
    pub ingest: Ingest,
    /// What is read again at a reload.
    pub origin: Origin,
}

/// Where a configuration came from, to read it again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origin {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// What overrides it.
    pub overrides: Overrides,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec!["127.0.0.1:10777".to_owned()],
            telemetry_path: "/metrics".to_owned(),
            servers: Vec::new(),
            sources: Vec::new(),
            apis: Vec::new(),
            folders: PathMap::default(),
            server_folders: BTreeMap::new(),
            reconcile_interval: Duration::from_secs(30),
            rules: Vec::new(),
            actions: actions::Options::default(),
            start: Start::default(),
            storage: None,
            settings: Settings::default(),
            max_body: 16 << 20,
            max_servers: 64,
            web_file: None,
            lifecycle: false,
            insecure: false,
            files: Vec::new(),
            format: None,
            log_level: LogLevel::default(),
            log_format: LogFormat::default(),
            ingest: Ingest::default(),
            origin: Origin::default(),
        }
    }
}

/// How much to log. The messages continue each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, EnumMessage, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
#[expect(missing_docs, reason = "the messages describe the levels")]
pub enum LogLevel {
    #[strum(message = "only failures")]
    Error,
    #[strum(message = "also what needs an operator")]
    Warn,
    #[default]
    #[strum(message = "also changes of state")]
    Info,
    #[strum(message = "also every rejected event")]
    Debug,
    #[strum(message = "everything")]
    Trace,
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// How to write the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, EnumMessage, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
#[expect(missing_docs, reason = "the messages describe the formats")]
pub enum LogFormat {
    #[default]
    #[strum(message = "lines for people")]
    Text,
    #[strum(message = "an object in each line")]
    Json,
}

/// Where events are posted, and who may.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ingest {
    /// Addresses for events and health checks only; if there are any, no other address accepts events.
    pub listen: Vec<String>,
    /// Who may.
    pub guard: Guard,
}

/// Event files of one media server.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Whose they are; none for the only server.
    pub server: Option<String>,
    /// Their names, as shell patterns.
    pub patterns: Vec<String>,
    /// Their format; none to find it from their content.
    pub format: Option<Format>,
}

/// The runtime API of one media server.
#[derive(Debug, Clone, PartialEq)]
pub struct Remote {
    /// Whose it is.
    pub server: String,
    /// Where it is.
    pub address: Address,
    /// The login, if it needs one.
    pub login: Option<Login>,
    /// How long a call may take.
    pub timeout: Duration,
}

impl Remote {
    /// Access to it; nothing is sent yet.
    pub fn api(&self) -> Api {
        Api::new(self.address.clone(), self.login.as_ref(), self.timeout)
    }
}

/// What flags and environment variables set; it overrides the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides(pub Vec<Override>);

/// The texts that a flag or its environment variable holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// The flag, without dashes.
    pub flag: &'static str,
    /// Whether the texts are from the environment variable.
    pub is_variable: bool,
    /// The texts.
    pub texts: Vec<String>,
}

impl Config {
    /// What unauthenticated clients beyond this machine could do: each a sentence with a remedy.
    pub fn exposed(&self, setup: &Setup) -> Vec<String> {
        let mut sentences = Vec::new();
        let takes_events = if self.ingest.listen.is_empty() { &self.listen } else { &self.ingest.listen };
        if let (true, Some(address)) =
            (self.ingest.guard.is_open(), takes_events.iter().find(|address| is_reachable(address)))
        {
            sentences.push(format!(
                "anybody who reaches {address} can post events: set ingest.secret_file or ingest.allow, or listen on a loopback address"
            ));
        }
        let address = self.listen.iter().find(|address| is_reachable(address));
        if let (true, false, Some(address)) = (self.lifecycle, setup.requires_authentication(), address) {
            sentences.push(format!(
                "anybody who reaches {address} can reload the configuration: set basic_auth_users in --web.config.file, or leave out --web.enable-lifecycle"
            ));
        }
        sentences
    }

    /// All addresses to listen on: those of our pages first, those for events only behind them.
    pub fn addresses(&self) -> impl Iterator<Item = &String> {
        self.listen.iter().chain(&self.ingest.listen)
    }

    /// The address at which programs on this machine can post events and check the exporter's health.
    pub fn own_address(&self) -> Option<SocketAddr> {
        let address = resolve(self.ingest.listen.first().or(self.listen.first())?).ok()?.next()?;
        let ip = match address.ip() {
            ip if !ip.is_unspecified() => ip,
            std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        Some(SocketAddr::new(ip, address.port()))
    }
}

/// Whether others than this machine's own programs can reach an address.
fn is_reachable(address: &str) -> bool {
    resolve(address)
        .is_ok_and(|mut addresses| addresses.any(|address| !address.ip().to_canonical().is_loopback()))
}

/// The addresses of HOST:PORT. :PORT is that of all interfaces, by IPv4, which is always among them.
fn resolve(address: &str) -> std::io::Result<std::vec::IntoIter<SocketAddr>> {
    let host = if address.starts_with(':') { "0.0.0.0" } else { "" };
    format!("{host}{address}").to_socket_addrs()
}
