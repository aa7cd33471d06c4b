//! Accepting connections and answering on them until told to stop.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::socket::Socket;
use crate::metrics::Own;

/// Most connections that wait to be accepted. The media server opens one for each event, many at a
/// moment; the kernel makes those beyond this wait for a second and more. Its own limit,
/// `net.core.somaxconn`, may be lower.
const BACKLOG: u32 = 4096;
/// Most connections that are open at once; further ones wait in the kernel's backlog.
const CONNECTIONS: usize = 8192;
/// How long a client may take to send the header section of a request.
const HEADER_TIME: Duration = Duration::from_secs(10);
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

/// Answers on `listener` until `stop`, then lets open requests finish.
pub async fn serve(listener: TcpListener, router: Router, own: Arc<Own>, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut failing = false;
    let mut stopped = pin!(stop.cancelled());
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = &mut stopped => break,
        };
        match accepted {
            Ok((stream, permit)) => {
                failing = false;
                own.connections_accepted.inc();
                answer(stream, permit, &router, &own, &graceful);
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
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

fn answer(
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    router: &Router,
    own: &Arc<Own>,
    graceful: &GracefulShutdown,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("cannot set TCP_NODELAY: {error}");
    }
    let service = TowerToHyperService::new(router.clone());
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .serve_connection(TokioIo::new(Socket::new(stream)), service);
    let connection = graceful.watch(connection);
    let open = own.connections.clone();
    open.inc();
    tokio::spawn(async move {
        // The media server closes as it likes; a broken connection is no news.
        if let Err(error) = connection.await {
            tracing::debug!("a connection ended: {error}");
        }
        open.dec();
        drop(permit);
    });
}
