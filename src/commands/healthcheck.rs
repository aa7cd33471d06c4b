//! `healthcheck`: asks a running exporter whether it is healthy.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};

use super::{config_of, say};
use crate::cli::Serve;
use crate::config::web;
use crate::web::probe;

/// How long `healthcheck` waits for an answer.
const HEALTH_TIME: Duration = Duration::from_secs(3);

/// Fails unless the exporter answers.
pub fn run(flags: &Serve) -> anyhow::Result<()> {
    let config = config_of(flags)?;
    let address = config.own_address().context("the address to ask at cannot be resolved")?;
    // Addresses for events only, which are asked first, speak plain HTTP.
    let web_file = config.web_file.as_deref().filter(|_| config.ingest.listen.is_empty());
    let tls = web_file.is_some_and(|file| web::load(file).1.is_ok_and(|setup| setup.tls.is_some()));
    let scheme = if tls { "https" } else { "http" };
    let asked = || -> std::io::Result<String> {
        let stream = TcpStream::connect_timeout(&address, HEALTH_TIME)?;
        stream.set_read_timeout(Some(HEALTH_TIME))?;
        stream.set_write_timeout(Some(HEALTH_TIME))?;
        if tls { ask_health(probe::over_tls(stream)?, address) } else { ask_health(stream, address) }
    };
    let url = format!("{scheme}://{address}/-/healthy");
    let answer = asked().with_context(|| format!("nothing healthy answers at {url}"))?;
    let status = answer.lines().next().unwrap_or_default();
    // With web.protect_health only users are told more than that we live.
    if !status.starts_with("HTTP/1.1 200 ") && !status.starts_with("HTTP/1.1 401 ") {
        bail!("{url} answers {status:?}");
    }
    say("healthy\n");
    Ok(())
}

fn ask_health(mut stream: impl Read + Write, address: SocketAddr) -> std::io::Result<String> {
    write!(stream, "GET /-/healthy HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    stream.flush()?;
    let mut answer = String::new();
    stream.take(1024).read_to_string(&mut answer)?;
    Ok(answer)
}
