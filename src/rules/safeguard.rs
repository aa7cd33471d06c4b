//! Safeguards: triggers that run no rule, or only a rule that names them, since acting on them would loop or disconnect
//! players.

use super::matching::Match;
use super::rule::Rule;
use super::trigger::Trigger;
use crate::model::stream::Purpose;

/// Types of inputs that are read from a file for one player.
const FILES: [&str; 4] = ["IFR", "IFP", "IFS", "IFT"];

/// Why a trigger must not run a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safeguard {
    /// A stream between the server's own processes, or the writer of an initialisation segment.
    Internal,
    /// A file played on demand, which the rule does not name.
    Vod,
    /// An object created by one of the exporter's own calls.
    OwnCall,
}

impl Safeguard {
    /// As a sentence about the trigger.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Internal => "it is internal to the server and never triggers a rule",
            Self::Vod => "it is a file played on demand, and neither match.type nor match.purpose names it",
            Self::OwnCall => "one of the exporter's own calls caused it, and include_own is not set",
        }
    }
}

/// The safeguard that keeps this trigger from running this rule.
pub(super) fn blocks(rule: &Rule, trigger: &Trigger) -> Option<Safeguard> {
    let names_vod = |Match { kinds, purposes, .. }: &Match| {
        kinds.iter().any(|kind| FILES.contains(kind)) || purposes.contains(&Purpose::Vod)
    };
    let vod = trigger.kind.is_some_and(|kind| FILES.contains(&kind)) || trigger.purpose == Some(Purpose::Vod);
    if trigger.purpose == Some(Purpose::Internal) {
        Some(Safeguard::Internal)
    } else if vod && !names_vod(&rule.matching) {
        Some(Safeguard::Vod)
    } else if trigger.own_call && !rule.include_own {
        Some(Safeguard::OwnCall)
    } else {
        None
    }
}
