//! A simulated media server whose truth is recorded while it runs.

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ems_simulator::{Options, Simulation, Truth};
use tokio_util::sync::CancellationToken;

use crate::now;
use crate::wait::wait_for;

/// The interval between two observations of the truth.
const INTERVAL: Duration = Duration::from_millis(10);

/// A span of time in which nothing happened and every earlier event had its outcome.
#[derive(Debug, Clone)]
pub struct Quiet {
    /// Unix seconds.
    pub from: f64,
    /// Unix seconds.
    pub to: f64,
    /// The truth during the whole span.
    pub truth: Truth,
}

/// A simulated media server, running.
#[derive(Debug)]
pub struct Simulated {
    simulation: Arc<Simulation>,
    stop: CancellationToken,
    observed: Arc<Mutex<Observed>>,
    threads: Vec<JoinHandle<()>>,
}

impl Simulated {
    /// Starts it.
    pub fn start(options: Options) -> Self {
        log();
        let simulation = Arc::new(Simulation::new(options).expect("the server can be simulated"));
        let stop = CancellationToken::new();
        let observed = Arc::default();
        let running = thread::spawn({
            let (simulation, stop) = (Arc::clone(&simulation), stop.clone());
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(simulation.run(stop.cancelled())).expect("the simulated server runs");
                // Ends the observer, also when the server ended by itself.
                stop.cancel();
            }
        });
        let observing = thread::spawn({
            let (simulation, stop, observed) = (Arc::clone(&simulation), stop.clone(), Arc::clone(&observed));
            move || observe(&simulation, &stop, &observed)
        });
        Self { simulation, stop, observed, threads: vec![running, observing] }
    }

    /// The server itself.
    pub fn server(&self) -> &Simulation {
        &self.simulation
    }

    /// Every span of quiet up to now.
    pub fn quiet(&self) -> Vec<Quiet> {
        let now = now();
        wait_for("another observation of the truth", || {
            let observed = self.observed.lock().unwrap();
            let present = observed.present.iter().filter(|span| is_quiet(span));
            if observed.last > now {
                Ok(observed.past.iter().chain(present).cloned().collect())
            } else {
                Err(observed.last)
            }
        })
    }

    /// Stops it gracefully if it still runs, and returns its final truth, with every span of quiet; the last one has no end.
    pub fn end(mut self) -> (Truth, Vec<Quiet>) {
        self.stop.cancel();
        for thread in self.threads.drain(..) {
            thread.join().expect("the simulated server ends well");
        }
        let truth = self.simulation.truth();
        let observed = std::mem::take(&mut *self.observed.lock().unwrap());
        let mut quiet = observed.past;
        quiet.extend(observed.present.filter(is_quiet));
        assert!(settled(&truth), "the end is accounted for: {truth:?}");
        quiet.push(Quiet { from: now(), to: f64::INFINITY, truth: truth.clone() });
        (truth, quiet)
    }

    /// Waits for the end that its options give it.
    pub fn finish(self) -> (Truth, Vec<Quiet>) {
        while !self.stop.is_cancelled() {
            thread::sleep(INTERVAL);
        }
        self.end()
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A failed test shows why posts were lost.
fn log() {
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(false);
    // Another test may have set it up.
    drop(log.with_test_writer().try_init());
}

/// The observations so far.
#[derive(Debug, Default)]
struct Observed {
    /// Spans of quiet that are over.
    past: Vec<Quiet>,
    /// The span of the last observation, quiet or not.
    present: Option<Quiet>,
    /// When the last observation began, in Unix seconds.
    last: f64,
}

/// Counts of events and ids only grow, so nothing happened between two observations that are equal.
fn observe(simulation: &Simulation, stop: &CancellationToken, observed: &Mutex<Observed>) {
    while !stop.is_cancelled() {
        let before = now();
        let truth = simulation.truth();
        let after = now();
        let mut observed = observed.lock().unwrap();
        observed.last = before;
        match &mut observed.present {
            Some(quiet) if quiet.truth == truth => quiet.to = before,
            _ => {
                let over = observed.present.replace(Quiet { from: after, to: after, truth });
                observed.past.extend(over.filter(is_quiet));
            }
        }
        drop(observed);
        thread::sleep(INTERVAL);
    }
}

/// Between a crash and the next start the server is down without an event that says so: this truth cannot be compared.
fn is_quiet(span: &Quiet) -> bool {
    span.truth.running && settled(&span.truth)
}

/// Whether every event has had its outcome.
pub fn settled(truth: &Truth) -> bool {
    let total = |numbers: &std::collections::BTreeMap<&str, u64>| numbers.values().sum::<u64>();
    total(&truth.emitted) + total(&truth.duplicated)
        == total(&truth.delivered) + total(&truth.rejected) + total(&truth.lost)
}
