//! A socket that fails when the client reads nothing of its answer for too long, or when it is slow and others wait.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long a client may read nothing.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How long writes to a connection have waited for its client, and the means to end it.
#[derive(Debug, Default)]
pub(super) struct Backpressure {
    closed: AtomicBool,
    waits: Mutex<Waits>,
}

#[derive(Debug, Default)]
struct Waits {
    /// The time of all waits that are over.
    over: Duration,
    /// Since when a write waits, and how its task is woken.
    present: Option<(Instant, Waker)>,
}

impl Backpressure {
    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long writes have waited for the client by `now`, all in all.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        let waits = self.waits();
        let present = waits.present.as_ref().map(|(since, _)| now.saturating_duration_since(*since));
        waits.over + present.unwrap_or_default()
    }

    /// Whether the connection is to end.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Lets each write fail from now on, also one that waits.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        if let Some((_, waker)) = &self.waits().present {
            waker.wake_by_ref();
        }
    }

    fn begin_wait(&self, waker: &Waker) {
        let mut waits = self.waits();
        let since = waits.present.as_ref().map_or_else(Instant::now, |(since, _)| *since);
        waits.present = Some((since, waker.clone()));
    }

    fn end_wait(&self) {
        let mut waits = self.waits();
        if let Some((since, _)) = waits.present.take() {
            waits.over += since.elapsed();
        }
    }
}

/// A socket with a timeout on writes.
#[derive(Debug)]
pub(super) struct WriteTimeout<S> {
    inner: S,
    deadline: Option<Pin<Box<Sleep>>>,
    backpressure: Arc<Backpressure>,
}

impl<S> WriteTimeout<S> {
    /// Wraps a socket to which nothing has been written.
    pub(super) const fn new(inner: S, backpressure: Arc<Backpressure>) -> Self {
        Self { inner, deadline: None, backpressure }
    }

    fn watch<T>(&mut self, polled: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            if self.deadline.take().is_some() {
                self.backpressure.end_wait();
            }
        } else {
            self.backpressure.begin_wait(context.waker());
            let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(TIMEOUT)));
            if deadline.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        if self.backpressure.is_closed() { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { polled }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.watch(polled, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(context);
        self.watch(polled, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(context);
        self.watch(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.watch(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_that_reads_is_served() {
        let (mut client, server) = duplex(16);
        let mut server = WriteTimeout::new(server, Arc::default());
        let written = tokio::spawn(async move { server.write_all(&[0; 64]).await });
        for _ in 0..3 {
            tokio::time::sleep(TIMEOUT - Duration::from_secs(1)).await;
            client.read_exact(&mut [0; 16]).await.unwrap();
        }
        written.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_disconnected() {
        let (_client, server) = duplex(16);
        let error = WriteTimeout::new(server, Arc::default()).write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_a_client_add_up_and_it_can_be_disconnected_meanwhile() {
        let (mut client, server) = duplex(16);
        let backpressure = Arc::<Backpressure>::default();
        let mut server = WriteTimeout::new(server, Arc::clone(&backpressure));
        let written = tokio::spawn(async move { server.write_all(&[0; 64]).await });
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_secs(3)).await;
            client.read_exact(&mut [0; 16]).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(backpressure.waited(Instant::now()).as_secs(), 7);
        backpressure.close();
        assert_eq!(written.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
