//! One HTTP request, on a connection of its own.

use std::io;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::nul_filter::NulFilter;

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// The method, such as `GET`.
    pub method: &'a str,
    /// `HOST:PORT`.
    pub authority: &'a str,
    /// The path, and the query if there is one.
    pub target: &'a str,
    /// Names and values of the headers other than `Host`.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: Vec<u8>,
}

/// The response to a request.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body; empty unless the status is a success, since other bodies are not read.
    pub body: Bytes,
}

impl Response {
    /// Whether the status is a success (2xx).
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..300)
    }
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The target or a header is not valid in HTTP.
    #[error("invalid request: {0}")]
    Request(hyper::http::Error),
    /// No connection was made.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The connection broke, or the response is not HTTP.
    #[error("the connection broke: {0}")]
    Connection(io::Error),
    /// The body is larger than the limit.
    #[error("the response is larger than the limit")]
    TooLarge,
}

/// Connects, sends the request and reads the response, whose body may have `limit` bytes at most.
pub async fn exchange(request: Request<'_>, limit: usize) -> Result<Response, ExchangeError> {
    let stream = TcpStream::connect(request.authority).await.map_err(ExchangeError::Connect)?;
    exchange_over(stream, request, limit).await
}

/// Like [`exchange`], over a connection that exists.
pub async fn exchange_over(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<'_>,
    limit: usize,
) -> Result<Response, ExchangeError> {
    let mut builder =
        hyper::Request::builder().method(request.method).uri(request.target).header(HOST, request.authority);
    for &(name, value) in request.headers {
        builder = builder.header(name, value);
    }
    let request = builder.body(Full::new(Bytes::from(request.body))).map_err(ExchangeError::Request)?;
    let broken = |error: hyper::Error| ExchangeError::Connection(io::Error::other(error));
    // A stock RMS may put a NUL byte into the headers of its responses as into those of its events.
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(NulFilter::new(stream))).await.map_err(broken)?;
    let respond = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        if !status.is_success() {
            return Ok(Response { status: status.as_u16(), body: Bytes::new() });
        }
        let collected = Limited::new(response.into_body(), limit).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                ExchangeError::TooLarge
            } else {
                ExchangeError::Connection(io::Error::other(error))
            }
        })?;
        Ok(Response { status: status.as_u16(), body: collected.to_bytes() })
    };
    // The connection is driven beside its one request, which reports how the connection ends.
    let mut respond = std::pin::pin!(respond);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        response = &mut respond => response,
        _ = &mut connection => respond.await,
    }
}
