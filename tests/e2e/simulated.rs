//! A simulated media server whose truth is written down all the time.

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use ems_simulator::{Options, Simulation, Truth};
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
    quiet: Arc<Mutex<Vec<Quiet>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Simulated {
    /// Starts it.
    pub(crate) fn start(options: Options) -> Self {
        log();
        let simulation = Arc::new(Simulation::new(options).expect("the server can be simulated"));
        let stop = CancellationToken::new();
        let quiet = Arc::default();
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
            let (simulation, stop, quiet) = (Arc::clone(&simulation), stop.clone(), Arc::clone(&quiet));
            move || watch(&simulation, &stop, &quiet)
        });
        Self { simulation, stop, quiet, threads: vec![living, watching] }
    }

    /// The server itself.
    pub(crate) fn server(&self) -> &Simulation {
        &self.simulation
    }

    /// Stops it gracefully if it still runs, and returns all it knows, with every span of quiet; the last one lasts.
    pub(crate) fn end(mut self) -> (Truth, Vec<Quiet>) {
        self.stop.cancel();
        for thread in self.threads.drain(..) {
            thread.join().expect("the simulated server ends well");
        }
        let truth = self.simulation.truth();
        let mut quiet = std::mem::take(&mut *self.quiet.lock().unwrap());
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

/// Unix seconds.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Numbers of events and ids only grow, so two looks that see the same have missed nothing between them.
fn watch(simulation: &Simulation, stop: &CancellationToken, quiet: &Mutex<Vec<Quiet>>) {
    let mut present: Option<Quiet> = None;
    while !stop.is_cancelled() {
        let before = now();
        let truth = simulation.truth();
        let after = now();
        match &mut present {
            Some(quiet) if quiet.truth == truth => quiet.to = before,
            _ => {
                let span = Quiet { from: after, to: after, truth };
                keep(present.replace(span), quiet);
            }
        }
        thread::sleep(LOOK);
    }
    keep(present, quiet);
}

/// Between a crash and the next start the server is gone but nobody has been told: that is no truth to compare with.
fn keep(span: Option<Quiet>, quiet: &Mutex<Vec<Quiet>>) {
    quiet.lock().unwrap().extend(span.filter(|span| span.truth.running && settled(&span.truth)));
}

/// Whether every event has had its outcome.
fn settled(truth: &Truth) -> bool {
    let total = |numbers: &std::collections::BTreeMap<&str, u64>| numbers.values().sum::<u64>();
    total(&truth.emitted) + total(&truth.duplicated)
        == total(&truth.delivered) + total(&truth.refused) + total(&truth.lost)
}
