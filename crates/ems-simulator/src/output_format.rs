//! The formats in which the server writes a live stream to files, and how they differ in events.

use serde::Serialize;
use std::time::Duration;
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

/// The names by which one format appears in events.
pub(crate) struct Names {
    pub(crate) chunk_created: &'static str,
    pub(crate) chunk_closed: &'static str,
    /// The stream type of the output; of a recording that of an FLV file.
    pub(crate) stream_type: &'static str,
    /// `connectionType` of the output and `operationType` of its settings.
    pub(crate) operation: u8,
    /// The tracks that have chunks of their own; empty text when audio and video share one.
    pub(crate) tracks: &'static [&'static str],
}

impl OutputFormat {
    pub(crate) fn name(self) -> &'static str {
        self.into()
    }

    pub(crate) fn names(self) -> &'static Names {
        match self {
            Self::Hls => &HLS,
            Self::Hds => &HDS,
            Self::Dash => &DASH,
            Self::Mss => &MSS,
            Self::Record => &RECORD,
        }
    }

    /// The group its outputs belong to; recordings have none.
    pub(crate) fn group(self) -> &'static str {
        match self {
            Self::Hls | Self::Hds | Self::Dash | Self::Mss => self.name(),
            Self::Record => "",
        }
    }

    /// The time from one chunk to the next, which is not the configured length for every format.
    pub(crate) fn cadence(self, chunk_length: Duration) -> Duration {
        match self {
            Self::Hls | Self::Dash | Self::Record => chunk_length,
            Self::Hds => chunk_length.mul_f64(1.125),
            Self::Mss => chunk_length.mul_f64(1.5),
        }
    }

    /// The time from the output's creation to its first chunk.
    pub(crate) fn first_chunk(self) -> Duration {
        match self {
            Self::Hls => Duration::from_millis(980),
            Self::Hds => Duration::from_millis(990),
            Self::Dash => Duration::from_millis(1000),
            Self::Mss => Duration::from_millis(1990),
            Self::Record => Duration::from_millis(30),
        }
    }
}

fn unknown_format(text: &str) -> String {
    format!("{text:?} is not a format; use hls, hds, dash, mss or record")
}

const HLS: Names = Names {
    chunk_created: "hlsChunkCreated",
    chunk_closed: "hlsChunkClosed",
    stream_type: "OFHLS",
    operation: 3,
    tracks: &[""],
};

const HDS: Names = Names {
    chunk_created: "hdsChunkCreated",
    chunk_closed: "hdsChunkClosed",
    stream_type: "OFHDS",
    operation: 4,
    tracks: &[""],
};

const DASH: Names = Names {
    chunk_created: "dashChunkCreated",
    chunk_closed: "dashChunkClosed",
    stream_type: "OFDASH",
    operation: 6,
    tracks: &["video", "audio"],
};

const MSS: Names = Names {
    chunk_created: "mssChunkCreated",
    chunk_closed: "mssChunkClosed",
    stream_type: "OFMSS",
    operation: 5,
    tracks: &["video", "audio"],
};

const RECORD: Names = Names {
    chunk_created: "recordChunkCreated",
    chunk_closed: "recordChunkClosed",
    stream_type: "OFRFLV",
    operation: 7,
    tracks: &[""],
};
