//! What the server's own lists say, and the correction of the tables by it.

use hashbrown::HashSet;

use super::State;
use crate::model::server::{self, Origin, Sender};
use crate::model::stream::Verdict;
use crate::model::{Change, Corrections, Key, output, session, stream, timer};
use ems_protocol::Timestamp;
use ems_protocol::message::json::Part;

/// A stream in the list of the runtime API.
#[derive(Debug)]
pub struct Listed<'a> {
    /// All that the list says of it.
    pub item: Part<'a>,
    /// The stream.
    pub stream: stream::Stream<'a>,
    /// The output that it writes, if it does.
    pub output: Option<output::Output<'a>>,
}

/// Answers of the runtime API to questions that were asked at about the same time.
#[derive(Debug, Default)]
pub struct Listing<'a> {
    /// The moment before the first question.
    pub asked: Timestamp,
    /// `version`; none where it was not asked for.
    pub build: Option<server::Build<'a>>,
    /// The origin process; none where no stream tells it.
    pub process: Option<u64>,
    /// `listStreams`.
    pub streams: Vec<Listed<'a>>,
    /// `listConfig`.
    pub configured: Vec<output::Configured<'a>>,
    /// `listTimers`; none where the server does not know that command.
    pub timers: Option<Vec<timer::Event>>,
    /// `listHttpStreamingSessions`; none where the server does not know that command.
    pub sessions: Option<Vec<session::Listed>>,
}

/// What a correction is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Every subject, in the order of the metrics.
    pub const ALL: [Self; 5] = [Self::Server, Self::Stream, Self::Output, Self::Timer, Self::Session];

    /// The value of the label `kind`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Stream => "stream",
            Self::Output => "output",
            Self::Timer => "timer",
            Self::Session => "session",
        }
    }
}

/// What came of a look at the server's lists.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// What was corrected, by subject.
    pub corrections: [Corrections; Subject::ALL.len()],
    /// Whether a list and the tables tell something differently that events on their way may explain.
    pub doubts: bool,
    /// Which of the listed streams had not been known to be open.
    pub appeared: Vec<usize>,
    /// The streams that had been believed to be open.
    pub gone: Vec<stream::Gone>,
}

impl State {
    /// Corrects the tables by what the server says. What events have told since it was asked stands.
    pub fn reconcile(&mut self, listing: &Listing<'_>, now: Timestamp) -> Reconciled {
        let mut done = Reconciled::default();
        match self.server.listed(listing.process, listing.asked, now) {
            Origin::Current => {}
            Origin::Past => {
                done.doubts = true;
                return done;
            }
            Origin::New => {
                self.restart(Sender { process: listing.process, ..Sender::default() }, now);
                self.record(Change::Restarted);
                done.correct(Subject::Server, Corrections { changed: 1, ..Corrections::default() });
            }
        }
        self.server.describe(listing.build.as_ref(), listing.process);
        self.reconcile_streams(listing, now, &mut done);
        let process = self.server.process().unwrap_or(0);
        if let Some(timers) = &listing.timers {
            let (corrections, doubts) = self.timers.reconcile(timers, process, listing.asked, now);
            done.correct(Subject::Timer, corrections);
            done.doubts |= doubts;
        }
        if let Some(sessions) = &listing.sessions {
            let (corrections, doubts) = self.sessions.reconcile(sessions, process, listing.asked, now);
            done.correct(Subject::Session, corrections);
            done.doubts |= doubts;
        }
        done
    }

    fn reconcile_streams(&mut self, listing: &Listing<'_>, now: Timestamp, done: &mut Reconciled) {
        let asked = listing.asked;
        let (mut streams, mut outputs) = (Corrections::default(), Corrections::default());
        self.streams.begin_look();
        for (place, Listed { stream, output, .. }) in listing.streams.iter().enumerate() {
            match self.streams.listed(stream, asked, now) {
                Verdict::Known => {}
                Verdict::Appeared => {
                    streams.opened += 1;
                    done.appeared.push(place);
                }
                Verdict::Doubted => continue,
            }
            if let Some(output) = output {
                outputs.opened += u64::from(self.outputs.listed(output, now));
            }
        }
        let keys: HashSet<Key> = listing.streams.iter().map(|listed| listed.stream.key).collect();
        let (gone, doubts) = self.streams.end_poll(&keys, asked, now);
        streams.closed += gone.len() as u64;
        for stream in &gone {
            outputs.closed += u64::from(self.outputs.unlisted(stream.key, stream.created(), now));
        }
        for configured in &listing.configured {
            outputs.changed += u64::from(self.outputs.configured(configured));
        }
        done.doubts |= doubts;
        done.gone = gone;
        // A server that does not tell what its streams write cannot say that nobody writes an output.
        let tells = |listed: &Listed<'_>| listed.output.is_some() || !listed.stream.writes_files();
        if listing.streams.iter().all(tells) {
            let (ended, doubts) = self.outputs.end_poll(asked, now);
            outputs.closed += ended;
            done.doubts |= doubts;
        }
        done.correct(Subject::Stream, streams);
        done.correct(Subject::Output, outputs);
    }
}

impl Reconciled {
    fn correct(&mut self, subject: Subject, corrections: Corrections) {
        self.corrections[subject as usize] += corrections;
    }
}
