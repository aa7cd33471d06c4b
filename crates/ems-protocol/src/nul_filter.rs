//! A socket whose reader replaces NUL bytes in the header section of the first request.
//!
//! A stock RMS sends a NUL byte and the tail of some other text before the name of its Content-Type
//! header. Every HTTP parser must reject that, and then all its events would be lost.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Replaces a NUL byte: it is allowed in the name of a header.
const SUBSTITUTE: u8 = b'_';
/// A header section ends with these bytes.
const END: &[u8] = b"\r\n\r\n";

/// A socket, and how much of the header section has been read.
#[derive(Debug)]
pub struct NulFilter<S> {
    inner: S,
    /// How many bytes of that end the last bytes read were; all of them once the header section is read.
    matched: usize,
}

impl<S> NulFilter<S> {
    /// Wraps a socket from which nothing has been read.
    pub const fn new(inner: S) -> Self {
        Self { inner, matched: 0 }
    }
}

/// Replaces NUL bytes up to the end of the header section, and returns how far that end is matched.
fn clean(bytes: &mut [u8], mut matched: usize) -> usize {
    for byte in bytes {
        if matched == END.len() {
            break;
        }
        matched = match *byte {
            byte if byte == END[matched] => matched + 1,
            b'\r' => 1,
            _ => 0,
        };
        if *byte == 0 {
            *byte = SUBSTITUTE;
        }
    }
    matched
}

impl<S: AsyncRead + Unpin> AsyncRead for NulFilter<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if self.matched < END.len() {
            self.matched = clean(&mut buffer.filled_mut()[before..], self.matched);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for NulFilter<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_the_header_section_and_nothing_else_however_it_is_split() {
        let request = b"POST / HTTP/1.1\r\nA: b\r\n\0GetOutC: d\r\n\r\n{\"a\":\"\0\r\n\r\n\0\"}";
        let expected = b"POST / HTTP/1.1\r\nA: b\r\n_GetOutC: d\r\n\r\n{\"a\":\"\0\r\n\r\n\0\"}";
        for split in 0..request.len() {
            let mut bytes = request.to_vec();
            let (first, second) = bytes.split_at_mut(split);
            let matched = clean(first, 0);
            clean(second, matched);
            assert_eq!(bytes, expected, "split at {split}");
        }
    }
}
