//! `sink-config`: prints the block that makes the media server post its events here.

use anyhow::{Context, bail};

use super::{config_of, print};
use ems_protocol::sink_config::sink_config;

use crate::cli::Serve;
use crate::pipeline::is_server_name;

/// Prints the block for the address that the configuration names.
pub fn run(flags: &Serve, server: Option<&str>) -> anyhow::Result<()> {
    let config = config_of(flags)?;
    if let Some(name) = server {
        if !is_server_name(name) {
            bail!(
                "--server {name}: a server's name has 1 to 64 letters, digits, dots, dashes and underscores"
            );
        }
        if !config.servers.is_empty() && !config.servers.iter().any(|known| known.name == name) {
            bail!("--server {name}: the configuration has no server of this name");
        }
    }
    if server.is_none() && config.servers.len() > 1 {
        let names: Vec<&str> = config.servers.iter().map(|known| known.name.as_str()).collect();
        bail!("--server is needed, since several servers are configured: one of {}", names.join(", "));
    }
    let address = config.own_address().context("the address to post to cannot be resolved")?;
    print(&sink_config(&address.to_string(), server, config.ingest.guard.secret.is_some()));
    Ok(())
}
