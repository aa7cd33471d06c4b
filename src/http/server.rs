//! Accepts connections and serves HTTP on them until the exporter stops.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::peer::Peer;
use super::write_timeout::{Backpressure, WriteTimeout};
use crate::metrics::{DisconnectReason, ExporterMetrics};
use crate::web::Setup;
use ems_protocol::nul_filter::NulFilter;

/// Most connections that wait to be accepted. The media server opens one for each event, many at a time; the kernel
/// delays further ones by a second and more. Its own limit, `net.core.somaxconn`, may be lower.
const BACKLOG: u32 = 4096;
/// Most open connections, if there are file descriptors for them; further ones wait in the kernel's backlog.
const MAX_CONNECTIONS: usize = 2048;
/// How long a client may take to send the header section of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The timeout while more than half of the connections are in use: idle ones make space for scrapes and events.
const SHORT_TIMEOUT: Duration = Duration::from_secs(1);
/// The largest header section, in bytes.
const HEADER_BYTES: usize = 16 << 10;
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after a failure to accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long requests are still accepted after the stop.
const LAST_REQUESTS: Duration = Duration::from_millis(100);
/// How long open requests may take after the stop has begun.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(4);

/// Listens on `address`, HOST:PORT, or :PORT for all interfaces, by IPv4 alone where IPv6 is off.
pub async fn listen(address: &str) -> io::Result<TcpListener> {
    if let Some(port) = address.strip_prefix(':').and_then(|port| port.parse().ok()) {
        return match listen_on_all(port) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                listen_on((Ipv4Addr::UNSPECIFIED, port).into())
            }
            listening => listening,
        };
    }
    let mut failed = io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address");
    for address in tokio::net::lookup_host(address).await? {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    start(if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?, address)
}

fn listen_on_all(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v6()?;
    // It includes IPv4, whatever the system's default is.
    rustix::net::sockopt::set_ipv6_v6only(&socket, false)?;
    start(socket, (Ipv6Addr::UNSPECIFIED, port).into())
}

fn start(socket: TcpSocket, address: SocketAddr) -> io::Result<TcpListener> {
    // A restart must not wait for the last connections of the run before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The limit of open connections: a quarter of the file descriptors is left for everything else.
pub fn max_connections() -> usize {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    most.map_or(MAX_CONNECTIONS, |most| {
        MAX_CONNECTIONS.min(usize::try_from(most / 4 * 3).unwrap_or(MAX_CONNECTIONS))
    })
}

/// The state that the connections of a listener share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Answers requests.
    pub gate: Gate,
    /// Most open connections.
    pub capacity: usize,
    /// The TLS setup; `None` for plain HTTP whatever is configured.
    pub web: Option<Arc<ArcSwap<Setup>>>,
    /// The exporter's own metrics.
    pub exporter_metrics: Arc<ExporterMetrics>,
}

/// Answers on `listener` until `stop`, then what has been sent by then.
pub async fn serve(listener: TcpListener, shared: Shared, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(shared.capacity.max(1)));
    let metrics = Arc::clone(&shared.exporter_metrics);
    let mut failing = false;
    // What clients have sent before the stop waits in the kernel, also for connections that are not accepted yet.
    let mut stopped = pin!(async {
        stop.cancelled().await;
        sleep(LAST_REQUESTS).await;
    });
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots, &metrics) => accepted,
            () = &mut stopped => break,
        };
        match accepted {
            Ok((stream, from, permit)) => {
                failing = false;
                metrics.connections_accepted.inc();
                let (shared, watcher) = (shared.clone(), graceful.watcher());
                let busy = slots.available_permits() < shared.capacity / 2;
                metrics.connections.inc();
                let open = metrics.connections.clone();
                tokio::spawn(async move {
                    handle_connection(stream, from, shared, busy, watcher).await;
                    open.dec();
                    drop(permit);
                });
            }
            Err(error) => {
                metrics.accept_failures.inc();
                if !failing {
                    tracing::error!("cannot accept connections: {error}");
                }
                failing = true;
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("closing connections that are still open after {DRAIN_TIMEOUT:?}");
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    metrics: &ExporterMetrics,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    if slots.available_permits() == 0 {
        metrics.connection_limit_hits.inc();
    }
    let permit = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, from) = listener.accept().await?;
    Ok((stream, from, permit))
}

/// Performs the TLS handshake, if TLS is configured, and serves HTTP until the connection ends.
async fn handle_connection(
    stream: TcpStream,
    from: SocketAddr,
    shared: Shared,
    busy: bool,
    watcher: Watcher,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("cannot set TCP_NODELAY: {error}");
    }
    let backpressure = Arc::<Backpressure>::default();
    let stream = WriteTimeout::new(stream, Arc::clone(&backpressure));
    let peer = Peer { address: from.ip().to_canonical(), busy, backpressure };
    let Some(tls) = shared.web.as_ref().and_then(|web| web.load().tls.clone()) else {
        return serve_http(stream, peer, &shared, watcher).await;
    };
    let limit = if busy { SHORT_TIMEOUT } else { HANDSHAKE_TIMEOUT };
    let failed = match timeout(limit, TlsAcceptor::from(tls).accept(stream)).await {
        Ok(Ok(stream)) => return serve_http(stream, peer, &shared, watcher).await,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it timed out".to_owned(),
    };
    shared.exporter_metrics.handshake_failures.inc();
    tracing::debug!("a TLS handshake failed: {failed}");
}

async fn serve_http<S>(stream: S, peer: Peer, shared: &Shared, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (gate, busy) = (shared.gate.clone(), peer.busy);
    let used = Arc::new(AtomicBool::new(false));
    let marked = Arc::clone(&used);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        marked.store(true, Ordering::Relaxed);
        let (gate, peer) = (gate.clone(), peer.clone());
        async move { Ok::<_, Infallible>(gate.answer(request, &peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(if busy { SHORT_TIMEOUT } else { HEADER_TIMEOUT })
        .keep_alive(!busy)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(NulFilter::new(stream)), service);
    // The media server may close at any time.
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!("a connection ended: {error}");
        // A connection that served a request may idle until the timeout.
        let idled = error.is_timeout() && used.load(Ordering::Relaxed);
        if let Some(reason) = disconnect_reason(&error).filter(|_| !idled) {
            shared.exporter_metrics.count_disconnect(reason);
        }
    }
}

/// Why the exporter closed a connection; `None` if the client did.
fn disconnect_reason(error: &hyper::Error) -> Option<DisconnectReason> {
    if error.is_timeout() {
        Some(DisconnectReason::SlowHeader)
    } else if error.is_parse_too_large() {
        Some(DisconnectReason::LargeHeader)
    } else {
        let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        source
            .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
            .then_some(DisconnectReason::SlowReader)
    }
}
