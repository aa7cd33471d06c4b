//! Counts of everything received: received = applied + duplicate + rejected + dropped.

use strum::VariantArray;

use crate::exposition::{Kind, Metric};
use ems_protocol::{DropReason, Format, Reason, Rejection};

/// The way by which an event arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Transport {
    /// A POST request.
    Http,
    /// An event file.
    File,
}

/// The outcome of an event that was not rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventOutcome {
    /// It was applied to the state.
    Applied,
    /// It had been received before.
    Duplicate,
}

#[derive(Debug, Clone, Default)]
struct OutcomeCounts {
    received: u64,
    applied: u64,
    duplicate: u64,
    rejected: [u64; Reason::ALL.len()],
    dropped: [u64; DropReason::ALL.len()],
}

/// The counts of all transports and formats. They move together, so the identity holds at any instant.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    counts: [[OutcomeCounts; Format::ALL.len()]; Transport::VARIANTS.len()],
}

impl Tally {
    /// Counts one event, or a body that was rejected as a whole.
    pub fn count(&mut self, transport: Transport, format: Format, outcome: &Result<EventOutcome, Rejection>) {
        let counts = &mut self.counts[transport as usize][format as usize];
        counts.received += 1;
        match outcome {
            Ok(EventOutcome::Applied) => counts.applied += 1,
            Ok(EventOutcome::Duplicate) => counts.duplicate += 1,
            Err(rejection) => match rejection.verdict() {
                Ok(reason) => counts.rejected[reason as usize] += 1,
                Err(reason) => counts.dropped[reason as usize] += 1,
            },
        }
    }

    /// Everything received, and the sums of the four outcomes.
    pub fn sums(&self) -> (u64, [u64; 4]) {
        self.counts.iter().flatten().fold((0, [0; 4]), |(received, parts), counts| {
            let rejected = counts.rejected.iter().sum();
            let four = [counts.applied, counts.duplicate, rejected, counts.dropped.iter().sum()];
            let sum = std::array::from_fn(|part: usize| parts[part] + four[part]);
            (received + counts.received, sum)
        })
    }

    fn each(&self, mut each: impl FnMut(&OutcomeCounts, [(&'static str, &'static str); 2])) {
        for transport in Transport::VARIANTS {
            for format in Format::ALL {
                let labels = [("transport", transport.into()), ("format", format.label())];
                each(&self.counts[*transport as usize][format as usize], labels);
            }
        }
    }
}

const LABELS: &[&str] = &["transport", "format"];

/// The metrics of the tally.
pub const METRICS: &[Metric<Tally>] = &[
    Metric {
        name: "ems_exporter_events_received_total",
        kind: Kind::Counter,
        help: "Events received: the sum of applied, duplicate, rejected and dropped. A body that could not be split into events counts as one.",
        labels: LABELS,
        query: "sum by (instance, transport, format) (rate(ems_exporter_events_received_total[5m]))",
        samples: |tally, samples| tally.each(|counts, labels| samples.add(&labels, counts.received)),
    },
    Metric {
        name: "ems_exporter_events_applied_total",
        kind: Kind::Counter,
        help: "Events applied to the state and counted in ems_events_total.",
        labels: LABELS,
        query: "sum by (instance) (rate(ems_exporter_events_applied_total[5m]))",
        samples: |tally, samples| tally.each(|counts, labels| samples.add(&labels, counts.applied)),
    },
    Metric {
        name: "ems_exporter_events_duplicate_total",
        kind: Kind::Counter,
        help: "Events received before, by processId, id and timestamp.",
        labels: LABELS,
        query: "sum by (instance) (rate(ems_exporter_events_duplicate_total[5m]))",
        samples: |tally, samples| tally.each(|counts, labels| samples.add(&labels, counts.duplicate)),
    },
    Metric {
        name: "ems_exporter_events_rejected_total",
        kind: Kind::Counter,
        help: "Events that could not be decoded or interpreted, by reason.",
        labels: &["transport", "format", "reason"],
        query: "sum by (instance, format, reason) (increase(ems_exporter_events_rejected_total[1h])) > 0",
        samples: |tally, samples| {
            tally.each(|counts, [transport, format]| {
                for reason in Reason::ALL {
                    let labels = [transport, format, ("reason", reason.label())];
                    samples.add(&labels, counts.rejected[reason as usize]);
                }
            });
        },
    },
    Metric {
        name: "ems_exporter_events_dropped_total",
        kind: Kind::Counter,
        help: "Events dropped at a limit: server_limit, more servers than limits.servers; overload, bodies beyond the memory for them.",
        labels: &["transport", "format", "reason"],
        query: "sum by (instance, reason) (increase(ems_exporter_events_dropped_total[1h])) > 0",
        samples: |tally, samples| {
            tally.each(|counts, [transport, format]| {
                for reason in DropReason::ALL {
                    let labels = [transport, format, ("reason", reason.label())];
                    samples.add(&labels, counts.dropped[reason as usize]);
                }
            });
        },
    },
];
