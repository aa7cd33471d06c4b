//! The server's own lists, and the correction of the tables by them.

use hashbrown::HashSet;
use strum::{EnumCount, IntoStaticStr, VariantArray};

use super::State;
use crate::model::server::{self, Generation, Sender};
use crate::model::stream::ListingResult;
use crate::model::{Change, Corrections, Key, output, session, stream, timer};
use ems_protocol::Timestamp;
use ems_protocol::decode::json::Part;

/// A stream in the list of the runtime API.
#[derive(Debug)]
pub struct Listed<'a> {
    /// Its whole item in the list.
    pub item: Part<'a>,
    /// The stream.
    pub stream: stream::Stream<'a>,
    /// The output that it writes, if it does.
    pub output: Option<output::Output<'a>>,
}

/// Answers of the runtime API to calls made at about the same time.
#[derive(Debug, Default)]
pub struct Listing<'a> {
    /// The moment before the first call.
    pub requested: Timestamp,
    /// `version`; none where it was not called.
    pub build: Option<server::Build<'a>>,
    /// The origin process; none where no stream has it.
    pub process: Option<u64>,
    /// `listStreams`.
    pub streams: Vec<Listed<'a>>,
    /// `listConfig`.
    pub configured: Vec<output::Configured<'a>>,
    /// `listTimers`; none where the server does not know that command.
    pub timers: Option<Vec<timer::Event>>,
    /// `listHttpStreamingSessions`; none where the server does not know that command.
    pub sessions: Option<Vec<session::Session>>,
}

/// The subject of a correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Subject {
    /// The server's process.
    Server,
    /// A stream.
    Stream,
    /// An output.
    Output,
    /// A timer.
    Timer,
    /// A viewer over HTTP.
    Session,
}

impl Subject {
    /// The value of the label `kind`.
    pub fn label(self) -> &'static str {
        self.into()
    }
}

/// The changes by a poll of the server's lists.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// The corrections by [`Subject`].
    pub corrections: [Corrections; Subject::COUNT],
    /// Whether discrepancies are left that events on their way may explain.
    pub unconfirmed: bool,
    /// The places of the listed streams that the tables did not have.
    pub appeared: Vec<usize>,
    /// The streams that the tables had and that are not open.
    pub removed: Vec<stream::Removed>,
}

impl State {
    /// Corrects the tables by the server's lists. The effects of events since the lists were requested stand.
    pub fn reconcile(&mut self, listing: &Listing<'_>, now: Timestamp) -> Reconciled {
        let mut done = Reconciled::default();
        match self.server.listed(listing.process, listing.requested, now) {
            Generation::Current => {}
            Generation::Past => {
                done.unconfirmed = true;
                return done;
            }
            Generation::New => {
                self.restart(Sender { process: listing.process, ..Sender::default() }, now);
                self.record(Change::Restarted);
                done.correct(Subject::Server, (Corrections { changed: 1, ..Corrections::default() }, false));
            }
        }
        self.server.describe(listing.build.as_ref(), listing.process);
        self.reconcile_streams(listing, now, &mut done);
        let process = self.server.process().unwrap_or(0);
        if let Some(timers) = &listing.timers {
            let corrected = self.timers.reconcile(timers, process, listing.requested, now);
            done.correct(Subject::Timer, corrected);
        }
        if let Some(sessions) = &listing.sessions {
            let corrected = self.sessions.reconcile(sessions, process, listing.requested, now);
            done.correct(Subject::Session, corrected);
        }
        done
    }

    fn reconcile_streams(&mut self, listing: &Listing<'_>, now: Timestamp, done: &mut Reconciled) {
        let requested = listing.requested;
        let (mut streams, mut outputs) = (Corrections::default(), Corrections::default());
        self.streams.begin_poll();
        for (place, Listed { stream, output, .. }) in listing.streams.iter().enumerate() {
            match self.streams.listed(stream, requested, now) {
                ListingResult::Known => {}
                ListingResult::Opened => {
                    streams.opened += 1;
                    done.appeared.push(place);
                }
                ListingResult::Unconfirmed => continue,
            }
            if let Some(output) = output {
                outputs.opened += u64::from(self.outputs.listed(output, now));
            }
        }
        let keys: HashSet<Key> = listing.streams.iter().map(|listed| listed.stream.key).collect();
        let (removed, unconfirmed) = self.streams.end_poll(&keys, requested, now);
        streams.closed += removed.len() as u64;
        for stream in &removed {
            outputs.closed += u64::from(self.outputs.unlisted(stream.key, now));
        }
        let waiting = listing.configured.iter().filter(|configured| configured.waiting);
        self.streams.set_waiting(waiting.map(|configured| &*configured.stream), now);
        for configured in &listing.configured {
            outputs.changed += u64::from(self.outputs.configured(configured));
        }
        done.removed = removed;
        done.correct(Subject::Stream, (streams, unconfirmed));
        // Without the settings of outputs in the list, no output can be known to have no writer.
        let has_settings = |listed: &Listed<'_>| listed.output.is_some() || !listed.stream.writes_files();
        if listing.streams.iter().all(has_settings) {
            let (ended, unconfirmed) = self.outputs.end_poll(requested, now);
            outputs.closed += ended;
            done.unconfirmed |= unconfirmed;
        }
        done.correct(Subject::Output, (outputs, false));
    }
}

impl Reconciled {
    fn correct(&mut self, subject: Subject, (corrections, unconfirmed): (Corrections, bool)) {
        self.corrections[subject as usize] += corrections;
        self.unconfirmed |= unconfirmed;
    }
}
