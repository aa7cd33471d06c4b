//! Inbound streams: published by encoders or pulled, with codecs, feeds and their end.

use super::super::value::{Map, Value, map, text, u32, u64};
use super::plan::{Config, Feed, Stay};
use super::stream_object::{Codecs, Facts, NEAR_IP, Peer, common};
use super::{Task, World, settings};
use std::time::Duration;

/// An open inbound stream.
#[derive(Debug)]
pub(super) struct Input {
    /// Its place in the plan.
    pub(super) slot: usize,
    pub(super) created: Duration,
    pub(super) codecs: Codecs,
    /// Whether the server had every configuration of the slot before the stream opened.
    known: bool,
    peer: Peer,
    pull: Option<Map>,
    /// Unique ids of the outputs it feeds, ascending.
    pub(super) outputs: Vec<u64>,
}

/// Where pulled streams come from.
const PULL_HOST: &str = "192.0.2.50";
/// From one look at the feeds to the next (`streamsExpireTimer`).
const FEED_CHECK: Duration = Duration::from_secs(10);
/// A feed that stops does so once in this time, …
const SILENCE_EVERY: u64 = 240;
/// … in these of its seconds.
const SILENCE: std::ops::Range<u64> = 60..95;

impl World {
    /// The encoder connects, or the server connects to the source.
    pub(super) fn open_stream(&mut self, at: Duration, slot: usize) {
        if self.inputs.values().any(|input| input.slot == slot) {
            return;
        }
        let pulled = self.slots[slot].pulled;
        let known = !self.slots[slot].configs.is_empty();
        let pull = pulled.then(|| self.pull_settings(at, slot));
        let own_port = u16::try_from(self.random.between(32_768, 60_999)).unwrap_or(40_000);
        let peer = if pulled {
            Peer { far_ip: PULL_HOST.to_owned(), far_port: 1935, near_port: own_port }
        } else {
            Peer { far_ip: format!("192.0.2.{}", 60 + slot % 190), far_port: own_port, near_port: 1935 }
        };
        let unique_id = self.process.next_stream();
        self.inputs.insert(
            unique_id,
            Input { slot, created: at, codecs: Codecs::Neither, known, peer, pull, outputs: Vec::new() },
        );
        self.log_input(at + Duration::from_micros(91), "inStreamCreated", unique_id);
        let first = Duration::from_millis(if pulled { 25 } else { 50 });
        let input = unique_id;
        self.schedule(at + first, Task::IdentifyCodec { input, last: false });
        self.schedule(at + first + Duration::from_millis(7), Task::IdentifyCodec { input, last: true });
        match self.slots[slot].stay {
            Stay::Forever => {}
            Stay::Minutes => {
                let stay = self.random.millis(180_000, 480_000);
                self.schedule(at + stay, Task::CloseStream { input });
            }
            Stay::Burst(stay) => self.schedule(at + stay, Task::CloseStream { input }),
        }
        if self.slots[slot].silent.is_some() {
            self.schedule(at + FEED_CHECK, Task::CheckFeeds { input });
        }
        if self.slots[slot].watched {
            let wait = self.random.millis(2_000, 20_000);
            self.schedule(at + wait, Task::PlayerArrives { input });
        }
    }

    /// The settings of a pull; the first time an operator asks for it.
    fn pull_settings(&mut self, at: Duration, slot: usize) -> Map {
        let name = self.slots[slot].name.clone();
        let uri = settings::joined(&[b"rtmp://", PULL_HOST.as_bytes(), b"/live/", &name]);
        let agent = self.brand.agent;
        if let Some(config_id) = self.slots[slot].configs.get(&Config::Pull) {
            return settings::pull(&name, *config_id, agent, &uri);
        }
        let config_id = self.process.next_config();
        self.slots[slot].configs.insert(Config::Pull, config_id);
        let pull = settings::pull(&name, config_id, agent, &uri);
        self.log_request(
            at,
            "pullStream",
            map([("keepAlive", text("1")), ("localStreamName", text(&name)), ("uri", text(&uri))]),
        );
        let mut data = pull.clone();
        data.extend(map([("uri", settings::uri(PULL_HOST, "/live/", &name))]));
        self.log_response(at, settings::joined(&[b"Stream ", &uri, b" enqueued for pulling"]), data);
        pull
    }

    /// First one codec becomes known, then the other: video first from encoders, audio first from pulls.
    pub(super) fn identify_codec(&mut self, at: Duration, unique_id: u64, last: bool) {
        let Some(input) = self.inputs.get_mut(&unique_id) else {
            return;
        };
        input.codecs = match (last, &input.pull) {
            (true, _) => Codecs::Both,
            (false, Some(_)) => Codecs::Audio,
            (false, None) => Codecs::Video,
        };
        let (slot, known) = (input.slot, input.known);
        self.log_input(at, "inStreamCodecsUpdated", unique_id);
        if !last {
            return;
        }
        // An operator needs a moment for each command; what is configured already follows at once.
        let (wait, apart) = if known { (870, 15) } else { (1500, 180) };
        let mut when = at + Duration::from_millis(wait);
        let input = unique_id;
        for format in self.slots[slot].formats.clone() {
            self.schedule(when, Task::CreateOutput { input, format });
            when += Duration::from_millis(apart);
        }
        if self.slots[slot].pushed {
            self.schedule(when, Task::CreatePush { input });
        }
    }

    /// Reports a feed that has stopped, again and again while it lasts.
    pub(super) fn check_feeds(&mut self, at: Duration, unique_id: u64) {
        let Some(input) = self.inputs.get(&unique_id) else {
            return;
        };
        let slot = &self.slots[input.slot];
        let silent = SILENCE.contains(&(at.saturating_sub(input.created).as_secs() % SILENCE_EVERY));
        if let Some(feed) = slot.silent.filter(|_| silent) {
            let event = match feed {
                Feed::Audio => "audioFeedStopped",
                Feed::Video => "videoFeedStopped",
            };
            let payload = map([
                ("id", u32(u32::try_from(unique_id).unwrap_or(u32::MAX))),
                ("localStreamName", text(&slot.name)),
            ]);
            self.log(at, event, payload);
        }
        self.schedule(at + FEED_CHECK, Task::CheckFeeds { input: unique_id });
    }

    /// The source goes away: first the stream closes, then what it fed, one after the other.
    pub(super) fn close_stream(&mut self, at: Duration, unique_id: u64) {
        if !self.inputs.contains_key(&unique_id) {
            return;
        }
        self.log_input(at, "inStreamClosed", unique_id);
        let Some(input) = self.inputs.remove(&unique_id) else {
            return;
        };
        for output in input.outputs {
            self.finish_output(at, output);
        }
        if self.slots[input.slot].stay == Stay::Minutes {
            let pause = self.random.millis(5_000, 20_000);
            self.schedule(at + pause, Task::OpenStream { slot: input.slot });
        }
    }

    fn log_input(&mut self, at: Duration, event: &'static str, unique_id: u64) {
        let Some(input) = self.inputs.get(&unique_id) else {
            return;
        };
        let slot = &self.slots[input.slot];
        let mut payload = common(
            &self.clock,
            &Facts {
                app_name: self.brand.app_name,
                process_id: self.process.id,
                unique_id,
                name: &slot.name,
                kind: "INR",
                kind_numeric: 5_282_249_572_905_648_128,
                operation: u8::from(input.pull.is_some()),
                created: input.created,
                query: at,
                codecs: input.codecs,
                media: slot.media,
                flowing: match input.codecs {
                    Codecs::Neither => Duration::ZERO,
                    Codecs::Video | Codecs::Audio | Codecs::Both => at.saturating_sub(input.created),
                },
                peer: Some(&input.peer),
            },
        );
        let outputs = if input.outputs.is_empty() {
            Value::Null
        } else {
            Value::List(input.outputs.iter().map(|id| u64(*id)).collect())
        };
        payload.extend(map([("outStreamsUniqueIds", outputs)]));
        payload.extend(match &input.pull {
            Some(pull) => {
                let uri = pull.get("uri").cloned().unwrap_or(Value::Null);
                map([
                    ("pageUrl", text("")),
                    ("pullSettings", Value::Map(pull.clone())),
                    ("serverAgent", text("FMS/3,0,1,123")),
                    ("swfUrl", uri.clone()),
                    ("tcUrl", uri),
                ])
            }
            None => map([
                ("ingestPoint", text(&slot.name)),
                ("tcUrl", text(format!("rtmp://{NEAR_IP}:1935/live"))),
                ("userAgent", text("FMLE/3.0 (compatible; Lavf59.27.100)")),
            ]),
        });
        self.log(at, event, payload);
    }
}
