//! Reads the bodies of events, within a limit of memory.
//!
//! Media servers open a connection for each event, many at a time, and never retry. So a body needs no place while it is
//! being received: slow ones keep no other waiting. Its bytes beyond an allowance come from a common budget as they arrive.
//! When that is used up, those bodies give way that have taken long; only if there are none, large bodies are dropped and
//! counted.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::buffer::Buffer;
use ems_protocol::Rejection;

/// The size up to which a body needs nothing of the budget, in bytes; hardly any is larger.
const ALLOWANCE: usize = 4 << 10;
/// The memory that all bodies may use beyond their allowance, in units of [`UNIT`] bytes.
const BUDGET: usize = (32 << 20) / UNIT;
/// The unit of the budget, in bytes.
const UNIT: usize = 1024;
/// Most large bodies that are decoded concurrently: each may need the limit of a body once more.
const DECODERS: usize = 2;
/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The same while more than half of the connections are in use.
const SHORT_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// The same while the budget is used up and another body waits for it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a body waits for the budget.
const WAIT: Duration = Duration::from_secs(2);
/// How often it asks the others to give way.
const STEP: Duration = Duration::from_millis(100);

/// The limits for bodies of events.
#[derive(Debug)]
pub struct Intake {
    budget: Arc<Semaphore>,
    shortage: Notify,
    decoders: Arc<Semaphore>,
    limit: usize,
}

/// A whole body, which holds its part of the budget until it is dropped.
#[derive(Debug)]
pub(super) struct ReceivedBody {
    /// Its bytes.
    pub(super) bytes: Buffer,
    _budget: Option<OwnedSemaphorePermit>,
}

impl Intake {
    /// Limits for bodies of up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            budget: Arc::new(Semaphore::new(BUDGET.max(limit.div_ceil(UNIT) * 2))),
            shortage: Notify::new(),
            decoders: Arc::new(Semaphore::new(DECODERS)),
            limit,
        }
    }

    /// The most bytes of a body.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// Waits until one more large body may be decoded.
    pub(super) async fn decoder(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.decoders).acquire_owned().await.ok()
    }

    /// Reads a body; `busy` says that connections are scarce.
    pub(super) async fn read(&self, body: Incoming, busy: bool) -> Result<ReceivedBody, Rejection> {
        if body.size_hint().lower() > self.limit as u64 {
            return Err(Rejection::Size(self.limit));
        }
        let time = if busy { SHORT_BODY_TIMEOUT } else { BODY_TIMEOUT };
        timeout(time, self.collect(body)).await.map_err(|_| Rejection::Aborted)?
    }

    async fn collect(&self, mut body: Incoming) -> Result<ReceivedBody, Rejection> {
        let (mut bytes, mut budget) = (Buffer::new(self.limit), None);
        let start = Instant::now();
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = self.shortage.notified(), if budget.is_some() => {
                    if start.elapsed() >= PATIENCE {
                        return Err(Rejection::Overload);
                    }
                    continue;
                }
            };
            let Some(frame) = frame else {
                return Ok(ReceivedBody { bytes, _budget: budget });
            };
            let Ok(data) = frame.map_err(|_| Rejection::Aborted)?.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > self.limit {
                return Err(Rejection::Size(self.limit));
            }
            let wanted = (bytes.len() + data.len()).saturating_sub(ALLOWANCE).div_ceil(UNIT);
            let held = budget.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            if wanted > held {
                let more = self.take(u32::try_from(wanted - held).unwrap_or(u32::MAX)).await?;
                match &mut budget {
                    Some(budget) => OwnedSemaphorePermit::merge(budget, more),
                    None => budget = Some(more),
                }
            }
            bytes.extend(&data)?;
        }
    }

    /// Takes a part of the budget. If it is used up, bodies that have taken long give way.
    async fn take(&self, units: u32) -> Result<OwnedSemaphorePermit, Rejection> {
        if let Ok(permit) = Arc::clone(&self.budget).try_acquire_many_owned(units) {
            return Ok(permit);
        }
        let deadline = Instant::now() + WAIT;
        let mut permit = pin!(Arc::clone(&self.budget).acquire_many_owned(units));
        while Instant::now() < deadline {
            self.shortage.notify_waiters();
            if let Ok(permit) = timeout(STEP, &mut permit).await {
                return permit.map_err(|_| Rejection::Overload);
            }
        }
        Err(Rejection::Overload)
    }
}
