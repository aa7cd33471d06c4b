//! Reading configuration files again while the exporter runs. A file with faults leaves in force what was.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::metrics::Own;
use crate::moment::Moment;
use crate::web::{Files, Setup};

/// From one look at the files of the web configuration to the next.
const POLL: Duration = Duration::from_secs(5);

/// What can be read again, and where it is put.
#[derive(Debug)]
pub struct Reloader {
    own: Arc<Own>,
    web: Arc<ArcSwap<Setup>>,
    web_file: Option<PathBuf>,
    /// What the files of the web configuration looked like when they were last read.
    seen: Mutex<Files>,
}

impl Reloader {
    /// Reads the web configuration for the first time.
    pub fn new(web_file: Option<PathBuf>, own: &Arc<Own>) -> Result<Self, Vec<String>> {
        let (seen, setup) =
            web_file.as_deref().map_or_else(|| (Files::default(), Ok(Setup::default())), config::web::load);
        own.web_loaded(true, Moment::now());
        Ok(Self {
            own: Arc::clone(own),
            web: Arc::new(ArcSwap::from_pointee(setup?)),
            web_file,
            seen: Mutex::new(seen),
        })
    }

    /// The web configuration in force.
    pub fn web(&self) -> Arc<ArcSwap<Setup>> {
        Arc::clone(&self.web)
    }

    /// Reads everything again; says what came of it, or what is wrong.
    pub async fn reload(self: &Arc<Self>) -> Result<String, String> {
        let all = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || all.read_web()).await;
        done.unwrap_or_else(|_| Err("the files could not be read: the reading failed".to_owned()))
    }

    /// Reads again on SIGHUP, and the web configuration when its files change, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut hangups = signal(SignalKind::hangup())
            .inspect_err(|error| tracing::warn!("cannot listen for SIGHUP: {error}"))
            .ok();
        let mut polls = tokio::time::interval(POLL);
        loop {
            let hangup = async {
                match &mut hangups {
                    Some(hangups) => hangups.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                _ = hangup => {
                    // What came of it has been logged.
                    self.reload().await.ok();
                }
                _ = polls.tick(), if self.web_file.is_some() => {
                    let all = Arc::clone(&self);
                    tokio::task::spawn_blocking(move || all.read_changed_web()).await.ok();
                }
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Files> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_changed_web(&self) {
        let seen = self.seen().clone();
        if seen.look_again() != seen {
            // What came of it has been logged.
            self.read_web().ok();
        }
    }

    fn read_web(&self) -> Result<String, String> {
        let Some(path) = &self.web_file else {
            return Ok("there is no web configuration file".to_owned());
        };
        // Held while reading, so that what was read last is in force.
        let mut seen = self.seen();
        let (files, setup) = config::web::load(path);
        *seen = files;
        match setup {
            Ok(setup) => {
                self.web.store(Arc::new(setup));
                self.own.web_loaded(true, Moment::now());
                tracing::info!("the web configuration was read again");
                Ok("the web configuration was read again".to_owned())
            }
            Err(faults) => {
                self.own.web_loaded(false, Moment::now());
                let faults = config::Faults(faults);
                tracing::error!("the web configuration stays as it was: {faults}");
                Err(format!("the web configuration stays as it was: {faults}"))
            }
        }
    }
}
