//! The metrics of outputs.

use strum::{EnumCount, VariantArray};

use super::format::{Format, Playlist};
use super::row::{Row, TrackState, Updates};
use super::table::Table;
use super::verdict::Verdict;
use crate::exposition::{Histogram, Kind, Labels, Metric, Samples};

const TRACK_LABELS: &[&str] = &["format", "group", "stream", "track"];
const PLAYLIST_LABELS: &[&str] = &["format", "kind", "group", "stream"];

/// Every track of every output, exposed until its retention is over.
fn each_track(table: &Table, mut each: impl FnMut(&Row, &TrackState, Labels<'_>)) {
    for (_, row) in table.rows.iter() {
        for track in row.tracks() {
            let labels = [
                ("format", row.identity.format.label()),
                ("group", &*row.identity.group),
                ("stream", &*row.identity.stream),
                ("track", track.track.label()),
            ];
            each(row, track, &labels);
        }
    }
}

/// Every track that is being written now and can be judged one by one.
fn each_live(table: &Table, mut each: impl FnMut(&Row, &TrackState, Labels<'_>)) {
    each_track(table, |row, track, labels| {
        if row.open() && track.live && !row.is_overflow() {
            each(row, track, labels);
        }
    });
}

/// Every playlist, with whether it can still be written.
fn each_playlist(table: &Table, mut each: impl FnMut(&Updates, bool, Labels<'_>)) {
    for ((format, group), updates) in &table.groups {
        let kind = Playlist::Master.label();
        let labels = [("format", format.label()), ("kind", kind), ("group", &**group), ("stream", "")];
        each(updates, true, &labels);
    }
    for (_, row) in table.rows.iter() {
        let format = row.identity.format;
        let kind = if matches!(format, Format::Hls | Format::Hds) {
            Playlist::Child
        } else if row.playlist.count > 0 {
            Playlist::Master
        } else {
            continue;
        };
        let labels = [
            ("format", format.label()),
            ("kind", kind.label()),
            ("group", &*row.identity.group),
            ("stream", &*row.identity.stream),
        ];
        each(&row.playlist, row.open(), &labels);
    }
}

fn histograms_by_format(samples: &mut Samples<'_>, histograms: &[Histogram]) {
    for (format, histogram) in Format::VARIANTS.iter().zip(histograms) {
        samples.histogram(&[("format", format.label())], histogram);
    }
}

fn by_format(samples: &mut Samples<'_>, value: impl Fn(usize) -> u64) {
    for format in Format::VARIANTS {
        samples.add(&[("format", format.label())], value(*format as usize));
    }
}

/// The metrics of outputs.
pub const METRICS: &[Metric<Table>] = &[
    Metric {
        name: "ems_outputs",
        kind: Kind::Gauge,
        help: "Open outputs that write files, from outStreamCreated with the settings of an output or, if that was late or lost, the first chunk.",
        labels: &["format"],
        query: "sum by (server, format) (ems_outputs)",
        samples: |table, samples| {
            let mut open = [0; Format::COUNT];
            for (_, row) in table.rows.iter() {
                open[row.identity.format as usize] += row.writers.max(usize::from(row.adopted));
            }
            by_format(samples, |format| open[format] as u64);
        },
    },
    Metric {
        name: "ems_chunks_opened_total",
        kind: Kind::Counter,
        help: "Chunks opened, from hlsChunkCreated, hdsChunkCreated, dashChunkCreated, mssChunkCreated and recordChunkCreated.",
        labels: TRACK_LABELS,
        query: "ems_chunks_opened_total - ems_chunks_closed_total > 1",
        samples: |table, samples| each_track(table, |_, track, labels| samples.add(labels, track.opened)),
    },
    Metric {
        name: "ems_chunks_closed_total",
        kind: Kind::Counter,
        help: "Chunks completed on disk, from hlsChunkClosed, hdsChunkClosed, dashChunkClosed, mssChunkClosed and recordChunkClosed.",
        labels: TRACK_LABELS,
        query: "sum by (server, format) (rate(ems_chunks_closed_total[5m]))",
        samples: |table, samples| each_track(table, |_, track, labels| samples.add(labels, track.closed)),
    },
    Metric {
        name: "ems_chunk_bytes_total",
        kind: Kind::Counter,
        help: "Bytes of chunks, by the size of their files at hlsChunkClosed, hdsChunkClosed, dashChunkClosed, mssChunkClosed and recordChunkClosed; only for outputs whose folder the exporter can read, from the first size on.",
        labels: TRACK_LABELS,
        query: "8 * rate(ems_chunk_bytes_total[5m])",
        samples: |table, samples| {
            each_track(table, |_, track, labels| samples.add_known(labels, track.bytes));
        },
    },
    Metric {
        name: "ems_chunks_empty_total",
        kind: Kind::Counter,
        help: "Chunks that hold nothing, which are no sign of life: files of 0 bytes at hlsChunkClosed, hdsChunkClosed, dashChunkClosed, mssChunkClosed and recordChunkClosed, and video with frameCount 0 in dashChunkClosed and mssChunkClosed; absent until a size is known or a chunk is empty.",
        labels: TRACK_LABELS,
        query: "increase(ems_chunks_empty_total[5m]) > 0",
        samples: |table, samples| {
            each_track(table, |_, track, labels| {
                let known = track.bytes.is_some() || track.empty > 0;
                samples.add_known(labels, known.then_some(track.empty));
            });
        },
    },
    Metric {
        name: "ems_chunk_errors_total",
        kind: Kind::Counter,
        help: "Chunks that could not be written, from hlsChunkError, hdsChunkError, dashChunkError, mssChunkError and recordChunkError; these events name no stream.",
        labels: &["format"],
        query: "increase(ems_chunk_errors_total[5m]) > 0",
        samples: |table, samples| by_format(samples, |format| table.errors[format]),
    },
    Metric {
        name: "ems_chunks_deleted_total",
        kind: Kind::Counter,
        help: "Chunks deleted from disk, from hlsChunkDeleted, hdsChunkDeleted and dashChunkDeleted (EMS 2.x).",
        labels: &["format"],
        query: "sum by (server, format) (rate(ems_chunks_deleted_total[5m]))",
        samples: |table, samples| by_format(samples, |format| table.deleted[format]),
    },
    Metric {
        name: "ems_chunk_last_closed_timestamp_seconds",
        kind: Kind::Gauge,
        help: "Time at which the last chunk of an open output was completed that is not known to be empty, from hlsChunkClosed, hdsChunkClosed, dashChunkClosed, mssChunkClosed and recordChunkClosed or, if that was late or lost, the creation of the next chunk; before the first chunk, the time at which the output was opened, from outStreamCreated.",
        labels: TRACK_LABELS,
        query: "ems_exporter_time_seconds - ignoring (server, format, group, stream, track) group_right () ems_chunk_last_closed_timestamp_seconds > ems_chunk_stall_threshold_seconds",
        samples: |table, samples| each_live(table, |_, track, labels| samples.add(labels, track.last)),
    },
    Metric {
        name: "ems_chunk_target_seconds",
        kind: Kind::Gauge,
        help: "Target duration of chunks, from chunkLength of the output's settings in outStreamCreated, else the median interval between recent chunks.",
        labels: TRACK_LABELS,
        query: "(ems_exporter_time_seconds - ignoring (server, format, group, stream, track) group_right () ems_chunk_last_closed_timestamp_seconds) / ems_chunk_target_seconds",
        samples: |table, samples| {
            each_live(table, |row, track, labels| {
                samples.add_known(labels, track.target(row.chunk_length));
            });
        },
    },
    Metric {
        name: "ems_chunk_stall_threshold_seconds",
        kind: Kind::Gauge,
        help: "Age of the last chunk beyond which the output is stalled: stall.factor times the larger of the target and the median interval of recent chunks, at least stall.minimum; from chunkLength in outStreamCreated and the chunks received.",
        labels: TRACK_LABELS,
        query: "ems_chunk_stall_threshold_seconds - (ems_exporter_time_seconds - ignoring (server, format, group, stream, track) group_right () ems_chunk_last_closed_timestamp_seconds)",
        samples: |table, samples| {
            each_live(table, |row, track, labels| {
                samples.add_known(labels, track.threshold(row.chunk_length, table.policy));
            });
        },
    },
    Metric {
        name: "ems_chunk_stalled",
        kind: Kind::Gauge,
        help: "1 while a track of an open output is stalled, by the age of its last chunk in the exporter's own time against the stall threshold; from outStreamCreated and the chunk events, without any other clock.",
        labels: TRACK_LABELS,
        query: "ems_chunk_stalled == 1",
        samples: |table, samples| {
            let now = samples.now();
            each_live(table, |row, track, labels| {
                samples.add(labels, u64::from(table.verdict(row, track, now).is_stalled()));
            });
        },
    },
    Metric {
        name: "ems_server_stalled",
        kind: Kind::Gauge,
        help: "1 while all outputs of the server stall together: there are at least two, one is stalled, and all others are at least late; from outStreamCreated and the chunk events.",
        labels: &[],
        query: "ems_server_stalled == 1",
        samples: |table, samples| {
            let now = samples.now();
            samples.add(&[], table.stalls_as_a_whole(now));
        },
    },
    Metric {
        name: "ems_tracks",
        kind: Kind::Gauge,
        help: "Tracks of open outputs by verdict: ok, waiting for the first chunk, late beyond 0.6 times the stall threshold, stalled, or never_started if the present run has closed no chunk; from outStreamCreated and the chunk events.",
        labels: &["format", "state"],
        query: r#"sum by (server, format) (ems_tracks{state=~"stalled|never_started"}) > 0"#,
        samples: |table, samples| {
            let now = samples.now();
            let mut tracks = [[0u64; Verdict::COUNT]; Format::COUNT];
            each_live(table, |row, track, _| {
                tracks[row.identity.format as usize][table.verdict(row, track, now) as usize] += 1;
            });
            for (format, counts) in Format::VARIANTS.iter().zip(tracks) {
                for (verdict, count) in Verdict::VARIANTS.iter().zip(counts) {
                    samples.add(&[("format", format.label()), ("state", verdict.label())], count);
                }
            }
        },
    },
    Metric {
        name: "ems_chunk_stalls_total",
        kind: Kind::Counter,
        help: "Times that an open output stalled: its last chunk exceeded the stall threshold, with no hlsChunkClosed, hdsChunkClosed, dashChunkClosed, mssChunkClosed or recordChunkClosed in time and no creation of a next chunk.",
        labels: TRACK_LABELS,
        query: "topk(10, increase(ems_chunk_stalls_total[1d]) > 0)",
        samples: |table, samples| {
            each_track(table, |row, track, labels| {
                if !row.is_overflow() {
                    samples.add(labels, track.stalls);
                }
            });
        },
    },
    Metric {
        name: "ems_chunk_duration_seconds",
        kind: Kind::Histogram,
        help: "Media duration of chunks, from segmentDuration of hlsChunkClosed, else from stopTime minus startTime, in whole seconds.",
        labels: &["format"],
        query: "histogram_quantile(0.95, sum by (server, format, le) (rate(ems_chunk_duration_seconds_bucket[5m])))",
        samples: |table, samples| histograms_by_format(samples, &table.durations),
    },
    Metric {
        name: "ems_chunk_interval_seconds",
        kind: Kind::Histogram,
        help: "Time between consecutive chunks of a track of an output, from hlsChunkClosed, hdsChunkClosed, dashChunkClosed, mssChunkClosed and recordChunkClosed.",
        labels: &["format"],
        query: "histogram_quantile(0.95, sum by (server, format, le) (rate(ems_chunk_interval_seconds_bucket[5m])))",
        samples: |table, samples| histograms_by_format(samples, &table.intervals),
    },
    Metric {
        name: "ems_playlist_updates_total",
        kind: Kind::Counter,
        help: "Playlists and manifests written, from hlsMasterPlaylistUpdated, hlsChildPlaylistUpdated, hdsMasterPlaylistUpdated, hdsChildPlaylistUpdated, dashPlaylistUpdated and mssPlaylistUpdated; only HLS child playlists are written regularly, and the master playlist of a group has an empty stream.",
        labels: PLAYLIST_LABELS,
        query: r#"rate(ems_playlist_updates_total{format="hls", kind="child"}[5m])"#,
        samples: |table, samples| {
            each_playlist(table, |updates, _, labels| samples.add(labels, updates.count))
        },
    },
    Metric {
        name: "ems_playlist_last_updated_timestamp_seconds",
        kind: Kind::Gauge,
        help: "Time at which a playlist or manifest of an open output or a known group was last written, from hlsMasterPlaylistUpdated, hlsChildPlaylistUpdated, hdsMasterPlaylistUpdated, hdsChildPlaylistUpdated, dashPlaylistUpdated and mssPlaylistUpdated; for an output, only since it was opened.",
        labels: PLAYLIST_LABELS,
        query: r#"time() - ems_playlist_last_updated_timestamp_seconds{format="hls", kind="child"}"#,
        samples: |table, samples| {
            each_playlist(table, |updates, open, labels| {
                samples.add_known(labels, updates.last.filter(|_| open));
            });
        },
    },
];
