//! A YAML file and flags to [`Config`], with every fault reported at once, each with its place and
//! what would be right.

pub mod document;
mod ingest;
mod rules;
pub mod web;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::actions;
use crate::auth::{Guard, Secret};
use crate::model::Settings;
use crate::pipeline::{ConfiguredServer, is_server_name};
use crate::rules::Rule;
use crate::web::Setup;
use ems_protocol::runtime_api::{self, Address, Api, Login};
use ems_tail::{Format, Start};

use document::{Fault, Section};

/// The environment variable that may hold the secret of those who post events.
pub const SECRET_VARIABLE: &str = "EMS_EXPORTER_INGEST_SECRET";

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
    /// From one look at what a server says of itself to the next.
    pub reconcile_interval: Duration,
    /// What is done when something happens.
    pub rules: Vec<Rule>,
    /// How it is done.
    pub actions: actions::Options,
    /// Where event files are begun.
    pub start: Start,
    /// Where it is kept how far event files have been read; none to keep it nowhere.
    pub storage: Option<PathBuf>,
    /// What the tables must know.
    pub settings: Settings,
    /// The largest body, in bytes.
    pub max_body: usize,
    /// Most servers that are made for names of unconfigured ones.
    pub max_servers: usize,
    /// The file with TLS, users and headers, if there is one.
    pub web_file: Option<PathBuf>,
    /// Whether the exporter may be told to reload over HTTP.
    pub lifecycle: bool,
    /// Whether strangers may do what [`Config::exposed`] tells of.
    pub insecure: bool,
    /// Where events are posted, and who may.
    pub ingest: Pipeline,
    /// Where all this was read.
    pub origin: Origin,
}

/// Where a configuration was read, to read it again.
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
            ingest: Pipeline::default(),
            origin: Origin::default(),
        }
    }
}

/// Where events are posted, and who may.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pipeline {
    /// Addresses that take events and tell of our health, and nothing else; then no other takes events.
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
    /// Who asks, if it wants to know.
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

/// What flags and environment say; each overrides the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// `--web.listen-address`.
    pub listen: Vec<String>,
    /// `--web.telemetry-path`.
    pub telemetry_path: Option<String>,
    /// `--events.file`.
    pub files: Vec<String>,
    /// `--events.format`.
    pub format: Option<Format>,
    /// `--events.start`.
    pub start: Option<Start>,
    /// `--storage.path`.
    pub storage: Option<PathBuf>,
    /// `--web.config.file`.
    pub web_file: Option<PathBuf>,
    /// `--web.enable-lifecycle`.
    pub lifecycle: bool,
    /// `--web.insecure`.
    pub insecure: bool,
}

/// Every fault of a configuration.
#[derive(Debug, thiserror::Error)]
#[error("{}", list(.0))]
pub struct Faults(pub Vec<String>);

fn list(faults: &[String]) -> String {
    let count = if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) };
    let lines: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    format!("the configuration has {count}:{}", lines.concat())
}

impl Config {
    /// Reads the file, if there is one, lets the flags override it, and looks whether the web configuration has faults
    /// too.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Self, Faults> {
        let web_file = overrides.web_file.as_deref();
        let web = web_file.and_then(|path| web::load(path).1.err()).unwrap_or_default();
        match Self::load_own(file, overrides) {
            Ok(config) if web.is_empty() => Ok(config),
            Ok(_) => Err(Faults(web)),
            Err(Faults(mut faults)) => {
                faults.extend(web);
                Err(Faults(faults))
            }
        }
    }

    /// Reads it again from where it was read, without the web configuration, which is read on its own.
    pub fn load_again(&self) -> Result<Self, Faults> {
        Self::load_own(self.origin.file.as_deref(), &self.origin.overrides)
    }

    fn load_own(file: Option<&Path>, overrides: &Overrides) -> Result<Self, Faults> {
        let mut config = Self::default();
        let mut faults = Vec::new();
        config.origin = Origin { file: file.map(Path::to_owned), overrides: overrides.clone() };
        if let Some(path) = file {
            match std::fs::read_to_string(path) {
                Ok(text) => {
                    let found = config.read(&text);
                    faults.extend(found.iter().map(|fault| format!("{}:{fault}", path.display())));
                }
                Err(error) => faults.push(format!("{}: cannot be read: {error}", path.display())),
            }
        }
        if !overrides.listen.is_empty() {
            config.listen.clone_from(&overrides.listen);
            for address in &config.listen {
                if let Err(wrong) = check_address(address) {
                    faults.push(format!("--web.listen-address {address}: {wrong}"));
                }
            }
        }
        if let Some(path) = &overrides.telemetry_path {
            config.telemetry_path.clone_from(path);
            if let Err(wrong) = check_path(path) {
                faults.push(format!("--web.telemetry-path {path}: {wrong}"));
            }
        }
        if !overrides.files.is_empty() {
            if config.servers.len() > 1 {
                faults.push(
                    "--events.file: several servers are configured: name the files in servers[].files"
                        .to_owned(),
                );
            }
            for pattern in &overrides.files {
                if let Err(wrong) = check_pattern(pattern) {
                    faults.push(format!("--events.file {pattern}: {wrong}"));
                }
            }
            let source = Source { server: None, patterns: overrides.files.clone(), format: overrides.format };
            config.sources = vec![source];
        }
        // Not a flag, since those can be seen by all.
        if let Ok(text) = std::env::var(SECRET_VARIABLE) {
            match Secret::new(&text) {
                Ok(secret) => config.ingest.guard.secret = Some(secret),
                Err(wrong) => faults.push(format!("{SECRET_VARIABLE}: what it holds {wrong}")),
            }
        }
        config.web_file.clone_from(&overrides.web_file);
        config.lifecycle = overrides.lifecycle;
        config.insecure = overrides.insecure;
        config.start = overrides.start.unwrap_or(config.start);
        config.storage = overrides.storage.clone().or(config.storage);
        if faults.is_empty() { Ok(config) } else { Err(Faults(faults)) }
    }

    /// Takes over what a document says, and returns its faults.
    fn read(&mut self, text: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let Some(mut root) = Section::root(text, &mut faults) else {
            return faults;
        };
        if let Some(mut web) = root.section("web", &mut faults) {
            web.texts("listen_address", check_address, &mut self.listen, &mut faults);
            web.text("telemetry_path", check_path, &mut self.telemetry_path, &mut faults);
            web.truth("protect_health", &mut self.ingest.guard.protect_health, &mut faults);
            web.finish(&mut faults);
        }
        if let Some(section) = root.section("ingest", &mut faults) {
            ingest::read(section, &mut self.ingest, &mut faults);
        }
        if let Some(mut series) = root.section("series", &mut faults) {
            series.duration("retention", &mut self.settings.retention, &mut faults);
            series.finish(&mut faults);
        }
        if let Some(mut stall) = root.section("stall", &mut faults) {
            stall.number("factor", 1.0, 1000.0, &mut self.settings.stall_factor, &mut faults);
            stall.duration("minimum", &mut self.settings.stall_minimum, &mut faults);
            stall.finish(&mut faults);
        }
        if let Some(mut limits) = root.section("limits", &mut faults) {
            limits.count("streams", 1, 1_000_000, &mut self.settings.streams, &mut faults);
            limits.count("body", 1024, 1 << 30, &mut self.max_body, &mut faults);
            limits.count("servers", 1, 10_000, &mut self.max_servers, &mut faults);
            limits.finish(&mut faults);
        }
        for mut server in root.sections("servers", &mut faults) {
            let mut known = ConfiguredServer::default();
            let (place, named) = (server.place(), server.has("name"));
            server.text("name", check_server, &mut known.name, &mut faults);
            server.texts("expect", |_| Ok(()), &mut known.expected, &mut faults);
            let mut source = Source { server: Some(known.name.clone()), patterns: Vec::new(), format: None };
            server.texts("files", check_pattern, &mut source.patterns, &mut faults);
            let mut format = String::new();
            server.text("format", check_format, &mut format, &mut faults);
            source.format = Format::from_name(&format);
            if !source.patterns.is_empty() {
                self.sources.push(source);
            }
            if let Some(api) = server.section("api", &mut faults) {
                self.apis.extend(read_api(api, &known.name, &mut faults));
            }
            server.finish(&mut faults);
            if !named {
                faults.push(place.fault("servers[].name", "is missing: every server needs a name"));
            } else if !known.name.is_empty() && self.servers.iter().any(|other| other.name == known.name) {
                faults.push(place.fault("servers[].name", "is used twice: names must differ"));
            }
            self.servers.push(known);
        }
        if let Some(mut reconcile) = root.section("reconcile", &mut faults) {
            let (place, least) = (reconcile.place(), Duration::from_secs(1));
            reconcile.duration("interval", &mut self.reconcile_interval, &mut faults);
            if self.reconcile_interval < least {
                faults.push(place.fault("reconcile.interval", "is less than 1s"));
            }
            reconcile.finish(&mut faults);
        }
        if let Some(mut events) = root.section("events", &mut faults) {
            let mut start = String::new();
            events.text("start", check_start, &mut start, &mut faults);
            self.start = Start::from_name(&start).unwrap_or_default();
            events.finish(&mut faults);
        }
        if let Some(mut storage) = root.section("storage", &mut faults) {
            let mut path = String::new();
            storage.text("path", |_| Ok(()), &mut path, &mut faults);
            self.storage = (!path.is_empty()).then(|| PathBuf::from(path));
            storage.finish(&mut faults);
        }
        if let Some(actions) = root.section("actions", &mut faults) {
            rules::read_actions(actions, &mut self.actions, &mut faults);
        }
        let sections = root.sections("rules", &mut faults);
        self.rules = rules::read_rules(sections, &self.servers, &self.apis, &mut faults);
        root.finish(&mut faults);
        faults
    }

    /// The keys that `other` sets otherwise and that only a restart puts in force.
    pub fn frozen_changes(&self, other: &Self) -> Vec<&'static str> {
        let Self {
            listen,
            telemetry_path,
            servers,
            sources,
            apis,
            reconcile_interval,
            rules: _,
            actions,
            start,
            storage,
            settings,
            max_body,
            max_servers,
            web_file: _,
            lifecycle: _,
            insecure: _,
            ingest: Pipeline { listen: ingest_listen, guard: _ },
            origin: _,
        } = self;
        let limits = (settings.streams, *max_body, *max_servers);
        let other_limits = (other.settings.streams, other.max_body, other.max_servers);
        let stall = (settings.stall_factor, settings.stall_minimum);
        let other_stall = (other.settings.stall_factor, other.settings.stall_minimum);
        let same = [
            ("web.listen_address", *listen == other.listen),
            ("web.telemetry_path", *telemetry_path == other.telemetry_path),
            ("ingest.listen_address", *ingest_listen == other.ingest.listen),
            ("series", settings.retention == other.settings.retention),
            ("stall", stall == other_stall),
            ("limits", limits == other_limits),
            ("servers", *servers == other.servers && *sources == other.sources && *apis == other.apis),
            ("reconcile", *reconcile_interval == other.reconcile_interval),
            ("events", *start == other.start),
            ("storage", *storage == other.storage),
            ("actions", *actions == other.actions),
        ];
        same.iter().filter(|(_, same)| !same).map(|(key, _)| *key).collect()
    }

    /// What strangers could do with the exporter as it is configured: each a sentence with what prevents it.
    pub fn exposed(&self, setup: &Setup) -> Vec<String> {
        let mut sentences = Vec::new();
        let doors = if self.ingest.listen.is_empty() { &self.listen } else { &self.ingest.listen };
        if let (true, Some(transport)) =
            (self.ingest.guard.is_open(), doors.iter().find(|transport| is_reachable(transport)))
        {
            sentences.push(format!(
                "anybody who reaches {transport} can post events: set ingest.secret_file or ingest.allow, or listen on a loopback address"
            ));
        }
        let transport = self.listen.iter().find(|transport| is_reachable(transport));
        if let (true, false, Some(transport)) = (self.lifecycle, setup.keeps_strangers_out(), transport) {
            sentences.push(format!(
                "anybody who reaches {transport} can reload the configuration: set basic_auth_users in --web.config.file, or leave out --web.enable-lifecycle"
            ));
        }
        sentences
    }

    /// All addresses to listen on: those of our pages first, those for events only behind them.
    pub fn addresses(&self) -> impl Iterator<Item = &String> {
        self.listen.iter().chain(&self.ingest.listen)
    }

    /// The address at which programs on this machine can post events and ask how we are.
    pub fn own_address(&self) -> Option<SocketAddr> {
        let address = self.ingest.listen.first().or(self.listen.first())?.to_socket_addrs().ok()?.next()?;
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
    let resolved = address.to_socket_addrs();
    resolved.is_ok_and(|mut addresses| addresses.any(|address| !address.ip().to_canonical().is_loopback()))
}

/// Reads `servers[].api`. The password comes from a file, so that the configuration holds no secret.
fn read_api(mut api: Section, server: &str, faults: &mut Vec<Fault>) -> Option<Remote> {
    let (place, before) = (api.place(), faults.len());
    let (mut url, mut user, mut file, mut timeout) =
        (String::new(), String::new(), String::new(), runtime_api::DEFAULT_TIMEOUT);
    let given = api.has("url");
    api.text("url", |url| url.parse::<Address>().map(|_| ()), &mut url, faults);
    api.text("username", |_| Ok(()), &mut user, faults);
    api.text("password_file", |_| Ok(()), &mut file, faults);
    api.duration("timeout", &mut timeout, faults);
    api.finish(faults);
    if !given {
        faults.push(place.fault("servers[].api.url", "is missing, such as http://127.0.0.1:7777"));
    }
    let mut password = String::new();
    if !file.is_empty() {
        match secret_in(&file) {
            Ok(text) => password = text,
            Err(wrong) => faults.push(place.fault("servers[].api.password_file", &wrong)),
        }
    }
    if user.is_empty() != file.is_empty() {
        faults.push(place.fault("servers[].api", "needs both username and password_file, or neither"));
    }
    if faults.len() > before {
        return None;
    }
    let login = (!user.is_empty()).then_some(Login { user, password });
    Some(Remote { server: server.to_owned(), address: url.parse().ok()?, login, timeout })
}

/// The secret that a file holds: all of it but the end of its line.
fn secret_in(file: &str) -> Result<String, String> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err(format!("{file} cannot be read: {error}")),
    }
}

fn check_address(address: &str) -> Result<(), &'static str> {
    let port = address.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then_some(port));
    match port.map(str::parse::<u16>) {
        Some(Ok(_)) => Ok(()),
        _ => Err("is not HOST:PORT, such as 127.0.0.1:10777 or [::]:10777"),
    }
}

fn check_path(path: &str) -> Result<(), &'static str> {
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-.".contains(&byte));
    match path {
        "/" | "/events" | "/-/healthy" | "/-/ready" | "/-/reload" => Err("is a path that is taken"),
        path if path.starts_with("/api/") => Err("is a path that is taken"),
        path if path.starts_with('/') && !path.starts_with("/events/") && plain => Ok(()),
        _ => Err("is not a path of plain characters that starts with /, such as /metrics"),
    }
}

fn check_server(name: &str) -> Result<(), &'static str> {
    if is_server_name(name) {
        return Ok(());
    }
    Err("is not 1 to 64 letters, digits, dots, dashes and underscores")
}

fn check_pattern(pattern: &str) -> Result<(), &'static str> {
    match glob::Pattern::new(pattern) {
        Ok(_) if !pattern.is_empty() => Ok(()),
        _ => Err("is not a file name or pattern, such as /var/log/ems/events*.json"),
    }
}

fn check_format(name: &str) -> Result<(), &'static str> {
    Format::from_name(name).map(|_| ()).ok_or("is not json, xml, text or w3c")
}

fn check_start(name: &str) -> Result<(), &'static str> {
    Start::from_name(name).map(|_| ()).ok_or("is not saved-or-end, saved-or-beginning, beginning or end")
}
