//! A writer that does everything at random against a follower that is stopped and killed at
//! random: every entry is delivered, none is invented, none is repeated without a kill.
//!
//! What no follower can survive is left out: the writer waits for a poll before it truncates or
//! deletes, and for a written checkpoint before it renames a file that is new or was truncated.

use super::*;

/// A small generator of random numbers, the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

struct World {
    fixture: Fixture,
    random: Random,
    format: Format,
    /// The name that the writer writes to.
    current: String,
    /// The end of an entry of which only the beginning was written.
    half: Vec<u8>,
    /// How many entries were written; they are numbered from 0.
    written: u32,
    delivered: Vec<u32>,
    /// How many deliveries the checkpoint knows.
    saved: usize,
    /// The deliveries that a kill may repeat.
    forgiven: Vec<u32>,
    /// The checkpoint does not know the current file, or its present content, yet.
    unseen: bool,
    names: u32,
}

impl World {
    fn new(seed: u64, format: Format) -> Self {
        let fixture = Fixture::saving("events*", Start::SavedOrBeginning);
        let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut world = Self {
            fixture,
            random,
            format,
            current: "events.log".to_owned(),
            half: Vec::new(),
            written: 0,
            delivered: Vec::new(),
            saved: 0,
            forgiven: Vec::new(),
            unseen: true,
            names: 0,
        };
        world.create();
        world
    }

    fn name(&mut self, stem: &str) -> String {
        self.names += 1;
        format!("{stem}_{:04}.log", self.names)
    }

    fn create(&mut self) {
        self.fixture.append(&self.current, formats::preamble(self.format));
        self.unseen = true;
    }

    fn append(&mut self) {
        self.complete();
        for _ in 0..=self.random.below(4) {
            let bytes = self.next_entry();
            self.fixture.append(&self.current, bytes);
        }
    }

    fn append_half(&mut self) {
        self.complete();
        let mut bytes = self.next_entry();
        let at = self.random.below(bytes.len() as u64);
        self.half = bytes.split_off(usize::try_from(at).unwrap());
        self.fixture.append(&self.current, bytes);
    }

    fn complete(&mut self) {
        self.fixture.append(&self.current, std::mem::take(&mut self.half));
    }

    fn next_entry(&mut self) -> Vec<u8> {
        self.written += 1;
        formats::sample(self.format, self.written - 1)
    }

    fn poll(&mut self) {
        let seconds = self.random.below(2);
        self.fixture.now += Duration::from_secs(seconds);
        for entry in self.fixture.poll_now() {
            let digits = entry.split(|letter: char| !letter.is_ascii_digit()).find(|part| part.len() == 5);
            let number = digits.unwrap().parse().unwrap();
            assert!(
                number < self.written && entry == formats::delivered(self.format, number),
                "invented {entry}"
            );
            self.delivered.push(number);
        }
        if !self.fixture.follower.unsaved() {
            self.saved = self.delivered.len();
            self.unseen = false;
        }
    }

    fn poll_and_save(&mut self) {
        while self.unseen || self.saved < self.delivered.len() {
            self.poll();
        }
        self.poll();
    }

    /// Renames the current file away; the writer makes another one of the same name.
    fn rename(&mut self) {
        self.complete();
        let archive = self.name("archive");
        self.fixture.rename(&self.current, &archive);
        self.create();
    }

    fn go_to_next_name(&mut self) {
        self.complete();
        self.current = self.name("events");
        self.create();
    }

    fn copy_and_truncate(&mut self) {
        self.complete();
        self.poll();
        let archive = self.name("archive");
        fs::copy(self.fixture.path(&self.current), self.fixture.path(&archive)).unwrap();
        OpenOptions::new().write(true).open(self.fixture.path(&self.current)).unwrap().set_len(0).unwrap();
        self.unseen = true;
    }

    fn delete(&mut self) {
        self.complete();
        self.poll();
        fs::remove_file(self.fixture.path(&self.current)).unwrap();
        self.create();
    }

    /// Stops or kills the follower; the writer goes on a little before the next one starts.
    fn restart(&mut self, kill: bool) {
        if kill {
            self.forgiven.extend_from_slice(&self.delivered[self.saved..]);
        } else {
            self.fixture.follower.stop();
            self.saved = self.delivered.len();
        }
        for _ in 0..self.random.below(4) {
            match self.random.below(4) {
                0 | 1 => self.append(),
                2 => self.go_to_next_name(),
                _ if self.unseen => self.append_half(),
                _ => self.rename(),
            }
        }
        self.fixture.kill();
    }

    fn step(&mut self, kills: bool) {
        match self.random.below(16) {
            0..=3 => self.append(),
            4 => self.append_half(),
            5 => {
                self.poll_and_save();
                self.append();
                self.rename();
            }
            6 => self.copy_and_truncate(),
            7 => self.go_to_next_name(),
            8 => self.delete(),
            9 => self.restart(kills),
            10 => self.restart(false),
            _ => self.poll(),
        }
    }
}

fn count(numbers: &[u32], number: u32) -> usize {
    numbers.iter().filter(|other| **other == number).count()
}

fn live(seed: u64, format: Format, kills: bool) {
    let mut world = World::new(seed, format);
    for _ in 0..120 {
        world.step(kills);
    }
    world.complete();
    world.poll();
    world.poll();
    let context = format!("seed {seed}, {format:?}, kills {kills}");
    for number in 0..world.written {
        let times = count(&world.delivered, number);
        let limit = 1 + count(&world.forgiven, number);
        assert!((1..=limit).contains(&times), "{context}: {number} came {times} times, {limit} allowed");
    }
    if !kills {
        assert!(world.delivered.is_sorted(), "{context}: {:?}", world.delivered);
    }
    assert_eq!((world.fixture.behind(), world.fixture.rejected), (0, 0), "{context}");
}

#[test]
fn with_clean_stops_every_entry_is_delivered_once_and_in_order() {
    for seed in 1..=8 {
        for format in Format::VARIANTS.iter().copied() {
            live(seed, format, false);
        }
    }
}

#[test]
fn with_kills_every_entry_is_delivered_and_repeats_are_bounded_by_the_checkpoint() {
    for seed in 1..=8 {
        for format in Format::VARIANTS.iter().copied() {
            live(seed, format, true);
        }
    }
}
