//! A simulated media server whose truth is written down all the time.

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ems_simulator::{Options, Simulation, Truth};
use testkit::{now, wait_for};
use tokio_util::sync::CancellationToken;

/// From one look at the truth to the next.
const LOOK: Duration = Duration::from_millis(10);

/// A span of time over which all that happened had arrived and nothing happened.
#[derive(Debug, Clone)]
pub(crate) struct Quiet {
    /// Unix seconds.
    pub(crate) from: f64,
    /// Unix seconds.
    pub(crate) to: f64,
    /// What was true all the time.
    pub(crate) truth: Truth,
}

/// A simulated media server, running.
#[derive(Debug)]
pub(crate) struct Simulated {
    simulation: Arc<Simulation>,
    stop: CancellationToken,
    looks: Arc<Mutex<Looks>>,
    threads: Vec<JoinHandle<()>>,
}

impl Simulated {
    /// Starts it.
    pub(crate) fn start(options: Options) -> Self {
        log();
        let simulation = Arc::new(Simulation::new(options).expect("the server can be simulated"));
        let stop = CancellationToken::new();
        let looks = Arc::default();
        let living = thread::spawn({
            let (simulation, stop) = (Arc::clone(&simulation), stop.clone());
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(simulation.run(stop.cancelled())).expect("the simulated server runs");
                // For the one who watches: it has ended, of itself or because it was told to.
                stop.cancel();
            }
        });
        let watching = thread::spawn({
            let (simulation, stop, looks) = (Arc::clone(&simulation), stop.clone(), Arc::clone(&looks));
            move || watch(&simulation, &stop, &looks)
        });
        Self { simulation, stop, looks, threads: vec![living, watching] }
    }

    /// The server itself.
    pub(crate) fn server(&self) -> &Simulation {
        &self.simulation
    }

    /// Every span of quiet up to now.
    pub(crate) fn quiet(&self) -> Vec<Quiet> {
        let now = now();
        wait_for("another look at the truth", || {
            let looks = self.looks.lock().unwrap();
            let present = looks.present.iter().filter(|span| is_quiet(span));
            if looks.last > now {
                Ok(looks.past.iter().chain(present).cloned().collect())
            } else {
                Err(looks.last)
            }
        })
    }

    /// Stops it gracefully if it still runs, and returns all it knows, with every span of quiet; the last one lasts.
    pub(crate) fn end(mut self) -> (Truth, Vec<Quiet>) {
        self.stop.cancel();
        for thread in self.threads.drain(..) {
            thread.join().expect("the simulated server ends well");
        }
        let truth = self.simulation.truth();
        let looks = std::mem::take(&mut *self.looks.lock().unwrap());
        let mut quiet = looks.past;
        quiet.extend(looks.present.filter(is_quiet));
        assert!(settled(&truth), "the end is accounted for: {truth:?}");
        quiet.push(Quiet { from: now(), to: f64::INFINITY, truth: truth.clone() });
        (truth, quiet)
    }

    /// Waits for the end that its options give it.
    pub(crate) fn finish(self) -> (Truth, Vec<Quiet>) {
        while !self.stop.is_cancelled() {
            thread::sleep(LOOK);
        }
        self.end()
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Lets a test that fails show why posts were lost.
fn log() {
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(false);
    // Another test may have begun it.
    drop(log.with_test_writer().try_init());
}

/// What has been seen of the truth.
#[derive(Debug, Default)]
struct Looks {
    /// Spans of quiet that are over.
    past: Vec<Quiet>,
    /// The span that the last look was in, quiet or not.
    present: Option<Quiet>,
    /// When the last look began, in Unix seconds.
    last: f64,
}

/// Numbers of events and ids only grow, so two looks that see the same have missed nothing between them.
fn watch(simulation: &Simulation, stop: &CancellationToken, looks: &Mutex<Looks>) {
    while !stop.is_cancelled() {
        let before = now();
        let truth = simulation.truth();
        let after = now();
        let mut looks = looks.lock().unwrap();
        looks.last = before;
        match &mut looks.present {
            Some(quiet) if quiet.truth == truth => quiet.to = before,
            _ => {
                let over = looks.present.replace(Quiet { from: after, to: after, truth });
                looks.past.extend(over.filter(is_quiet));
            }
        }
        drop(looks);
        thread::sleep(LOOK);
    }
}

/// Between a crash and the next start the server is gone but nobody has been told: that is no truth to compare with.
fn is_quiet(span: &Quiet) -> bool {
    span.truth.running && settled(&span.truth)
}

/// Whether every event has had its outcome.
pub(crate) fn settled(truth: &Truth) -> bool {
    let total = |numbers: &std::collections::BTreeMap<&str, u64>| numbers.values().sum::<u64>();
    total(&truth.emitted) + total(&truth.duplicated)
        == total(&truth.delivered) + total(&truth.rejected) + total(&truth.lost)
}
