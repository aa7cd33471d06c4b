//! A load generator: requests that are built beforehand, sent from many local addresses.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// How many connections are open concurrently.
const CONNECTIONS: usize = 16;
/// Local ports that are used of each local address, from the first one on.
const PORTS: (u32, u32) = (20_000, 40_000);

/// Whether a connection is used again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connections {
    /// One for each request, as the media server does it.
    New,
    /// Used for as many requests as there are.
    Kept,
}

/// The request with which a media server posts `body`.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: RDKC Media Server (www.comcast.com)\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The request with which Prometheus scrapes.
pub(crate) fn scrape() -> Vec<u8> {
    b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/plain;version=0.0.4\r\nAccept-Encoding: gzip\r\n\r\n"
        .to_vec()
}

/// Sends every request to `target` and waits for each answer; returns how long that took. Panics
/// on an answer other than 200.
pub(crate) fn send(target: SocketAddr, requests: Vec<Vec<u8>>, connections: Connections) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let requests = Arc::new(requests);
        let next = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
            tasks.spawn(async move {
                let mut kept = None;
                let mut buffer = Vec::new();
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut stream = match kept.take() {
                        Some(stream) => stream,
                        None => connect(target).await,
                    };
                    exchange(&mut stream, request, &mut buffer).await;
                    kept = Some(stream).filter(|_| connections == Connections::Kept);
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        start.elapsed()
    })
}

/// Connects from a chosen local address and port: the kernel's search among ports in TIME_WAIT would limit the rate.
async fn connect(target: SocketAddr) -> TcpStream {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let (host, port) = (next / PORTS.1, PORTS.0 + next % PORTS.1);
        let [_, _, third, fourth] = host.to_be_bytes();
        // Two runs one after the other do not meet.
        let second = 64 + (std::process::id() % 128) as u8;
        let source = SocketAddr::from((Ipv4Addr::new(127, second, third, fourth + 1), port as u16));
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        if socket.bind(source).is_ok()
            && let Ok(stream) = socket.connect(target).await
        {
            return stream;
        }
    }
}

/// Sends a request and reads the whole answer into `buffer`; returns where its body starts.
async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> usize {
    stream.write_all(request).await.unwrap();
    buffer.clear();
    loop {
        assert_ne!(stream.read_buf(buffer).await.unwrap(), 0, "the server broke off");
        if let Some(head) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            let text = std::str::from_utf8(&buffer[..head]).unwrap();
            assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
            let whole = head + 4 + length.unwrap_or("0").parse::<usize>().unwrap();
            buffer.reserve(whole.saturating_sub(buffer.len()));
            while buffer.len() < whole {
                assert_ne!(stream.read_buf(buffer).await.unwrap(), 0, "the server broke off");
            }
            return head + 4;
        }
    }
}

/// Sends one request on its own connection and returns the body of the answer.
pub(crate) fn request(target: SocketAddr, request: &[u8]) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut buffer = Vec::new();
        let body = exchange(&mut connect(target).await, request, &mut buffer).await;
        buffer.split_off(body)
    })
}
