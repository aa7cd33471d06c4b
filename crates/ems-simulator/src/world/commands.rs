//! The runtime API: carries out commands and logs the two events of each.

mod control;
mod files;
mod listing;
mod record;
mod relay;
mod timers;

use super::arguments::Read;
use super::model::World;
use crate::command::{Answer, Command};
use crate::output_format::OutputFormat;
use crate::value::Value;
use std::time::Duration;

impl World {
    /// Carries out one command from outside up to a moment; none while the server is gone.
    ///
    /// The events that it leads to are kept for the next [`World::advance`].
    pub(crate) fn command(&mut self, until: Duration, command: &Command) -> Option<Answer> {
        self.run_until(until);
        if !self.running {
            return None;
        }
        let answer = self.execute(self.now, command);
        self.run_until(self.now);
        Some(answer)
    }

    /// Answers a command with a failure without carrying it out; false while there is no server.
    pub(crate) fn reject(&mut self, until: Duration, command: &Command, rejection: &Answer) -> bool {
        self.run_until(until);
        if self.running {
            self.log(self.now, "cliRequest", command.members());
            self.log(self.now, "cliResponse", rejection.members());
        }
        self.running
    }

    /// Carries out one command.
    pub(crate) fn execute(&mut self, at: Duration, command: &Command) -> Answer {
        self.log(at, "cliRequest", command.members());
        let mut answer = self.dispatch(at, command).unwrap_or_else(|rejection| rejection);
        answer.response_id = command.optional("commandId").ok().flatten();
        self.log(at, "cliResponse", answer.members());
        answer
    }

    fn dispatch(&mut self, at: Duration, arguments: &Command) -> Read<Answer> {
        match arguments.known_as().as_str() {
            "version" => Ok(Answer::success("Version", Value::Map(self.brand.version()))),
            "liststreams" => self.list_streams(at, arguments),
            "liststreamsids" => Ok(self.list_streams_ids()),
            "listinboundstreams" => self.list_inbound_streams(at, arguments),
            "listinboundstreamnames" => self.list_inbound_stream_names(arguments),
            "getstreaminfo" => self.get_stream_info(at, arguments),
            "getstreamscount" => Ok(self.get_streams_count()),
            "isstreamrunning" => self.is_stream_running(arguments),
            "listconfig" | "listpullpushconfig" => Ok(self.list_config()),
            "getconfiginfo" => self.get_config_info(arguments),
            "removeconfig" | "removepullpushconfig" => self.remove_config(at, arguments),
            "listtimers" => Ok(self.list_timers()),
            "settimer" => self.set_timer(at, arguments),
            "removetimer" => self.remove_timer(at, arguments),
            "listhttpstreamingsessions" => Ok(self.list_http_streaming_sessions(at)),
            "createhlsstream" => self.create_files(at, OutputFormat::Hls, arguments),
            "createhdsstream" => self.create_files(at, OutputFormat::Hds, arguments),
            "createdashstream" => self.create_files(at, OutputFormat::Dash, arguments),
            "createmssstream" => self.create_files(at, OutputFormat::Mss, arguments),
            "record" => self.record(at, arguments),
            "pushstream" => self.push_stream(at, arguments),
            "pullstream" => self.pull_stream(at, arguments),
            "shutdownstream" => self.shutdown_stream(at, arguments),
            _ => {
                let words =
                    [&b"command "[..], &arguments.name, b" not known. Type help for list of commands"];
                Err(Answer::failure(words.concat()))
            }
        }
    }
}
