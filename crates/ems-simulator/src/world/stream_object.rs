//! The description of a stream that its events carry.

use super::plan::{FRAME_RATE, Media};
use crate::clock::Clock;
use crate::value::{Map, Value, i32, map, text, u8, u16, u32, u64};
use std::time::Duration;

/// The address of the simulated server itself.
pub(crate) const NEAR_IP: &str = "203.0.113.10";

/// Which codecs of a stream are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codecs {
    /// Neither yet, or no longer.
    Neither,
    /// Only the video codec.
    Video,
    /// Only the audio codec.
    Audio,
    /// Both.
    Both,
}

/// The two ends of a stream's connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) far_ip: String,
    pub(crate) far_port: u16,
    pub(crate) near_port: u16,
}

/// What the members common to all streams are made of.
pub(crate) struct Facts<'a> {
    pub(crate) app_name: &'static str,
    pub(crate) process_id: i32,
    pub(crate) unique_id: u64,
    pub(crate) name: &'a [u8],
    pub(crate) kind: &'static str,
    pub(crate) kind_numeric: u64,
    pub(crate) operation: u8,
    pub(crate) created: Duration,
    /// The moment at which the stream is described.
    pub(crate) query: Duration,
    pub(crate) codecs: Codecs,
    pub(crate) media: Media,
    /// How long packets have been flowing.
    pub(crate) flowing: Duration,
    /// Absent for a stream without a connection.
    pub(crate) peer: Option<&'a Peer>,
}

/// The members that streams of both directions have.
pub(crate) fn common(clock: &Clock, facts: &Facts<'_>) -> Map {
    let absent = Peer { far_ip: String::new(), far_port: 0, near_port: 0 };
    let peer = facts.peer.unwrap_or(&absent);
    let near_ip = if facts.peer.is_some() { NEAR_IP } else { "" };
    let bandwidth = match facts.codecs {
        Codecs::Neither => 0,
        Codecs::Video | Codecs::Audio | Codecs::Both => facts.media.bandwidth(),
    };
    map([
        ("appName", text(facts.app_name)),
        ("audio", audio(facts)),
        ("bandwidth", u32(bandwidth)),
        ("connectionType", u8(facts.operation)),
        ("creationTimestamp", Value::Double(clock.millis(facts.created))),
        ("farIp", text(&peer.far_ip)),
        ("farPort", u16(peer.far_port)),
        ("ip", text(near_ip)),
        ("name", text(facts.name)),
        ("nearIp", text(near_ip)),
        ("nearPort", u16(peer.near_port)),
        ("port", u16(peer.near_port)),
        ("processId", u64(facts.process_id.unsigned_abs().into())),
        ("processType", text("origin")),
        ("queryTimestamp", Value::Double(clock.millis(facts.query))),
        ("type", text(facts.kind)),
        ("typeNumeric", u64(facts.kind_numeric)),
        ("uniqueId", u64(facts.unique_id)),
        ("upTime", Value::Double(clock.millis_between(facts.created, facts.query))),
        ("video", video(facts)),
    ])
}

fn counted(rate: u64, flowing: Duration) -> u64 {
    (rate as f64 * flowing.as_secs_f64()) as u64
}

fn audio(facts: &Facts<'_>) -> Value {
    let (codec, numeric) = match facts.codecs {
        Codecs::Neither | Codecs::Video => ("AUNK", 4_707_755_069_515_235_328),
        Codecs::Audio | Codecs::Both => ("AAAC", 4_702_111_241_970_122_752),
    };
    Value::Map(map([
        ("bytesCount", u64(counted(facts.media.audio_rate, facts.flowing))),
        ("codec", text(codec)),
        ("codecNumeric", u64(numeric)),
        ("droppedBytesCount", u64(0)),
        ("droppedPacketsCount", u64(0)),
        ("packetsCount", u64(counted(43, facts.flowing))),
    ]))
}

fn video(facts: &Facts<'_>) -> Value {
    let mut members = map([
        ("bytesCount", u64(counted(facts.media.video_rate, facts.flowing))),
        ("droppedBytesCount", u64(0)),
        ("droppedPacketsCount", u64(0)),
        ("packetsCount", u64(counted(FRAME_RATE as u64, facts.flowing))),
    ]);
    let rest = match facts.codecs {
        Codecs::Neither | Codecs::Audio => map([
            ("codec", text("VUNK")),
            ("codecNumeric", u64(6_220_964_544_311_721_984)),
            ("height", i32(0)),
            ("level", i32(0)),
            ("profile", i32(0)),
            ("width", i32(0)),
        ]),
        Codecs::Video | Codecs::Both => map([
            ("codec", text("VH264")),
            ("codecNumeric", u64(6_217_274_493_967_007_744)),
            ("height", u32(facts.media.height)),
            ("level", u8(facts.media.level)),
            ("profile", u8(77)),
            ("width", u32(facts.media.width)),
        ]),
    };
    members.extend(rest);
    Value::Map(members)
}
