//! The program: arguments, configuration, logging, bind, run, exit code.

use std::io::{IsTerminal, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use ems_exporter::cli::{self, Cli, Command, LogFormat, LogLevel, Serve, sink_config};
use ems_exporter::config::{Config, Overrides, Remote, web};
use ems_exporter::ems_api::PATIENCE;
use ems_exporter::http::routes::App;
use ems_exporter::ingest::DEFAULT_SERVER;
use ems_exporter::moment::Moment;
use ems_exporter::simulate::{self, Simulation, Target, Truth};
use ems_exporter::web::probe;
use ems_exporter::{rehearse, replay};

/// How long `healthcheck` waits for an answer.
const HEALTH_TIME: Duration = Duration::from_secs(3);
/// The watchdog is never fed more often than this, however short its patience.
const SHORTEST_BEAT: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => serve(&cli.serve),
        Some(Command::Serve(flags)) => serve(&flags),
        Some(Command::Demo { serve, streams, speed }) => demo(&serve, streams, speed),
        Some(Command::Simulate(options)) => simulate(*options),
        Some(Command::CheckConfig(flags)) => check_config(&flags),
        Some(Command::Healthcheck(flags)) => healthcheck(&flags),
        Some(Command::Rules(cli::Rules::Test(flags))) => rules_test(&flags),
        Some(Command::Replay(flags)) => replay(&flags),
        Some(Command::SinkConfig { serve, server }) => print_sink_config(&serve, server.as_deref()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ems-exporter: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn config_of(flags: &Serve) -> anyhow::Result<Config> {
    let overrides = Overrides {
        listen: flags.listen.clone(),
        telemetry_path: flags.telemetry_path.clone(),
        files: flags.files.clone(),
        format: flags.format,
        start: flags.start,
        storage: flags.storage.clone(),
        web_file: flags.web_file.clone(),
        lifecycle: flags.lifecycle,
        insecure: flags.insecure,
    };
    Ok(Config::load(flags.config_file.as_deref(), &overrides)?)
}

fn start_logging(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

async fn bind(config: &Config) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in config.addresses() {
        let listener = ems_exporter::listen(address).await;
        listeners.push(listener.with_context(|| format!("cannot listen on {address}"))?);
    }
    Ok(listeners)
}

/// The exporter, unless strangers could do too much with it.
fn app_of(config: &Config) -> anyhow::Result<Arc<App>> {
    let app = ems_exporter::app(config)?;
    let setup = app.web.load();
    let exposed = config.exposed(&setup);
    for sentence in &exposed {
        tracing::warn!("INSECURE: {sentence}");
    }
    if !exposed.is_empty() && !config.insecure {
        bail!("{}; --web.insecure starts all the same", exposed.join("; "));
    }
    if setup.tls.is_some() && config.ingest.listen.is_empty() {
        tracing::warn!(
            "media servers cannot post events over TLS: ingest.listen_address gives them plain HTTP"
        );
    }
    drop(setup);
    Ok(app)
}

/// Cancelled by the first SIGINT or SIGTERM.
fn stop_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    // Until the exporter listens for it, it must not end the process.
    drop(signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?);
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tell_manager(&[NotifyState::Stopping]);
        stopper.cancel();
    });
    Ok(stop)
}

fn serve(flags: &Serve) -> anyhow::Result<()> {
    let config = config_of(flags)?;
    start_logging(flags.log_level, flags.log_format);
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
        let exporter = ems_exporter::run(app, &config, listeners, stop);
        let status = format!("listening on {}", addresses.join(", "));
        tell_manager(&[NotifyState::Ready, NotifyState::Status(&status)]);
        // In the exporter's own task, which takes every server's lock each second: if that hangs, so does the watchdog.
        tokio::select! {
            () = feed_watchdog() => {}
            done = exporter => done?,
        }
        tracing::info!("stopped");
        Ok(())
    })
}

/// Tells the service manager, as often as it wants to know, that we live.
async fn feed_watchdog() {
    let Some(patience) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let mut beats = tokio::time::interval((patience / 2).max(SHORTEST_BEAT));
    loop {
        beats.tick().await;
        tell_manager(&[NotifyState::Watchdog]);
    }
}

/// Without a service manager that listens there is nobody to tell.
fn tell_manager(news: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(news) {
        tracing::warn!("cannot tell the service manager {news:?}: {error}");
    }
}

fn demo(flags: &Serve, streams: usize, speed: f64) -> anyhow::Result<()> {
    let config = config_of(flags)?;
    if config.ingest.guard.secret.is_some() || !config.ingest.listen.is_empty() {
        bail!(
            "the demo posts its events as they come: leave out ingest.secret_file and ingest.listen_address"
        );
    }
    start_logging(flags.log_level, flags.log_format);
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
        say(&format!(
            "A simulated media server with {streams} streams posts its events to this exporter.\n\n  \
             metrics   {base}{}\n  page      {base}/\n  health    {base}/-/healthy\n\nCtrl-C stops both.\n",
            config.telemetry_path
        ));
        let api = Some("127.0.0.1:0".to_owned());
        let simulation =
            Simulation::new(simulate::Options { url, streams, speed, api, ..simulate::Options::default() })?;
        let mut config = config;
        let server = config.servers.first().map_or(DEFAULT_SERVER, |server| &server.name).to_owned();
        if let Some(api) = simulation.api_address()
            && !config.apis.iter().any(|remote| remote.server == server)
        {
            let address = format!("http://{api}").parse().map_err(anyhow::Error::msg)?;
            config.apis.push(Remote { server, address, login: None, timeout: PATIENCE });
        }
        let exporter = CancellationToken::new();
        let (app, stopping) = (app_of(&config)?, exporter.clone());
        let running = tokio::spawn(async move { ems_exporter::run(app, &config, listeners, stopping).await });
        simulation.run(stop.cancelled()).await?;
        exporter.cancel();
        Ok(running.await.context("the exporter failed")??)
    })
}

fn simulate(options: simulate::Options) -> anyhow::Result<()> {
    start_logging(LogLevel::Info, LogFormat::Text);
    let truth: Truth = runtime()?.block_on(async {
        let stop = stop_signal()?;
        anyhow::Ok(simulate::run(options, stop.cancelled()).await?)
    })?;
    say(&format!("{}\n", serde_json::to_string_pretty(&truth)?));
    Ok(())
}

fn check_config(flags: &Serve) -> anyhow::Result<()> {
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

fn healthcheck(flags: &Serve) -> anyhow::Result<()> {
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

fn replay(flags: &cli::Replay) -> anyhow::Result<()> {
    start_logging(LogLevel::Warn, LogFormat::Text);
    for file in &flags.files {
        std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    let mut shown = 0;
    let terminal = std::io::stderr().is_terminal();
    let replayed = replay::replay(&flags.files, flags.format, &mut |done, all| {
        let percent = (done * 100).checked_div(all).unwrap_or(100);
        if terminal && percent != shown {
            shown = percent;
            eprint!("\r{percent:3} % of {} MB", all >> 20);
        }
    })?;
    if terminal {
        eprint!("\r                      \r");
    }
    say(&if flags.metrics { replayed.page()? } else { replayed.summary()? });
    Ok(())
}

fn rules_test(flags: &cli::RulesTest) -> anyhow::Result<()> {
    let config = Config::load(Some(&flags.config_file), &Overrides::default())?;
    let first = config.servers.first().map_or(DEFAULT_SERVER, |server| &server.name);
    let server = flags.server.as_deref().unwrap_or(first);
    say(&rehearse::rehearse(&config, &flags.event, server, Moment::now())?);
    Ok(())
}

fn print_sink_config(flags: &Serve, server: Option<&str>) -> anyhow::Result<()> {
    let config = config_of(flags)?;
    if let Some(name) = server {
        if !ems_exporter::ingest::is_server_name(name) {
            bail!(
                "--server {name}: a server's name has 1 to 64 letters, digits, dots, dashes and underscores"
            );
        }
        if !config.servers.is_empty() && !config.servers.iter().any(|known| known.name == name) {
            bail!("--server {name}: the configuration has no server of this name");
        }
    }
    let address = config.own_address().context("the address to post to cannot be resolved")?;
    say(&sink_config(&address.to_string(), server, config.ingest.guard.secret.is_some()));
    Ok(())
}

/// Prints an answer; a reader that has gone away is no failure.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        tracing::debug!("nobody reads standard output");
    }
}
