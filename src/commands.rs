//! The subcommands, a file for each, and what they share: configuration, logging, signals, output.

pub mod check_config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod healthcheck;
pub mod replay;
pub mod rules_test;
pub mod serve;
#[cfg(feature = "demo")]
pub mod simulate;
pub mod sink_config;

use std::fs::{File, TryLockError};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::Level;

use crate::app;
use crate::cli::Serve;
use crate::config::{Config, LogFormat, LogLevel};
use crate::http::server;
use crate::http::state::App;

fn config_of(flags: &Serve) -> anyhow::Result<Config> {
    Ok(Config::load(flags.config_file.as_deref(), &flags.overrides)?)
}

fn start_logging(level: LogLevel, format: LogFormat) {
    let log = tracing_subscriber::fmt()
        .with_max_level(Level::from(level))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

async fn bind(config: &Config) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in config.addresses() {
        let listener = server::listen(address).await;
        listeners.push(listener.with_context(|| format!("cannot listen on {address}"))?);
    }
    Ok(listeners)
}

/// The storage path, a directory or still to be created.
fn storage_of(config: &Config) -> anyhow::Result<Option<&Path>> {
    let path = config.storage.as_deref();
    if let Some(file) = path.filter(|path| path.exists() && !path.is_dir()) {
        bail!("storage.path {} is not a directory", file.display());
    }
    Ok(path)
}

/// Takes the storage path for this process, until the file is dropped. Without a lock, on a file system that has none,
/// the exporter runs all the same.
fn claim_storage(config: &Config) -> anyhow::Result<Option<File>> {
    let Some(path) = storage_of(config)? else { return Ok(None) };
    match ems_tail::lock(path) {
        Ok(file) => return Ok(Some(file)),
        Err(TryLockError::WouldBlock) => bail!(
            "storage.path {} is used by another exporter: stop it, or give each a path of its own",
            path.display()
        ),
        Err(TryLockError::Error(error)) => {
            tracing::warn!(path = %path.display(), %error, "cannot lock the storage path, another exporter could use it too");
        }
    }
    Ok(None)
}

/// The exporter, unless clients on other machines could use it without authentication.
fn app_of(config: &Config) -> anyhow::Result<Arc<App>> {
    storage_of(config)?;
    let app = app::build(config)?;
    let setup = app.web.load();
    let exposed = config.exposed(&setup);
    if !exposed.is_empty() && !config.insecure {
        bail!("{}; or allow it with --web.insecure", exposed.join("; "));
    }
    for sentence in &exposed {
        tracing::warn!("INSECURE: {sentence}");
    }
    if setup.tls.is_some() && config.ingest.listen.is_empty() {
        tracing::warn!(
            "media servers cannot post events over TLS: set ingest.listen_address, which accepts plain HTTP"
        );
    }
    drop(setup);
    Ok(app)
}

/// Cancelled by the first SIGINT or SIGTERM.
fn stop_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    // Until the exporter listens for it, it must not end the process.
    drop(signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?);
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        notify_manager(&[NotifyState::Stopping]);
        stopper.cancel();
    });
    Ok(stop)
}

/// Notifies the service manager, if there is one.
fn notify_manager(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("cannot notify the service manager of {states:?}: {error}");
    }
}

/// Prints to standard output; a closed pipe is not an error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        tracing::debug!("standard output is closed");
    }
}
