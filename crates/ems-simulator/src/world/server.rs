//! The server process itself: start, graceful stop, crash and bursts.

use super::model::{Task, Wanted, World};
use super::plan::Stay;
use super::process::Process;
use crate::value::{Value, i32, map, text, u16};
use std::time::Duration;

/// From the start of the server to its first stream.
const FIRST_STREAM: Duration = Duration::from_millis(500);
/// Within this time all streams come.
const STREAMS_WITHIN: Duration = Duration::from_secs(10);

impl World {
    /// `applicationStart`, `serverStarted`, then everything this server does by itself.
    pub(crate) fn boot(&mut self, at: Duration) {
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
        self.schedule_incidents(at);
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
    pub(crate) fn burst(&mut self, at: Duration) {
        for slot in 0..self.slots.len() {
            if let Stay::Burst(_) = self.slots[slot].stay {
                self.open_stream(at, slot);
            }
        }
        self.schedule(at + self.options.burst_every, Task::Burst);
    }

    /// The process ends without an event; another one starts after the pause.
    pub(crate) fn crash(&mut self, at: Duration) {
        self.clear();
        self.keep_configs(at);
        let id = if self.options.crash_keep_pid {
            self.process.id
        } else {
            self.process.id + self.random.i32(1..500)
        };
        self.process = Process::new(id);
        self.schedule(at + self.options.crash_pause, Task::Boot);
    }

    pub(crate) fn stop_server(&mut self, at: Duration) {
        if self.running {
            self.log(at, "serverStopping", self.brand.version());
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.running = false;
        self.agenda.clear();
        self.inputs.clear();
        self.outputs.clear();
        self.timers.clear();
        self.sessions.clear();
    }
}
