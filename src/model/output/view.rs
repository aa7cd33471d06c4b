//! A track of an output in the API, and how many outputs need attention.

use std::sync::Arc;

use hashbrown::HashMap;
use serde::Serialize;

use super::row::{Row, TrackState};
use super::table::Table;
use super::verdict::Verdict;
use ems_protocol::{Timestamp, Wall};

/// One track of an open output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// The place of its output in the table, which no other open output has.
    #[serde(skip)]
    pub place: usize,
    /// Its format.
    pub format: &'static str,
    /// See [`super::Output::group`].
    pub group: Arc<str>,
    /// See [`super::Output::stream`].
    pub stream: Arc<str>,
    /// Empty for audio and video together.
    pub track: &'static str,
    /// When its last chunk was complete; before the first one, when the output was opened.
    pub last_closed_timestamp_seconds: f64,
    #[serde(skip)]
    last_closed: Timestamp,
    /// How long its chunks should be.
    pub target_seconds: Option<f64>,
    /// From which age of the last chunk it stalls; none while that cannot be known.
    pub stall_threshold_seconds: Option<f64>,
    /// Whether its present run has completed a chunk.
    pub started: bool,
    /// The verdict on it.
    pub state: Verdict,
    chunks_opened_total: u64,
    chunks_closed_total: u64,
    /// Times that it has stalled.
    pub stalls_total: u64,
}

/// A track with its age.
#[derive(Debug, Serialize)]
pub struct Aged {
    #[serde(flatten)]
    view: View,
    chunk_age_seconds: f64,
}

/// How many outputs are open, and how many of them are in trouble by the worst of their tracks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct OutputCounts {
    /// All that are open.
    pub outputs: usize,
    /// Those that stall.
    pub outputs_stalled: usize,
    /// Those that are late.
    pub outputs_late: usize,
}

impl View {
    fn of(
        table: &Table,
        (place, row, track): (usize, &Row, &TrackState),
        state: Verdict,
        wall: Wall,
    ) -> Self {
        Self {
            place,
            format: row.identity.format.label(),
            group: Arc::clone(&row.identity.group),
            stream: Arc::clone(&row.identity.stream),
            track: track.track.label(),
            last_closed_timestamp_seconds: wall.seconds(track.last),
            last_closed: track.last,
            target_seconds: track.target(row.chunk_length),
            stall_threshold_seconds: track.threshold(row.chunk_length, table.policy),
            started: track.wrote,
            state,
            chunks_opened_total: track.opened,
            chunks_closed_total: track.closed,
            stalls_total: track.stalls,
        }
    }

    /// The track with its age at `now`.
    pub fn at(self, now: Timestamp) -> Aged {
        let age = now.since(self.last_closed);
        Aged { view: self, chunk_age_seconds: age.as_secs_f64() }
    }
}

impl Table {
    pub(super) fn verdict(&self, row: &Row, track: &TrackState, now: Timestamp) -> Verdict {
        track.verdict(row.chunk_length, self.policy, now)
    }

    /// Every track that is being written now and can be judged one by one.
    fn live(&self) -> impl Iterator<Item = (usize, &Row, &TrackState)> {
        let open = self.rows.iter().filter(|(_, row)| row.open() && !row.is_overflow());
        open.flat_map(|(place, row)| {
            row.tracks().filter(|track| track.live).map(move |track| (place, row, track))
        })
    }

    /// How many tracks there are, of one stream or of all, and `take` of them after the first `skip`.
    pub fn views(
        &self,
        stream: Option<&str>,
        skip: usize,
        take: usize,
        now: Timestamp,
        wall: Wall,
    ) -> (usize, Vec<View>) {
        let wanted =
            || self.live().filter(|(_, row, _)| stream.is_none_or(|stream| *row.identity.stream == *stream));
        let views = wanted().skip(skip).take(take);
        (
            wanted().count(),
            views
                .map(|found @ (_, row, track)| View::of(self, found, self.verdict(row, track, now), wall))
                .collect(),
        )
    }

    /// All counted, and at most `most` of them, those in trouble before all others.
    pub fn troubled_first(&self, now: Timestamp, most: usize, wall: Wall) -> (OutputCounts, Vec<View>) {
        let (mut counts, mut troubled, mut others) = (OutputCounts::default(), Vec::new(), Vec::new());
        let mut worst: HashMap<usize, Verdict> = HashMap::new();
        for (place, row, track) in self.live() {
            let verdict = self.verdict(row, track, now);
            let known = worst.entry(place).or_insert(verdict);
            *known = (*known).max(verdict);
            let kept = if verdict >= Verdict::Late { &mut troubled } else { &mut others };
            if kept.len() < most {
                kept.push(View::of(self, (place, row, track), verdict, wall));
            }
        }
        counts.outputs = worst.len();
        counts.outputs_stalled = worst.values().filter(|verdict| verdict.is_stalled()).count();
        counts.outputs_late = worst.values().filter(|verdict| **verdict == Verdict::Late).count();
        others.truncate(most - troubled.len());
        troubled.append(&mut others);
        (counts, troubled)
    }

    /// How many outputs are open and in trouble.
    pub fn counts(&self, now: Timestamp) -> OutputCounts {
        self.troubled_first(now, 0, Wall::default()).0
    }
}
