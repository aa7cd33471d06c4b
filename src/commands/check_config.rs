//! `check-config`: reads the configuration and says what is wrong with it.

use super::{app_of, config_of, say};
use crate::cli::Serve;

/// Checks all that can be checked without listening.
pub fn run(flags: &Serve) -> anyhow::Result<()> {
    let config = config_of(flags)?;
    app_of(&config)?;
    let servers = match config.servers.len() {
        0 => "any server".to_owned(),
        1 => "1 server".to_owned(),
        count => format!("{count} servers"),
    };
    say(&format!("the configuration is good: {servers}, listening on {}\n", config.listen.join(", ")));
    Ok(())
}
