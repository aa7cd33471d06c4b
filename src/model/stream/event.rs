//! The events of streams, and streams in the server's own list.

use std::borrow::Cow;
use std::time::Duration;

use strum::{IntoStaticStr, VariantArray};

use crate::model::{Key, is_ours};
use ems_protocol::Timestamp;
use ems_protocol::{Map, Message, Rejection};

/// The events of this family.
pub const EVENTS: &[(&str, Name)] = &[
    ("inStreamCreated", Name::Created(Direction::In)),
    ("inStreamCodecsUpdated", Name::CodecsUpdated(Direction::In)),
    ("inStreamClosed", Name::Closed(Direction::In)),
    ("outStreamCreated", Name::Created(Direction::Out)),
    ("outStreamCodecsUpdated", Name::CodecsUpdated(Direction::Out)),
    ("outStreamClosed", Name::Closed(Direction::Out)),
    ("streamCreated", Name::Created(Direction::Neutral)),
    ("streamCodecsUpdated", Name::CodecsUpdated(Direction::Neutral)),
    ("streamClosed", Name::Closed(Direction::Neutral)),
    ("audioFeedStopped", Name::FeedStopped(Media::Audio)),
    ("videoFeedStopped", Name::FeedStopped(Media::Video)),
    ("pullStreamFailed", Name::PullFailed),
    ("playlistItemStart", Name::PlaylistItem),
    ("firstPlaylistItemStart", Name::PlaylistItem),
    ("lastPlaylistItemStart", Name::PlaylistItem),
    ("outStreamFirstFrameSent", Name::FirstFrameSent),
];

/// Other spellings of the same events.
pub const ALIASES: &[(&str, &str)] = &[("NoAudio", "audioFeedStopped"), ("NoVideo", "videoFeedStopped")];

/// The tags of stream types (`payload.type`); any other is shown as `other`.
pub const TYPES: [&str; 36] = [
    "ID", "IF", "IFP", "IFR", "IFS", "IFT", "IN", "INEXT", "INLFLV", "INP", "INR", "INRAW", "INS", "INTS",
    "NR", "OF", "OFDASH", "OFHDS", "OFHLS", "OFMP4", "OFMSS", "OFR", "OFRFLV", "OFTS", "OMETA", "ON",
    "ONEXT", "ONFMP4", "ONMP4", "ONP", "ONR", "ONR4R", "ONR4TS", "ONS", "ONTS", "OUTRAW",
];

/// The meaning of an event name of this family.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    /// A stream registered itself; codecs are still unknown and all counters 0.
    Created(Direction),
    /// A codec was found or changed.
    CodecsUpdated(Direction),
    /// A stream ended; its counters are final.
    Closed(Direction),
    /// No packet of this medium for a while; repeated as long as that lasts.
    FeedStopped(Media),
    /// A pull could not be established.
    PullFailed,
    /// An item of a server-side playlist started.
    PlaylistItem,
    /// A player got its first frame.
    FirstFrameSent,
}

/// Which way the media flow, seen from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Direction {
    /// Into the server.
    In,
    /// Out of the server.
    Out,
    /// Neither; only EMS 1.6 knew such streams.
    Neutral,
}

impl Direction {
    /// The value of the label `direction`.
    pub fn label(self) -> &'static str {
        self.into()
    }

    /// The direction of a stream of this type: the type's first letter.
    pub(super) fn of_type(kind: &str) -> Self {
        match kind.as_bytes().first() {
            Some(b'I') => Self::In,
            Some(b'O') => Self::Out,
            Some(_) | None => Self::Neutral,
        }
    }
}

/// One of the two media of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Media {
    /// Sound.
    Audio,
    /// Picture.
    Video,
}

impl Media {
    pub(super) fn label(self) -> &'static str {
        self.into()
    }
}

/// The purpose of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Purpose {
    /// Sent to the server by a third party.
    Publish,
    /// Fetched by the server.
    Pull,
    /// Watched by a player.
    Play,
    /// Sent on by the server.
    Push,
    /// Written as HLS.
    Hls,
    /// Written as HDS.
    Hds,
    /// Written as DASH.
    Dash,
    /// Written as Smooth Streaming.
    Mss,
    /// Recorded.
    Record,
    /// Read from a file for one player.
    Vod,
    /// Run by a launched process.
    Process,
    /// Sent or received over WebRTC.
    WebRtc,
    /// Metadata only.
    Metadata,
    /// Plumbing of the server: between origin and edges, or a DASH initialisation segment.
    Internal,
    /// Anything else.
    Other,
}

impl Purpose {
    /// The value of the label `purpose`.
    pub fn label(self) -> &'static str {
        self.into()
    }

    /// Whether such streams write outputs.
    pub(super) const fn writes_files(self) -> bool {
        matches!(self, Self::Hls | Self::Hds | Self::Dash | Self::Mss | Self::Record)
    }

    /// A settings object decides, else the number of the connection type.
    fn of(
        direction: Direction,
        kind: &str,
        name: &str,
        payload: Map<'_, '_>,
        settings: Option<&[u8]>,
    ) -> Result<Self, Rejection> {
        if payload.bool("_isInternal")? == Some(true) || is_init_segment(name, kind) {
            return Ok(Self::Internal);
        }
        let by_number = payload.u64("connectionType")?.unwrap_or(0);
        Ok(match (settings, by_number) {
            (Some(b"pullSettings"), _) => Self::Pull,
            (Some(b"pushSettings"), _) => Self::Push,
            (Some(b"hlsSettings"), _) => Self::Hls,
            (Some(b"hdsSettings"), _) => Self::Hds,
            (Some(b"dashSettings"), _) => Self::Dash,
            (Some(b"mssSettings"), _) => Self::Mss,
            (Some(b"recordSettings"), _) => Self::Record,
            (Some(b"processSettings"), _) => Self::Process,
            _ if kind.starts_with("IF") => Self::Vod,
            (_, 0) => match direction {
                Direction::In => Self::Publish,
                Direction::Out => Self::Play,
                Direction::Neutral => Self::Other,
            },
            (_, 1) => Self::Pull,
            (_, 2) => Self::Push,
            (_, 3) => Self::Hls,
            (_, 4) => Self::Hds,
            (_, 5) => Self::Mss,
            (_, 6) => Self::Dash,
            (_, 7) => Self::Record,
            (_, 8) => Self::Process,
            (_, 9) => Self::WebRtc,
            (_, 10) => Self::Metadata,
            _ => Self::Other,
        })
    }
}

/// Whether this is one of the two short-lived writers that each start of a DASH output makes.
fn is_init_segment(name: &str, kind: &str) -> bool {
    kind == "OFMP4" && name == "segInitwriter"
}

/// A codec's tag: at most 8 letters and digits, as the server packs it into 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Codec([u8; 8]);

impl Codec {
    fn of(tag: &str) -> Self {
        let mut packed = [0; 8];
        if tag.len() <= packed.len() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            packed[..tag.len()].copy_from_slice(tag.as_bytes());
        }
        Self(packed)
    }

    pub(super) fn label(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }

    /// Whether the tag names a codec, and is neither empty nor that of an unknown one.
    pub(super) fn known(self) -> bool {
        !matches!(self.label(), "" | "AUNK" | "VUNK")
    }

    /// Whether the tag shows that the stream has the medium. The server gives the medium that a stream lacks the tag of
    /// pass-through, so that one shows nothing.
    pub(super) fn shows_medium(self) -> bool {
        self.known() && !matches!(self.label(), "APT" | "VPT")
    }
}

impl serde::Serialize for Codec {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

/// One medium of a stream as an event describes it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Medium {
    pub(super) codec: Codec,
    pub(super) traffic: Traffic,
}

/// The traffic of one medium so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) bytes: u64,
    pub(super) packets: u64,
    pub(super) dropped: u64,
}

impl Traffic {
    /// No traffic of either medium.
    pub(super) const NONE: [Self; 2] = [Self { bytes: 0, packets: 0, dropped: 0 }; 2];

    pub(super) fn add_growth(&mut self, from: Self, to: Self) {
        self.bytes += to.bytes.saturating_sub(from.bytes);
        self.packets += to.packets.saturating_sub(from.packets);
        self.dropped += to.dropped.saturating_sub(from.dropped);
    }

    pub(super) fn max(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.max(other.bytes),
            packets: self.packets.max(other.packets),
            dropped: self.dropped.max(other.dropped),
        }
    }
}

/// A stream as an event describes it.
#[derive(Debug, Clone)]
pub struct Stream<'a> {
    /// `PID` and `uniqueId`.
    pub key: Key,
    /// From the event's name.
    pub direction: Direction,
    /// `type`, or `other`.
    pub kind: &'static str,
    /// Derived from the settings and the connection type.
    pub purpose: Purpose,
    /// `name`: a label, never an identity.
    pub name: Cow<'a, str>,
    /// `creationTimestamp` in whole milliseconds; distinguishes streams with a reused key.
    pub created: u64,
    /// How long it was open: `upTime`.
    pub up_time: Duration,
    /// `queryTimestamp`, by the server's clock; read of listed streams only.
    pub(super) queried: Timestamp,
    /// The stream that an outbound one is fed from, of the same process: `inStreamUniqueId`, which
    /// is null in a creation and once that stream is gone, or the `localUniqueStreamId` of a push's
    /// settings, which is always there.
    pub input: Option<Key>,
    /// Whether it was made by one of the exporter's own calls.
    pub ours: bool,
    pub(super) tracks: [Medium; 2],
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Stream<'_> {
    /// Whether it is an output that writes files.
    pub const fn writes_files(&self) -> bool {
        self.purpose.writes_files()
    }
}

/// An event of this family.
#[derive(Debug)]
pub enum Event<'a> {
    /// See [`Name::Created`].
    Created(Stream<'a>),
    /// See [`Name::CodecsUpdated`].
    CodecsUpdated(Stream<'a>),
    /// See [`Name::Closed`].
    Closed(Stream<'a>),
    /// See [`Name::FeedStopped`].
    FeedStopped {
        /// The stream, where the event names it.
        key: Option<Key>,
        /// Its local name.
        name: Cow<'a, str>,
        /// The medium that stopped.
        media: Media,
    },
    /// See [`Name::PullFailed`].
    PullFailed {
        /// The local name that the pull would have had.
        name: Cow<'a, str>,
    },
    /// See [`Name::PlaylistItem`].
    PlaylistItem,
    /// See [`Name::FirstFrameSent`].
    FirstFrameSent,
}

impl Event<'_> {
    /// Whether the event can make a row appear.
    pub const fn opens(&self) -> bool {
        matches!(self, Self::Created(_) | Self::CodecsUpdated(_))
    }
}

/// Reads an event of this family.
pub fn interpret<'a>(name: Name, message: &Message<'a>) -> Result<Event<'a>, Rejection> {
    let payload = message.payload();
    Ok(match name {
        Name::Created(direction) => Event::Created(stream(direction, message)?),
        Name::CodecsUpdated(direction) => Event::CodecsUpdated(stream(direction, message)?),
        Name::Closed(direction) => Event::Closed(stream(direction, message)?),
        Name::FeedStopped(media) => {
            // The documents have streamId, the server sends id.
            let id = payload.u64("id")?.or(payload.u64("streamId")?);
            let key = id.map(|id| message.pid().map(|pid| Key { pid, id })).transpose()?;
            Event::FeedStopped { key, name: payload.text("localStreamName")?.unwrap_or_default(), media }
        }
        Name::PullFailed => Event::PullFailed { name: payload.text("localStreamName")?.unwrap_or_default() },
        Name::PlaylistItem => Event::PlaylistItem,
        Name::FirstFrameSent => Event::FirstFrameSent,
    })
}

/// Reads a stream out of the server's own list.
pub fn listed<'a>(message: &Message<'a>) -> Result<Stream<'a>, Rejection> {
    let kind = message.payload().text("type")?.unwrap_or_default();
    let mut stream = stream(Direction::of_type(&kind), message)?;
    // An edge's ids have its pid in their upper half here, and not in events.
    for key in [Some(&mut stream.key), stream.input.as_mut()].into_iter().flatten() {
        key.id &= u64::from(u32::MAX);
    }
    let queried = message.payload().f64("queryTimestamp")?.unwrap_or(0.0);
    stream.queried = Timestamp::from_millis(queried.max(0.0) as u64);
    Ok(stream)
}

fn stream<'a>(direction: Direction, message: &Message<'a>) -> Result<Stream<'a>, Rejection> {
    let payload = message.payload();
    let tag = payload.text("type")?.unwrap_or_default();
    let kind = TYPES.iter().find(|known| **known == tag).copied().unwrap_or("other");
    let name = payload.text("name")?.unwrap_or_default();
    let video = payload.map("video")?;
    let size = |field| -> Result<u32, Rejection> {
        let pixels = video.map_or(Ok(None), |video| video.u64(field))?;
        Ok(pixels.and_then(|pixels| u32::try_from(pixels).ok()).unwrap_or(0))
    };
    let key = Key::of(message, "uniqueId")?;
    let settings = payload.ending_in("Settings");
    let number = |map: Map<'_, '_>, field| map.u64(field).ok().flatten();
    let input = number(payload, "inStreamUniqueId");
    let input = input.or_else(|| number(settings?.1, "localUniqueStreamId"));
    Ok(Stream {
        key,
        input: input.map(|id| Key { pid: key.pid, id }),
        direction,
        kind,
        purpose: Purpose::of(direction, kind, &name, payload, settings.map(|(key, _)| key))?,
        ours: settings.is_some_and(|(_, settings)| is_ours(settings)),
        created: payload.created()?,
        up_time: payload.f64("upTime")?.map_or(Duration::ZERO, |millis| {
            Duration::try_from_secs_f64(millis / 1000.0).unwrap_or_default()
        }),
        queried: Timestamp::default(),
        tracks: [track(payload.map("audio")?)?, track(video)?],
        width: size("width")?,
        height: size("height")?,
        name,
    })
}

fn track(media: Option<Map<'_, '_>>) -> Result<Medium, Rejection> {
    let Some(media) = media else {
        return Ok(Medium::default());
    };
    Ok(Medium {
        codec: Codec::of(&media.text("codec")?.unwrap_or_default()),
        traffic: Traffic {
            bytes: media.u64("bytesCount")?.unwrap_or(0),
            packets: media.u64("packetsCount")?.unwrap_or(0),
            dropped: media.u64("droppedPacketsCount")?.unwrap_or(0),
        },
    })
}
