//! `demo`: the exporter, and a simulated media server that posts to it.

use anyhow::{Context, bail};
use ems_protocol::runtime_api::DEFAULT_TIMEOUT;
use ems_simulator::{Simulation, Target};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{app_of, bind, config_of, print, runtime, start_logging, stop_signal};
use crate::app;
use crate::cli::Serve;
use crate::config::Remote;
use crate::pipeline::DEFAULT_SERVER;

/// Runs both until SIGINT or SIGTERM.
pub fn run(flags: &Serve, streams: usize, speed: f64) -> anyhow::Result<()> {
    let config = config_of(flags)?;
    if config.ingest.guard.secret.is_some() || !config.ingest.listen.is_empty() {
        bail!(
            "the demo sends no secret to the address of its pages: remove ingest.secret_file and ingest.listen_address"
        );
    }
    start_logging(config.log_level, config.log_format);
    runtime()?.block_on(async {
        let listeners = bind(&config).await?;
        let Some(address) = listeners.first().map(TcpListener::local_addr).transpose()? else {
            bail!("the demo needs an address to listen on");
        };
        let stop = stop_signal()?;
        let (host, port) = (config.own_address().map_or(address.ip(), |own| own.ip()), address.port());
        let base = match host {
            std::net::IpAddr::V4(host) => format!("http://{host}:{port}"),
            std::net::IpAddr::V6(host) => format!("http://[{host}]:{port}"),
        };
        let server = config.servers.first().map_or(String::new(), |server| format!("/{}", server.name));
        let url: Target = format!("{base}/events{server}").parse().map_err(anyhow::Error::msg)?;
        print(&format!(
            "A simulated media server with {streams} streams posts its events to this exporter.\n\n  \
             metrics   {base}{}\n  page      {base}/\n  health    {base}/-/healthy\n\nCtrl-C stops both.\n",
            config.telemetry_path
        ));
        let api = Some("127.0.0.1:0".to_owned());
        let simulation = Simulation::new(ems_simulator::Options {
            url,
            streams,
            speed,
            api,
            ..ems_simulator::Options::default()
        })?;
        let mut config = config;
        let server = config.servers.first().map_or(DEFAULT_SERVER, |server| &server.name).to_owned();
        if let Some(api) = simulation.api_address()
            && !config.apis.iter().any(|remote| remote.server == server)
        {
            let address = format!("http://{api}").parse().map_err(anyhow::Error::msg)?;
            config.apis.push(Remote { server, address, login: None, timeout: DEFAULT_TIMEOUT });
        }
        let exporter = CancellationToken::new();
        let (app, stopping) = (app_of(&config)?, exporter.clone());
        let running = tokio::spawn(async move { app::run(app, &config, listeners, stopping).await });
        simulation.run(stop.cancelled()).await?;
        exporter.cancel();
        Ok(running.await.context("the exporter failed")??)
    })
}
