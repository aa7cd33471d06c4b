//! `demo`: the exporter, and a simulated media server that posts to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, bail};
use ems_protocol::runtime_api::DEFAULT_TIMEOUT;
use ems_simulator::{Options, Simulation, Target};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{app_of, bind, claim_storage, config_of, print, runtime, start_logging, stop_signal};
use crate::app;
use crate::cli::Serve;
use crate::config::{Remote, web};
use crate::pipeline::DEFAULT_SERVER;

/// Runs both until SIGINT or SIGTERM.
pub fn run(flags: &Serve, streams: usize, speed: f64) -> anyhow::Result<()> {
    let mut config = config_of(flags)?;
    if config.ingest.guard.secret.is_some() {
        bail!("the demo posts its events without a secret: remove ingest.secret_file");
    }
    let uses_tls = |file: &Path| web::load(file).1.is_ok_and(|setup| setup.tls.is_some());
    let tls = config.web_file.as_deref().is_some_and(uses_tls);
    if tls && config.ingest.listen.is_empty() {
        bail!(
            "the demo cannot post its events over TLS: set ingest.listen_address, such as 127.0.0.1:10778, which accepts plain HTTP"
        );
    }
    start_logging(config.log_level, config.log_format);
    let _storage = claim_storage(&config)?;
    runtime()?.block_on(async {
        let listeners = bind(&config).await?;
        let page = local_address(&listeners, 0)?;
        let events =
            local_address(&listeners, if config.ingest.listen.is_empty() { 0 } else { config.listen.len() })?;
        let stop = stop_signal()?;
        let path = config.servers.first().map_or(String::new(), |server| format!("/{}", server.name));
        let url: Target = format!("http://{events}/events{path}").parse().map_err(anyhow::Error::msg)?;
        let simulation = Simulation::new(Options {
            url,
            streams,
            speed,
            api: Some("127.0.0.1:0".to_owned()),
            ..Options::default()
        })?;
        let server = config.servers.first().map_or(DEFAULT_SERVER, |server| &server.name).to_owned();
        if let Some(api) = simulation.api_address()
            && !config.apis.iter().any(|remote| remote.server == server)
        {
            let address = format!("http://{api}").parse().map_err(anyhow::Error::msg)?;
            config.apis.push(Remote { server, address, login: None, timeout: DEFAULT_TIMEOUT });
        }
        let app = app_of(&config)?;
        let base = format!("{}://{page}", if tls { "https" } else { "http" });
        print(&format!(
            "A simulated media server with {streams} streams posts its events to this exporter.\n\n  \
             metrics   {base}{}\n  page      {base}/\n  health    {base}/-/healthy\n\nCtrl-C stops both.\n",
            config.telemetry_path
        ));
        let exporter = CancellationToken::new();
        let stopping = exporter.clone();
        let running = tokio::spawn(async move { app::run(app, &config, listeners, stopping).await });
        simulation.run(stop.cancelled()).await?;
        exporter.cancel();
        Ok(running.await.context("the exporter failed")??)
    })
}

/// The address by which programs on this machine reach a listener.
fn local_address(listeners: &[TcpListener], index: usize) -> anyhow::Result<SocketAddr> {
    let mut address = listeners.get(index).context("the demo needs an address to listen on")?.local_addr()?;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}
