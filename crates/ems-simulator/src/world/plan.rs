//! The planned streams and their outputs: the same for the same options.

use crate::options::Options;
use crate::output_format::OutputFormat;
use std::time::Duration;

/// A place for a stream that comes, stays a while and perhaps comes back.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// The name as bytes, since a publisher may send anything.
    pub(crate) name: Vec<u8>,
    /// The name for people and for the truth.
    pub(crate) label: String,
    /// Whether the server pulls the stream; otherwise an encoder publishes it.
    pub(crate) pulled: bool,
    pub(crate) formats: Vec<OutputFormat>,
    pub(crate) pushed: bool,
    pub(crate) watched: bool,
    pub(crate) stay: Stay,
    /// The feed that stops now and then.
    pub(crate) silent: Option<Feed>,
    pub(crate) media: Media,
    /// Whether it belongs to the plan; otherwise a command has brought it.
    pub(crate) planned: bool,
    /// Whether the pull has been set up that is there from the beginning when there is no operator.
    pub(crate) preset: bool,
}

/// How long a stream stays once it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stay {
    /// Until the server ends; when it is shut before, it comes back after some seconds.
    Forever,
    /// Some minutes, then it comes back after some seconds.
    Minutes,
    /// This long, and it only comes back with the next burst.
    Burst(Duration),
}

/// A feed that can stop while the stream stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feed {
    Audio,
    Video,
}

/// Size in pixels, H.264 level, and rates in bytes each second, which are 0 for a medium that the stream does not have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Media {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) level: u8,
    pub(crate) video_rate: u64,
    pub(crate) audio_rate: u64,
}

impl Media {
    /// The nominal rate in kbit/s, as the encoder declares it.
    pub(crate) fn bandwidth(&self) -> u32 {
        u32::try_from((self.video_rate + self.audio_rate) * 8 / 1024).unwrap_or(u32::MAX)
    }

    /// The medium that the stream does not have.
    pub(crate) fn missing(&self) -> Option<Feed> {
        match (self.audio_rate, self.video_rate) {
            (0, _) => Some(Feed::Audio),
            (_, 0) => Some(Feed::Video),
            _ => None,
        }
    }

    /// The rate in bit/s that stands in DASH and MSS paths.
    pub(crate) fn path_rate(&self) -> u64 {
        u64::from(self.bandwidth()) * 1024
    }
}

/// How long the streams of a burst stay.
const BURST_STAY: Duration = Duration::from_secs(30);

/// Frames each second of every stream.
pub(crate) const FRAME_RATE: f64 = 25.0;

const SIZES: [Media; 3] = [
    Media { width: 1280, height: 720, level: 31, video_rate: 312_000, audio_rate: 16_000 },
    Media { width: 1920, height: 1080, level: 40, video_rate: 620_000, audio_rate: 24_000 },
    Media { width: 640, height: 360, level: 30, video_rate: 100_000, audio_rate: 12_000 },
];

/// Every slot of the options: cameras, then hostile names, then the burst.
pub(crate) fn slots(options: &Options) -> Vec<Slot> {
    let cameras = (1..=options.streams).map(|number| camera(options, number));
    let hostile =
        hostile_names().into_iter().filter(|_| options.hostile_names).map(|name| plain(name, Stay::Forever));
    let burst = (1..=options.burst)
        .map(|number| plain(format!("burst{number}").into_bytes(), Stay::Burst(BURST_STAY)));
    cameras.chain(hostile).chain(burst).collect()
}

/// Which formats, pushes and habits a camera has follows from its number alone.
fn camera(options: &Options, number: usize) -> Slot {
    let label = format!("cam{number}");
    let pulled = number.is_multiple_of(3);
    let mut formats = vec![OutputFormat::Hls];
    formats.push(if number.is_multiple_of(2) { OutputFormat::Hds } else { OutputFormat::Dash });
    match number % 4 {
        3 => formats.push(OutputFormat::Mss),
        0 => formats.push(OutputFormat::Record),
        _ => {}
    }
    let mut media = SIZES[number % SIZES.len()];
    if options.audio_only.contains(&label) {
        (media.video_rate, formats) = (0, vec![OutputFormat::Dash]);
    } else if options.video_only.contains(&label) {
        (media.audio_rate, formats) = (0, vec![OutputFormat::Hls]);
    }
    let stays = number % 4 == 1 || pulled || names_stream(options, &label);
    Slot {
        formats,
        pulled,
        pushed: number % 4 == 1,
        watched: true,
        stay: if stays { Stay::Forever } else { Stay::Minutes },
        silent: media.missing().or(match number % 8 {
            0 | 4 => Some(Feed::Audio),
            6 => Some(Feed::Video),
            _ => None,
        }),
        media,
        ..plain(label.into_bytes(), Stay::Forever)
    }
}

/// Whether a requested stall or incident needs this stream to stay.
fn names_stream(options: &Options, label: &str) -> bool {
    [&options.stall, &options.unwritable, &options.disk_full]
        .into_iter()
        .flatten()
        .any(|stall| stall.stream == label)
        || options.freeze.iter().chain(&options.lose_push).any(|incident| incident.stream == label)
}

/// A published stream that is only written as HLS and has no viewers.
fn plain(name: Vec<u8>, stay: Stay) -> Slot {
    Slot {
        label: String::from_utf8_lossy(&name).into_owned(),
        name,
        pulled: false,
        formats: vec![OutputFormat::Hls],
        pushed: false,
        watched: false,
        stay,
        silent: None,
        media: SIZES[2],
        planned: true,
        preset: false,
    }
}

/// A stream that a command has the server pull.
pub(crate) fn pulled(name: &[u8]) -> Slot {
    Slot { pulled: true, planned: false, ..plain(name.to_vec(), Stay::Forever) }
}

/// Names that a hostile publisher could choose; the server takes each of them as it is.
fn hostile_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        "with space",
        "quo\"te'and`tick",
        "key=value",
        "comma,and;semicolon",
        "new\nline",
        "tab\tname",
        "back\\slash",
        "brace{le=\"1\"}",
        "ctl\u{1}x",
        "<img src=x onerror=alert(1)>",
        "../..",
        "emoji\u{1f4f9}",
    ]
    .into_iter()
    .map(|name| name.as_bytes().to_vec())
    .collect();
    names.push(b"bad\xff".to_vec());
    names.push(vec![b'n'; 300]);
    names
}
