//! Reloads configuration files while the exporter runs. A file with faults changes nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::actions::Actions;
use crate::auth::Guard;
use crate::config::{self, Config, Faults};
use crate::metrics::ExporterMetrics;
use crate::pipeline::Pipeline;
use crate::rules::Rules;
use crate::web::{Files, Setup};
use ems_protocol::Timestamp;

/// From one check of the files of the web configuration to the next.
const POLL: Duration = Duration::from_secs(5);

/// SIGHUP from now on, which no longer ends the process.
pub fn hangups() -> Option<Signal> {
    let hangups = signal(SignalKind::hangup());
    hangups.inspect_err(|error| tracing::warn!("cannot listen for SIGHUP: {error}")).ok()
}

/// The values that a reload replaces, and what they were read from.
#[derive(Debug)]
pub struct Reloader {
    own: Arc<ExporterMetrics>,
    pipeline: Arc<Pipeline>,
    actions: Option<Arc<Actions>>,
    guard: Arc<ArcSwap<Guard>>,
    web: Arc<ArcSwap<Setup>>,
    /// The configuration in force.
    config: Mutex<Config>,
    /// The files of the web configuration as they were when last read.
    seen: Mutex<Files>,
}

impl Reloader {
    /// Reads the web configuration for the first time; the other has been read.
    pub fn new(
        config: &Config,
        pipeline: &Arc<Pipeline>,
        actions: Option<&Arc<Actions>>,
        own: &Arc<ExporterMetrics>,
    ) -> Result<Self, Faults> {
        let (seen, setup) = match &config.web_file {
            Some(path) => config::web::load(path),
            None => (Files::default(), Ok(Setup::default())),
        };
        Ok(Self {
            own: Arc::clone(own),
            pipeline: Arc::clone(pipeline),
            actions: actions.cloned(),
            guard: Arc::new(ArcSwap::from_pointee(config.ingest.guard.clone())),
            web: Arc::new(ArcSwap::from_pointee(setup.map_err(Faults)?)),
            config: Mutex::new(config.clone()),
            seen: Mutex::new(seen),
        })
    }

    /// The web configuration in force.
    pub fn web(&self) -> Arc<ArcSwap<Setup>> {
        Arc::clone(&self.web)
    }

    /// The guard in force.
    pub fn guard(&self) -> Arc<ArcSwap<Guard>> {
        Arc::clone(&self.guard)
    }

    /// Reads everything again; returns a sentence on each file, or what is wrong.
    pub async fn reload(self: &Arc<Self>) -> Result<String, String> {
        let all = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || (all.read_config(), all.read_web()));
        match done.await {
            Ok((config, None)) => config,
            Ok((Ok(config), Some(Ok(web)))) => Ok(format!("{config}\n{web}")),
            Ok((Ok(one) | Err(one), Some(Ok(other) | Err(other)))) => Err(format!("{one}\n{other}")),
            Err(_) => Err("cannot read the configuration files: the task failed".to_owned()),
        }
    }

    /// Reads again on SIGHUP, and the web configuration when its files change, until `stop`.
    pub async fn run(self: Arc<Self>, mut hangups: Option<Signal>, stop: CancellationToken) {
        let has_web_file = self.config().web_file.is_some();
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
                    // The result has been logged.
                    self.reload().await.ok();
                }
                _ = polls.tick(), if has_web_file => {
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
        if seen.current() != seen {
            // The result has been logged.
            drop(self.read_web());
        }
    }

    fn config(&self) -> MutexGuard<'_, Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the configuration, and puts in force what can be without a restart.
    fn read_config(&self) -> Result<String, String> {
        // Held while reading, so that what was read last is in force.
        let mut config = self.config();
        let new = config.load_again().map_err(|faults| self.keep_config(&faults))?;
        let mut frozen = config.frozen_changes(&new);
        if new.ingest.guard != config.ingest.guard {
            keep_guard(&config.ingest.guard.lost_in(&new.ingest.guard))
                .map_err(|sentence| self.keep_config(&sentence))?;
            config.ingest.guard = new.ingest.guard;
            self.guard.store(Arc::new(config.ingest.guard.clone()));
        }
        if new.rules != config.rules {
            // Rules are checked against the servers beside them, which are not those in force.
            if frozen.contains(&"servers") || !self.pipeline.replace_rules(Rules::new(&new.rules)) {
                frozen.push("rules");
            } else {
                let servers: Vec<&str> = config.servers.iter().map(|known| known.name.as_str()).collect();
                if let Some(actions) = &self.actions {
                    actions.register_rules(&new.rules, &servers);
                }
                config.rules = new.rules;
            }
        }
        self.own.config_loaded(true, Timestamp::now());
        let mut done = "the configuration was read again".to_owned();
        if frozen.is_empty() {
            tracing::info!("{done}");
        } else {
            done += ", but these keys take effect after a restart only: ";
            done += &frozen.join(", ");
            tracing::warn!("{done}");
        }
        Ok(done)
    }

    /// Reports why the configuration in force stays.
    fn keep_config(&self, why: &dyn std::fmt::Display) -> String {
        let sentence = format!("the configuration stays as it was: {why}");
        self.own.config_loaded(false, Timestamp::now());
        tracing::error!("{sentence}");
        sentence
    }

    /// Reads the web configuration, if there is one, and puts it in force.
    fn read_web(&self) -> Option<Result<String, String>> {
        let path = self.config().web_file.clone()?;
        // Held while reading, so that what was read last is in force.
        let mut seen = self.seen();
        let (files, setup) = config::web::load(&path);
        *seen = files;
        let setup = setup.and_then(|setup| {
            keep_guard(&self.web.load().lost_in(&setup)).map_err(|sentence| vec![sentence])?;
            Ok(setup)
        });
        Some(match setup {
            Ok(setup) => {
                self.web.store(Arc::new(setup));
                self.own.web_loaded(true, Timestamp::now());
                tracing::info!("the web configuration was read again");
                Ok("the web configuration was read again".to_owned())
            }
            Err(faults) => {
                self.own.web_loaded(false, Timestamp::now());
                let faults = Faults(faults);
                tracing::error!("the web configuration stays as it was: {faults}");
                Err(format!("the web configuration stays as it was: {faults}"))
            }
        })
    }
}

/// Refuses a reload that would take away protection. A restart does it, unless [`Config::exposed`] forbids that.
fn keep_guard(lost: &[&str]) -> Result<(), String> {
    if lost.is_empty() {
        return Ok(());
    }
    let lost = lost.join(", ");
    Err(format!("a reload does not remove protection, and {lost} is missing now: restart to go without it"))
}
