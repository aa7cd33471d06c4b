//! The metrics of streams.

use std::collections::BTreeMap;

use strum::{EnumCount, VariantArray};

use super::event::{Direction, Media, Purpose, TYPES, Traffic};
use super::names::Named;
use super::table::Table;
use super::verdict::InputState;
use crate::exposition::{Kind, Metric, Samples};
use crate::model::OVERFLOW;
use crate::model::lifecycle::Count;

/// The names that an open inbound stream carries.
fn inbound(table: &Table) -> impl Iterator<Item = (&str, &Named)> {
    table.names.iter().filter(|(_, named)| named.inbound > 0).map(|(name, named)| (name.as_ref(), named))
}

/// A count of streams by direction and type, without internal streams and from 0 for every known type.
fn by_type(table: &Table, samples: &mut Samples<'_>, read: fn(&Count) -> u64) {
    let known = TYPES.iter().map(|kind| (Direction::of_type(kind), *kind));
    let others = Direction::VARIANTS.iter().map(|direction| (*direction, "other"));
    let mut counts: BTreeMap<_, u64> = known.chain(others).map(|of_type| (of_type, 0)).collect();
    for (label, count) in
        table.streams.counts().iter().filter(|(label, _)| label.purpose != Purpose::Internal)
    {
        *counts.entry((label.direction, label.kind)).or_default() += read(count);
    }
    for ((direction, kind), count) in counts {
        samples.add(&[("direction", direction.label()), ("type", kind)], count);
    }
}

/// Each medium of each name in each direction, with its labels.
fn each_medium(table: &Table, mut each: impl FnMut(&Named, Direction, Media, &[(&str, &str)])) {
    for (name, named) in table.names.iter() {
        for direction in [Direction::In, Direction::Out] {
            for media in Media::VARIANTS {
                let labels =
                    [("direction", direction.label()), ("stream", name.as_ref()), ("media", media.label())];
                each(named, direction, *media, &labels);
            }
        }
    }
}

/// The traffic of each medium of each name in each direction.
fn traffic(table: &Table, samples: &mut Samples<'_>, read: fn(&Traffic) -> u64) {
    each_medium(table, |named, direction, media, labels| {
        if named.exposed[direction as usize][media as usize] {
            samples.add(labels, read(&named.traffic[direction as usize][media as usize]));
        }
    });
}

/// The metrics of streams.
pub const METRICS: &[Metric<Table>] = &[
    Metric {
        name: "ems_streams",
        kind: Kind::Gauge,
        help: "Open streams, from inStreamCreated, inStreamClosed, outStreamCreated and outStreamClosed; players are direction=\"out\", purpose=\"play\".",
        labels: &["direction", "type", "purpose"],
        query: r#"sum by (server) (ems_streams{direction="out", purpose="play"})"#,
        samples: |table, samples| {
            for (label, count) in table.streams.counts() {
                let labels = [
                    ("direction", label.direction.label()),
                    ("type", label.kind),
                    ("purpose", label.purpose.label()),
                ];
                samples.add(&labels, count.open);
            }
        },
    },
    Metric {
        name: "ems_streams_opened_total",
        kind: Kind::Counter,
        help: "Streams opened, from inStreamCreated, outStreamCreated and streamCreated or, if those were late or lost, the first other event of the stream; each counts once, internal streams are excluded.",
        labels: &["direction", "type"],
        query: "sum by (server, direction) (rate(ems_streams_opened_total[5m]))",
        samples: |table, samples| by_type(table, samples, |count| count.opened),
    },
    Metric {
        name: "ems_streams_closed_total",
        kind: Kind::Counter,
        help: "Streams closed, from inStreamClosed, outStreamClosed and streamClosed or the end of the server process; internal streams are excluded.",
        labels: &["direction", "type"],
        query: "sum by (server, direction) (rate(ems_streams_closed_total[5m]))",
        samples: |table, samples| by_type(table, samples, |count| count.closed),
    },
    Metric {
        name: "ems_stream_duration_seconds",
        kind: Kind::Histogram,
        help: "Duration of closed streams, from upTime of inStreamClosed and outStreamClosed.",
        labels: &["direction"],
        query: "histogram_quantile(0.5, sum by (server, direction, le) (rate(ems_stream_duration_seconds_bucket[1h])))",
        samples: |table, samples| {
            for (direction, durations) in [Direction::In, Direction::Out].iter().zip(&table.durations) {
                samples.histogram(&[("direction", direction.label())], durations);
            }
        },
    },
    Metric {
        name: "ems_stream_up",
        kind: Kind::Gauge,
        help: "1 if an inbound stream of this name is open, 0 if it is expected and missing, from inStreamCreated and inStreamClosed; files played on demand are excluded.",
        labels: &["stream"],
        query: "ems_stream_up == 0",
        samples: |table, samples| {
            for (name, _) in inbound(table) {
                samples.add(&[("stream", name)], true);
            }
            for name in table.names.missing() {
                samples.add(&[("stream", name)], false);
            }
        },
    },
    Metric {
        name: "ems_stream_start_timestamp_seconds",
        kind: Kind::Gauge,
        help: "Time at which the inbound stream of this name was opened, from inStreamCreated; the earliest if several are open.",
        labels: &["stream"],
        query: "time() - ems_stream_start_timestamp_seconds",
        samples: |table, samples| {
            for (name, named) in inbound(table).filter(|(name, _)| *name != OVERFLOW) {
                samples.add(&[("stream", name)], named.since);
            }
        },
    },
    Metric {
        name: "ems_stream_info",
        kind: Kind::Gauge,
        help: "Always 1; type, codecs and size in pixels of an open inbound stream, from inStreamCodecsUpdated.",
        labels: &["stream", "type", "video_codec", "audio_codec", "width", "height"],
        query: "count by (server, video_codec, width, height) (ems_stream_info)",
        samples: |table, samples| {
            for (name, named) in inbound(table).filter(|(name, _)| *name != OVERFLOW) {
                let info = &named.info;
                let (mut width, mut height) = (itoa::Buffer::new(), itoa::Buffer::new());
                let labels = [
                    ("stream", name),
                    ("type", info.kind),
                    ("video_codec", info.codecs[1].label()),
                    ("audio_codec", info.codecs[0].label()),
                    ("width", width.format(info.width)),
                    ("height", height.format(info.height)),
                ];
                samples.add(&labels, true);
            }
        },
    },
    Metric {
        name: "ems_stream_bytes_total",
        kind: Kind::Counter,
        help: "Bytes transferred by streams of this name, from bytesCount of inStreamCodecsUpdated, outStreamCodecsUpdated, inStreamClosed and outStreamClosed, and of listStreams; without a runtime API it changes only at these events.",
        labels: &["direction", "stream", "media"],
        query: "8 * sum by (server, stream, direction) (rate(ems_stream_bytes_total[5m]))",
        samples: |table, samples| traffic(table, samples, |traffic| traffic.bytes),
    },
    Metric {
        name: "ems_stream_bits_per_second",
        kind: Kind::Gauge,
        help: "Bit rate of open streams of this name between the last two polls of listStreams; absent without a runtime API.",
        labels: &["direction", "stream", "media"],
        query: r#"sum by (server, stream) (ems_stream_bits_per_second{direction="in"})"#,
        samples: |table, samples| {
            each_medium(table, |named, direction, media, labels| {
                let rate = named.rates[direction as usize][media as usize];
                samples.add_known(labels, rate.filter(|_| named.exposed[direction as usize][media as usize]));
            });
        },
    },
    Metric {
        name: "ems_stream_packets_total",
        kind: Kind::Counter,
        help: "Packets transferred by streams of this name, from packetsCount of inStreamCodecsUpdated, outStreamCodecsUpdated, inStreamClosed and outStreamClosed, and of listStreams.",
        labels: &["direction", "stream", "media"],
        query: "sum by (server, stream, direction, media) (rate(ems_stream_packets_total[5m]))",
        samples: |table, samples| traffic(table, samples, |traffic| traffic.packets),
    },
    Metric {
        name: "ems_stream_dropped_packets_total",
        kind: Kind::Counter,
        help: "Packets dropped by streams of this name, from droppedPacketsCount of inStreamCodecsUpdated, outStreamCodecsUpdated, inStreamClosed and outStreamClosed, and of listStreams.",
        labels: &["direction", "stream", "media"],
        query: "rate(ems_stream_dropped_packets_total[5m]) / rate(ems_stream_packets_total[5m])",
        samples: |table, samples| traffic(table, samples, |traffic| traffic.dropped),
    },
    Metric {
        name: "ems_stream_feed_stopped_total",
        kind: Kind::Counter,
        help: "Times that the audio or video of an inbound stream stopped arriving, from audioFeedStopped and videoFeedStopped; repeated reports of one stop count once.",
        labels: &["stream", "media"],
        query: "increase(ems_stream_feed_stopped_total[1h]) > 0",
        samples: |table, samples| {
            for (name, named) in table.names.iter() {
                for media in Media::VARIANTS {
                    let stops = named.feeds[*media as usize].stops;
                    if stops > 0 || named.exposed[0][*media as usize] {
                        samples.add(&[("stream", name), ("media", media.label())], stops);
                    }
                }
            }
        },
    },
    Metric {
        name: "ems_stream_feed_last_stopped_timestamp_seconds",
        kind: Kind::Gauge,
        help: "Time of the last report that the audio or video of an inbound stream had stopped, from audioFeedStopped and videoFeedStopped; the server repeats the report every 10 s while the stop lasts.",
        labels: &["stream", "media"],
        query: "ems_exporter_time_seconds - ignoring (server, stream, media) group_right () ems_stream_feed_last_stopped_timestamp_seconds < 30",
        samples: |table, samples| {
            for (name, named) in inbound(table) {
                for media in Media::VARIANTS {
                    let last = named.feeds[*media as usize].last;
                    samples.add_known(&[("stream", name), ("media", media.label())], last);
                }
            }
        },
    },
    Metric {
        name: "ems_inputs",
        kind: Kind::Gauge,
        help: "Names of inbound streams by state: live; frozen, open and delivering nothing; expired, closed by the server after it delivered nothing; waiting, not open while a configuration waits for it. From inStreamCreated, inStreamClosed, audioFeedStopped, videoFeedStopped, listStreams and listConfig.",
        labels: &["state"],
        query: r#"sum by (server) (ems_inputs{state=~"frozen|expired"}) > 0"#,
        samples: |table, samples| {
            let mut counts = [0_u64; InputState::COUNT];
            for state in table.names.iter().filter_map(|(_, named)| named.state()) {
                counts[state as usize] += 1;
            }
            for state in InputState::VARIANTS {
                samples.add(&[("state", state.label())], counts[*state as usize]);
            }
        },
    },
    Metric {
        name: "ems_stream_frozen",
        kind: Kind::Gauge,
        help: "1 while an open inbound stream delivers nothing: its bytes stand still for 10 s over polls of listStreams, or audioFeedStopped or videoFeedStopped reports every medium that it has.",
        labels: &["stream"],
        query: "ems_stream_frozen == 1",
        samples: |table, samples| {
            for (name, named) in inbound(table).filter(|(name, _)| *name != OVERFLOW) {
                samples.add(&[("stream", name)], named.frozen);
            }
        },
    },
    Metric {
        name: "ems_stream_expired",
        kind: Kind::Gauge,
        help: "1 after the server closed an inbound stream that had delivered nothing (streamsExpireTimer), until it is back or its retention ends; absent otherwise. From inStreamClosed beside the last chunks of its outputs, listStreams, audioFeedStopped and videoFeedStopped.",
        labels: &["stream"],
        query: "ems_stream_expired == 1",
        samples: |table, samples| {
            let expired = |(name, named): &(&std::sync::Arc<str>, &Named)| {
                named.state() == Some(InputState::Expired) && ***name != *OVERFLOW
            };
            for (name, _) in table.names.iter().filter(expired) {
                samples.add(&[("stream", name.as_ref())], true);
            }
        },
    },
    Metric {
        name: "ems_stream_configs_waiting",
        kind: Kind::Gauge,
        help: "Configurations of outputs that wait for an inbound stream of this name to be opened (inStreamCreated), from listConfig; absent while none waits, and without a runtime API.",
        labels: &["stream"],
        query: "ems_stream_configs_waiting unless ems_stream_up",
        samples: |table, samples| {
            for (name, named) in table.names.iter().filter(|(_, named)| named.waiting > 0) {
                samples.add(&[("stream", name.as_ref())], u64::from(named.waiting));
            }
        },
    },
    Metric {
        name: "ems_pull_failures_total",
        kind: Kind::Counter,
        help: "Failed attempts to establish a pull, from pullStreamFailed; one per second while a kept-alive pull fails.",
        labels: &["stream"],
        query: "rate(ems_pull_failures_total[5m]) > 0",
        samples: |table, samples| {
            for (name, named) in table.names.iter() {
                samples.add_known(&[("stream", name)], named.pull_failures);
            }
        },
    },
    Metric {
        name: "ems_playlist_items_total",
        kind: Kind::Counter,
        help: "Items of server-side playlists started, from playlistItemStart, firstPlaylistItemStart and lastPlaylistItemStart; every ordinary RTMP player starts one.",
        labels: &[],
        query: "rate(ems_playlist_items_total[5m])",
        samples: |table, samples| samples.add(&[], table.playlist_items),
    },
];
