//! Trouble on request: inbound streams that stand still and pushes whose far side goes away.

use super::super::output_format::OutputFormat;
use super::super::stall::StallEnd;
use super::configs::Code;
use super::outputs::Output;
use super::{Task, World};
use std::time::Duration;

/// What is requested for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    /// Its packets stop, though its connection stays up.
    Freeze,
    /// The far side of its push goes away for good.
    LosePush,
}

/// From one look for what is to be in trouble to the next.
const LOOK: Duration = Duration::from_millis(250);

impl World {
    /// Puts on the agenda what has not happened yet.
    pub(super) fn schedule_trouble(&mut self, at: Duration) {
        let freezes =
            self.options.freeze.iter().enumerate().map(|(index, one)| (Trouble::Freeze, index, one));
        let losses =
            self.options.lose_push.iter().enumerate().map(|(index, one)| (Trouble::LosePush, index, one));
        let due: Vec<(Trouble, usize, Duration)> =
            freezes.chain(losses).map(|(trouble, index, one)| (trouble, index, one.after.max(at))).collect();
        for (trouble, index, after) in due {
            if !self.troubles.contains(&(trouble, index)) {
                self.schedule(after, Task::Trouble { trouble, index });
            }
        }
    }

    /// Lets the trouble begin if there is somebody to have it; otherwise it waits.
    pub(super) fn trouble(&mut self, at: Duration, trouble: Trouble, index: usize) {
        let requests = match trouble {
            Trouble::Freeze => &self.options.freeze,
            Trouble::LosePush => &self.options.lose_push,
        };
        let Some(stream) = requests.get(index).map(|request| request.stream.clone()) else {
            return;
        };
        let begun = match trouble {
            Trouble::Freeze => self.freeze(at, &stream),
            Trouble::LosePush => self.lose_push(at, &stream),
        };
        if begun {
            self.troubles.insert((trouble, index));
        } else {
            self.schedule(at + LOOK, Task::Trouble { trouble, index });
        }
    }

    fn freeze(&mut self, at: Duration, stream: &str) -> bool {
        let slots = &self.slots;
        let Some(input) = self.inputs.values_mut().find(|input| slots[input.slot].label == stream) else {
            return false;
        };
        input.frozen = Some(at);
        true
    }

    fn lose_push(&mut self, at: Duration, stream: &str) -> bool {
        let pushes: Vec<u64> = self
            .outputs
            .iter()
            .filter(|(id, output)| self.is_push(**id) && self.slots[output.slot].label == stream)
            .map(|(id, _)| *id)
            .collect();
        for push in &pushes {
            let config = self.config_of(*push);
            if let Some(config) = config.and_then(|config| self.configs.get_mut(&config)) {
                config.hopeless = true;
            }
            self.finish_output(at, *push);
            if let Some(config) = config {
                self.set_status(at, config, Code::ConnectionFailed, 0);
            }
        }
        !pushes.is_empty()
    }

    /// What keeps an output from writing at a moment, if anything does.
    pub(super) fn held(&self, output: &Output, format: OutputFormat, at: Duration) -> Option<StallEnd> {
        if self.inputs.get(&output.input).is_some_and(|input| input.frozen.is_some()) {
            return Some(StallEnd::Recreated);
        }
        let stream = &self.slots[output.slot].label;
        let stalls = self.options.stall.iter();
        stalls.filter_map(|stall| stall.end(stream, format, output.created, at)).max()
    }
}
