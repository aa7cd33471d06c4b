//! `simulate`: a simulated media server on its own.

use ems_simulator::{Options, Truth};

use super::{print, runtime, start_logging, stop_signal};
use crate::config::{LogFormat, LogLevel};

/// Runs until SIGINT or SIGTERM, then prints what the simulated server knows.
pub fn run(options: Options) -> anyhow::Result<()> {
    start_logging(LogLevel::Info, LogFormat::Text);
    let truth: Truth = runtime()?.block_on(async {
        let stop = stop_signal()?;
        anyhow::Ok(ems_simulator::run(options, stop.cancelled()).await?)
    })?;
    print(&format!("{}\n", serde_json::to_string_pretty(&truth)?));
    Ok(())
}
