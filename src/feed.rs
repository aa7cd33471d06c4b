//! The live feed: changes and snapshots for clients. A slow client never delays a publisher.
//!
//! Changes and snapshots have separate channels, so that a flood of events evicts no snapshot. A client that falls
//! behind loses the oldest messages and learns how many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use strum::VariantArray;
use tokio::sync::broadcast::{Receiver, Sender, channel};

/// Most concurrent clients.
pub const MAX_CLIENTS: usize = 64;
/// How many changes a client may fall behind.
const CHANGES: usize = 1024;
/// How many snapshots a client may fall behind: there is one each second.
const SNAPSHOTS: usize = 8;

/// The topics that a client can choose, in the order in which they are documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Topic {
    /// An event was applied.
    Event,
    /// A body or an event was rejected.
    Rejection,
    /// A derived event, such as a stall.
    Derived,
    /// The content of the live page, or its changes.
    Snapshot,
}

impl Topic {
    /// Its name in messages and queries.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A message, serialized once for all clients.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its topic.
    pub topic: Topic,
    /// The lines of a server-sent event.
    pub bytes: Arc<[u8]>,
}

impl Frame {
    /// Serializes a message; `json` has no line breaks.
    pub fn new(topic: Topic, json: &str) -> Self {
        Self { topic, bytes: server_sent_event(topic.name(), json) }
    }
}

/// The lines of a server-sent event.
pub fn server_sent_event(name: &str, json: &str) -> Arc<[u8]> {
    format!("event: {name}\ndata: {json}\n\n").into_bytes().into()
}

/// One of the two channels to the clients.
#[derive(Debug)]
struct Channel {
    sender: Sender<Frame>,
    clients: AtomicUsize,
}

impl Channel {
    fn new(capacity: usize) -> Self {
        Self { sender: channel(capacity).0, clients: AtomicUsize::new(0) }
    }

    fn has_clients(&self) -> bool {
        self.clients.load(Ordering::Relaxed) > 0
    }

    fn send(&self, frame: Frame) {
        // The last client may have left meanwhile.
        drop(self.sender.send(frame));
    }

    fn join(&self) -> Receiver<Frame> {
        self.clients.fetch_add(1, Ordering::Relaxed);
        self.sender.subscribe()
    }
}

/// The feed.
#[derive(Debug)]
pub struct Feed {
    changes: Channel,
    snapshots: Channel,
    clients: AtomicUsize,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            changes: Channel::new(CHANGES),
            snapshots: Channel::new(SNAPSHOTS),
            clients: AtomicUsize::new(0),
        }
    }
}

impl Feed {
    /// Whether any client wants changes. While none does, this check is the whole cost for an event.
    pub fn wants_changes(&self) -> bool {
        self.changes.has_clients()
    }

    /// Whether any client wants snapshots.
    pub fn wants_snapshots(&self) -> bool {
        self.snapshots.has_clients()
    }

    /// How many clients are connected.
    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    /// Publishes a change.
    pub fn publish(&self, topic: Topic, change: &impl Serialize) {
        // A change consists of texts and numbers, whose serialization cannot fail.
        if let Ok(json) = serde_json::to_string(change) {
            self.changes.send(Frame::new(topic, &json));
        }
    }

    /// Publishes a snapshot.
    pub fn publish_snapshot(&self, frame: Frame) {
        self.snapshots.send(frame);
    }

    /// Adds a client, or returns `None` at the limit.
    pub fn join(self: &Arc<Self>, topics: &[Topic]) -> Option<Client> {
        let next = |clients| (clients < MAX_CLIENTS).then_some(clients + 1);
        self.clients.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        let changes = topics.iter().any(|topic| *topic != Topic::Snapshot).then(|| self.changes.join());
        let snapshots = topics.contains(&Topic::Snapshot).then(|| self.snapshots.join());
        Some(Client { feed: Arc::clone(self), topics: topics.to_vec(), changes, snapshots })
    }
}

/// A connected client; dropping it disconnects.
#[derive(Debug)]
pub struct Client {
    feed: Arc<Feed>,
    topics: Vec<Topic>,
    changes: Option<Receiver<Frame>>,
    snapshots: Option<Receiver<Frame>>,
}

/// What a client receives.
#[derive(Debug)]
pub enum Received {
    /// A message.
    Frame(Frame),
    /// This many changes were lost: the client was too slow.
    ChangesLost(u64),
    /// This many snapshots were lost: the client needs a whole one to continue.
    SnapshotsLost(u64),
}

impl Client {
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
                // The feed lives as long as its clients.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Discards pending snapshots: a whole one supersedes them.
    pub fn skip_snapshots(&mut self) {
        self.snapshots = self.snapshots.take().map(|snapshots| snapshots.resubscribe());
    }

    /// Whether it wants snapshots.
    pub const fn wants_snapshots(&self) -> bool {
        self.snapshots.is_some()
    }
}

async fn next(
    channel: &mut Option<Receiver<Frame>>,
) -> Result<Frame, tokio::sync::broadcast::error::RecvError> {
    match channel {
        Some(receiver) => receiver.recv().await,
        None => std::future::pending().await,
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let channels = [(&self.feed.changes, &self.changes), (&self.feed.snapshots, &self.snapshots)];
        for (channel, receiver) in channels {
            channel.clients.fetch_sub(usize::from(receiver.is_some()), Ordering::Relaxed);
        }
        self.feed.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_receives_the_topics_that_it_chose() {
        let feed = Arc::new(Feed::default());
        assert!(!feed.wants_changes() && !feed.wants_snapshots());
        let mut client = feed.join(&[Topic::Rejection]).unwrap();
        assert!(feed.wants_changes() && !feed.wants_snapshots());
        feed.publish(Topic::Event, &1);
        feed.publish(Topic::Rejection, &2);
        let Received::Frame(frame) = client.recv().await else { panic!("no message is lost") };
        assert_eq!(&frame.bytes[..], b"event: rejection\ndata: 2\n\n");
        drop(client);
        assert!(!feed.wants_changes());
        assert_eq!(feed.clients(), 0);
    }

    #[tokio::test]
    async fn a_slow_client_learns_its_loss_and_a_flood_of_changes_evicts_no_snapshot() {
        let feed = Arc::new(Feed::default());
        let mut client = feed.join(Topic::VARIANTS).unwrap();
        for number in 0..CHANGES + 5 {
            feed.publish(Topic::Event, &number);
        }
        feed.publish_snapshot(Frame::new(Topic::Snapshot, "{}"));
        let (mut lost, mut snapshots) = (0, 0);
        while lost == 0 || snapshots == 0 {
            match client.recv().await {
                Received::Frame(frame) => snapshots += usize::from(frame.topic == Topic::Snapshot),
                Received::ChangesLost(missed) => lost = missed,
                Received::SnapshotsLost(_) => panic!("snapshots have their own channel"),
            }
        }
        assert_eq!((lost, snapshots), (5, 1));
        for _ in 0..=SNAPSHOTS {
            feed.publish_snapshot(Frame::new(Topic::Snapshot, "{}"));
        }
        while !matches!(client.recv().await, Received::SnapshotsLost(1)) {}
    }

    #[test]
    fn clients_are_limited_and_a_dropped_one_makes_space() {
        let feed = Arc::new(Feed::default());
        let mut clients: Vec<_> = (0..MAX_CLIENTS).map(|_| feed.join(Topic::VARIANTS).unwrap()).collect();
        assert!(feed.join(Topic::VARIANTS).is_none());
        clients.pop();
        assert!(feed.join(Topic::VARIANTS).is_some());
    }
}
