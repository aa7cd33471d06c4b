//! Safeguards: triggers that run no rule, or only a rule that names them, since acting on them would loop or disconnect
//! players.

use super::matching::Match;
use super::rule::Rule;
use super::trigger::Trigger;
use crate::model::stream::Purpose;

/// Types of inputs that are read from a file for one player.
const FILES: [&str; 4] = ["IFR", "IFP", "IFS", "IFT"];

/// Why this trigger must not run this rule, as a sentence about it.
pub(super) fn blocks(rule: &Rule, trigger: &Trigger) -> Option<&'static str> {
    let names_vod = |Match { kinds, purposes, .. }: &Match| {
        kinds.iter().any(|kind| FILES.contains(kind)) || purposes.contains(&Purpose::Vod)
    };
    let vod = trigger.kind.is_some_and(|kind| FILES.contains(&kind)) || trigger.purpose == Some(Purpose::Vod);
    if trigger.purpose == Some(Purpose::Internal) {
        Some("it is internal to the server and never triggers a rule")
    } else if vod && !names_vod(&rule.matching) {
        Some("it is a file played on demand, and neither match.type nor match.purpose names it")
    } else if trigger.own_call && !rule.include_own {
        Some("one of the exporter's own calls caused it, and include_own is not set")
    } else {
        None
    }
}
