//! The files of an output: each chunk opened and closed in its format's rhythm, with its playlist.

use super::incidents::holds;
use super::model::{Chunk, Files, Output, Task, World};
use super::plan::FRAME_RATE;
use crate::output_format::OutputFormat;
use crate::stall::StallEnd;
use crate::value::{Map, Value, map, text, u64, variables};
use std::time::Duration;

/// HLS does not list a last chunk that is shorter.
const SHORTEST_LISTED: Duration = Duration::from_secs(1);
/// Where the media clock of an HLS output stands at its first chunk.
const FIRST_SEGMENT: f64 = 549.0;
/// From an HLS output's creation to that of its playlist.
const PLAYLIST_CREATED: Duration = Duration::from_millis(22);
/// The size of a chunk, in bytes for each millisecond: it stands for a stream of a higher bit rate.
const BYTES_PER_MS: u64 = 4;
/// The largest chunk, in bytes.
const LARGEST: u64 = 64 << 10;

impl World {
    /// Closes the chunk that is due and opens the next; during a stall both wait for its end.
    pub(crate) fn write_chunk(&mut self, at: Duration, output: u64, track: usize) {
        let Some((open, files)) = self.outputs.get(&output).and_then(|open| Some((open, open.files()?)))
        else {
            return;
        };
        let (format, length) = (files.format, files.chunk_length);
        match self.held(open, format, at) {
            Some(StallEnd::At(end)) => {
                self.schedule(end, Task::WriteChunk { output, track });
                return;
            }
            Some(StallEnd::Recreated) => return,
            None => {}
        }
        self.close_chunk(at, output, track, false);
        self.open_chunk(at, output, track);
        if !length.is_zero() {
            self.schedule(at + length.mul_f64(format.profile().cadence), Task::WriteChunk { output, track });
        }
    }

    /// Closes what an ending output still has open, in the order of its format.
    pub(crate) fn finish_chunks(&mut self, at: Duration, output: u64) {
        let Some(format) = self.files(output).map(|files| files.format) else {
            return;
        };
        let written = self.outputs.get(&output).map_or(0, |output| output.tracks.len());
        let mut tracks: Vec<usize> = (0..written).collect();
        if format == OutputFormat::Dash {
            tracks.reverse();
        }
        for track in tracks {
            self.close_chunk(at, output, track, true);
        }
        if format == OutputFormat::Hls {
            self.log_child_playlist(at, output);
        }
    }

    /// Gives up what an output still has open, since it cannot write it.
    pub(crate) fn abandon_chunks(&mut self, at: Duration, output: u64) {
        let tracks = self.outputs.get_mut(&output).map(|output| &mut output.tracks);
        let open: Vec<Chunk> = tracks.into_iter().flatten().filter_map(|track| track.open.take()).collect();
        if self.files(output).is_some_and(|files| files.format == OutputFormat::Hls) {
            for chunk in &open {
                let error = [&b"Unable to close rolling segment "[..], &chunk.file].concat();
                for _ in 0..2 {
                    self.log(at, "hlsChunkError", map([("error", text(&error))]));
                }
            }
        }
    }

    fn files(&self, output: u64) -> Option<&Files> {
        self.outputs.get(&output)?.files()
    }

    fn open_chunk(&mut self, at: Duration, output_id: u64, track_index: usize) {
        let Some(output) = self.outputs.get(&output_id) else {
            return;
        };
        let (Some(files), Some(track)) = (output.files(), output.tracks.get(track_index)) else {
            return;
        };
        let (format, number) = (files.format, track.begun);
        let media = &self.slots[output.slot].media;
        let file = match format {
            OutputFormat::Hls => {
                let playlist = self.clock.real(output.created + PLAYLIST_CREATED).as_millis();
                format!("/{}_{playlist}_{}.ts", files.chunk_name, number + 1)
            }
            OutputFormat::Hds => format!("/{}Seg1-Frag{}", files.chunk_name, number + 1),
            OutputFormat::Dash => {
                let length = files.chunk_length.as_millis() as u64;
                let start = number * length + number.saturating_sub(1) * 17;
                format!("//{}/{}/segment_{start}.m4s", track.name, media.path_rate())
            }
            OutputFormat::Mss => {
                let start = self.clock.real(at).as_millis();
                format!("/{}/{}/{start}.fmp4", track.name, media.path_rate())
            }
            OutputFormat::Record if files.chunk_length.is_zero() => format!(".{}", files.container),
            OutputFormat::Record => format!("_part{number:04}.{}", files.container),
        };
        let file = [&files.folder, file.as_bytes()].concat();
        let mut payload = map([("file", text(&file))]);
        payload.extend(match format {
            OutputFormat::Hls => self.segment(output, number),
            OutputFormat::Record => {
                let mut members = variables(&output.settings);
                members.extend(map([("startTime", self.time(at))]));
                members
            }
            OutputFormat::Hds | OutputFormat::Dash | OutputFormat::Mss => map([("startTime", self.time(at))]),
        });
        self.log(at, format.profile().chunk_created, payload);
        if let Some(output) = self.outputs.get_mut(&output_id)
            && let Some(track) = output.tracks.get_mut(track_index)
        {
            track.begun += 1;
            track.open = Some(Chunk { file, since: at });
        }
    }

    fn close_chunk(&mut self, at: Duration, output_id: u64, track_index: usize, last: bool) {
        let Some(output) = self.outputs.get_mut(&output_id) else {
            return;
        };
        let Some(files) = output.files() else {
            return;
        };
        let (slot, format, group) = (output.slot, files.format, files.group.clone());
        let own = variables(&output.settings);
        let Some(track) = output.tracks.get_mut(track_index) else {
            return;
        };
        let Some(chunk) = track.open.take() else {
            return;
        };
        let (name, number) = (track.name, track.begun.saturating_sub(1));
        let lasted = at.saturating_sub(chunk.since);
        // Audio chunks report no frames.
        let frames = if name == "audio" { 0 } else { (lasted.as_secs_f64() * FRAME_RATE).round() as u64 };
        track.frames += frames;
        let all_frames = track.frames;
        if format == OutputFormat::Hls && !(last && lasted < SHORTEST_LISTED) {
            self.log_child_playlist(at, output_id);
        }
        let mut payload = map([("file", text(&chunk.file))]);
        if format == OutputFormat::Hls {
            if let Some(output) = self.outputs.get(&output_id) {
                payload.extend(self.segment(output, number));
            }
            let length = Value::Double(lasted.as_millis() as f64);
            payload.extend(map([("segmentDuration", length)]));
        } else {
            payload.extend(map([
                ("frameCount", u64(frames)),
                ("startTime", self.time(chunk.since)),
                ("stopTime", self.time(at)),
            ]));
        }
        if format == OutputFormat::Record {
            payload.extend(own);
            payload.extend(map([("frameCount", u64(all_frames)), ("startTime", text(""))]));
        }
        let label = self.slots[slot].label.clone();
        let is_empty = holds(&self.options.disk_full, &label, format, at);
        let bytes = if is_empty { 0 } else { (lasted.as_millis() as u64 * BYTES_PER_MS).clamp(1, LARGEST) };
        self.log(at, format.profile().chunk_closed, payload);
        if let Some(event) = self.events.last_mut() {
            event.written = Some((chunk.file, bytes));
        }
        *self.chunks_closed.entry((format, group, label, name)).or_default() += 1;
    }

    /// The two members that place an HLS segment in its playlist.
    fn segment(&self, output: &Output, number: u64) -> Map {
        let length = output.files().map_or(Duration::ZERO, |files| files.chunk_length);
        let start = FIRST_SEGMENT + number as f64 * length.as_millis() as f64;
        map([
            ("playlistStartTs", Value::Double(self.clock.millis(output.created + PLAYLIST_CREATED))),
            ("segmentStartTs", Value::Double(start)),
        ])
    }

    fn log_child_playlist(&mut self, at: Duration, output: u64) {
        let Some(files) = self.files(output) else {
            return;
        };
        let file = text(files.playlist_path());
        self.log(at, "hlsChildPlaylistUpdated", map([("file", file)]));
    }

    fn time(&self, at: Duration) -> Value {
        Value::Timestamp(self.clock.date_time(at))
    }
}
