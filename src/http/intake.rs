//! Reads the bodies of events, with limits on their number and memory.
//!
//! Media servers open a connection for each event, many at a time, and never retry. So a body waits for a slot before it
//! is dropped; drops are counted.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::encoding::Encoding;
use ems_protocol::Rejection;

/// Most bodies that are read or applied concurrently.
const SLOTS: usize = 512;
/// How long a body may wait for a slot.
const WAIT: Duration = Duration::from_secs(2);
/// The size up to which a body needs no extra memory permit, in bytes; hardly any is larger.
const SMALL: usize = 64 << 10;
/// The memory that all bodies may use beyond that, in units of [`UNIT`] bytes.
const LARGE: usize = (256 << 20) / UNIT;
/// The unit of memory permits, in bytes.
const UNIT: usize = 1024;
/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The same while more than half of the slots are taken.
const SHORT_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// The limits for bodies of events.
#[derive(Debug)]
pub struct Intake {
    slots: Semaphore,
    large: Semaphore,
    limit: usize,
}

/// A whole body, which holds its permits until it is dropped.
#[derive(Debug)]
pub struct ReceivedBody<'i> {
    /// Its bytes.
    pub bytes: Vec<u8>,
    _slot: SemaphorePermit<'i>,
    _large: Option<SemaphorePermit<'i>>,
}

impl Intake {
    /// Limits for bodies of up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let large = LARGE.max(limit.div_ceil(UNIT) * 2);
        Self { slots: Semaphore::new(SLOTS), large: Semaphore::new(large), limit }
    }

    /// The most bytes of a body.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Reads a body once a slot is free.
    pub async fn read(&self, body: Incoming, encoding: Encoding) -> Result<ReceivedBody<'_>, Rejection> {
        if body.size_hint().lower() > self.limit as u64 {
            return Err(Rejection::Size(self.limit));
        }
        // A slot is nearly always free, and then no timer is needed.
        let slot = match self.slots.try_acquire() {
            Ok(slot) => slot,
            Err(_) => match timeout(WAIT, self.slots.acquire()).await {
                Ok(Ok(slot)) => slot,
                Ok(Err(_)) | Err(_) => return Err(Rejection::Overload),
            },
        };
        let time = if self.slots.available_permits() < SLOTS / 2 { SHORT_BODY_TIMEOUT } else { BODY_TIMEOUT };
        let (bytes, large) =
            timeout(time, self.collect(body, encoding)).await.map_err(|_| Rejection::Aborted)??;
        Ok(ReceivedBody { bytes, _slot: slot, _large: large })
    }

    async fn collect(
        &self,
        mut body: Incoming,
        encoding: Encoding,
    ) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), Rejection> {
        let (mut bytes, mut large): (Vec<u8>, Option<SemaphorePermit<'_>>) = (Vec::new(), None);
        if encoding != Encoding::Identity {
            // Its size shows only when it is decoded.
            let whole = u32::try_from(self.limit.div_ceil(UNIT)).unwrap_or(u32::MAX);
            large = Some(self.large.try_acquire_many(whole).map_err(|_| Rejection::Overload)?);
        }
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Rejection::Aborted)?.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > self.limit {
                return Err(Rejection::Size(self.limit));
            }
            let wanted = (bytes.len() + data.len()).saturating_sub(SMALL).div_ceil(UNIT);
            let held = large.as_ref().map_or(0, SemaphorePermit::num_permits);
            if wanted > held {
                let more = u32::try_from(wanted - held).unwrap_or(u32::MAX);
                let more = self.large.try_acquire_many(more).map_err(|_| Rejection::Overload)?;
                match &mut large {
                    Some(large) => large.merge(more),
                    None => large = Some(more),
                }
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes, large))
    }
}
