//! The files that an output writes once at its start: playlists, manifests and initialisation segments.

use super::model::{Codecs, Files, Kind, Output, World};
use super::outputs::ms;
use super::stream_object::Facts;
use crate::output_format::OutputFormat;
use crate::value::{Value, map, text, u64};
use std::time::Duration;

impl World {
    /// The playlists that are written when an output starts.
    pub(crate) fn log_first_playlists(&mut self, at: Duration, output: u64) {
        let Some(Output { kind: Kind::Files(files), settings, .. }) = self.outputs.get(&output) else {
            return;
        };
        let files = files.clone();
        let master = settings.get("createMasterPlaylist") != Some(&Value::Bool(false));
        let in_group = |file: &[u8]| map([("file", text([&files.group_folder, file].concat()))]);
        match files.format {
            OutputFormat::Hls => {
                if master {
                    self.log(at, "hlsMasterPlaylistUpdated", in_group(b"playlist.m3u8"));
                }
            }
            OutputFormat::Hds => {
                if master {
                    self.log(at, "hdsMasterPlaylistUpdated", in_group(b"manifest.f4m"));
                }
                let child = text(files.playlist_path());
                self.log(at, "hdsChildPlaylistUpdated", map([("file", child)]));
            }
            OutputFormat::Dash => {
                self.log(at, "dashPlaylistUpdated", in_group(&files.playlist));
                self.log_init_segments(at + ms(8), output, &files);
            }
            OutputFormat::Mss => self.log(at, "mssPlaylistUpdated", in_group(&files.playlist)),
            OutputFormat::Record => {}
        }
    }

    /// The two writers of DASH initialisation segments, which appear as recordings of a few milliseconds.
    fn log_init_segments(&mut self, at: Duration, output: u64, files: &Files) {
        let Some(slot) = self.outputs.get(&output).map(|output| output.slot) else {
            return;
        };
        for (track, begin) in [("audio", at), ("video", at + ms(12))] {
            let unique_id = self.process.next_stream();
            let file = format!("//{track}/{}/seg_init.mp4", self.slots[slot].media.path_rate());
            let path = [&files.folder, file.as_bytes()].concat();
            for (event, query) in [
                ("outStreamCreated", begin + Duration::from_micros(61)),
                ("outStreamClosed", begin + Duration::from_micros(10_665)),
            ] {
                let mut payload = self.common(
                    query,
                    &Facts {
                        unique_id,
                        name: b"segInitwriter",
                        kind: "OFMP4",
                        operation: 7,
                        created: begin,
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
                            ("chunkLength", u64(files.chunk_length.as_secs())),
                            ("computedPathToFile", text(&path)),
                        ])),
                    ),
                ]));
                self.log(query, event, payload);
            }
        }
    }
}
