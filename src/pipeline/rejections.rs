//! The recent rejections: the API and the live page show them, and the first for each reason is a warning.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use ems_protocol::{DropReason, Format, Reason, Rejection};
use ems_protocol::{Timestamp, Wall};

/// How many recent rejections are kept.
const KEPT: usize = 100;

/// A rejected body or event. It holds nothing of the event itself.
#[derive(Debug, Clone)]
pub struct RejectionRecord {
    /// When it arrived.
    pub at: Timestamp,
    /// The server that it was meant for.
    pub server: String,
    /// The detected format.
    pub format: Format,
    /// Why it was rejected.
    pub rejection: Rejection,
}

/// The API representation of a rejection.
#[derive(Debug, Serialize)]
pub struct RejectionView<'a> {
    timestamp_seconds: f64,
    /// Empty where the path named a server that is not accepted.
    server: &'a str,
    format: &'static str,
    reason: &'static str,
    message: String,
}

impl RejectionRecord {
    /// Its API representation.
    pub fn view(&self, wall: Wall) -> RejectionView<'_> {
        RejectionView {
            timestamp_seconds: wall.seconds(self.at),
            server: &self.server,
            format: self.format.label(),
            reason: self.rejection.verdict().map_or_else(DropReason::label, Reason::label),
            message: self.rejection.to_string(),
        }
    }
}

/// The recent rejections.
#[derive(Debug, Default)]
pub(super) struct Rejections {
    recent: Mutex<Recent>,
    /// For which reasons there has been a warning.
    warned: [AtomicBool; Reason::ALL.len()],
}

#[derive(Debug, Default)]
struct Recent {
    records: VecDeque<RejectionRecord>,
    /// How many there have been.
    number: u64,
}

impl Rejections {
    /// Logs a rejection.
    pub(super) fn log(&self, record: &RejectionRecord) {
        let RejectionRecord { server, rejection, .. } = record;
        let format = record.format.label();
        let warned = rejection.reason().map(|reason| &self.warned[reason as usize]);
        if warned.is_some_and(|warned| !warned.swap(true, Ordering::Relaxed)) {
            tracing::warn!(
                server,
                format,
                "rejected: {rejection}; others for this reason are logged at level debug"
            );
        } else {
            tracing::debug!(server, format, "rejected: {rejection}");
        }
    }

    /// Keeps a rejection in the place of the oldest.
    pub(super) fn push(&self, record: RejectionRecord) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.number += 1;
        if recent.records.len() >= KEPT {
            recent.records.pop_front();
        }
        recent.records.push_back(record);
    }

    /// How many there have been, and the recent ones after number `number`, the oldest first.
    pub(super) fn since(&self, number: u64) -> (u64, Vec<RejectionRecord>) {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(recent.number.saturating_sub(number)).unwrap_or(usize::MAX);
        let old = recent.records.len().saturating_sub(new);
        (recent.number, recent.records.iter().skip(old).cloned().collect())
    }
}
