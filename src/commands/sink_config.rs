//! `sink-config`: prints the block that makes the media server post its events here, or write them to files.

use anyhow::{Context, bail};

use super::{config_of, print};

use crate::cli::Serve;
use crate::pipeline::is_server_name;
use crate::sink_config::{file_sink, rpc_sink};

/// Prints the block for the address that the configuration names, or for files with the name `file`.
pub fn run(flags: &Serve, server: Option<&str>, file: Option<&str>) -> anyhow::Result<()> {
    let config = config_of(flags)?;
    if let Some(file) = file {
        if !file.starts_with('/') || file.ends_with('/') || file.contains(char::is_control) {
            bail!(
                "--file {}: it is not the absolute path of a file, such as /var/log/ems/events.json",
                file.escape_debug()
            );
        }
        print(&file_sink(file));
        return Ok(());
    }
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
    print(&rpc_sink(&address.to_string(), server, config.ingest.guard.secret.is_some()));
    Ok(())
}
