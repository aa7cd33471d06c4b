//! The server process: its counters, and the names that its build uses for itself.

use crate::request::{EMS_AGENT, RMS_AGENT};
use crate::value::{Map, map, text};

/// Counters that restart with each process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) id: i32,
    /// Events logged so far: the newest one's id.
    pub(crate) events: u64,
    streams: u64,
    protocols: u32,
    /// Web sessions opened so far: the newest one's id.
    pub(crate) sessions: u64,
}

impl Process {
    pub(crate) fn new(id: i32) -> Self {
        Self { id, events: 0, streams: 0, protocols: 866, sessions: 0 }
    }

    pub(crate) fn next_stream(&mut self) -> u64 {
        self.streams += 1;
        self.streams
    }

    /// Timers share their ids with connections, so that they are far apart.
    pub(crate) fn next_protocol(&mut self) -> u32 {
        self.protocols += 33;
        self.protocols
    }
}

/// The names a build of the server uses for itself.
#[derive(Debug)]
pub(crate) struct Brand {
    /// In the stream objects and in `applicationStart`.
    pub(crate) app_name: &'static str,
    /// The product's name, as in its `User-Agent`.
    pub(crate) agent: &'static str,
    banner: &'static str,
    branch: &'static str,
    build_date: &'static str,
    build: &'static str,
    hash: &'static str,
}

impl Brand {
    /// A stock RMS, or an EMS.
    pub(crate) fn of(stock_rms: bool) -> Self {
        if stock_rms {
            Self {
                app_name: "rdkcms",
                agent: RMS_AGENT,
                banner: "RDKC Media Server (www.comcast.com) version 1.7.1 build 0 with hash: rdkcmf-rdkc-rms on branch: master - PacMan|m| - (built for debian-12-x86_64 on 2023-11-14T22:13:20.000)",
                branch: "master",
                build_date: "2023-11-14T22:13:20.000",
                build: "0",
                hash: "rdkcmf-rdkc-rms",
            }
        } else {
            Self {
                app_name: "evostreamms",
                agent: EMS_AGENT,
                banner: "EvoStream Media Server (www.evostream.com) version 1.7.1 build 4497 with hash: 0123456789abcdef on branch: release/1.7.1 - PacMan|m| - (built for Debian-8-x86_64 on 2016-08-11T10:22:40.000)",
                branch: "release/1.7.1",
                build_date: "2016-08-11T10:22:40.000",
                build: "4497",
                hash: "0123456789abcdef",
            }
        }
    }

    pub(crate) fn version(&self) -> Map {
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
