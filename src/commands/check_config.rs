//! `check-config`: reports every fault of the configuration.

use super::{app_of, config_of, print};
use crate::cli::Serve;

/// Checks everything that can be checked without listening.
pub fn run(flags: &Serve) -> anyhow::Result<()> {
    let config = config_of(flags)?;
    app_of(&config)?;
    let servers = match config.servers.len() {
        0 => "any server".to_owned(),
        1 => "1 server".to_owned(),
        count => format!("{count} servers"),
    };
    print(&format!("the configuration is valid: {servers}, listening on {}\n", config.listen.join(", ")));
    Ok(())
}
