//! `healthcheck`: queries the health of a running exporter.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use ems_protocol::http_client::{Request, exchange_over};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{config_of, print, runtime};
use crate::cli::Serve;
use crate::config::web;
use crate::web::probe;

/// How long `healthcheck` waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The largest answer, in bytes; that of a healthy exporter is one line.
const LARGEST: usize = 64 * 1024;

/// Fails unless the exporter answers that it is healthy.
pub fn run(flags: &Serve) -> anyhow::Result<()> {
    let config = config_of(flags)?;
    let address = config.own_address().context("the address of the exporter cannot be resolved")?;
    // Addresses for events only, which have priority, serve plain HTTP.
    let web_file = config.web_file.as_deref().filter(|_| config.ingest.listen.is_empty());
    let tls = web_file.is_some_and(|file| web::load(file).1.is_ok_and(|setup| setup.tls.is_some()));
    let scheme = if tls { "https" } else { "http" };
    let url = format!("{scheme}://{address}/-/healthy");
    let answered = runtime()?.block_on(async { timeout(TIMEOUT, status(address, tls)).await });
    let status = answered.unwrap_or_else(|_| Err(anyhow!("no answer within {TIMEOUT:?}")));
    match status.with_context(|| format!("nothing healthy answers at {url}"))? {
        // With web.protect_health only users get more than that the exporter lives.
        200 | 401 => print("healthy\n"),
        status => bail!("{url} answers HTTP {status}"),
    }
    Ok(())
}

async fn status(address: SocketAddr, tls: bool) -> anyhow::Result<u16> {
    let authority = address.to_string();
    let request = Request {
        method: "GET",
        authority: &authority,
        target: "/-/healthy",
        headers: &[],
        body: Vec::new(),
    };
    let stream = TcpStream::connect(address).await.context("cannot connect")?;
    let response = if tls {
        let stream = probe::over_tls(stream).await.context("the TLS handshake failed")?;
        exchange_over(stream, request, LARGEST).await?
    } else {
        let without_tls = "no answer over plain HTTP; if the exporter serves TLS, pass its --web.config.file";
        exchange_over(stream, request, LARGEST).await.context(without_tls)?
    };
    Ok(response.status)
}
