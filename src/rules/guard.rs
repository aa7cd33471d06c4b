//! What triggers no rule, or only one that asks for it: acting on it would loop or cut players off.

use super::{Match, Rule, Trigger};
use crate::model::stream::Purpose;

/// Types of inputs that are read from a file for one player.
const FILES: [&str; 4] = ["IFR", "IFP", "IFS", "IFT"];

/// What stops a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// A stream between the server's own processes, or the writer of an initialisation segment.
    Plumbing,
    /// A file read for one player, which the rule does not name.
    Vod,
    /// Something that one of our own calls made.
    ExporterMetrics,
}

impl Guard {
    /// As a sentence about the trigger.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Plumbing => "it is plumbing of the server, which never triggers a rule",
            Self::Vod => {
                "it is a file read for one player, and neither match.type nor match.purpose names that"
            }
            Self::ExporterMetrics => "one of our own calls made it, and include_own is not set",
        }
    }
}

/// What stops this rule on this trigger.
pub(super) fn stops(rule: &Rule, trigger: &Trigger) -> Option<Guard> {
    let names_vod = |Match { kinds, purposes, .. }: &Match| {
        kinds.iter().any(|kind| FILES.contains(kind)) || purposes.contains(&Purpose::Vod)
    };
    let vod = trigger.kind.is_some_and(|kind| FILES.contains(&kind)) || trigger.purpose == Some(Purpose::Vod);
    if trigger.purpose == Some(Purpose::Internal) {
        Some(Guard::Plumbing)
    } else if vod && !names_vod(&rule.matching) {
        Some(Guard::Vod)
    } else if trigger.ours && !rule.include_own {
        Some(Guard::ExporterMetrics)
    } else {
        None
    }
}
