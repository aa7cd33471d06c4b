//! The real exporter from end to end: what its lives have counted is what was written.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::checkpoint::Checkpoint;
use crate::random::Random;
use crate::writer::Writer;
use crate::{each_seed, seeds, until};

/// A running exporter that follows every file of a directory.
pub struct Exporter {
    pub child: Child,
    address: String,
}

impl Exporter {
    pub fn follow(logs: &Path, flags: &[&str], log: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ems-exporter"))
            .args(["--web.listen-address", "127.0.0.1:0", "--log.format", "json"])
            .args(["--events.file", logs.join("*").to_str().unwrap()])
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut log = OpenOptions::new().append(true).create(true).open(log).unwrap();
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the exporter has not started");
            log.write_all(line.as_bytes()).unwrap();
            let told: serde_json::Value = serde_json::from_str(&line).unwrap();
            if let Some(address) = told["address"].as_str() {
                break address.to_owned();
            }
        };
        // Ends with the exporter.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut log));
        Self { child, address }
    }

    /// The values of the page by series.
    pub fn page(&self) -> BTreeMap<String, u64> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, page) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let samples = page.lines().filter_map(|line| line.rsplit_once(' '));
        samples.filter_map(|(series, value)| Some((series.to_owned(), value.parse().ok()?))).collect()
    }

    pub fn value(&self, series: &str) -> u64 {
        self.page().get(series).copied().unwrap_or_default()
    }

    /// How many events it has counted, by their names.
    fn events(&self) -> BTreeMap<String, u64> {
        let page = self.page();
        let counts = page.iter().filter_map(|(series, count)| {
            let labels = series.strip_prefix("ems_events_total{server=\"ems\",event=\"")?;
            Some((labels.strip_suffix("\"}")?.to_owned(), *count))
        });
        counts.filter(|(_, count)| *count > 0).collect()
    }

    pub fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success(), "the exporter has not stopped cleanly");
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // Already gone unless the test fails.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Some of what may happen whether or not anybody follows.
fn write_on(writer: &mut Writer) {
    for _ in 0..writer.random.below(12) {
        match writer.random.below(8) {
            0..=3 => writer.append(),
            4 => writer.append_half(),
            5 => writer.rotate(),
            6 => writer.go_to_next_name(),
            _ => writer.restart(),
        }
        writer.pause();
    }
}

fn lives_of_an_exporter(seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let (logs, storage) = (directory.path().join("logs"), directory.path().join("storage"));
    fs::create_dir(&logs).unwrap();
    let checkpoint = Checkpoint::of(&storage, "ems");
    let mut writer = Writer::new(&logs, Random::new(seed));
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for life in 0..6 {
        write_on(&mut writer);
        let flags = ["--storage.path", storage.to_str().unwrap(), "--events.start", "saved-or-beginning"];
        let exporter = Exporter::follow(&logs, &flags, &directory.path().join("log"));
        write_on(&mut writer);
        if life % 2 == 1 {
            writer.append();
        }
        writer.complete();
        let wanted: BTreeMap<String, u64> = writer
            .totals()
            .into_iter()
            .map(|(name, total)| (name.to_owned(), total - counted.get(name).copied().unwrap_or_default()))
            .filter(|(_, count)| *count > 0)
            .collect();
        let sum: u64 = wanted.values().sum();
        until("as many events are counted as were written", || {
            exporter.events().values().sum::<u64>() >= sum
        });
        assert_eq!(exporter.events(), wanted, "seed {seed}, life {life}");
        for (name, count) in wanted {
            *counted.entry(name).or_default() += count;
        }
        if life % 2 == 1 {
            // A kill after the checkpoint was written repeats nothing either.
            until("the checkpoint knows the file", || checkpoint.knows_all_of(&writer.current));
            exporter.kill();
        } else {
            exporter.stop();
        }
    }
    let written = writer.totals();
    assert_eq!(counted, written.into_iter().map(|(name, total)| (name.to_owned(), total)).collect());
}

#[test]
fn the_lives_of_an_exporter_count_what_was_written() {
    each_seed(seeds(4), lives_of_an_exporter);
}
