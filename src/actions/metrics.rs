//! The metrics of actions.

use strum::VariantArray;

use super::outcome::Outcome;
use super::queue::Summary;
use crate::exposition::{Kind, Metric};

/// The metrics of actions, where rules are configured.
pub const METRICS: &[Metric<Summary>] = &[
    Metric {
        name: "ems_exporter_actions_total",
        kind: Kind::Counter,
        help: "Calls decided by rules, by outcome: done, already (the object exists), gone (the stream closed first), failed, rejected (invalid request or no API), condition (not true), cooldown, rate_limited (max_per_minute), unproven (the stall ended first, or the server stops), too_old (actions.max_age), queue_full, dry_run, shutdown.",
        labels: &["rule", "outcome"],
        query: r#"sum by (server, rule) (increase(ems_exporter_actions_total{outcome=~"failed|rejected|rate_limited|too_old|queue_full"}[1h])) > 0"#,
        samples: |summary, samples| {
            for (rule, counts) in &summary.rules {
                for outcome in Outcome::VARIANTS {
                    samples.add(&[("rule", rule), ("outcome", outcome.label())], counts.outcome(*outcome));
                }
            }
        },
    },
    Metric {
        name: "ems_exporter_actions_decided_total",
        kind: Kind::Counter,
        help: "Calls decided by rules; each gets one outcome in ems_exporter_actions_total.",
        labels: &["rule"],
        query: "sum by (server, rule) (rate(ems_exporter_actions_decided_total[5m]))",
        samples: |summary, samples| {
            for (rule, counts) in &summary.rules {
                samples.add(&[("rule", rule)], counts.decided);
            }
        },
    },
    Metric {
        name: "ems_exporter_actions_queued",
        kind: Kind::Gauge,
        help: "Calls waiting or in progress.",
        labels: &[],
        query: "ems_exporter_actions_queued",
        samples: |summary, samples| samples.add(&[], summary.queued),
    },
    Metric {
        name: "ems_exporter_actions_oldest_age_seconds",
        kind: Kind::Gauge,
        help: "Age of the oldest event whose call is waiting or in progress; 0 if there is none.",
        labels: &[],
        query: "max by (server) (ems_exporter_actions_oldest_age_seconds) > 30",
        samples: |summary, samples| samples.add(&[], summary.oldest.as_secs_f64()),
    },
    Metric {
        name: "ems_exporter_action_duration_seconds",
        kind: Kind::Histogram,
        help: "Time from an event to the outcome of the call that it triggered.",
        labels: &[],
        query: "histogram_quantile(0.95, sum by (server, le) (rate(ems_exporter_action_duration_seconds_bucket[5m])))",
        samples: |summary, samples| samples.histogram(&[], &summary.durations),
    },
    Metric {
        name: "ems_exporter_actions_circuit_open",
        kind: Kind::Gauge,
        help: "1 while calls to the server's API are paused after repeated failures, 0 otherwise.",
        labels: &[],
        query: "max by (server) (ems_exporter_actions_circuit_open) == 1",
        samples: |summary, samples| samples.add(&[], summary.circuit_open),
    },
];
