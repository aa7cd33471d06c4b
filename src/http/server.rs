//! Accepting connections and answering on them until told to stop.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
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
use super::write_timeout::WriteTimeout;
use crate::metrics::{DisconnectReason, ExporterMetrics};
use crate::web::Setup;
use ems_protocol::nul_filter::NulFilter;

/// Most connections that wait to be accepted. The media server opens one for each event, many at a
/// moment; the kernel makes those beyond this wait for a second and more. Its own limit,
/// `net.core.somaxconn`, may be lower.
const BACKLOG: u32 = 4096;
/// Most connections that are open at once, if there are file descriptors for them; further ones wait in the kernel's
/// backlog.
const CONNECTIONS: usize = 8192;
/// How long a client may take to send the header section of a request.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// The same while more than half of the connections are taken: those who only hold one make room for scrapes and events.
const HURRIED_TIME: Duration = Duration::from_secs(1);
/// The largest header section, in bytes.
const HEADER_BYTES: usize = 64 << 10;
/// How long a client may take to agree on TLS.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// How long we wait before the next try when no connection could be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long open requests may take after we were told to stop.
const DRAIN_TIME: Duration = Duration::from_secs(4);

/// Listens on `address`, HOST:PORT.
pub async fn listen(address: &str) -> io::Result<TcpListener> {
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
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the last connections of the run before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How many connections may be open at once: a quarter of our file descriptors is left for everything else.
pub fn max_connections() -> usize {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    most.map_or(CONNECTIONS, |most| CONNECTIONS.min(usize::try_from(most / 4 * 3).unwrap_or(CONNECTIONS)))
}

/// What is served on a listener.
#[derive(Debug, Clone)]
pub struct Shared {
    /// What answers.
    pub gate: Gate,
    /// Most connections that may be open at once.
    pub room: usize,
    /// Whether TLS is spoken; none for plain HTTP whatever is configured.
    pub web: Option<Arc<ArcSwap<Setup>>>,
    /// Metrics about ourselves.
    pub own: Arc<ExporterMetrics>,
}

/// Answers on `listener` until `stop`, then lets open requests finish.
pub async fn serve(listener: TcpListener, served: Shared, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(served.room.max(1)));
    let own = Arc::clone(&served.own);
    let mut failing = false;
    let mut stopped = pin!(stop.cancelled());
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room, &own) => accepted,
            () = &mut stopped => break,
        };
        match accepted {
            Ok((stream, from, permit)) => {
                failing = false;
                own.connections_accepted.inc();
                let (served, watcher) = (served.clone(), graceful.watcher());
                let hurried = room.available_permits() < served.room / 2;
                own.connections.inc();
                let open = own.connections.clone();
                tokio::spawn(async move {
                    answer(stream, from, served, hurried, watcher).await;
                    open.dec();
                    drop(permit);
                });
            }
            Err(error) => {
                own.accept_failures.inc();
                if !failing {
                    tracing::error!("cannot accept connections: {error}");
                }
                failing = true;
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if timeout(DRAIN_TIME, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections were still open after {DRAIN_TIME:?} and are cut");
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    own: &ExporterMetrics,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    if room.available_permits() == 0 {
        own.connection_limit_hits.inc();
    }
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, from) = listener.accept().await?;
    Ok((stream, from, permit))
}

/// Agrees on TLS, if it is spoken, and answers until the connection ends.
async fn answer(stream: TcpStream, from: SocketAddr, served: Shared, hurried: bool, watcher: Watcher) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("cannot set TCP_NODELAY: {error}");
    }
    let stream = WriteTimeout::new(stream);
    let from = from.ip().to_canonical();
    let Some(tls) = served.web.as_ref().and_then(|web| web.load().tls.clone()) else {
        return serve_http(stream, from, &served, hurried, watcher).await;
    };
    match timeout(if hurried { HURRIED_TIME } else { HANDSHAKE_TIME }, TlsAcceptor::from(tls).accept(stream))
        .await
    {
        Ok(Ok(stream)) => serve_http(stream, from, &served, hurried, watcher).await,
        Ok(Err(error)) => {
            served.own.handshake_failures.inc();
            tracing::debug!("a client did not agree on TLS: {error}");
        }
        Err(_) => {
            served.own.handshake_failures.inc();
            tracing::debug!("a client did not agree on TLS in time");
        }
    }
}

async fn serve_http<S>(stream: S, from: IpAddr, served: &Shared, hurried: bool, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let gate = served.gate.clone();
    let asked = Arc::new(AtomicBool::new(false));
    let asking = Arc::clone(&asked);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        asking.store(true, Ordering::Relaxed);
        let gate = gate.clone();
        async move { Ok::<_, Infallible>(gate.answer(request, from).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(if hurried { HURRIED_TIME } else { HEADER_TIME })
        .keep_alive(!hurried)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(NulFilter::new(stream)), service);
    // The media server closes as it likes; a broken connection is no news.
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!("a connection ended: {error}");
        // One on which a request was answered may rest until it is closed.
        let rested = error.is_timeout() && asked.load(Ordering::Relaxed);
        if let Some(why) = cut(&error).filter(|_| !rested) {
            served.own.count_disconnect(why);
        }
    }
}

/// Why we cut a connection, if it was us.
fn cut(error: &hyper::Error) -> Option<DisconnectReason> {
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
