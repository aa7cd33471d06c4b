//! De-duplication: the same event can arrive by both transports, and some senders repeat events.

use ems_protocol::Message;
use ems_protocol::Timestamp;

/// How many sequence numbers of a process are remembered.
const SLOTS: usize = 16_384;
/// How many processes are remembered: the one that runs and those before it.
const PROCESSES: usize = 4;
/// Stamps are compared within this many seconds: event files may write local time without a zone,
/// and zones differ by quarters of an hour.
const ZONE_STEP: u64 = 900;

/// Whether a message was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Not within the window, or it has no number: EMS 1.6 sends none.
    Never,
    /// This very message.
    Before,
    /// A message with its number and another time: the server restarted its numbering.
    AtAnotherTime,
}

/// The recent sequence numbers, by process.
#[derive(Debug, Default)]
pub struct Window {
    /// The newest process last.
    processes: Vec<(u64, Vec<Slot>)>,
}

/// The highest received number of those that map to this slot, and its timestamp. Numbers start at 1, so 0 is none.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    id: u64,
    stamp: u16,
}

impl Window {
    /// Whether a message was seen; from now on it was.
    pub fn see(&mut self, message: &Message<'_>) -> Seen {
        // Number 0 is used by programs that are not the server.
        let (Some(process), Some(id @ 1..)) = (message.process, message.id) else {
            return Seen::Never;
        };
        let stamp = (message.at.map_or(0, Timestamp::millis) / 1000 % ZONE_STEP) as u16;
        let slots = self.slots(process);
        let slot = &mut slots[id as usize % SLOTS];
        let seen = match slot.id {
            same if same == id && slot.stamp == stamp => return Seen::Before,
            same if same == id => Seen::AtAnotherTime,
            // Older than the window: an old part of a file.
            later if later > id => return Seen::Never,
            _ => Seen::Never,
        };
        *slot = Slot { id, stamp };
        seen
    }

    /// Forgets the process of `message`, which restarted its numbering, but not the message.
    pub fn restart(&mut self, message: &Message<'_>) {
        self.processes.retain(|(process, _)| Some(*process) != message.process);
        self.see(message);
    }

    fn slots(&mut self, process: u64) -> &mut [Slot] {
        let index = match self.processes.iter().position(|(known, _)| *known == process) {
            Some(index) => index,
            None => {
                if self.processes.len() == PROCESSES {
                    self.processes.remove(0);
                }
                self.processes.push((process, vec![Slot::default(); SLOTS]));
                self.processes.len() - 1
            }
        };
        &mut self.processes[index].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ems_protocol::{Format, decode};

    fn see(window: &mut Window, process: u64, id: u64, timestamp: &str) -> Seen {
        let body = format!(r#"{{"id":{id},"processId":{process},"timestamp":{timestamp},"type":"x"}}"#);
        let mut seen = None;
        decode::decode(body.as_bytes(), Format::Json, usize::MAX, |message| {
            seen = Some(window.see(&message.unwrap()))
        });
        seen.unwrap()
    }

    #[test]
    fn a_restarted_numbering_is_no_duplicate() {
        let mut window = Window::default();
        assert_eq!(see(&mut window, 7, 5, "1795364096"), Seen::Never);
        assert_eq!(see(&mut window, 7, 5, "1795364096"), Seen::Before);
        assert_eq!(see(&mut window, 7, 5, "\"2026-11-22T11:14:56.000\""), Seen::Before, "local time");
        assert_eq!(see(&mut window, 8, 5, "1795364096"), Seen::Never, "another process");
        assert_eq!(see(&mut window, 7, 5, "1795364097"), Seen::AtAnotherTime);
    }

    #[test]
    fn numbers_older_than_the_window_evict_nothing() {
        let mut window = Window::default();
        let late = 100_000;
        assert_eq!(see(&mut window, 7, late, "1"), Seen::Never);
        assert_eq!(see(&mut window, 7, late - SLOTS as u64, "1"), Seen::Never, "an old entry of a file");
        assert_eq!(see(&mut window, 7, late, "1"), Seen::Before);
    }

    #[test]
    fn remembers_a_bounded_number_of_processes() {
        let mut window = Window::default();
        for process in 0..10 {
            see(&mut window, process, 1, "1");
        }
        assert_eq!(window.processes.len(), PROCESSES);
    }
}
