//! Requested incidents: inbound streams that freeze and pushes whose remote server goes away.

use super::model::{Code, IncidentKind, Kind, Output, Task, World};
use crate::output_format::OutputFormat;
use crate::stall::{Stall, StallEnd};
use std::time::Duration;

/// The interval at which an incident checks for its stream.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// Whether one of these faults holds an output of a stream at a moment.
pub(crate) fn holds(faults: &[Stall], stream: &str, format: OutputFormat, at: Duration) -> bool {
    faults.iter().any(|fault| fault.end(stream, format, at, at).is_some())
}

impl World {
    /// Schedules the incidents that have not begun.
    pub(crate) fn schedule_incidents(&mut self, at: Duration) {
        for index in 0..self.incidents.len() {
            if let Some((_, incident)) = &self.incidents[index] {
                self.schedule(incident.after.max(at), Task::Incident { index });
            }
        }
        for fault in 0..self.options.unwritable.len() {
            if let Some(start) = self.options.unwritable[fault].next_start(at) {
                self.schedule(start, Task::StopWriting { fault });
            }
        }
    }

    /// Closes the outputs that cannot write from now on.
    pub(crate) fn stop_writing(&mut self, at: Duration, fault: usize) {
        let open: Vec<u64> = self.outputs.keys().copied().collect();
        for output in open {
            if self.is_unwritable(at, output) {
                self.finish_output(at, output);
            }
        }
        if let Some(start) = self.options.unwritable[fault].next_start(at + Duration::from_nanos(1)) {
            self.schedule(start, Task::StopWriting { fault });
        }
    }

    /// Begins an incident if its stream is open; otherwise tries again later.
    pub(crate) fn begin_incident(&mut self, at: Duration, index: usize) {
        let Some((kind, incident)) = self.incidents[index].take() else {
            return;
        };
        let begun = match kind {
            IncidentKind::Freeze => self.freeze(at, &incident.stream),
            IncidentKind::LosePush => self.lose_push(at, &incident.stream),
        };
        if !begun {
            self.incidents[index] = Some((kind, incident));
            self.schedule(at + RETRY_INTERVAL, Task::Incident { index });
        }
    }

    fn freeze(&mut self, at: Duration, stream: &str) -> bool {
        let slots = &self.slots;
        let Some((id, input)) = self.inputs.iter_mut().find(|(_, input)| slots[input.slot].label == stream)
        else {
            return false;
        };
        input.frozen = Some(at);
        if let Some(expiry) = self.options.stream_expiry {
            let (input, periods) = (*id, 1.8 + 0.3 * self.random.f64());
            self.schedule(at + expiry.mul_f64(periods), Task::CloseStream { input });
        }
        true
    }

    fn lose_push(&mut self, at: Duration, stream: &str) -> bool {
        let affected =
            |output: &Output| matches!(output.kind, Kind::Push) && self.slots[output.slot].label == stream;
        let pushes: Vec<u64> =
            self.outputs.iter().filter(|(_, output)| affected(output)).map(|(id, _)| *id).collect();
        for push in &pushes {
            let config = self.config_of(*push);
            if let Some(config) = config.and_then(|config| self.configs.get_mut(&config)) {
                config.unreachable = true;
            }
            self.finish_output(at, *push);
            if let Some(config) = config {
                self.set_status(at, config, Code::ConnectionFailed, 0);
            }
        }
        !pushes.is_empty()
    }

    /// The end of the stall or freeze that keeps an output from writing at a moment.
    pub(crate) fn held(&self, output: &Output, format: OutputFormat, at: Duration) -> Option<StallEnd> {
        if self.inputs.get(&output.input).is_some_and(|input| input.frozen.is_some()) {
            return Some(StallEnd::Recreated);
        }
        let stream = &self.slots[output.slot].label;
        let stalls = self.options.stall.iter();
        stalls.filter_map(|stall| stall.end(stream, format, output.created, at)).max()
    }

    /// Whether an output cannot write its files at a moment.
    pub(crate) fn is_unwritable(&self, at: Duration, output: u64) -> bool {
        let output = self.outputs.get(&output);
        let files = output.and_then(|output| Some((&self.slots[output.slot].label, output.files()?)));
        files.is_some_and(|(stream, files)| holds(&self.options.unwritable, stream, files.format, at))
    }

    /// Whether requested faults keep the output of a stream from writing at a moment, open or not.
    pub(crate) fn writes_nothing(&self, stream: &str, format: OutputFormat, at: Duration) -> bool {
        holds(&self.options.unwritable, stream, format, at)
            || holds(&self.options.disk_full, stream, format, at)
    }
}
