//! De-duplication: the same event can arrive by both transports, and some senders repeat events.

use std::collections::BTreeMap;

use ems_protocol::Message;
use ems_protocol::Timestamp;

/// How many sequence numbers a page holds, in 8 KiB.
const PAGE: usize = 4096;
/// How many pages a server has: 16 384 numbers in 32 KiB, for senders that repeat events.
const PAGES: usize = 4;
/// The same for a server whose event files are read, which may lag far behind what is posted: 2 097 152 numbers in 4 MiB.
const PAGES_WITH_FILES: usize = 512;
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
#[derive(Debug)]
pub struct Window {
    /// The newest process last.
    processes: Vec<(u64, Pages)>,
    /// How many pages all of them have at most.
    limit: usize,
}

/// For each number in a page 1 + the stamp of its message, or 0 if there was none; by the first number.
type Pages = BTreeMap<u64, Box<[u16; PAGE]>>;

impl Default for Window {
    fn default() -> Self {
        Self { processes: Vec::new(), limit: PAGES }
    }
}

impl Window {
    /// From now on the events may come a second time from files.
    pub const fn expect_files(&mut self) {
        self.limit = PAGES_WITH_FILES;
    }

    /// Whether a message was seen; from now on it was.
    pub fn see(&mut self, message: &Message<'_>) -> Seen {
        // Number 0 is used by programs that are not the server.
        let (Some(process), Some(id @ 1..)) = (message.process, message.id) else {
            return Seen::Never;
        };
        let stamp = 1 + (message.at.map_or(0, Timestamp::millis) / 1000 % ZONE_STEP) as u16;
        let Some(page) = self.page(process, id / PAGE as u64) else { return Seen::Never };
        match std::mem::replace(&mut page[id as usize % PAGE], stamp) {
            0 => Seen::Never,
            same if same == stamp => Seen::Before,
            _ => Seen::AtAnotherTime,
        }
    }

    /// Forgets the process of `message`, which restarted its numbering, but not the message.
    pub fn restart(&mut self, message: &Message<'_>) {
        self.processes.retain(|(process, _)| Some(*process) != message.process);
        self.see(message);
    }

    /// The page of this number; none if it is older than all that are remembered.
    fn page(&mut self, process: u64, number: u64) -> Option<&mut [u16; PAGE]> {
        let index = match self.processes.iter().position(|(known, _)| *known == process) {
            Some(index) => index,
            None => {
                if self.processes.len() == PROCESSES {
                    self.processes.remove(0);
                }
                self.processes.push((process, Pages::new()));
                self.processes.len() - 1
            }
        };
        let full = self.processes.iter().map(|(_, pages)| pages.len()).sum::<usize>() >= self.limit;
        if full && !self.processes[index].1.contains_key(&number) {
            let (oldest, (_, pages)) =
                self.processes.iter_mut().enumerate().find(|(_, (_, pages))| !pages.is_empty())?;
            if oldest == index && pages.first_key_value().is_some_and(|(first, _)| *first > number) {
                return None;
            }
            pages.pop_first();
        }
        Some(self.processes[index].1.entry(number).or_insert_with(|| Box::new([0; PAGE])))
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
        let late = 1_000_000;
        for page in 0..PAGES {
            assert_eq!(see(&mut window, 7, late - (page * PAGE) as u64, "1"), Seen::Never);
        }
        assert_eq!(
            see(&mut window, 7, late - (PAGES * PAGE) as u64, "1"),
            Seen::Never,
            "an old entry of a file"
        );
        assert_eq!(see(&mut window, 7, late, "1"), Seen::Before);
        assert_eq!(see(&mut window, 7, late + PAGE as u64, "1"), Seen::Never);
        assert_eq!(see(&mut window, 7, late, "1"), Seen::Before, "only the lowest page has gone");
        assert_eq!(see(&mut window, 8, 1, "1"), Seen::Never, "a new process evicts the oldest one's");
        assert_eq!(see(&mut window, 8, 1, "1"), Seen::Before);
    }

    #[test]
    fn a_file_may_lag_two_million_events_behind() {
        let mut window = Window::default();
        window.expect_files();
        let page = PAGE as u64;
        for number in (1..PAGES_WITH_FILES as u64 * page).step_by(PAGE / 2) {
            assert_eq!(see(&mut window, 7, number, "1"), Seen::Never);
        }
        for number in (1..PAGES_WITH_FILES as u64 * page).step_by(PAGE / 2) {
            assert_eq!(see(&mut window, 7, number, "1"), Seen::Before);
        }
        for number in (1..10_000 * page).step_by(PAGE) {
            see(&mut window, 8, number, "1");
        }
        let pages: usize = window.processes.iter().map(|(_, pages)| pages.len()).sum();
        assert_eq!(pages, PAGES_WITH_FILES);
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
