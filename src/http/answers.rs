//! Answers of many bytes, a few at a time: however many clients ask for them, and however slowly these read, they take
//! bounded memory.

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Bytes, Frame};
use prometheus::IntCounter;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::response::text_response;
use super::write_timeout::Backpressure;

/// Most answers of a kind that are rendered or sent at once.
const SLOTS: usize = 4;
/// Most requests that wait for one of these to end.
const QUEUE: usize = 16;
/// How long such a request waits.
const WAIT: Duration = Duration::from_secs(5);
/// How often it looks for a client that must give way.
const STEP: Duration = Duration::from_millis(100);
/// How long a client may have kept its answer waiting, all in all, before it must give way to those that wait.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many pieces of an answer are rendered ahead of its client.
const AHEAD: usize = 4;

/// The answers of one kind that are rendered or sent.
#[derive(Debug)]
pub struct Answers {
    slots: Arc<Semaphore>,
    queue: Semaphore,
    open: Mutex<Vec<Weak<Slot>>>,
    rejected: IntCounter,
}

/// The place of an answer among those at once. Each of its bytes holds it, until they are sent or the connection ends.
#[derive(Debug)]
pub(super) struct Slot {
    client: Arc<Backpressure>,
    /// How long earlier answers on this connection waited for the client.
    before: Duration,
    _permit: OwnedSemaphorePermit,
}

impl Answers {
    /// No answers yet; `rejected` counts requests for which there is no place.
    pub fn new(rejected: IntCounter) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(SLOTS)),
            queue: Semaphore::new(QUEUE),
            open: Mutex::default(),
            rejected,
        }
    }

    fn open(&self) -> MutexGuard<'_, Vec<Weak<Slot>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for an answer, once there is one, else the answer that there is none. Slow clients give way to others.
    pub(super) async fn admit(&self, client: Arc<Backpressure>) -> Result<Arc<Slot>, Response> {
        let permit = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => self.wait().await,
        };
        let Some(permit) = permit else {
            self.rejected.inc();
            let text = "too many answers are being sent at once: try again in a moment";
            let response = text_response(StatusCode::SERVICE_UNAVAILABLE, text);
            return Err(([(header::RETRY_AFTER, "1")], response).into_response());
        };
        let slot = Arc::new(Slot { before: client.waited(Instant::now()), client, _permit: permit });
        let mut open = self.open();
        open.retain(|slot| slot.strong_count() > 0);
        open.push(Arc::downgrade(&slot));
        Ok(slot)
    }

    async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        let _place = self.queue.try_acquire().ok()?;
        let deadline = Instant::now() + WAIT;
        let mut permit = pin!(Arc::clone(&self.slots).acquire_owned());
        while Instant::now() < deadline {
            self.disconnect_slowest();
            if let Ok(permit) = timeout(STEP, &mut permit).await {
                return permit.ok();
            }
        }
        None
    }

    /// Ends the connection whose client has kept its answer waiting longest, if that was too long.
    fn disconnect_slowest(&self) {
        let now = Instant::now();
        let open: Vec<_> = self.open().iter().filter_map(Weak::upgrade).collect();
        let slots = open.iter().filter(|slot| !slot.client.is_closed());
        let waits = slots.map(|slot| (slot.client.waited(now).saturating_sub(slot.before), slot));
        let slowest = waits.max_by_key(|(waited, _)| *waited).filter(|(waited, _)| *waited >= PATIENCE);
        if let Some((_, slot)) = slowest {
            slot.client.close();
        }
    }
}

/// Bytes, and the place of their answer.
struct Held<B> {
    bytes: B,
    _slot: Arc<Slot>,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Held<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

/// Bytes that hold a place until they are sent.
pub(super) fn held(bytes: impl AsRef<[u8]> + Send + 'static, slot: &Arc<Slot>) -> Bytes {
    Bytes::from_owner(Held { bytes, _slot: Arc::clone(slot) })
}

/// The body that `render` passes on in pieces, on a blocking thread; `None` if it does not come to its end. A body of one
/// piece has a length. A client that reads slowly keeps `render` waiting; `render` breaks off when the client is gone.
pub(super) async fn rendered(
    slot: Arc<Slot>,
    render: impl FnOnce(&mut dyn FnMut(Vec<u8>) -> ControlFlow<()>) -> ControlFlow<()> + Send + 'static,
) -> Option<Body> {
    let (sender, mut receiver) = channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut send = |piece| match sender.blocking_send(Some(held(piece, &slot))) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        if render(&mut send).is_continue() {
            // The client may be gone by now.
            drop(sender.blocking_send(None));
        }
    });
    let mut ready = VecDeque::new();
    while ready.len() < 2 {
        match receiver.recv().await? {
            Some(piece) => ready.push_back(piece),
            None => return Some(ready.pop_front().unwrap_or_default().into()),
        }
    }
    Some(Body::new(Pieces { ready, receiver }))
}

/// A body that is still being rendered.
struct Pieces {
    ready: VecDeque<Bytes>,
    /// `None` is the end: a sender that is gone without it has failed.
    receiver: Receiver<Option<Bytes>>,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(piece) = self.ready.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        Poll::Ready(match ready!(self.receiver.poll_recv(context)) {
            Some(piece) => piece.map(|piece| Ok(Frame::data(piece))),
            None => Some(Err(io::Error::other("the answer could not be rendered"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::sync::oneshot;

    use super::*;

    fn answers() -> Answers {
        Answers::new(IntCounter::new("overloads", "help").unwrap())
    }

    async fn slot(answers: &Answers) -> Arc<Slot> {
        answers.admit(Arc::default()).await.unwrap()
    }

    #[tokio::test]
    async fn an_answer_of_one_piece_has_a_length_and_a_longer_one_is_passed_on_as_it_is_rendered() {
        let answers = answers();
        let body = rendered(slot(&answers).await, |send| send(vec![1; 3])).await.unwrap();
        assert_eq!(hyper::body::Body::size_hint(&body).exact(), Some(3));
        let body = rendered(slot(&answers).await, |send| (0..100).try_for_each(|piece| send(vec![piece; 2])));
        let body = body.await.unwrap();
        assert_eq!(hyper::body::Body::size_hint(&body).exact(), None);
        let expected: Vec<u8> = (0..100).flat_map(|piece| [piece; 2]).collect();
        assert_eq!(body.collect().await.unwrap().to_bytes(), expected);
        let body = rendered(slot(&answers).await, |_| ControlFlow::Continue(())).await.unwrap();
        assert!(body.collect().await.unwrap().to_bytes().is_empty());
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_rendered_to_its_end_is_no_whole_answer() {
        let answers = answers();
        assert!(rendered(slot(&answers).await, |_| ControlFlow::Break(())).await.is_none());
        let body = rendered(slot(&answers).await, |send| {
            (0..9).try_for_each(|piece| send(vec![piece]))?;
            ControlFlow::Break(())
        });
        assert!(body.await.unwrap().collect().await.is_err());
    }

    #[tokio::test]
    async fn rendering_breaks_off_when_the_client_is_gone() {
        let answers = answers();
        let (ended, end) = oneshot::channel();
        let body = rendered(slot(&answers).await, |send| {
            while send(vec![1]).is_continue() {}
            ended.send(()).unwrap();
            ControlFlow::Break(())
        });
        drop(body.await);
        end.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_hold_a_place_and_beyond_the_queue_requests_are_rejected_at_once() {
        let answers = Arc::new(answers());
        let mut sent = Vec::new();
        for _ in 0..SLOTS {
            sent.push(held(b"bytes", &slot(&answers).await));
        }
        let waiting = |answers: &Arc<Answers>| {
            let answers = Arc::clone(answers);
            tokio::spawn(async move { answers.admit(Arc::default()).await.is_ok() })
        };
        let queued: Vec<_> = (0..QUEUE).map(|_| waiting(&answers)).collect();
        tokio::task::yield_now().await;
        let start = Instant::now();
        assert_eq!(answers.admit(Arc::default()).await.unwrap_err().status(), 503);
        assert_eq!((start.elapsed(), answers.rejected.get()), (Duration::ZERO, 1));
        sent.pop();
        let mut admitted = 0;
        for request in queued {
            admitted += usize::from(request.await.unwrap());
        }
        assert_eq!((admitted, start.elapsed()), (QUEUE, Duration::ZERO), "each in its turn");
        sent.push(held(b"bytes", &slot(&answers).await));
        assert!(!waiting(&answers).await.unwrap());
        assert!(start.elapsed() >= WAIT);
        assert_eq!(answers.rejected.get(), 2);
    }
}
