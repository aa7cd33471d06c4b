//! The live feed: changes and snapshots for whoever listens, who never hold up those that tell.
//!
//! Changes and snapshots go separate ways, so that a flood of events takes no snapshot from a
//! listener that wants only these. A listener that falls behind loses the oldest and is told so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, Sender, channel};

/// Most clients that may listen at once.
pub const LISTENERS: usize = 64;
/// How many changes a listener may fall behind.
const CHANGES: usize = 1024;
/// How many snapshots a listener may fall behind: there is one each second.
const SNAPSHOTS: usize = 8;

/// The names of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// An event was applied.
    Event,
    /// A body or an event was refused.
    Rejection,
    /// Something that only the passing of time tells, such as a stall.
    Derived,
    /// What the page shows, or what of it has changed.
    Snapshot,
    /// The client was too slow and has missed something.
    Lagged,
}

impl Topic {
    /// What a client can ask for, in the order in which it is documented.
    pub const ALL: [Self; 4] = [Self::Event, Self::Rejection, Self::Derived, Self::Snapshot];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Rejection => "rejection",
            Self::Derived => "derived",
            Self::Snapshot => "snapshot",
            Self::Lagged => "lagged",
        }
    }
}

/// A message as it is sent, written once for all listeners.
#[derive(Debug, Clone)]
pub struct Frame {
    /// What it is.
    pub topic: Topic,
    /// The lines of a server-sent event.
    pub bytes: Bytes,
}

impl Frame {
    /// Writes a message; `json` has no line breaks.
    pub fn new(topic: Topic, json: &str) -> Self {
        let bytes = format!("event: {}\ndata: {json}\n\n", topic.name()).into();
        Self { topic, bytes }
    }
}

/// One of the two ways to the listeners.
#[derive(Debug)]
struct Channel {
    sender: Sender<Frame>,
    listeners: AtomicUsize,
}

impl Channel {
    fn new(room: usize) -> Self {
        Self { sender: channel(room).0, listeners: AtomicUsize::new(0) }
    }

    fn is_heard(&self) -> bool {
        self.listeners.load(Ordering::Relaxed) > 0
    }

    fn send(&self, frame: Frame) {
        // The last listener may have left meanwhile.
        drop(self.sender.send(frame));
    }

    fn join(&self) -> Receiver<Frame> {
        self.listeners.fetch_add(1, Ordering::Relaxed);
        self.sender.subscribe()
    }
}

/// The feed.
#[derive(Debug)]
pub struct Feed {
    changes: Channel,
    snapshots: Channel,
    listeners: AtomicUsize,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            changes: Channel::new(CHANGES),
            snapshots: Channel::new(SNAPSHOTS),
            listeners: AtomicUsize::new(0),
        }
    }
}

impl Feed {
    /// Whether somebody wants to know of changes. All that an event costs while nobody does.
    pub fn wants_changes(&self) -> bool {
        self.changes.is_heard()
    }

    /// Whether somebody wants snapshots.
    pub fn wants_snapshots(&self) -> bool {
        self.snapshots.is_heard()
    }

    /// How many clients listen.
    pub fn listeners(&self) -> usize {
        self.listeners.load(Ordering::Relaxed)
    }

    /// Tells of a change.
    pub fn publish(&self, topic: Topic, what: &impl Serialize) {
        // What we tell is made of texts and numbers, which can always be written.
        if let Ok(json) = serde_json::to_string(what) {
            self.changes.send(Frame::new(topic, &json));
        }
    }

    /// Sends a snapshot.
    pub fn publish_snapshot(&self, frame: Frame) {
        self.snapshots.send(frame);
    }

    /// Takes a place among the listeners, or `None` when all are taken.
    pub fn join(self: &Arc<Self>, topics: &[Topic]) -> Option<Listener> {
        let place = |taken| (taken < LISTENERS).then_some(taken + 1);
        self.listeners.fetch_update(Ordering::Relaxed, Ordering::Relaxed, place).ok()?;
        let changes = topics.iter().any(|topic| *topic != Topic::Snapshot).then(|| self.changes.join());
        let snapshots = topics.contains(&Topic::Snapshot).then(|| self.snapshots.join());
        Some(Listener { feed: Arc::clone(self), topics: topics.to_vec(), changes, snapshots })
    }
}

/// A place among the listeners, which is free again once this is dropped.
#[derive(Debug)]
pub struct Listener {
    feed: Arc<Feed>,
    topics: Vec<Topic>,
    changes: Option<Receiver<Frame>>,
    snapshots: Option<Receiver<Frame>>,
}

/// What a listener hears.
#[derive(Debug)]
pub enum Received {
    /// A message.
    Frame(Frame),
    /// This many changes were lost: the listener was too slow.
    ChangesLost(u64),
    /// This many snapshots were lost: it needs a whole one to go on.
    SnapshotsLost(u64),
}

impl Listener {
    /// Waits for the next message.
    pub async fn recv(&mut self) -> Received {
        use tokio::sync::broadcast::error::RecvError;
        loop {
            let (received, lost): (_, fn(u64) -> Received) = tokio::select! {
                received = next(&mut self.snapshots) => (received, Received::SnapshotsLost),
                received = next(&mut self.changes) => (received, Received::ChangesLost),
            };
            match received {
                Ok(frame) if self.topics.contains(&frame.topic) => return Received::Frame(frame),
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => return lost(missed),
                // The feed lives as long as its listeners.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Forgets the snapshots that wait: a whole one is taken by other means.
    pub fn skip_snapshots(&mut self) {
        self.snapshots = self.snapshots.take().map(|snapshots| snapshots.resubscribe());
    }

    /// Whether it wants snapshots.
    pub const fn wants_snapshots(&self) -> bool {
        self.snapshots.is_some()
    }
}

async fn next(way: &mut Option<Receiver<Frame>>) -> Result<Frame, tokio::sync::broadcast::error::RecvError> {
    match way {
        Some(receiver) => receiver.recv().await,
        None => std::future::pending().await,
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        for (way, receiver) in [(&self.feed.changes, &self.changes), (&self.feed.snapshots, &self.snapshots)]
        {
            way.listeners.fetch_sub(usize::from(receiver.is_some()), Ordering::Relaxed);
        }
        self.feed.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_hears_what_it_asked_for_and_nobody_is_waited_for() {
        let feed = Arc::new(Feed::default());
        assert!(!feed.wants_changes() && !feed.wants_snapshots());
        let mut listener = feed.join(&[Topic::Rejection]).unwrap();
        assert!(feed.wants_changes() && !feed.wants_snapshots());
        feed.publish(Topic::Event, &1);
        feed.publish(Topic::Rejection, &2);
        let Received::Frame(frame) = listener.recv().await else { panic!("nothing is lost") };
        assert_eq!(&frame.bytes[..], b"event: rejection\ndata: 2\n\n");
        drop(listener);
        assert!(!feed.wants_changes());
        assert_eq!(feed.listeners(), 0);
    }

    #[tokio::test]
    async fn who_falls_behind_is_told_and_a_flood_of_changes_takes_no_snapshot() {
        let feed = Arc::new(Feed::default());
        let mut listener = feed.join(&Topic::ALL).unwrap();
        for number in 0..CHANGES + 5 {
            feed.publish(Topic::Event, &number);
        }
        feed.publish_snapshot(Frame::new(Topic::Snapshot, "{}"));
        let (mut lost, mut snapshots) = (0, 0);
        while lost == 0 || snapshots == 0 {
            match listener.recv().await {
                Received::Frame(frame) => snapshots += usize::from(frame.topic == Topic::Snapshot),
                Received::ChangesLost(missed) => lost = missed,
                Received::SnapshotsLost(_) => panic!("the snapshots have their own way"),
            }
        }
        assert_eq!((lost, snapshots), (5, 1));
        for _ in 0..=SNAPSHOTS {
            feed.publish_snapshot(Frame::new(Topic::Snapshot, "{}"));
        }
        while !matches!(listener.recv().await, Received::SnapshotsLost(1)) {}
    }

    #[test]
    fn places_are_limited_and_come_free() {
        let feed = Arc::new(Feed::default());
        let mut listeners: Vec<_> = (0..LISTENERS).map(|_| feed.join(&Topic::ALL).unwrap()).collect();
        assert!(feed.join(&Topic::ALL).is_none());
        listeners.pop();
        assert!(feed.join(&Topic::ALL).is_some());
    }
}
