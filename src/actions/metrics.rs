//! What is shown of actions.

use super::{Outcome, Summary};
use crate::exposition::{Kind, Metric};

/// What is shown of actions, where rules are configured.
pub const METRICS: &[Metric<Summary>] = &[
    Metric {
        name: "ems_exporter_actions_total",
        kind: Kind::Counter,
        help: "Calls that rules decided, by what became of them.",
        labels: &["rule", "outcome"],
        query: r#"sum by (server, rule) (increase(ems_exporter_actions_total{outcome=~"failed|refused|too_old|queue_full"}[1h])) > 0"#,
        samples: |summary, samples| {
            for (rule, tally) in &summary.rules {
                for outcome in Outcome::ALL {
                    samples.add(&[("rule", rule), ("outcome", outcome.label())], tally.outcome(outcome));
                }
            }
        },
    },
    Metric {
        name: "ems_exporter_actions_decided_total",
        kind: Kind::Counter,
        help: "Times that a rule decided on a call; each gets one outcome.",
        labels: &["rule"],
        query: "sum by (server, rule) (rate(ems_exporter_actions_decided_total[5m]))",
        samples: |summary, samples| {
            for (rule, tally) in &summary.rules {
                samples.add(&[("rule", rule)], tally.decided);
            }
        },
    },
    Metric {
        name: "ems_exporter_actions_queued",
        kind: Kind::Gauge,
        help: "Calls that wait or are under way.",
        labels: &[],
        query: "ems_exporter_actions_queued",
        samples: |summary, samples| samples.add(&[], summary.queued),
    },
    Metric {
        name: "ems_exporter_actions_oldest_age_seconds",
        kind: Kind::Gauge,
        help: "Age of the oldest event whose call waits or is under way; 0 when there is none.",
        labels: &[],
        query: "max by (server) (ems_exporter_actions_oldest_age_seconds) > 30",
        samples: |summary, samples| samples.add(&[], summary.oldest.as_secs_f64()),
    },
    Metric {
        name: "ems_exporter_action_duration_seconds",
        kind: Kind::Histogram,
        help: "Time from an event to the outcome of a call that it triggered.",
        labels: &[],
        query: "histogram_quantile(0.95, sum by (server, le) (rate(ems_exporter_action_duration_seconds_bucket[5m])))",
        samples: |summary, samples| samples.histogram(&[], &summary.durations),
    },
    Metric {
        name: "ems_exporter_actions_circuit_open",
        kind: Kind::Gauge,
        help: "1 while the server's API is left alone because calls failed, 0 otherwise.",
        labels: &[],
        query: "max by (server) (ems_exporter_actions_circuit_open) == 1",
        samples: |summary, samples| samples.add(&[], summary.circuit_open),
    },
];
