//! One run of a simulated server: the world driven by the clock, its events posted, its API served.

use crate::api::{ApiListener, Call};
use crate::event::Event;
use crate::faults::{Delivery, Faults};
use crate::files::WrittenFiles;
use crate::options::{ApiFaults, Options};
use crate::sender::{self, Post, Sender, SharedTally, Tally};
use crate::shared_world::SharedWorld;
use crate::truth::Truth;
use crate::world::World;
use crate::{request, serialize};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long the stop waits for answers to posts.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// A reason that a simulated server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host of the receiver cannot be resolved.
    #[error("could not resolve the host {host:?} of the events' address")]
    Resolve {
        /// The host as written.
        host: String,
        /// The cause.
        source: io::Error,
    },
    /// A fault is requested for an unknown stream or output.
    #[error("{fault} is requested for {output}, which the simulated server does not have")]
    UnknownOutput {
        /// The fault, with its article.
        fault: &'static str,
        /// The stream, with the format when one was named.
        output: String,
    },
    /// The address of the API cannot be bound.
    #[error("could not listen on {address} for the API")]
    Api {
        /// The address as written.
        address: String,
        /// The cause.
        source: io::Error,
    },
    /// The folder for the files of chunks cannot be made.
    #[error("could not create the folder {}", folder.display())]
    Folder {
        /// The folder as written.
        folder: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Runs a simulated server until `stop` is ready or the requested duration is over, and returns its final [`Truth`].
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> Result<Truth, Error> {
    Simulation::new(options)?.run(stop).await
}

/// A simulated server whose truth can be watched while it runs.
#[derive(Debug)]
pub struct Simulation {
    options: Options,
    world: Arc<SharedWorld>,
    tally: SharedTally,
    listener: Option<Arc<ApiListener>>,
}

impl Simulation {
    /// A server that has not started yet, though the address of its API is already taken.
    pub fn new(mut options: Options) -> Result<Self, Error> {
        if let Some(folder) = &options.write_files {
            let failed = |source| Error::Folder { folder: folder.clone(), source };
            std::fs::create_dir_all(folder).map_err(failed)?;
            options.write_files = Some(std::path::absolute(folder).map_err(failed)?);
        }
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let world = World::new(&options, epoch);
        check(&options, &world)?;
        let agent = world.brand.agent;
        let world = Arc::new(SharedWorld::new(world, options.speed));
        let bind = |address: &String| {
            ApiListener::bind(address, &world, &options, agent)
                .map_err(|source| Error::Api { address: address.clone(), source })
        };
        let listener = options.api.as_ref().map(bind).transpose()?.map(Arc::new);
        Ok(Self { options, world, tally: SharedTally::default(), listener })
    }

    /// Where the API listens, with the real port; none when it is off.
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().map(|listener| listener.address())
    }

    /// Replaces the faults of API calls from now on.
    pub fn set_api_faults(&self, faults: ApiFaults) {
        if let Some(listener) = &self.listener {
            listener.set_faults(faults);
        }
    }

    /// The newest API calls, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.listener.as_ref().map(|listener| listener.calls()).unwrap_or_default()
    }

    /// The state of the server and of its deliveries at this moment.
    pub fn truth(&self) -> Truth {
        let truth = self.world.world().truth();
        let Tally { delivered, rejected, lost, duplicated } = sender::lock(&self.tally).clone();
        Truth { delivered, rejected, lost, duplicated, ..truth }
    }

    /// Runs the server once, from its start to a graceful stop when `stop` is ready or the requested duration is over.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> Result<Truth, Error> {
        let mut sender = Sender::new(self.resolve().await?);
        let mut faults = Faults::new(&self.options);
        let (mut queue, mut files) = (VecDeque::new(), WrittenFiles::default());
        let started = self.world.real(Duration::ZERO);
        let mut serving = Box::pin(self.serve());
        let mut stop = std::pin::pin!(async {
            match self.options.duration {
                Some(duration) => drop(tokio::time::timeout_at(started + duration, stop).await),
                None => stop.await,
            }
        });
        loop {
            let events = self.world.advance();
            self.write(&events, &mut files);
            self.queue(&events, &mut faults, &mut queue);
            let due = self.world.world().next_due();
            let step = async {
                sender.post_all(&mut queue).await;
                match due {
                    Some(due) => tokio::time::sleep_until(self.world.real(due)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = self.world.woken() => {}
                () = &mut serving => {}
                () = step => {}
            }
        }
        drop(serving);
        let events = self.world.world().stop();
        self.queue(&events, &mut faults, &mut queue);
        let ending_posts = async {
            sender.post_all(&mut queue).await;
            sender.finish().await;
        };
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, ending_posts).await.is_err() {
            tracing::debug!("some posts had no answer when the simulated server ended");
        }
        // Dropping a post without an answer counts it as lost.
        sender.shutdown().await;
        drop(queue);
        Ok(self.truth())
    }

    /// Serves the API, if there is one, until it is dropped.
    async fn serve(&self) {
        if let Some(listener) = &self.listener
            && let Err(error) = Arc::clone(listener).serve().await
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

    /// Writes the files that these events announce as complete, if files are to be written.
    fn write(&self, events: &[Event], files: &mut WrittenFiles) {
        if self.options.write_files.is_some() {
            for (file, bytes) in events.iter().filter_map(|event| event.written.as_ref()) {
                files.write(file, *bytes);
            }
        }
    }

    /// Turns events into posts, as far as the faults let them through.
    fn queue(&self, events: &[Event], faults: &mut Faults, queue: &mut VecDeque<Post>) {
        let Options { url, format, nul_header, .. } = &self.options;
        for event in events {
            let (held, copy) = match faults.decide(event.name) {
                Delivery::Lost => {
                    *sender::lock(&self.tally).lost.entry(event.name).or_default() += 1;
                    continue;
                }
                Delivery::Posted { held, copy } => (held, copy),
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

/// Rejects faults of streams that the plan does not have. Without an operator, commands may create any.
fn check(options: &Options, world: &World) -> Result<(), Error> {
    if options.unattended {
        return Ok(());
    }
    let stalls = [
        ("a stall", &options.stall),
        ("an output that cannot write", &options.unwritable),
        ("a full disk", &options.disk_full),
    ];
    for (fault, stall) in
        stalls.into_iter().flat_map(|(fault, stalls)| stalls.iter().map(move |stall| (fault, stall)))
    {
        if !world.writes(&stall.stream, stall.format) {
            let output = match stall.format {
                Some(format) => format!("{}:{}", stall.stream, format.name()),
                None => stall.stream.clone(),
            };
            return Err(Error::UnknownOutput { fault, output });
        }
    }
    let incidents = options.freeze.iter().chain(&options.lose_push).map(|one| &one.stream);
    let media = options.audio_only.iter().chain(&options.video_only);
    match incidents.chain(media).find(|stream| !world.writes(stream, None)) {
        Some(absent) => Err(Error::UnknownOutput { fault: "an incident", output: absent.clone() }),
        None => Ok(()),
    }
}
