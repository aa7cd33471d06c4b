//! The HTTP client of the tests, one connection a request; and exchanges of raw bytes for requests that no client would send.

use std::io;
use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONNECTION, HOST, HeaderMap};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};

use crate::wait::DEADLINE;

/// A whole answer.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
}

impl Response {
    /// The value of a header, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// Requests a path.
///
/// # Errors
/// Fails if there is no answer.
pub async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> io::Result<Response> {
    send(address, Method::GET, path, headers, Bytes::new()).await
}

/// Posts a body to a path.
///
/// # Errors
/// Fails if there is no answer.
pub async fn post(address: SocketAddr, path: &str, body: impl Into<Bytes>) -> io::Result<Response> {
    send(address, Method::POST, path, &[], body.into()).await
}

async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> io::Result<Response> {
    let mut request = Request::builder().method(method).uri(path);
    request = request.header(HOST, address.to_string()).header(CONNECTION, "close");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body)).map_err(io::Error::other)?;
    let exchange = async {
        let stream = TokioIo::new(TcpStream::connect(address).await?);
        let (mut client, connection) =
            hyper::client::conn::http1::handshake(stream).await.map_err(io::Error::other)?;
        let answer = async {
            let (head, body) = client.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Response { status: head.status.as_u16(), headers: head.headers, body })
        };
        // A failure of the connection is reported by its request.
        let (answer, _) = tokio::join!(answer, connection);
        answer.map_err(|error: hyper::Error| io::Error::other(error))
    };
    tokio::time::timeout(DEADLINE, exchange).await?
}

/// Sends bytes on a new connection and reads one answer as it comes: see [`exchange_on`].
///
/// # Errors
/// Fails if there is no answer.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    exchange_on(&mut stream, request).await
}

/// Sends bytes on a connection and reads one answer, to its Content-Length or else to the connection's end.
///
/// # Errors
/// Fails if there is no answer; one that came before all was sent is one.
pub async fn exchange_on(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
) -> io::Result<String> {
    let exchange = async {
        let sent = stream.write_all(request).await;
        let mut bytes = Vec::new();
        loop {
            match stream.read_buf(&mut bytes).await {
                Ok(0) if bytes.is_empty() => {
                    return Err(sent.err().unwrap_or(io::ErrorKind::UnexpectedEof.into()));
                }
                Ok(0) => break,
                Ok(_) if is_whole(&bytes) => break,
                Ok(_) => {}
                Err(error) if bytes.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    tokio::time::timeout(DEADLINE, exchange).await?
}

/// Whether an answer has as many bytes as it says.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    length.is_some_and(|length| answer.len() >= end + 4 + length)
}

/// A text as it can stand in a query.
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            plain if plain.is_ascii_alphanumeric() => char::from(plain).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Waits for a future in a test that is not async, or in one with several worker threads.
pub fn block_on<F: Future>(future: F) -> F::Output {
    match Handle::try_current() {
        Ok(runtime) => tokio::task::block_in_place(|| runtime.block_on(future)),
        Err(_) => {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
            runtime.block_on(future)
        }
    }
}
