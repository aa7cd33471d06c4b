//! Outbound streams: outputs to files, pushes and players; their events and their end.

use super::super::output_format::OutputFormat;
use super::super::value::{Map, Value, map, text, u32, u64};
use super::chunks::Track;
use super::plan::Config;
use super::settings::joined;
use super::stream_object::{Codecs, Facts, NEAR_IP, Peer, common};
use super::{Task, World, settings};
use std::time::Duration;

/// An open outbound stream.
#[derive(Debug)]
pub(super) struct Output {
    /// The plan's place of the stream it carries.
    pub(super) slot: usize,
    /// The unique id of that stream.
    pub(super) input: u64,
    pub(super) kind: Kind,
    pub(super) created: Duration,
    settings: Map,
    peer: Option<Peer>,
    /// The files being written; none for players and pushes.
    pub(super) tracks: Vec<Track>,
}

/// What an outbound stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Files in a format.
    File(OutputFormat),
    /// Another server.
    Push,
    /// Somebody who watches over RTMP.
    Player,
}

/// Where streams are pushed to.
const PUSH_HOST: &str = "192.0.2.51";

impl World {
    /// Starts writing a stream in a format; the first time an operator asks for it.
    pub(super) fn create_output(&mut self, at: Duration, input: u64, format: OutputFormat) {
        let Some(slot) = self.inputs.get(&input).map(|input| input.slot) else {
            return;
        };
        let name = self.slots[slot].name.clone();
        let chunk_length = self.options.chunk_length.as_secs();
        let (config_id, new) = self.config(slot, Config::Output(format));
        if new {
            let parameters = settings::output_parameters(format, &name, chunk_length);
            self.log_request(at, format.names().command, parameters);
        }
        let group_created = self.clock.millis(at);
        let settings = settings::output(format, &name, config_id, chunk_length, group_created);
        let answer = settings::output_answer(format, &settings);
        let unique_id = self.open_output(at, input, Kind::File(format), settings, None);
        self.log_output(at + ms(5), "outStreamCodecsUpdated", unique_id, true);
        if new {
            self.log_response(at + ms(6), format.names().answer, answer);
        }
        self.log_first_playlists(at + ms(22), format, &name);
        if format == OutputFormat::Dash {
            self.log_init_segments(at + ms(30), slot);
        }
        for track in 0..format.names().tracks.len() {
            let later = ms(if track == 0 { 0 } else { 20 });
            let task = Task::WriteChunk { output: unique_id, track };
            self.schedule(at + format.first_chunk() + later, task);
        }
    }

    /// Starts pushing a stream elsewhere.
    pub(super) fn create_push(&mut self, at: Duration, input: u64) {
        let Some(slot) = self.inputs.get(&input).map(|input| input.slot) else {
            return;
        };
        let name = self.slots[slot].name.clone();
        let (config_id, new) = self.config(slot, Config::Push);
        let uri = format!("rtmp://{PUSH_HOST}/live");
        let mut settings = settings::push(&name, config_id, self.brand.agent, uri.as_bytes());
        if new {
            self.log_request(
                at,
                "pushStream",
                map([
                    ("keepAlive", text("1")),
                    ("localStreamName", text(&name)),
                    ("targetStreamName", text(&name)),
                    ("uri", text(&uri)),
                ]),
            );
            let mut data = settings.clone();
            data.extend(map([("targetUri", settings::uri(PUSH_HOST, "/", b"live"))]));
            self.log_response(
                at,
                joined(&[
                    b"Local stream ",
                    &name,
                    b" enqueued for pushing to ",
                    uri.as_bytes(),
                    b" as ",
                    &name,
                ]),
                data,
            );
        }
        settings.extend(map([("localUniqueStreamId", u32(u32::try_from(input).unwrap_or(u32::MAX)))]));
        let peer = Peer {
            far_ip: PUSH_HOST.to_owned(),
            far_port: 1935,
            near_port: u16::try_from(self.random.between(32_768, 60_999)).unwrap_or(40_000),
        };
        let unique_id = self.open_output(at, input, Kind::Push, settings, Some(peer));
        self.log_output(at + ms(10), "outStreamCodecsUpdated", unique_id, true);
    }

    /// The id of a configuration, and whether it was made just now.
    fn config(&mut self, slot: usize, config: Config) -> (u32, bool) {
        if let Some(config_id) = self.slots[slot].configs.get(&config) {
            return (*config_id, false);
        }
        let config_id = self.process.next_config();
        self.slots[slot].configs.insert(config, config_id);
        (config_id, true)
    }

    /// Registers an outbound stream, which only afterwards is linked to its source.
    pub(super) fn open_output(
        &mut self,
        at: Duration,
        input: u64,
        kind: Kind,
        settings: Map,
        peer: Option<Peer>,
    ) -> u64 {
        let unique_id = self.process.next_stream();
        let Some(source) = self.inputs.get_mut(&input) else {
            return unique_id;
        };
        source.outputs.push(unique_id);
        let tracks: &[&str] = match kind {
            Kind::File(format) => format.names().tracks,
            Kind::Push | Kind::Player => &[],
        };
        self.outputs.insert(
            unique_id,
            Output {
                slot: source.slot,
                input,
                kind,
                created: at,
                settings,
                peer,
                tracks: tracks.iter().map(|name| Track::new(name)).collect(),
            },
        );
        self.log_output(at + Duration::from_micros(110), "outStreamCreated", unique_id, false);
        unique_id
    }

    /// The playlists that are written when an output starts.
    fn log_first_playlists(&mut self, at: Duration, format: OutputFormat, name: &[u8]) {
        let folder = settings::group_folder(format);
        let master = |file: &str| map([("file", text(format!("{folder}{file}")))]);
        match format {
            OutputFormat::Hls => self.log(at, "hlsMasterPlaylistUpdated", master("playlist.m3u8")),
            OutputFormat::Hds => {
                self.log(at, "hdsMasterPlaylistUpdated", master("manifest.f4m"));
                let child = joined(&[folder.as_bytes(), name, b"/", name, b".f4m"]);
                self.log(at, "hdsChildPlaylistUpdated", map([("file", text(child))]));
            }
            OutputFormat::Dash => self.log(at, "dashPlaylistUpdated", master("manifest.mpd")),
            OutputFormat::Mss => self.log(at, "mssPlaylistUpdated", master("manifest.ismc")),
            OutputFormat::Record => {}
        }
    }

    /// The two writers of DASH initialisation segments, which look like recordings of a few milliseconds.
    fn log_init_segments(&mut self, at: Duration, slot: usize) {
        for (track, begin) in [("audio", at), ("video", at + ms(12))] {
            let unique_id = self.process.next_stream();
            let path = joined(&[
                settings::group_folder(OutputFormat::Dash).as_bytes(),
                &self.slots[slot].name,
                format!("//{track}/{}/seg_init.mp4", self.slots[slot].media.path_rate()).as_bytes(),
            ]);
            for (event, query) in [
                ("outStreamCreated", begin + Duration::from_micros(61)),
                ("outStreamClosed", begin + Duration::from_micros(10_665)),
            ] {
                let mut payload = common(
                    &self.clock,
                    &Facts {
                        app_name: self.brand.app_name,
                        process_id: self.process.id,
                        unique_id,
                        name: b"segInitwriter",
                        kind: "OFMP4",
                        kind_numeric: 5_712_338_184_231_190_528,
                        operation: 7,
                        created: begin,
                        query,
                        codecs: Codecs::Neither,
                        media: self.slots[slot].media,
                        flowing: Duration::ZERO,
                        peer: None,
                    },
                );
                payload.extend(map([
                    ("inStreamUniqueId", Value::Null),
                    (
                        "recordSettings",
                        Value::Map(map([
                            ("chunkLength", u64(self.options.chunk_length.as_secs())),
                            ("computedPathToFile", text(&path)),
                        ])),
                    ),
                ]));
                self.log(query, event, payload);
            }
        }
    }

    /// Ends an output: its last chunks, then the stream itself. The source is still linked only if it is still open.
    pub(super) fn finish_output(&mut self, at: Duration, unique_id: u64) {
        self.finish_chunks(at, unique_id);
        let linked = match self.outputs.get(&unique_id) {
            Some(output) => self.inputs.contains_key(&output.input),
            None => return,
        };
        self.log_output(at, "outStreamClosed", unique_id, linked);
        if let Some(output) = self.outputs.remove(&unique_id)
            && let Some(input) = self.inputs.get_mut(&output.input)
        {
            input.outputs.retain(|id| *id != unique_id);
        }
    }

    /// Logs a stream event; an output that is not linked to its source knows neither its id nor its codecs.
    pub(super) fn log_output(&mut self, at: Duration, event: &'static str, unique_id: u64, linked: bool) {
        let Some(output) = self.outputs.get(&unique_id) else {
            return;
        };
        let slot = &self.slots[output.slot];
        let (kind, kind_numeric, operation) = match output.kind {
            Kind::File(format) => {
                let names = format.names();
                (names.stream_type, names.stream_type_numeric, names.operation)
            }
            Kind::Push => ("ONR", 5_714_595_137_133_215_744, 2),
            Kind::Player => ("ONR", 5_714_595_137_133_215_744, 0),
        };
        let mut payload = common(
            &self.clock,
            &Facts {
                app_name: self.brand.app_name,
                process_id: self.process.id,
                unique_id,
                name: &slot.name,
                kind,
                kind_numeric,
                operation,
                created: output.created,
                query: at,
                codecs: if linked { Codecs::Both } else { Codecs::Neither },
                media: slot.media,
                flowing: at.saturating_sub(output.created + ms(20)),
                peer: output.peer.as_ref(),
            },
        );
        let source = if linked { u64(output.input) } else { Value::Null };
        payload.extend(map([("inStreamUniqueId", source)]));
        let settings = Value::Map(output.settings.clone());
        payload.extend(match output.kind {
            Kind::File(format) => map([(format.names().settings, settings)]),
            Kind::Push => {
                let uri = text(format!("rtmp://{PUSH_HOST}/live"));
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
        self.log(at, event, payload);
    }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
