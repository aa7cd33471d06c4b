//! Outbound streams: outputs to files, pushes and players; their events and their end.

use super::address::Address;
use super::inputs::RECONNECT;
use super::model::{Code, Codecs, Files, Kind, Output, Peer, Purpose, Task, Track, World};
use super::plan::Feed;
use super::stream_object::{Facts, NEAR_IP, pulled_or_pushed};
use crate::value::{Map, Value, map, text, u32, u64};
use std::time::Duration;

impl World {
    /// Opens the output or push of a configuration if its stream is open and it is not.
    pub(crate) fn start_config(&mut self, at: Duration, id: u32) {
        let Some(config) = self.configs.get(&id) else {
            return;
        };
        if config.unreachable || self.stream_of(id).is_some() {
            return;
        }
        let ready = |input: &u64| self.inputs.get(input).is_some_and(|input| input.codecs == Codecs::Both);
        let Some(input) = self.input_named(&config.stream).filter(ready) else {
            return;
        };
        let (purpose, settings) = (config.purpose.clone(), config.settings.clone());
        self.set_status(at, id, Code::Connected, 0);
        let unique_id = match purpose {
            Purpose::Pull(_) => return,
            Purpose::Files(files) => self.start_files(at, input, id, files, settings),
            Purpose::Push(address) => self.start_push(at, input, id, address, settings),
        };
        self.set_status(at, id, Code::Streaming, unique_id);
    }

    fn start_files(&mut self, at: Duration, input: u64, config: u32, files: Files, settings: Map) -> u64 {
        let profile = files.format.profile();
        let output = self.open_output(at, input, Kind::Files(files), Some(config), settings, None);
        self.log_output(at + ms(5), "outStreamCodecsUpdated", output, true);
        if self.is_unwritable(at, output) {
            let open = self.random_millis(50..105);
            self.schedule(at + open, Task::CloseOutput { output });
            return output;
        }
        self.schedule(at + ms(22), Task::FirstPlaylists { output });
        for track in 0..self.outputs.get(&output).map_or(0, |output| output.tracks.len()) {
            let later = if track == 0 { 0 } else { 20 };
            self.schedule(at + ms(profile.first_chunk + later), Task::WriteChunk { output, track });
        }
        output
    }

    fn start_push(
        &mut self,
        at: Duration,
        input: u64,
        config: u32,
        address: Address,
        mut settings: Map,
    ) -> u64 {
        settings.extend(map([("localUniqueStreamId", u32(u32::try_from(input).unwrap_or(u32::MAX)))]));
        let peer =
            Peer { far_ip: address.host, far_port: address.port, near_port: self.random.u16(32_768..60_999) };
        let output = self.open_output(at, input, Kind::Push, Some(config), settings, Some(peer));
        self.log_output(at + ms(10), "outStreamCodecsUpdated", output, true);
        output
    }

    /// Registers an outbound stream, which only afterwards is linked to its source.
    pub(crate) fn open_output(
        &mut self,
        at: Duration,
        input: u64,
        kind: Kind,
        config: Option<u32>,
        settings: Map,
        peer: Option<Peer>,
    ) -> u64 {
        let unique_id = self.process.next_stream();
        let Some(source) = self.inputs.get_mut(&input) else {
            return unique_id;
        };
        source.outputs.push(unique_id);
        let tracks: &[&str] = match &kind {
            Kind::Files(files) => files.format.profile().tracks,
            Kind::Push | Kind::Player => &[],
        };
        let slot = source.slot;
        let missing = match self.slots[slot].media.missing() {
            Some(Feed::Audio) => "audio",
            Some(Feed::Video) => "video",
            None => "none",
        };
        let written = tracks.iter().filter(|name| **name != missing);
        let tracks = written.map(|name| Track { name, ..Track::default() }).collect();
        self.outputs
            .insert(unique_id, Output { slot, input, kind, config, created: at, settings, peer, tracks });
        self.log_output(at + Duration::from_micros(110), "outStreamCreated", unique_id, false);
        unique_id
    }

    /// Ends an output: its last chunks, then the stream itself. The source is still linked only if it is still open.
    pub(crate) fn finish_output(&mut self, at: Duration, unique_id: u64) {
        if self.is_unwritable(at, unique_id) {
            self.abandon_chunks(at, unique_id);
        } else {
            self.finish_chunks(at, unique_id);
        }
        let linked = match self.outputs.get(&unique_id) {
            Some(output) => self.inputs.contains_key(&output.input),
            None => return,
        };
        self.log_output(at, "outStreamClosed", unique_id, linked);
        let Some(output) = self.outputs.remove(&unique_id) else {
            return;
        };
        if let Some(input) = self.inputs.get_mut(&output.input) {
            input.outputs.retain(|id| *id != unique_id);
        }
        let code = match output.kind {
            Kind::Push => Code::Disconnected,
            Kind::Files(_) | Kind::Player => Code::WaitingForStream,
        };
        self.stream_ended(at, output.config, code);
        if let Some(config) = output.config.filter(|_| linked) {
            self.schedule(at + RECONNECT, Task::StartConfig { config });
        }
    }

    /// Logs a stream event; an output that is not linked to its source knows neither its id nor its codecs.
    pub(crate) fn log_output(&mut self, at: Duration, event: &'static str, unique_id: u64, linked: bool) {
        if let Some(payload) = self.output_object(at, unique_id, linked) {
            self.log(at, event, payload);
        }
    }

    /// The description of any open stream.
    pub(crate) fn stream_object(&self, at: Duration, unique_id: u64) -> Option<Map> {
        self.input_object(at, unique_id).or_else(|| self.output_object(at, unique_id, true))
    }

    /// The description of an outbound stream.
    fn output_object(&self, at: Duration, unique_id: u64, linked: bool) -> Option<Map> {
        let output = self.outputs.get(&unique_id)?;
        let slot = &self.slots[output.slot];
        let (kind, operation) = match &output.kind {
            Kind::Files(files) => (files.stream_type(), files.format.profile().operation),
            Kind::Push => ("ONR", 2),
            Kind::Player => ("ONR", 0),
        };
        let frozen = self.inputs.get(&output.input).and_then(|input| input.frozen);
        let last_packet = frozen.map_or(at, |since| since.min(at));
        let mut object = self.common(
            at,
            &Facts {
                unique_id,
                name: &slot.name,
                kind,
                operation,
                created: output.created,
                codecs: if linked { Codecs::Both } else { Codecs::Neither },
                media: slot.media,
                flowing: last_packet.saturating_sub(output.created + ms(20)),
                peer: output.peer.as_ref(),
            },
        );
        let source = if linked { u64(output.input) } else { Value::Null };
        object.extend(map([("inStreamUniqueId", source)]));
        object.extend(match &output.kind {
            Kind::Files(files) => {
                let member = format!("{}Settings", files.format.name());
                Map::from([(member.into(), Value::Map(output.settings.clone()))])
            }
            Kind::Push => {
                let mut members = pulled_or_pushed("pushSettings", &output.settings, "targetUri");
                members.extend(map([("canDropFrames", Value::Bool(true))]));
                members
            }
            Kind::Player => map([
                ("canDropFrames", Value::Bool(true)),
                ("streamAlias", text(&slot.name)),
                ("tcUrl", text(format!("rtmp://{NEAR_IP}:1935/live"))),
                ("userAgent", text("LNX 10,0,32,18")),
            ]),
        });
        Some(object)
    }
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
