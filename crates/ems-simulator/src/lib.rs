//! A simulated media server that posts its events over HTTP as a real one does, with faults on request.
//!
//! Four parts that know little of each other: the world says what happens when, without any socket and the same for the
//! same options and commands; the serializers write an event as bytes; the sender posts them; the API's door brings
//! commands. This file drives the world with the clock and keeps the [`Truth`] that an exporter's numbers can be
//! compared with.

mod api;
mod clock;
mod command;
mod event;
mod faults;
mod living;
mod options;
mod output_format;
mod random;
#[cfg(test)]
mod recorded;
mod request;
mod sender;
mod serialize;
mod stall;
mod target;
#[cfg(test)]
mod tests;
mod trouble;
mod truth;
mod value;
mod world;

pub use api::{ApiFaults, Call, CallAnswer};
pub use options::{Format, Options};
pub use output_format::OutputFormat;
pub use stall::Stall;
pub use target::Target;
pub use trouble::Trouble;
pub use truth::{ChunksClosed, Configuration, Input, Output, Push, Timer, Truth};

use api::Door;
use event::Event;
use faults::{Fate, Faults};
use living::Living;
use sender::{Post, Sender, SharedTally};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use world::World;

/// After the stop, what is still on its way gets this long.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why a simulated server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The receiver's host has no address.
    #[error("could not resolve the host {host:?} of the events' address")]
    Resolve {
        /// The host as written.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// A stall can never happen.
    #[error("a stall is requested for {output}, which the simulated server does not have")]
    Stall {
        /// The stream, with the format when one was named.
        output: String,
    },
    /// Trouble can never happen.
    #[error("trouble is requested for {stream}, which the simulated server does not have")]
    Trouble {
        /// The stream.
        stream: String,
    },
    /// The API has no place to be.
    #[error("could not listen on {address} for the API")]
    Api {
        /// The address as written.
        address: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Runs a simulated server until `stop` is ready or the requested duration is over, and returns what it knows at the end.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> Result<Truth, Error> {
    Simulation::new(options)?.run(stop).await
}

/// A simulated server whose truth can be watched while it runs.
#[derive(Debug)]
pub struct Simulation {
    options: Options,
    living: Arc<Living>,
    tally: SharedTally,
    door: Option<Arc<Door>>,
}

impl Simulation {
    /// A server that has not started yet, though the address of its API is already taken.
    pub fn new(options: Options) -> Result<Self, Error> {
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let world = World::new(&options, epoch);
        check(&options, &world)?;
        let agent = world.agent();
        let living = Arc::new(Living::new(world, options.speed));
        let bind = |address: &String| {
            Door::bind(address, &living, &options, agent)
                .map_err(|source| Error::Api { address: address.clone(), source })
        };
        let door = options.api.as_ref().map(bind).transpose()?.map(Arc::new);
        Ok(Self { options, living, tally: SharedTally::default(), door })
    }

    /// Where the API listens, with the real port; none when it is off.
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.door.as_ref().map(|door| door.address())
    }

    /// Changes what goes wrong with calls to the API from now on.
    pub fn set_api_faults(&self, faults: ApiFaults) {
        if let Some(door) = &self.door {
            door.set_faults(faults);
        }
    }

    /// What the API was asked for, oldest first; of very many calls only the newest ones.
    pub fn calls(&self) -> Vec<Call> {
        self.door.as_ref().map(|door| door.calls()).unwrap_or_default()
    }

    /// What the server knows at this moment.
    pub fn truth(&self) -> Truth {
        let mut truth = self.living.world().truth();
        let tally = sender::lock(&self.tally);
        truth.delivered = tally.delivered.clone();
        truth.refused = tally.refused.clone();
        truth.lost = tally.lost.clone();
        truth.duplicated = tally.duplicated.clone();
        truth
    }

    /// Lives the server's whole life, once: from its start to a graceful stop when `stop` is ready or the requested
    /// duration is over.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> Result<Truth, Error> {
        let mut sender = Sender::new(self.resolve().await?);
        let mut faults = Faults::new(&self.options);
        let mut queue = VecDeque::new();
        let started = self.living.real(Duration::ZERO);
        let mut serving = Box::pin(self.serve());
        let ending = async {
            match self.options.duration {
                Some(duration) => tokio::time::sleep_until(started + duration).await,
                None => std::future::pending().await,
            }
        };
        let mut stop = std::pin::pin!(async {
            tokio::select! {
                () = stop => {}
                () = ending => {}
            }
        });
        loop {
            let events = self.living.advance();
            self.queue(&events, &mut faults, &mut queue);
            let due = self.living.world().next_due();
            let step = async {
                sender.post_all(&mut queue).await;
                match due {
                    Some(due) => tokio::time::sleep_until(self.living.real(due)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = self.living.woken() => {}
                () = &mut serving => {}
                () = step => {}
            }
        }
        drop(serving);
        let events = self.living.world().stop();
        self.queue(&events, &mut faults, &mut queue);
        let farewell = async {
            sender.post_all(&mut queue).await;
            sender.finish().await;
        };
        if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
            tracing::debug!("some posts had no answer when the simulated server ended");
        }
        // Whatever is left counts itself as lost.
        sender.shutdown().await;
        drop(queue);
        Ok(self.truth())
    }

    /// Serves the API, if there is one, for as long as this is waited for.
    async fn serve(&self) {
        if let Some(door) = &self.door
            && let Err(error) = Arc::clone(door).serve().await
        {
            tracing::warn!(%error, "the API is not served");
        }
        std::future::pending().await
    }

    /// The receiver's address, looked up once as the server does it.
    async fn resolve(&self) -> Result<std::net::SocketAddr, Error> {
        let host = &self.options.url.host;
        let failed = |source| Error::Resolve { host: host.clone(), source };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        tokio::net::lookup_host((bare, self.options.url.port))
            .await
            .map_err(failed)?
            .next()
            .ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
    }

    /// Turns events into posts, as far as the faults let them through.
    fn queue(&self, events: &[Event], faults: &mut Faults, queue: &mut VecDeque<Post>) {
        let Options { url, format, nul_header, .. } = &self.options;
        for event in events {
            let (held, copy) = match faults.decide(event.name) {
                Fate::Lost => {
                    *sender::lock(&self.tally).lost.entry(event.name).or_default() += 1;
                    continue;
                }
                Fate::Posted { held, copy } => (held, copy),
            };
            let body = serialize::body(*format, event);
            let request = request::request(url, *format, *nul_header, &body);
            if let Some(held) = copy {
                *sender::lock(&self.tally).duplicated.entry(event.name).or_default() += 1;
                queue.push_back(Post::new(event.name, request.clone(), held, &self.tally));
            }
            queue.push_back(Post::new(event.name, request, held, &self.tally));
        }
    }
}

/// Refuses trouble for what there can never be; what commands bring cannot be known.
fn check(options: &Options, world: &World) -> Result<(), Error> {
    if options.unattended {
        return Ok(());
    }
    for stall in &options.stall {
        if !world.writes(&stall.stream, stall.format) {
            let output = match stall.format {
                Some(format) => format!("{}:{}", stall.stream, format.names().name),
                None => stall.stream.clone(),
            };
            return Err(Error::Stall { output });
        }
    }
    match options.freeze.iter().chain(&options.lose_push).find(|one| !world.writes(&one.stream, None)) {
        Some(absent) => Err(Error::Trouble { stream: absent.stream.clone() }),
        None => Ok(()),
    }
}
