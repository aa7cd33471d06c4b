//! What became of everything that was received: received = applied + duplicate + rejected + dropped.

use crate::exposition::{Kind, Metric};
use ems_protocol::message::{DropReason, Format, Reason, Rejection};

/// How an event came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// It was posted.
    Http,
    /// It was read from an event file.
    File,
}

impl Transport {
    const ALL: [Self; 2] = [Self::Http, Self::File];

    const fn label(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::File => "file",
        }
    }
}

/// What became of an event that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was counted and applied.
    Applied,
    /// It had come before.
    Duplicate,
}

#[derive(Debug, Clone, Default)]
struct Counts {
    received: u64,
    applied: u64,
    duplicate: u64,
    rejected: [u64; Reason::ALL.len()],
    dropped: [u64; DropReason::ALL.len()],
}

/// The counts of all doors and formats. They move together, so the identity holds at any instant.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    counts: [[Counts; Format::ALL.len()]; Transport::ALL.len()],
}

impl Tally {
    /// Counts one event, or a body that was refused as a whole.
    pub fn count(&mut self, transport: Transport, format: Format, outcome: &Result<Outcome, Rejection>) {
        let counts = &mut self.counts[transport as usize][format as usize];
        counts.received += 1;
        match outcome {
            Ok(Outcome::Applied) => counts.applied += 1,
            Ok(Outcome::Duplicate) => counts.duplicate += 1,
            Err(rejection) => match rejection.verdict() {
                Ok(reason) => counts.rejected[reason as usize] += 1,
                Err(shortage) => counts.dropped[shortage as usize] += 1,
            },
        }
    }

    /// All that was received, and the four things that can become of it.
    pub fn sums(&self) -> (u64, [u64; 4]) {
        self.counts.iter().flatten().fold((0, [0; 4]), |(received, parts), counts| {
            let rejected = counts.rejected.iter().sum();
            let four = [counts.applied, counts.duplicate, rejected, counts.dropped.iter().sum()];
            let sum = std::array::from_fn(|part: usize| parts[part] + four[part]);
            (received + counts.received, sum)
        })
    }

    fn each(&self, mut each: impl FnMut(&Counts, [(&'static str, &'static str); 2])) {
        for transport in Transport::ALL {
            for format in Format::ALL {
                let labels = [("transport", transport.label()), ("format", format.label())];
                each(&self.counts[transport as usize][format as usize], labels);
            }
        }
    }
}

const LABELS: &[&str] = &["transport", "format"];

/// What is shown of the tally.
pub const METRICS: &[Metric<Tally>] = &[
    Metric {
        name: "ems_exporter_events_received_total",
        kind: Kind::Counter,
        help: "Events received; a body that could not be taken apart counts as one. The sum of applied, duplicate, rejected and dropped.",
        labels: LABELS,
        query: "sum by (instance, transport, format) (rate(ems_exporter_events_received_total[5m]))",
        samples: |tally, samples| tally.each(|counts, labels| samples.add(&labels, counts.received)),
    },
    Metric {
        name: "ems_exporter_events_applied_total",
        kind: Kind::Counter,
        help: "Events counted in ems_events_total and applied.",
        labels: LABELS,
        query: "sum by (instance) (rate(ems_exporter_events_applied_total[5m]))",
        samples: |tally, samples| tally.each(|counts, labels| samples.add(&labels, counts.applied)),
    },
    Metric {
        name: "ems_exporter_events_duplicate_total",
        kind: Kind::Counter,
        help: "Events that had come before, by processId, id and timestamp.",
        labels: LABELS,
        query: "sum by (instance) (rate(ems_exporter_events_duplicate_total[5m]))",
        samples: |tally, samples| tally.each(|counts, labels| samples.add(&labels, counts.duplicate)),
    },
    Metric {
        name: "ems_exporter_events_rejected_total",
        kind: Kind::Counter,
        help: "Events that could not be understood, by reason.",
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
        help: "Events that may have been good but could not be taken: reason server_limit, more servers than limits.servers; overload, more at once than fit.",
        labels: &["transport", "format", "reason"],
        query: "sum by (instance, reason) (increase(ems_exporter_events_dropped_total[1h])) > 0",
        samples: |tally, samples| {
            tally.each(|counts, [transport, format]| {
                for shortage in DropReason::ALL {
                    let labels = [transport, format, ("reason", shortage.label())];
                    samples.add(&labels, counts.dropped[shortage as usize]);
                }
            });
        },
    },
];
