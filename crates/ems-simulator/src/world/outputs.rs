//! Outbound streams: outputs to files, pushes and players; their events and their end.

use super::address::Address;
use super::inputs::RECONNECT;
use super::model::{Code, Files, Kind, Output, Purpose, Task, Track, World};
use super::stream_object::{Codecs, Facts, NEAR_IP, Peer, common};
use crate::value::{Map, Value, map, text, u32, u64};
use std::time::Duration;

/// What an outbound stream begins with.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) kind: Kind,
    pub(crate) config: Option<u32>,
    pub(crate) files: Option<Files>,
    pub(crate) settings: Map,
    pub(crate) peer: Option<Peer>,
}

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
        let format = files.format;
        let unique_id = self.open_output(
            at,
            input,
            Opening {
                kind: Kind::File(format),
                config: Some(config),
                files: Some(files),
                settings,
                peer: None,
            },
        );
        self.log_output(at + ms(5), "outStreamCodecsUpdated", unique_id, true);
        self.schedule(at + ms(22), Task::FirstPlaylists { output: unique_id });
        for track in 0..format.names().tracks.len() {
            let later = ms(if track == 0 { 0 } else { 20 });
            let task = Task::WriteChunk { output: unique_id, track };
            self.schedule(at + format.first_chunk() + later, task);
        }
        unique_id
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
        let opening =
            Opening { kind: Kind::Push, config: Some(config), files: None, settings, peer: Some(peer) };
        let unique_id = self.open_output(at, input, opening);
        self.log_output(at + ms(10), "outStreamCodecsUpdated", unique_id, true);
        unique_id
    }

    /// Registers an outbound stream, which only afterwards is linked to its source.
    pub(crate) fn open_output(&mut self, at: Duration, input: u64, opening: Opening) -> u64 {
        let unique_id = self.process.next_stream();
        let Some(source) = self.inputs.get_mut(&input) else {
            return unique_id;
        };
        source.outputs.push(unique_id);
        let Opening { kind, config, files, settings, peer } = opening;
        let tracks: &[&str] = match kind {
            Kind::File(format) => format.names().tracks,
            Kind::Push | Kind::Player => &[],
        };
        let tracks = tracks.iter().map(|name| Track::new(name)).collect();
        let slot = source.slot;
        self.outputs.insert(
            unique_id,
            Output { slot, input, kind, config, files, created: at, settings, peer, tracks },
        );
        self.log_output(at + Duration::from_micros(110), "outStreamCreated", unique_id, false);
        unique_id
    }

    /// Ends an output: its last chunks, then the stream itself. The source is still linked only if it is still open.
    pub(crate) fn finish_output(&mut self, at: Duration, unique_id: u64) {
        self.finish_chunks(at, unique_id);
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
        let code = if output.kind == Kind::Push { Code::Disconnected } else { Code::WaitingForStream };
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
        let (kind, operation) = match output.kind {
            Kind::File(format) => {
                let container = output.files.as_ref().map_or("", |files| files.container);
                (format.stream_type(container), format.names().operation)
            }
            Kind::Push => ("ONR", 2),
            Kind::Player => ("ONR", 0),
        };
        let frozen = self.inputs.get(&output.input).and_then(|input| input.frozen);
        let last_packet = frozen.map_or(at, |since| since.min(at));
        let mut object = common(
            &self.clock,
            &Facts {
                app_name: self.brand.app_name,
                process_id: self.process.id,
                unique_id,
                name: &slot.name,
                kind,
                kind_numeric: numeric(kind),
                operation,
                created: output.created,
                query: at,
                codecs: if linked { Codecs::Both } else { Codecs::Neither },
                media: slot.media,
                flowing: last_packet.saturating_sub(output.created + ms(20)),
                peer: output.peer.as_ref(),
            },
        );
        let source = if linked { u64(output.input) } else { Value::Null };
        object.extend(map([("inStreamUniqueId", source)]));
        let settings = Value::Map(output.settings.clone());
        object.extend(match output.kind {
            Kind::File(format) => map([(format.names().settings, settings)]),
            Kind::Push => {
                let uri = output.settings.get("targetUri").cloned().unwrap_or(Value::Null);
                map([
                    ("canDropFrames", Value::Bool(true)),
                    ("pageUrl", text("")),
                    ("pushSettings", settings),
                    ("serverAgent", text("FMS/3,0,1,123")),
                    ("swfUrl", uri.clone()),
                    ("tcUrl", uri),
                ])
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

/// A stream type as a number: its letters as the bytes of one, from the top.
fn numeric(kind: &str) -> u64 {
    (0..8).fold(0, |number, position| {
        (number << 8) | u64::from(kind.as_bytes().get(position).copied().unwrap_or(0))
    })
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
