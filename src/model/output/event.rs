//! The events of outputs, and outputs in the server's own lists.

use std::borrow::Cow;
use std::time::Duration;

use super::format::{Format, Playlist, Track};
use super::paths;
use crate::model::{Key, is_ours};
use ems_protocol::{Map, Message, Rejection};

/// The events of this family. The server's documents name no deletion of Smooth Streaming chunks and recordings; they
/// are accepted nevertheless.
pub const EVENTS: &[(&str, Name)] = &[
    ("hlsChunkCreated", Name::ChunkOpened(Format::Hls)),
    ("hlsChunkClosed", Name::ChunkClosed(Format::Hls)),
    ("hlsChunkError", Name::ChunkError(Format::Hls)),
    ("hlsChunkDeleted", Name::ChunkDeleted(Format::Hls)),
    ("hlsMasterPlaylistUpdated", Name::Playlist(Format::Hls, Playlist::Master)),
    ("hlsChildPlaylistUpdated", Name::Playlist(Format::Hls, Playlist::Child)),
    ("hdsChunkCreated", Name::ChunkOpened(Format::Hds)),
    ("hdsChunkClosed", Name::ChunkClosed(Format::Hds)),
    ("hdsChunkError", Name::ChunkError(Format::Hds)),
    ("hdsChunkDeleted", Name::ChunkDeleted(Format::Hds)),
    ("hdsMasterPlaylistUpdated", Name::Playlist(Format::Hds, Playlist::Master)),
    ("hdsChildPlaylistUpdated", Name::Playlist(Format::Hds, Playlist::Child)),
    ("dashChunkCreated", Name::ChunkOpened(Format::Dash)),
    ("dashChunkClosed", Name::ChunkClosed(Format::Dash)),
    ("dashChunkError", Name::ChunkError(Format::Dash)),
    ("dashChunkDeleted", Name::ChunkDeleted(Format::Dash)),
    ("dashPlaylistUpdated", Name::Playlist(Format::Dash, Playlist::Master)),
    ("mssChunkCreated", Name::ChunkOpened(Format::Mss)),
    ("mssChunkClosed", Name::ChunkClosed(Format::Mss)),
    ("mssChunkError", Name::ChunkError(Format::Mss)),
    ("mssChunkDeleted", Name::ChunkDeleted(Format::Mss)),
    ("mssPlaylistUpdated", Name::Playlist(Format::Mss, Playlist::Master)),
    ("recordChunkCreated", Name::ChunkOpened(Format::Record)),
    ("recordChunkClosed", Name::ChunkClosed(Format::Record)),
    ("recordChunkError", Name::ChunkError(Format::Record)),
    ("recordChunkDeleted", Name::ChunkDeleted(Format::Record)),
];

/// The status of a configuration that waits for its stream.
const WAITING: u64 = 2;

/// The meaning of an event name of this family.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    /// A chunk's file was opened.
    ChunkOpened(Format),
    /// A chunk is complete on disk.
    ChunkClosed(Format),
    /// A chunk could not be written.
    ChunkError(Format),
    /// A chunk was rolled out and removed (EMS 2.x).
    ChunkDeleted(Format),
    /// A playlist or manifest was written.
    Playlist(Format, Playlist),
}

/// An output as an event of its stream describes it.
#[derive(Debug, Clone)]
pub struct Output<'a> {
    /// The key of its stream.
    pub key: Key,
    /// Distinguishes outputs with a reused key: `creationTimestamp` in whole milliseconds.
    pub created: u64,
    /// Its format.
    pub format: Format,
    /// `groupName`; for a recording, which has none, the type of its file.
    pub group: Cow<'a, str>,
    /// `localStreamName`.
    pub stream: Cow<'a, str>,
    /// Where its chunks go, normalised: a folder, or for a recording the path without extension.
    pub folder: String,
    /// `chunkLength`, where it is not 0.
    pub chunk_length: Option<Duration>,
    /// `inStreamUniqueId`: the stream that feeds it; null in a creation, and once that stream is gone.
    pub input: Option<Key>,
    /// `configId`: the configuration that keeps it.
    pub config: Option<u64>,
    /// Whether it was made by one of the exporter's own calls.
    pub ours: bool,
    /// The tracks that a codec or bytes show by now; one for the formats that do not split.
    pub tracks: Vec<Track>,
}

/// An output in the server's list of configurations, whether it writes now or waits.
#[derive(Debug, Clone)]
pub struct Configured<'a> {
    /// Its format.
    pub format: Format,
    /// See [`Output::group`].
    pub group: Cow<'a, str>,
    /// See [`Output::stream`].
    pub stream: Cow<'a, str>,
    /// See [`Output::folder`].
    pub folder: String,
    /// See [`Output::chunk_length`].
    pub chunk_length: Option<Duration>,
    /// Whether it waits for its stream.
    pub waiting: bool,
}

/// An event of this family.
#[derive(Debug)]
pub enum Event<'a> {
    /// `outStreamCreated` with the settings of an output.
    Opened(Output<'a>),
    /// `outStreamCodecsUpdated` with the settings of an output.
    CodecsUpdated(Output<'a>),
    /// `outStreamClosed` with the settings of an output.
    Closed(Output<'a>),
    /// See [`Name::ChunkOpened`] and [`Name::ChunkClosed`].
    Chunk {
        /// The format of its output.
        format: Format,
        /// Its path as the server wrote it.
        file: Cow<'a, str>,
        /// How far it is.
        step: Step,
    },
    /// See [`Name::ChunkError`]: a free text that names no output in a way to rely on.
    ChunkError(Format),
    /// See [`Name::ChunkDeleted`].
    ChunkDeleted(Format),
    /// See [`Name::Playlist`].
    Playlist {
        /// The format of its output.
        format: Format,
        /// Which of the two.
        kind: Playlist,
        /// Its path.
        file: Cow<'a, str>,
    },
}

impl Event<'_> {
    /// The format of the output that it is about.
    pub const fn format(&self) -> Format {
        match self {
            Self::Opened(output) | Self::CodecsUpdated(output) | Self::Closed(output) => output.format,
            Self::Chunk { format, .. }
            | Self::ChunkError(format)
            | Self::ChunkDeleted(format)
            | Self::Playlist { format, .. } => *format,
        }
    }
}

/// How far a chunk is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Its file was opened.
    Opened,
    /// It is complete.
    Closed(Closed),
}

/// The content of a complete chunk, where its event tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Closed {
    /// How much media it holds: `segmentDuration`, or `stopTime` less `startTime`.
    pub duration: Option<Duration>,
    /// `frameCount`: its frames of video.
    pub frames: Option<u64>,
}

impl Closed {
    /// Whether it is the rest with which the server closes an output: no frame, and no time passed.
    pub(super) fn is_rest(self) -> bool {
        self.frames == Some(0) && self.duration == Some(Duration::ZERO)
    }

    /// Whether its event shows that it is empty. Audio has no frames of video, so a chunk that may hold audio alone
    /// does not show that.
    pub(super) fn is_empty(self, track: Track) -> bool {
        track == Track::Video && self.frames == Some(0) && !self.is_rest()
    }
}

/// Reads an event of this family.
pub fn interpret<'a>(name: Name, message: &Message<'a>) -> Result<Event<'a>, Rejection> {
    let payload = message.payload();
    let file = || payload.path("file")?.ok_or(Rejection::MissingField("file"));
    Ok(match name {
        Name::ChunkOpened(format) => Event::Chunk { format, file: file()?, step: Step::Opened },
        Name::ChunkClosed(format) => {
            let closed = Closed { duration: duration(payload)?, frames: payload.u64("frameCount")? };
            Event::Chunk { format, file: file()?, step: Step::Closed(closed) }
        }
        Name::ChunkError(format) => Event::ChunkError(format),
        Name::ChunkDeleted(format) => Event::ChunkDeleted(format),
        Name::Playlist(format, kind) => Event::Playlist { format, kind, file: file()? },
    })
}

fn duration(payload: Map<'_, '_>) -> Result<Option<Duration>, Rejection> {
    if let Some(millis) = payload.f64("segmentDuration")? {
        return Ok(Duration::try_from_secs_f64(millis / 1000.0).ok());
    }
    // The start of a recording's later chunks is an empty text.
    Ok(payload.time("startTime")?.zip(payload.time("stopTime")?).map(|(start, stop)| stop.since(start)))
}

/// Reads the output out of an event of an outbound stream, if that stream writes files and is not
/// one of the short-lived writers of a DASH initialisation segment.
pub fn of_stream<'a>(message: &Message<'a>) -> Result<Option<Output<'a>>, Rejection> {
    let payload = message.payload();
    let Some((key, settings)) = payload.ending_in("Settings") else {
        return Ok(None);
    };
    let Some(format) = key.strip_suffix(b"Settings").and_then(Format::of_family) else {
        return Ok(None);
    };
    let name = payload.text("name")?.unwrap_or_default();
    if format == Format::Record && name == "segInitwriter" {
        return Ok(None);
    }
    let Configured { format, group, stream, folder, chunk_length, .. } = configured(format, settings, name)?;
    let key = Key::of(message, "uniqueId")?;
    let input = payload.u64("inStreamUniqueId").ok().flatten();
    Ok(Some(Output {
        key,
        created: payload.created()?,
        format,
        group,
        stream,
        folder,
        chunk_length,
        input: input.map(|id| Key { pid: key.pid, id }),
        config: settings.u64("configId").ok().flatten(),
        ours: is_ours(settings),
        tracks: tracks(format, payload)?,
    }))
}

/// Reads a configuration out of the server's list of those of a family, if that family writes files.
pub fn listed<'a>(family: &[u8], message: &Message<'a>) -> Result<Option<Configured<'a>>, Rejection> {
    Format::of_family(family)
        .map(|format| configured(format, message.payload(), Cow::Borrowed("")))
        .transpose()
}

/// Reads the settings of an output of the stream `name`.
fn configured<'a>(
    format: Format,
    settings: Map<'_, 'a>,
    name: Cow<'a, str>,
) -> Result<Configured<'a>, Rejection> {
    let chunk_length = settings.u64("chunkLength")?.filter(|seconds| *seconds > 0).map(Duration::from_secs);
    let folder = if format == Format::Record {
        let path = settings.text("computedPathToFile")?.or(settings.text("pathToFile")?).unwrap_or_default();
        paths::recording(&paths::normalise(&path)).to_owned()
    } else {
        paths::normalise(&settings.path("targetFolder")?.unwrap_or_default()).into_owned()
    };
    let group =
        settings.text(if format == Format::Record { "type" } else { "groupName" })?.unwrap_or_default();
    let stream = settings.text("localStreamName")?.unwrap_or(name);
    let status =
        settings.map("status").ok().flatten().and_then(|status| status.map("current").ok().flatten());
    let waiting = status.and_then(|status| status.u64("code").ok().flatten()) == Some(WAITING);
    Ok(Configured { format, group, stream, folder, chunk_length, waiting })
}

fn tracks(format: Format, payload: Map<'_, '_>) -> Result<Vec<Track>, Rejection> {
    if !format.splits_tracks() {
        return Ok(vec![Track::Whole]);
    }
    let mut known = Vec::new();
    for (medium, track) in [("audio", Track::Audio), ("video", Track::Video)] {
        let Some(medium) = payload.map(medium)? else { continue };
        // A medium that the stream lacks is said to be passed through.
        let codec =
            medium.text("codec")?.filter(|codec| !matches!(&**codec, "AUNK" | "VUNK" | "APT" | "VPT"));
        if codec.is_some() || medium.u64("bytesCount")?.is_some_and(|bytes| bytes > 0) {
            known.push(track);
        }
    }
    Ok(known)
}
