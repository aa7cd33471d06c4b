//! The description of a stream that its events carry.

use super::model::{Codecs, Peer, World};
use super::plan::{FRAME_RATE, Feed, Media};
use crate::value::{Map, Value, i32, map, text, u8, u16, u32, u64};
use std::time::Duration;

/// The address of the simulated server itself.
pub(crate) const NEAR_IP: &str = "203.0.113.10";

/// The source of the members that all streams have.
pub(crate) struct Facts<'a> {
    pub(crate) unique_id: u64,
    pub(crate) name: &'a [u8],
    pub(crate) kind: &'static str,
    pub(crate) operation: u8,
    pub(crate) created: Duration,
    pub(crate) codecs: Codecs,
    pub(crate) media: Media,
    /// How long packets have been flowing.
    pub(crate) flowing: Duration,
    /// Absent for a stream without a connection.
    pub(crate) peer: Option<&'a Peer>,
}

impl World {
    /// The members that streams of both directions have, at a moment.
    pub(crate) fn common(&self, at: Duration, facts: &Facts<'_>) -> Map {
        let absent = Peer { far_ip: String::new(), far_port: 0, near_port: 0 };
        let peer = facts.peer.unwrap_or(&absent);
        let near_ip = if facts.peer.is_some() { NEAR_IP } else { "" };
        let bandwidth = match facts.codecs {
            Codecs::Neither => 0,
            Codecs::Video | Codecs::Audio | Codecs::Both => facts.media.bandwidth(),
        };
        map([
            ("appName", text(self.brand.app_name)),
            ("audio", audio(facts)),
            ("bandwidth", u32(bandwidth)),
            ("connectionType", u8(facts.operation)),
            ("creationTimestamp", Value::Double(self.clock.millis(facts.created))),
            ("farIp", text(&peer.far_ip)),
            ("farPort", u16(peer.far_port)),
            ("ip", text(near_ip)),
            ("name", text(facts.name)),
            ("nearIp", text(near_ip)),
            ("nearPort", u16(peer.near_port)),
            ("port", u16(peer.near_port)),
            ("processId", u64(self.process.id.unsigned_abs().into())),
            ("processType", text("origin")),
            ("queryTimestamp", Value::Double(self.clock.millis(at))),
            ("type", text(facts.kind)),
            ("typeNumeric", u64(numeric(facts.kind))),
            ("uniqueId", u64(facts.unique_id)),
            ("upTime", Value::Double(self.clock.millis_between(facts.created, at))),
            ("video", video(facts)),
        ])
    }
}

/// A stream type as a number: its letters as the bytes of one, from the top.
fn numeric(kind: &str) -> u64 {
    (0..8).fold(0, |number, position| {
        (number << 8) | u64::from(kind.as_bytes().get(position).copied().unwrap_or(0))
    })
}

fn counted(rate: u64, flowing: Duration) -> u64 {
    (rate as f64 * flowing.as_secs_f64()) as u64
}

fn audio(facts: &Facts<'_>) -> Value {
    let missing = facts.media.missing() == Some(Feed::Audio);
    let codec = match facts.codecs {
        Codecs::Neither | Codecs::Video => "AUNK",
        Codecs::Both if missing => "APT",
        Codecs::Audio | Codecs::Both => "AAAC",
    };
    let packet_rate = if missing { 0 } else { 43 };
    Value::Map(map([
        ("bytesCount", u64(counted(facts.media.audio_rate, facts.flowing))),
        ("codec", text(codec)),
        ("codecNumeric", u64(numeric(codec))),
        ("droppedBytesCount", u64(0)),
        ("droppedPacketsCount", u64(0)),
        ("packetsCount", u64(counted(packet_rate, facts.flowing))),
    ]))
}

fn video(facts: &Facts<'_>) -> Value {
    let missing = facts.media.missing() == Some(Feed::Video);
    let packet_rate = if missing { 0 } else { FRAME_RATE as u64 };
    let mut members = map([
        ("bytesCount", u64(counted(facts.media.video_rate, facts.flowing))),
        ("droppedBytesCount", u64(0)),
        ("droppedPacketsCount", u64(0)),
        ("packetsCount", u64(counted(packet_rate, facts.flowing))),
    ]);
    let rest = match facts.codecs {
        Codecs::Neither | Codecs::Audio => map([
            ("codec", text("VUNK")),
            ("codecNumeric", u64(numeric("VUNK"))),
            ("height", i32(0)),
            ("level", i32(0)),
            ("profile", i32(0)),
            ("width", i32(0)),
        ]),
        // The server leaves level and profile as they happen to be.
        Codecs::Both if missing => map([
            ("codec", text("VPT")),
            ("codecNumeric", u64(numeric("VPT"))),
            ("height", u32(0)),
            ("level", u8(128)),
            ("profile", u8(7)),
            ("width", u32(0)),
        ]),
        Codecs::Video | Codecs::Both => map([
            ("codec", text("VH264")),
            ("codecNumeric", u64(numeric("VH264"))),
            ("height", u32(facts.media.height)),
            ("level", u8(facts.media.level)),
            ("profile", u8(77)),
            ("width", u32(facts.media.width)),
        ]),
    };
    members.extend(rest);
    Value::Map(members)
}

/// The members of a stream that comes from another server or goes there.
pub(crate) fn pulled_or_pushed(member: &'static str, settings: &Map, address: &str) -> Map {
    let uri = settings.get(address).cloned().unwrap_or(Value::Null);
    map([
        ("pageUrl", text("")),
        (member, Value::Map(settings.clone())),
        ("serverAgent", text("FMS/3,0,1,123")),
        ("swfUrl", uri.clone()),
        ("tcUrl", uri),
    ])
}
