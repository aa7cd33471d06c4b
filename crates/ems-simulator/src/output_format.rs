//! The formats in which the server writes a live stream to files, and how they differ in events.

use serde::Serialize;
use strum::{EnumString, IntoStaticStr};

/// A format of files that an inbound stream is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", parse_err_ty = String, parse_err_fn = unknown_format)]
pub enum OutputFormat {
    /// Apple HTTP Live Streaming.
    Hls,
    /// Adobe HTTP Dynamic Streaming.
    Hds,
    /// Dynamic Adaptive Streaming over HTTP.
    Dash,
    /// Microsoft Smooth Streaming.
    Mss,
    /// A recording in FLV files.
    Record,
}

/// How one format appears in events.
pub(crate) struct Profile {
    pub(crate) chunk_created: &'static str,
    pub(crate) chunk_closed: &'static str,
    /// The stream type of the output; of a recording that of an FLV file.
    pub(crate) stream_type: &'static str,
    /// `connectionType` of the output and `operationType` of its settings.
    pub(crate) operation: u8,
    /// The tracks that have chunks of their own; empty text when audio and video share one.
    pub(crate) tracks: &'static [&'static str],
    /// From one chunk to the next, in configured chunk lengths.
    pub(crate) cadence: f64,
    /// From the output's creation to its first chunk, in milliseconds.
    pub(crate) first_chunk: u64,
}

impl OutputFormat {
    /// Its name, as in commands and labels.
    pub fn name(self) -> &'static str {
        self.into()
    }

    pub(crate) fn profile(self) -> &'static Profile {
        match self {
            Self::Hls => &Profile {
                chunk_created: "hlsChunkCreated",
                chunk_closed: "hlsChunkClosed",
                stream_type: "OFHLS",
                operation: 3,
                tracks: &[""],
                cadence: 1.0,
                first_chunk: 980,
            },
            Self::Hds => &Profile {
                chunk_created: "hdsChunkCreated",
                chunk_closed: "hdsChunkClosed",
                stream_type: "OFHDS",
                operation: 4,
                tracks: &[""],
                cadence: 1.125,
                first_chunk: 990,
            },
            Self::Dash => &Profile {
                chunk_created: "dashChunkCreated",
                chunk_closed: "dashChunkClosed",
                stream_type: "OFDASH",
                operation: 6,
                tracks: &["video", "audio"],
                cadence: 1.0,
                first_chunk: 1000,
            },
            Self::Mss => &Profile {
                chunk_created: "mssChunkCreated",
                chunk_closed: "mssChunkClosed",
                stream_type: "OFMSS",
                operation: 5,
                tracks: &["video", "audio"],
                cadence: 1.5,
                first_chunk: 1990,
            },
            Self::Record => &Profile {
                chunk_created: "recordChunkCreated",
                chunk_closed: "recordChunkClosed",
                stream_type: "OFRFLV",
                operation: 7,
                tracks: &[""],
                cadence: 1.0,
                first_chunk: 30,
            },
        }
    }

    /// The group its outputs belong to; recordings have none.
    pub(crate) fn group(self) -> &'static str {
        match self {
            Self::Hls | Self::Hds | Self::Dash | Self::Mss => self.name(),
            Self::Record => "",
        }
    }
}

fn unknown_format(text: &str) -> String {
    format!("{text:?} is not a format; use hls, hds, dash, mss or record")
}
