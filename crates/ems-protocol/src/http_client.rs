//! One request to another program, on a connection of its own.

use std::io;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::nul_filter::NulFilter;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Nothing listens.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The connection broke, or the answer is not HTTP.
    #[error("the connection broke or the answer is not HTTP: {0}")]
    Http(#[from] hyper::Error),
    /// The answer is larger than the limit.
    #[error("the answer is larger than the limit")]
    Large,
}

/// Sends a request to `HOST:PORT` and reads the whole answer, if its body is no larger than `largest` bytes.
/// The body of an answer that is no success is not read.
pub async fn exchange(
    authority: &str,
    request: Request<Full<Bytes>>,
    largest: usize,
) -> Result<(StatusCode, Bytes), Broken> {
    let stream = TcpStream::connect(authority).await.map_err(Broken::Connect)?;
    exchange_on(stream, request, largest).await
}

/// The same on a connection that is already open.
pub async fn exchange_on<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    request: Request<Full<Bytes>>,
    largest: usize,
) -> Result<(StatusCode, Bytes), Broken> {
    // A stock RMS may put a NUL byte into the headers of its answers as into those of its events.
    let (mut sender, connection) = http1::handshake(TokioIo::new(NulFilter::new(stream))).await?;
    let answered = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        if !status.is_success() {
            return Ok((status, Bytes::new()));
        }
        let collected = Limited::new(response.into_body(), largest).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return Broken::Large;
            }
            match error.downcast::<hyper::Error>() {
                Ok(broken) => Broken::Http(*broken),
                Err(other) => Broken::Connect(io::Error::other(other)),
            }
        })?;
        Ok((status, collected.to_bytes()))
    };
    // The connection is driven beside its one request; how it ends is told by the request.
    let mut answered = std::pin::pin!(answered);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        answered = &mut answered => answered,
        _ = &mut connection => answered.await,
    }
}
