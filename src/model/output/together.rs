//! Outputs that stall together: one incident of a server, a format, an input or a group.

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::row::{Row, TrackState};
use super::table::Table;
use super::verdict::{Scope, Together, Verdict};
use crate::exposition::bounded;
use ems_protocol::Timestamp;

/// The outputs of one scope.
#[derive(Debug, Default, Clone, Copy)]
struct Members {
    outputs: usize,
    stalled: usize,
    late: usize,
}

impl Members {
    fn add(&mut self, worst: Verdict) {
        self.outputs += 1;
        self.stalled += usize::from(worst.is_stalled());
        self.late += usize::from(worst >= Verdict::Late);
    }

    /// Outputs that stop at the same moment reach their thresholds one after the other: when the first one does, the
    /// others of its chunk length are late.
    const fn stall(self) -> bool {
        self.outputs >= 2 && self.stalled >= 1 && self.late == self.outputs
    }
}

impl Table {
    /// The open outputs that can stall, each with the worst verdict on its tracks.
    fn worst(&self, now: Timestamp) -> impl Iterator<Item = (&Row, Verdict)> {
        let open = self.rows.iter().filter(|(_, row)| row.open() && !row.is_overflow());
        open.filter_map(move |(_, row)| {
            let judged =
                |track: &&TrackState| track.live && track.threshold(row.chunk_length, self.policy).is_some();
            Some((row, row.tracks().filter(judged).map(|track| self.verdict(row, track, now)).max()?))
        })
    }

    /// Whether all outputs of the server stall, and there are at least two.
    pub(super) fn stalls_as_a_whole(&self, now: Timestamp) -> bool {
        let mut members = Members::default();
        self.worst(now).for_each(|(_, worst)| members.add(worst));
        members.stall()
    }

    /// The scopes of which all outputs stall from now on. A scope within a wider one that stalls is part of that.
    pub(super) fn begin_together(&mut self, now: Timestamp) -> Vec<Together> {
        let any_stall = self.rows.iter().any(|(_, row)| row.tracks().any(|track| row.stalls(track.track)));
        if !any_stall && self.together.is_empty() {
            return Vec::new();
        }
        let mut scopes: HashMap<(Scope, Arc<str>), Members> = HashMap::new();
        for (row, worst) in self.worst(now) {
            let identity = &row.identity;
            for (scope, name) in [
                (Scope::Server, Arc::from("")),
                (Scope::Format, Arc::from(identity.format.label())),
                (Scope::Input, Arc::clone(&identity.stream)),
                (Scope::Group, Arc::clone(&identity.group)),
            ] {
                scopes.entry((scope, name)).or_default().add(worst);
            }
        }
        scopes.retain(|_, members| members.stall());
        let widest = scopes.keys().map(|(scope, _)| *scope).min();
        let held: HashSet<(Scope, Arc<str>)> = scopes.keys().cloned().collect();
        let begun =
            scopes.into_iter().filter(|(key, _)| Some(key.0) == widest && !self.together.contains(key));
        let mut begun: Vec<Together> = begun
            .map(|((scope, name), members)| Together { scope, name, outputs: members.outputs })
            .collect();
        begun.sort_by(|a, b| a.name.cmp(&b.name));
        self.together = held;
        begun
    }

    /// Whether the outputs of a stream show, when its input closes, that the input had delivered nothing for as long as
    /// the server waits before it closes such an input: `streamsExpireTimer` of 10 s, looked at every 10 s.
    pub fn starved(&self, stream: &str, now: Timestamp) -> bool {
        let stream = bounded(Cow::Borrowed(stream));
        let of_stream = |row: &&Row| *row.identity.stream == *stream && row.open() && !row.is_overflow();
        let mut any = false;
        for row in self.rows.iter().map(|(_, row)| row).filter(of_stream) {
            for track in row.tracks().filter(|track| track.live) {
                let Some(target) = track.target(row.chunk_length) else { continue };
                let age = now.since(track.last).as_secs_f64();
                // A healthy track has a younger chunk; one that stopped before the input has an older one.
                if !track.wrote || age <= (1.5 * target).max(15.0) || age >= 25.0 + 1.5 * target {
                    return false;
                }
                any = true;
            }
        }
        any
    }
}
