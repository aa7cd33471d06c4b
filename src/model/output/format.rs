//! The formats that are written to files, their playlists and tracks.

use strum::{EnumCount, IntoStaticStr, VariantArray};

/// The formats that are written to files.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumCount, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "lowercase")]
pub enum Format {
    /// HTTP Live Streaming.
    Hls,
    /// HTTP Dynamic Streaming.
    Hds,
    /// MPEG-DASH.
    Dash,
    /// Smooth Streaming.
    Mss,
    /// A recording.
    Record,
}

impl Format {
    /// The value of the label `format`.
    pub fn label(self) -> &'static str {
        self.into()
    }

    /// Whether audio and video are written to files of their own.
    pub const fn splits_tracks(self) -> bool {
        matches!(self, Self::Dash | Self::Mss)
    }

    /// The format of a family of the server's configurations.
    pub(super) fn of_family(name: &[u8]) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|format| format.label().as_bytes() == name)
    }
}

/// The two kinds of playlists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Playlist {
    /// Of a group: an HLS master playlist, an HDS, DASH or Smooth Streaming manifest. Written
    /// when an output starts, not at a cadence.
    Master,
    /// Of one stream; for HLS written once a chunk.
    Child,
}

impl Playlist {
    /// The value of the label `kind`.
    pub fn label(self) -> &'static str {
        self.into()
    }
}

/// The part of an output that a chunk belongs to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumCount, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "lowercase")]
pub enum Track {
    /// Audio and video together.
    #[strum(serialize = "")]
    Whole,
    /// Audio alone.
    Audio,
    /// Video alone.
    Video,
}

impl Track {
    /// The value of the label `track`.
    pub fn label(self) -> &'static str {
        self.into()
    }
}
