//! The server process itself: start, graceful stop, crash and bursts.

use super::super::value::{Map, Value, i32, map, text, u16};
use super::operator::Wanted;
use super::plan::Stay;
use super::{Task, World};
use std::time::Duration;

/// Numbers that begin anew with each process.
#[derive(Debug)]
pub(super) struct Process {
    /// The pid.
    pub(super) id: i32,
    /// Events logged so far: the newest one's id.
    pub(super) events: u64,
    streams: u64,
    protocols: u32,
    /// Web sessions opened so far: the newest one's id.
    pub(super) sessions: u64,
}

impl Process {
    pub(super) fn new(id: i32) -> Self {
        Self { id, events: 0, streams: 0, protocols: 866, sessions: 0 }
    }

    pub(super) fn next_stream(&mut self) -> u64 {
        self.streams += 1;
        self.streams
    }

    /// Timers share their ids with connections, so that they are far apart.
    pub(super) fn next_protocol(&mut self) -> u32 {
        self.protocols += 33;
        self.protocols
    }
}

/// The names a build of the server uses for itself.
#[derive(Debug)]
pub(super) struct Brand {
    /// In the stream objects and in `applicationStart`.
    pub(super) app_name: &'static str,
    /// The product's name, as in its `User-Agent`.
    pub(super) agent: &'static str,
    banner: &'static str,
    branch: &'static str,
    build_date: &'static str,
    build: &'static str,
    hash: &'static str,
}

impl Brand {
    /// A stock RMS, or an EMS.
    pub(super) fn of(stock_rms: bool) -> Self {
        if stock_rms {
            Self {
                app_name: "rdkcms",
                agent: super::super::request::RMS_AGENT,
                banner: "RDKC Media Server (www.comcast.com) version 1.7.1 build 0 with hash: rdkcmf-rdkc-rms on branch: master - PacMan|m| - (built for debian-12-x86_64 on 2023-11-14T22:13:20.000)",
                branch: "master",
                build_date: "2023-11-14T22:13:20.000",
                build: "0",
                hash: "rdkcmf-rdkc-rms",
            }
        } else {
            Self {
                app_name: "evostreamms",
                agent: super::super::request::EMS_AGENT,
                banner: "EvoStream Media Server (www.evostream.com) version 1.7.1 build 4497 with hash: 0123456789abcdef on branch: release/1.7.1 - PacMan|m| - (built for Debian-8-x86_64 on 2016-08-11T10:22:40.000)",
                branch: "release/1.7.1",
                build_date: "2016-08-11T10:22:40.000",
                build: "4497",
                hash: "0123456789abcdef",
            }
        }
    }

    pub(super) fn version(&self) -> Map {
        map([
            ("banner", text(self.banner)),
            ("branchName", text(self.branch)),
            ("buildDate", text(self.build_date)),
            ("buildNumber", text(self.build)),
            ("codeName", text("PacMan|m|")),
            ("hash", text(self.hash)),
            ("releaseNumber", text("1.7.1")),
        ])
    }
}

/// From the start of the server to its first stream.
const FIRST_STREAM: Duration = Duration::from_millis(500);
/// Within this time all streams come.
const STREAMS_WITHIN: Duration = Duration::from_secs(10);

impl World {
    /// `applicationStart`, `serverStarted`, then everything this server does by itself.
    pub(super) fn boot(&mut self, at: Duration) {
        self.running = true;
        self.starts += 1;
        self.log(
            at,
            "applicationStart",
            map([("config", self.application()), ("id", i32(1)), ("name", text(self.brand.app_name))]),
        );
        self.log(at, "serverStarted", self.brand.version());
        let comes = |slot: &usize| !matches!(self.slots[*slot].stay, Stay::Burst(_));
        let coming: Vec<usize> = (0..self.slots.len()).filter(comes).collect();
        let apart = (STREAMS_WITHIN / u32::try_from(coming.len().max(1)).unwrap_or(u32::MAX))
            .min(Duration::from_millis(250));
        for (position, slot) in (0_u32..).zip(coming) {
            self.schedule(at + FIRST_STREAM + apart * position, Task::OpenStream { slot });
        }
        let timers =
            [(2, Wanted::Every(10)), (3, Wanted::Every(60)), (4, Wanted::In(Duration::from_secs(30)))];
        let wanted = if self.options.unattended { &timers[..0] } else { &timers[..] };
        for &(seconds, wanted) in wanted {
            self.schedule(at + Duration::from_secs(seconds), Task::WantTimer { wanted });
        }
        self.schedule_trouble(at);
        self.schedule(at + Duration::from_secs(12), Task::SessionStarts);
        self.schedule(at + Duration::from_secs(40), Task::Download);
        if self.options.burst > 0 {
            self.schedule(at + Duration::from_secs(5), Task::Burst);
        }
    }

    /// The application's section of the configuration, which a real server sends whole, secrets included.
    fn application(&self) -> Value {
        let acceptor = |port, protocol| {
            Value::Map(map([("ip", text("0.0.0.0")), ("port", u16(port)), ("protocol", text(protocol))]))
        };
        Value::Map(map([
            (
                "acceptors",
                Value::List(vec![acceptor(1935, "inboundRtmp"), acceptor(7777, "inboundHttpJsonCli")]),
            ),
            ("aliases", Value::List(vec![text("er"), text("live"), text("vod")])),
            ("appDir", text("/var/evostreamms/")),
            (
                "eventLogger",
                Value::Map(map([(
                    "sinks",
                    Value::List(vec![Value::Map(map([
                        ("type", text("RPC")),
                        ("url", text(self.options.url.to_string())),
                    ]))]),
                )])),
            ),
            ("name", text(self.brand.app_name)),
        ]))
    }

    /// Opens every stream of the burst at one moment.
    pub(super) fn burst(&mut self, at: Duration) {
        for slot in 0..self.slots.len() {
            if let Stay::Burst(_) = self.slots[slot].stay {
                self.open_stream(at, slot);
            }
        }
        self.schedule(at + self.options.burst_every, Task::Burst);
    }

    /// The process is gone without a word; another one starts after the pause.
    pub(super) fn crash(&mut self, at: Duration) {
        self.forget();
        self.keep_configs(at);
        let id = if self.options.crash_keep_pid {
            self.process.id
        } else {
            self.process.id + i32::try_from(self.random.between(1, 500)).unwrap_or(1)
        };
        self.process = Process::new(id);
        self.schedule(at + self.options.crash_pause, Task::Boot);
    }

    pub(super) fn stop_server(&mut self, at: Duration) {
        if self.running {
            self.log(at, "serverStopping", self.brand.version());
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.running = false;
        self.agenda.clear();
        self.inputs.clear();
        self.outputs.clear();
        self.timers.clear();
        self.sessions.clear();
    }
}
