//! Inbound streams: published by encoders or pulled, with codecs, feeds and their end.

use super::address::Address;
use super::model::{Code, Codecs, Input, Peer, Purpose, Task, World};
use super::plan;
use super::plan::{Feed, Slot, Stay};
use super::stream_object::{Facts, NEAR_IP, pulled_or_pushed};
use crate::value::{Map, Value, map, text, u32, u64};
use std::time::Duration;

/// The port of a source that never answers.
const DEAD_PORT: u16 = 1;
/// From the loss of a pull to the next try.
pub(crate) const RECONNECT: Duration = Duration::from_secs(1);
/// From the rejection of an encoder to its next try.
const ENCODER_RETRY: Duration = Duration::from_secs(5);
/// The interval between checks of the feeds (`streamsExpireTimer`).
const FEED_CHECK: Duration = Duration::from_secs(10);
/// How long the server waits for a medium before it takes the stream not to have it.
const NO_MEDIUM: Duration = Duration::from_secs(1);
/// A feed that stops does so once in this time, …
const SILENCE_EVERY: u64 = 240;
/// … in these of its seconds.
const SILENCE: std::ops::Range<u64> = 60..95;

impl World {
    /// The encoder connects, or the server connects to the source.
    pub(crate) fn open_stream(&mut self, at: Duration, slot: usize) {
        if self.inputs.values().any(|input| input.slot == slot) {
            return;
        }
        let Slot { name, pulled, .. } = self.slots[slot].clone();
        if self.input_named(&name).is_some() {
            // The name is in use: the encoder is rejected and tries again.
            if !pulled {
                self.schedule(at + ENCODER_RETRY, Task::OpenStream { slot });
            }
            return;
        }
        let own_port = self.random.u16(32_768..60_999);
        let (peer, config) = if pulled {
            let Some((config, address)) = self.source(at, slot) else {
                return;
            };
            (Peer { far_ip: address.host, far_port: address.port, near_port: own_port }, Some(config))
        } else {
            let far_ip = format!("192.0.2.{}", 60 + slot % 190);
            (Peer { far_ip, far_port: own_port, near_port: 1935 }, None)
        };
        let pull = config.and_then(|config| self.configs.get(&config)).map(|config| config.settings.clone());
        let unique_id = self.process.next_stream();
        self.inputs.insert(
            unique_id,
            Input {
                slot,
                created: at,
                codecs: Codecs::Neither,
                frozen: None,
                peer,
                config,
                pull,
                outputs: Vec::new(),
            },
        );
        if let Some(config) = config {
            self.set_status(at, config, Code::Connected, 0);
            self.set_status(at, config, Code::Streaming, unique_id);
        }
        self.log_input(at + Duration::from_micros(91), "inStreamCreated", unique_id);
        let first = Duration::from_millis(if pulled { 25 } else { 50 });
        let input = unique_id;
        self.schedule(at + first, Task::IdentifyCodec { input, last: false });
        let missing = self.slots[slot].media.missing();
        let wait = if missing.is_some() { NO_MEDIUM } else { Duration::from_millis(7) };
        self.schedule(at + first + wait, Task::IdentifyCodec { input, last: true });
        match self.slots[slot].stay {
            Stay::Forever => {}
            Stay::Minutes => {
                let stay = self.random_millis(180_000..480_000);
                self.schedule(at + stay, Task::CloseStream { input });
            }
            Stay::Burst(stay) => self.schedule(at + stay, Task::CloseStream { input }),
        }
        if self.slots[slot].silent.is_some() {
            self.schedule(at + FEED_CHECK, Task::CheckFeeds { input });
        }
        if self.slots[slot].watched {
            let wait = self.random_millis(2_000..20_000);
            self.schedule(at + wait, Task::PlayerArrives { input });
        }
    }

    /// The configuration of a pull and where it leads; none while there is nothing to connect to.
    fn source(&mut self, at: Duration, slot: usize) -> Option<(u32, Address)> {
        let name = self.slots[slot].name.clone();
        let Some(id) = self.pull_of(&name) else {
            self.request_pull(at, slot, &name);
            return None;
        };
        let config = self.configs.get(&id)?;
        let Purpose::Pull(address) = config.purpose.clone() else {
            return None;
        };
        if address.port != DEAD_PORT {
            return Some((id, address));
        }
        let settings = config.settings.clone();
        self.log(at, "pullStreamFailed", settings);
        self.stream_ended(at, Some(id), Code::ConnectionFailed);
        if self.configs.contains_key(&id) {
            self.schedule(at + RECONNECT, Task::OpenStream { slot });
        }
        None
    }

    /// The place of a stream that is to be pulled.
    pub(crate) fn slot_of_pull(&mut self, name: &[u8]) -> usize {
        if let Some(slot) = self.slots.iter().position(|slot| slot.pulled && slot.name == name) {
            return slot;
        }
        self.slots.push(plan::pulled(name));
        self.slots.len() - 1
    }

    /// First one codec becomes known, then the other: video first from encoders, audio first from pulls.
    pub(crate) fn identify_codec(&mut self, at: Duration, unique_id: u64, last: bool) {
        let Some(input) = self.inputs.get_mut(&unique_id) else {
            return;
        };
        let slot = input.slot;
        input.codecs = match (last, self.slots[slot].media.missing(), &input.pull) {
            (true, ..) => Codecs::Both,
            (false, Some(Feed::Video), _) | (false, None, Some(_)) => Codecs::Audio,
            (false, Some(Feed::Audio), _) | (false, None, None) => Codecs::Video,
        };
        self.log_input(at, "inStreamCodecsUpdated", unique_id);
        if last {
            self.schedule_outputs(at, slot, unique_id);
        }
    }

    /// Existing configurations start at once; an operator needs a moment for each command.
    fn schedule_outputs(&mut self, at: Duration, slot: usize, input: u64) {
        let name = self.slots[slot].name.clone();
        let waiting: Vec<u32> =
            self.configs.iter().filter(|(_, config)| config.stream == name).map(|(id, _)| *id).collect();
        let mut when = at + Duration::from_millis(870);
        for config in waiting {
            self.schedule(when, Task::StartConfig { config });
            when += Duration::from_millis(15);
        }
        if self.options.unattended || !self.slots[slot].planned {
            return;
        }
        let mut when = at + Duration::from_millis(1500);
        for format in self.slots[slot].formats.clone() {
            if self.files_of(&name, format, format.group()).is_none() {
                self.schedule(when, Task::CreateOutput { input, format });
                when += Duration::from_millis(180);
            }
        }
        if self.slots[slot].pushed && !self.is_pushed(&name) {
            self.schedule(when, Task::CreatePush { input });
        }
    }

    /// Reports a feed that has stopped, again and again while it lasts.
    pub(crate) fn check_feeds(&mut self, at: Duration, unique_id: u64) {
        let Some(input) = self.inputs.get(&unique_id) else {
            return;
        };
        let slot = &self.slots[input.slot];
        let silent = SILENCE.contains(&(at.saturating_sub(input.created).as_secs() % SILENCE_EVERY));
        if let Some(feed) = slot.silent.filter(|_| silent || slot.media.missing().is_some()) {
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
    pub(crate) fn close_stream(&mut self, at: Duration, unique_id: u64) {
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
        self.stream_ended(at, input.config, Code::Disconnected);
        let slot = input.slot;
        let pause = match (self.slots[slot].stay, input.config) {
            (_, Some(config)) => self.configs.contains_key(&config).then_some(RECONNECT),
            (Stay::Forever | Stay::Minutes, None) => Some(self.random_millis(5_000..20_000)),
            (Stay::Burst(_), None) => None,
        };
        if let Some(pause) = pause {
            self.schedule(at + pause, Task::OpenStream { slot });
        }
    }

    fn log_input(&mut self, at: Duration, event: &'static str, unique_id: u64) {
        if let Some(payload) = self.input_object(at, unique_id) {
            self.log(at, event, payload);
        }
    }

    /// The description of an inbound stream.
    pub(crate) fn input_object(&self, at: Duration, unique_id: u64) -> Option<Map> {
        let input = self.inputs.get(&unique_id)?;
        let slot = &self.slots[input.slot];
        let last_packet = input.frozen.map_or(at, |since| since.min(at));
        let mut object = self.common(
            at,
            &Facts {
                unique_id,
                name: &slot.name,
                kind: "INR",
                operation: u8::from(input.pull.is_some()),
                created: input.created,
                codecs: input.codecs,
                media: slot.media,
                flowing: match input.codecs {
                    Codecs::Neither => Duration::ZERO,
                    Codecs::Video | Codecs::Audio | Codecs::Both => last_packet.saturating_sub(input.created),
                },
                peer: Some(&input.peer),
            },
        );
        let outputs = if input.outputs.is_empty() {
            Value::Null
        } else {
            Value::List(input.outputs.iter().map(|id| u64(*id)).collect())
        };
        object.extend(map([("outStreamsUniqueIds", outputs)]));
        object.extend(match &input.pull {
            Some(pull) => pulled_or_pushed("pullSettings", pull, "uri"),
            None => map([
                ("ingestPoint", text(&slot.name)),
                ("tcUrl", text(format!("rtmp://{NEAR_IP}:1935/live"))),
                ("userAgent", text("FMLE/3.0 (compatible; Lavf59.27.100)")),
            ]),
        });
        Some(object)
    }
}
