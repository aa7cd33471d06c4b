//! Posting events as the server does: a connection for each, opened in order, run at the same time, tried once.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, ready};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Connections open at one time. The real server has no such limit; with it, a receiver that never answers cannot exhaust
/// the machine of a test.
const CONNECTIONS: usize = 256;
/// A post without an answer is given up after this long. The real server waits for ever.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The most of a response head that is read.
const LONGEST_HEAD: usize = 16 * 1024;

/// The outcomes of the posts, by name of the event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Answered with 200.
    pub(crate) delivered: BTreeMap<&'static str, u64>,
    /// Answered with another status.
    pub(crate) rejected: BTreeMap<&'static str, u64>,
    /// Not answered, or never posted.
    pub(crate) lost: BTreeMap<&'static str, u64>,
    /// Second copies among the posts.
    pub(crate) duplicated: BTreeMap<&'static str, u64>,
}

/// A tally that many posts write to.
pub(crate) type SharedTally = Arc<Mutex<Tally>>;

/// The tally, also after a panic elsewhere.
pub(crate) fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request on its way; counts itself as lost when it is dropped without an answer.
#[derive(Debug)]
pub(crate) struct Post {
    name: &'static str,
    request: Vec<u8>,
    held: Duration,
    status: Option<u16>,
    tally: SharedTally,
}

impl Post {
    /// A request for the named event, to be posted after a pause.
    pub(crate) fn new(name: &'static str, request: Vec<u8>, held: Duration, tally: &SharedTally) -> Self {
        Self { name, request, held, status: None, tally: Arc::clone(tally) }
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        let mut tally = lock(&self.tally);
        let outcome = match self.status {
            Some(200) => &mut tally.delivered,
            Some(_) => &mut tally.rejected,
            None => &mut tally.lost,
        };
        *outcome.entry(self.name).or_default() += 1;
    }
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// Opens connections to the receiver.
#[derive(Debug)]
pub(crate) struct Sender {
    address: SocketAddr,
    permits: Arc<Semaphore>,
    posts: JoinSet<()>,
}

impl Sender {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, permits: Arc::new(Semaphore::new(CONNECTIONS)), posts: JoinSet::new() }
    }

    /// Begins every post, oldest first, as connections become free. What is still in the queue when this is dropped has
    /// not been begun.
    pub(crate) async fn post_all(&mut self, queue: &mut VecDeque<Post>) {
        while let Some(post) = queue.front() {
            while self.posts.try_join_next().is_some() {}
            let at_once = post.held.is_zero();
            let permit = if at_once { self.permit().await } else { None };
            let Some(post) = queue.pop_front() else {
                return;
            };
            if at_once {
                let connecting = begin(self.address).await;
                self.posts.spawn(finish(post, connecting, permit));
            } else {
                self.posts.spawn(hold(post, self.address, Arc::clone(&self.permits)));
            }
        }
    }

    /// Waits until every post has its outcome.
    pub(crate) async fn finish(&mut self) {
        while self.posts.join_next().await.is_some() {}
    }

    /// Gives up the posts that have no outcome yet.
    pub(crate) async fn shutdown(&mut self) {
        self.posts.shutdown().await;
    }

    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }
}

/// Starts to connect before anything else happens, so that connections open in the order of the events.
async fn begin(address: SocketAddr) -> Connecting {
    let mut connecting: Connecting = Box::pin(TcpStream::connect(address));
    tokio::select! {
        biased;
        result = &mut connecting => Box::pin(ready(result)),
        () = ready(()) => connecting,
    }
}

/// Posts later than its turn.
async fn hold(post: Post, address: SocketAddr, permits: Arc<Semaphore>) {
    tokio::time::sleep(post.held).await;
    let permit = permits.acquire_owned().await.ok();
    finish(post, begin(address).await, permit).await;
}

/// Carries one post through; the permit is held as long as the connection.
async fn finish(mut post: Post, connecting: Connecting, permit: Option<OwnedSemaphorePermit>) {
    let exchange = async { exchange(connecting.await?, &post.request).await };
    match tokio::time::timeout(ANSWER_WITHIN, exchange).await {
        Ok(Ok(status)) => post.status = Some(status),
        Ok(Err(error)) => tracing::debug!(event = post.name, %error, "the post failed"),
        Err(_) => tracing::debug!(event = post.name, "the post was not answered"),
    }
    drop(permit);
}

/// Sends the request, reads the response and closes the connection; the status decides.
async fn exchange(mut stream: TcpStream, request: &[u8]) -> io::Result<u16> {
    stream.write_all(request).await?;
    let mut response = Vec::new();
    while !response.windows(4).any(|window| window == b"\r\n\r\n") {
        if response.len() > LONGEST_HEAD || stream.read_buf(&mut response).await? == 0 {
            break;
        }
    }
    status(&response)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP response"))
}

/// The status of a response whose head is complete.
fn status(response: &[u8]) -> Option<u16> {
    let line = response.strip_prefix(b"HTTP/1.")?;
    let code = line.get(2..5)?;
    std::str::from_utf8(code).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn the_status_is_read_from_any_response() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 404 Not Found\r\n\r\n"), Some(404));
        assert_eq!(status(b"garbage"), None);
        assert_eq!(status(b""), None);
    }
}
