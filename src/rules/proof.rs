//! Proof before acting: a verdict of the exporter alone must not take down what works.

use super::rule::{Act, Rule};
use super::target::Target;
use crate::model::state::{DerivedEvent, State};
use crate::model::stream::InputState;

/// The commands that remove, shut down or create something. In reaction to a derived event they need proof that the
/// server was alive while the verdict was reached.
pub const DESTRUCTIVE: [&str; 10] = [
    "createHLSStream",
    "createHDSStream",
    "createDASHStream",
    "createMSSStream",
    "record",
    "pushStream",
    "pullStream",
    "shutdownStream",
    "removeConfig",
    "removeTimer",
];

impl Rule {
    /// Whether its calls wait for proof that the server is alive.
    pub fn needs_proof(&self) -> bool {
        let destructive = matches!(&self.act, Act::Call(command, _) if DESTRUCTIVE.contains(&command.name));
        destructive && DerivedEvent::NAMES.contains(&self.on)
    }

    /// Whether the state contradicts the verdict that this rule reacts to, so that its call must not be made. An
    /// output that is gone contradicts nothing: another rule may have removed it, for this one to re-create it.
    pub fn is_refuted(&self, target: &Target, state: &State) -> bool {
        if !self.needs_proof() {
            return false;
        }
        let creates = matches!(&self.act, Act::Call(command, _) if command.creates.is_some());
        if creates && self.on != "streamMissing" {
            // What exists already is not created again, and an output that another rule has removed may have written a
            // last chunk.
            return state.server.stopping();
        }
        let input = || state.streams.input_state(&target.stream);
        let refuted = match (&target.output, self.on) {
            (Some((format, group, track)), on) => {
                let open = state.outputs.is_open(*format, group, &target.stream);
                let stalls = state.outputs.stalls(*format, group, &target.stream, *track);
                if on == "chunkRecovered" { stalls } else { open && !stalls }
            }
            (None, "streamMissing") => state.streams.inbound(&target.stream) > 0,
            // A frozen input that is gone contradicts nothing either.
            (None, "streamFrozen" | "streamExpired") => input() == Some(InputState::Live),
            (None, "streamResumed") => matches!(input(), Some(InputState::Frozen | InputState::Expired)),
            (None, _) => false,
        };
        refuted || state.server.stopping()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ems_protocol::runtime_api::command::COMMANDS;

    #[test]
    fn every_command_but_a_new_timer_is_destructive() {
        let others: Vec<&str> =
            COMMANDS.iter().map(|command| command.name).filter(|name| !DESTRUCTIVE.contains(name)).collect();
        assert_eq!(others, ["setTimer"]);
        assert!(DESTRUCTIVE.iter().all(|name| COMMANDS.iter().any(|command| command.name == *name)));
    }
}
