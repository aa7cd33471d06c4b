//! `serve`: receives events and exposes metrics until it is stopped.

use std::time::Duration;

use sd_notify::NotifyState;

use super::{app_of, bind, claim_storage, config_of, notify_manager, runtime, start_logging, stop_signal};
use crate::app;
use crate::cli::Serve;

/// The shortest interval between two keep-alive messages to the service manager.
const SHORTEST_BEAT: Duration = Duration::from_millis(10);

/// Runs until SIGINT or SIGTERM.
pub fn run(flags: &Serve) -> anyhow::Result<()> {
    let config = config_of(flags)?;
    start_logging(config.log_level, config.log_format);
    let _storage = claim_storage(&config)?;
    runtime()?.block_on(async {
        let app = app_of(&config)?;
        let listeners = bind(&config).await?;
        let stop = stop_signal()?;
        let mut addresses = Vec::new();
        for listener in &listeners {
            let address = listener.local_addr()?;
            tracing::info!(%address, path = config.telemetry_path, "listening for events and scrapes");
            addresses.push(address.to_string());
        }
        let exporter = app::run(app, &config, listeners, stop);
        let status = format!("listening on {}", addresses.join(", "));
        notify_manager(&[NotifyState::Ready, NotifyState::Status(&status)]);
        // In the exporter's own task, which takes every server's lock each second: if that hangs, no keep-alive is sent.
        tokio::select! {
            () = notify_watchdog() => {}
            done = exporter => done?,
        }
        tracing::info!("stopped");
        Ok(())
    })
}

/// Sends keep-alive messages to the service manager as often as it wants them.
async fn notify_watchdog() {
    let Some(patience) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let mut beats = tokio::time::interval((patience / 2).max(SHORTEST_BEAT));
    loop {
        beats.tick().await;
        notify_manager(&[NotifyState::Watchdog]);
    }
}
