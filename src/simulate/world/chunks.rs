//! The files of an output: each chunk opened and closed in its format's rhythm, with its playlist.

use super::super::output_format::OutputFormat;
use super::super::value::{Map, Value, map, text, u64};
use super::outputs::{Kind, Output};
use super::plan::FRAME_RATE;
use super::settings::{self, joined};
use super::{Task, World};
use std::time::Duration;

/// A series of chunks: of an output, or of its audio or video where they are apart.
#[derive(Debug)]
pub(super) struct Track {
    name: &'static str,
    /// Chunks begun so far.
    begun: u64,
    /// Frames of all complete chunks, which recordings report.
    frames: u64,
    open: Option<Chunk>,
}

/// A chunk that is being written.
#[derive(Debug)]
struct Chunk {
    file: Vec<u8>,
    since: Duration,
}

impl Track {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, begun: 0, frames: 0, open: None }
    }
}

/// HLS does not list a last chunk that is shorter.
const SHORTEST_LISTED: Duration = Duration::from_secs(1);
/// Where the media clock of an HLS output stands at its first chunk.
const FIRST_SEGMENT: f64 = 549.0;
/// From an HLS output's creation to that of its playlist.
const PLAYLIST_CREATED: Duration = Duration::from_millis(22);

impl World {
    /// Closes the chunk that is due and opens the next; during a stall both wait for its end.
    pub(super) fn write_chunk(&mut self, at: Duration, output: u64, track: usize) {
        let Some((slot, format)) = self.output_format(output) else {
            return;
        };
        let label = &self.slots[slot].label;
        if let Some(end) = self.stalled_until(label, format, at) {
            self.schedule(end, Task::WriteChunk { output, track });
            return;
        }
        self.close_chunk(at, output, track, false);
        self.open_chunk(at, output, track);
        let next = at + format.cadence(self.options.chunk_length);
        self.schedule(next, Task::WriteChunk { output, track });
    }

    /// Closes what an ending output still has open, in the order of its format.
    pub(super) fn finish_chunks(&mut self, at: Duration, output: u64) {
        let Some((_, format)) = self.output_format(output) else {
            return;
        };
        let tracks = format.names().tracks.len();
        match format {
            OutputFormat::Dash => {
                for track in (0..tracks).rev() {
                    self.close_chunk(at, output, track, true);
                }
            }
            OutputFormat::Hls | OutputFormat::Hds | OutputFormat::Mss | OutputFormat::Record => {
                for track in 0..tracks {
                    self.close_chunk(at, output, track, true);
                }
            }
        }
        if format == OutputFormat::Hls {
            self.log_child_playlist(at, output);
        }
    }

    fn output_format(&self, output: u64) -> Option<(usize, OutputFormat)> {
        let output = self.outputs.get(&output)?;
        match output.kind {
            Kind::File(format) => Some((output.slot, format)),
            Kind::Push | Kind::Player => None,
        }
    }

    fn open_chunk(&mut self, at: Duration, output_id: u64, track_index: usize) {
        let Some((slot, format)) = self.output_format(output_id) else {
            return;
        };
        let Some(output) = self.outputs.get(&output_id) else {
            return;
        };
        let Some(track) = output.tracks.get(track_index) else {
            return;
        };
        let number = track.begun;
        let media = &self.slots[slot].media;
        let folder = joined(&[settings::group_folder(format).as_bytes(), &self.slots[slot].name]);
        let file = match format {
            OutputFormat::Hls => {
                let playlist = self.clock.real(output.created + PLAYLIST_CREATED).as_millis();
                format!("/segment_{playlist}_{}.ts", number + 1)
            }
            OutputFormat::Hds => format!("/f4vSeg1-Frag{}", number + 1),
            OutputFormat::Dash => {
                let length = self.options.chunk_length.as_millis() as u64;
                let start = number * length + number.saturating_sub(1) * 17;
                format!("//{}/{}/segment_{start}.m4s", track.name, media.path_rate())
            }
            OutputFormat::Mss => {
                let start = self.clock.real(at).as_millis();
                format!("/{}/{}/{start}.fmp4", track.name, media.path_rate())
            }
            OutputFormat::Record => format!("_part{number:04}.flv"),
        };
        let folder = match format {
            OutputFormat::Record => joined(&[settings::MEDIA_FOLDER.as_bytes(), &self.slots[slot].name]),
            OutputFormat::Hls | OutputFormat::Hds | OutputFormat::Dash | OutputFormat::Mss => folder,
        };
        let file = joined(&[&folder, file.as_bytes()]);
        let mut payload = map([("file", text(&file))]);
        payload.extend(match format {
            OutputFormat::Hls => self.segment(output, number),
            OutputFormat::Record => map([("_tag", text("archive")), ("startTime", self.time(at))]),
            OutputFormat::Hds | OutputFormat::Dash | OutputFormat::Mss => map([("startTime", self.time(at))]),
        });
        self.log(at, format.names().chunk_created, payload);
        if let Some(output) = self.outputs.get_mut(&output_id)
            && let Some(track) = output.tracks.get_mut(track_index)
        {
            track.begun += 1;
            track.open = Some(Chunk { file, since: at });
        }
    }

    fn close_chunk(&mut self, at: Duration, output_id: u64, track_index: usize, last: bool) {
        let Some((slot, format)) = self.output_format(output_id) else {
            return;
        };
        let Some(output) = self.outputs.get_mut(&output_id) else {
            return;
        };
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
            payload.extend(map([
                ("_tag", text("archive")),
                ("frameCount", u64(all_frames)),
                ("startTime", text("")),
            ]));
        }
        self.log(at, format.names().chunk_closed, payload);
        let label = self.slots[slot].label.clone();
        *self.chunks_closed.entry((format, format.group(), label, name)).or_default() += 1;
    }

    /// The two members that place an HLS segment in its playlist.
    fn segment(&self, output: &Output, number: u64) -> Map {
        let start = FIRST_SEGMENT + number as f64 * self.options.chunk_length.as_millis() as f64;
        map([
            ("playlistStartTs", Value::Double(self.clock.millis(output.created + PLAYLIST_CREATED))),
            ("segmentStartTs", Value::Double(start)),
        ])
    }

    fn log_child_playlist(&mut self, at: Duration, output: u64) {
        let Some(output) = self.outputs.get(&output) else {
            return;
        };
        let file = joined(&[
            settings::group_folder(OutputFormat::Hls).as_bytes(),
            &self.slots[output.slot].name,
            b"/playlist.m3u8",
        ]);
        self.log(at, "hlsChildPlaylistUpdated", map([("file", text(file))]));
    }

    fn time(&self, at: Duration) -> Value {
        Value::Timestamp(self.clock.date_time(at))
    }
}
