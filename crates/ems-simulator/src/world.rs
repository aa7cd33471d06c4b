//! The simulated server without any socket: which streams, outputs, timers and viewers there are, and what happens next.
//!
//! Time passes in the world only by [`World::advance`], and the same options give the same events. What happens at a
//! moment is a task on the agenda; carrying out a task logs events and schedules further tasks. `model` holds the types;
//! every other module adds the behaviour of one kind of thing to [`World`].

mod address;
mod arguments;
mod chunks;
mod commands;
mod configs;
mod incidents;
mod inputs;
mod model;
mod operator;
mod outputs;
mod plan;
mod playlists;
mod process;
mod server;
mod snapshot;
mod stream_object;
#[cfg(test)]
mod tests;
mod timers;
mod viewers;

pub(crate) use model::World;

use crate::event::Event;
use model::Task;
use std::time::Duration;

impl World {
    /// The events up to and including a moment, in the order of their ids.
    pub(crate) fn advance(&mut self, until: Duration) -> Vec<Event> {
        self.run_until(until);
        std::mem::take(&mut self.events)
    }

    fn run_until(&mut self, until: Duration) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > until {
                break;
            }
            let ((at, _), task) = entry.remove_entry();
            self.now = at;
            self.carry_out(at, task);
        }
        self.now = self.now.max(until);
    }

    /// The graceful stop: one event, then silence, since the server never posts what it closes while stopping.
    pub(crate) fn stop(&mut self) -> Vec<Event> {
        self.stop_server(self.now);
        std::mem::take(&mut self.events)
    }

    fn carry_out(&mut self, at: Duration, task: Task) {
        match task {
            Task::Boot => self.boot(at),
            Task::Crash => self.crash(at),
            Task::OpenStream { slot } => self.open_stream(at, slot),
            Task::IdentifyCodec { input, last } => self.identify_codec(at, input, last),
            Task::CreateOutput { input, format } => self.create_output(at, input, format),
            Task::CreatePush { input } => self.create_push(at, input),
            Task::CheckFeeds { input } => self.check_feeds(at, input),
            Task::CloseStream { input } => self.close_stream(at, input),
            Task::WriteChunk { output, track } => self.write_chunk(at, output, track),
            Task::PlayerArrives { input } => self.player_arrives(at, input),
            Task::PlayerLeaves { output } | Task::CloseOutput { output } => self.finish_output(at, output),
            Task::SessionStarts => self.session_starts(at),
            Task::SessionEnds { session } => self.session_ends(at, session),
            Task::Download => self.download(at),
            Task::WantTimer { wanted } => self.want_timer(at, wanted),
            Task::ReplaceTimer { timer, wanted } => self.replace_timer(at, timer, wanted),
            Task::Trigger { timer } => self.trigger(at, timer),
            Task::CloseTimer { timer } => self.close_timer(at, timer),
            Task::StartConfig { config } => self.start_config(at, config),
            Task::FirstPlaylists { output } => self.log_first_playlists(at, output),
            Task::Shut { stream } => self.shut(at, stream),
            Task::Incident { index } => self.begin_incident(at, index),
            Task::StopWriting { fault } => self.stop_writing(at, fault),
            Task::Burst => self.burst(at),
        }
    }
}
