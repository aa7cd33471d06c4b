//! What the server has been told to keep up: pulls, pushes and outputs, each with an id and a status.

use super::super::output_format::OutputFormat;
use super::super::value::{Map, Value, map, text, u8, u32, u64};
use super::World;
use super::address::Address;
use super::outputs::Kind;
use std::time::Duration;

/// One configuration.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) purpose: Purpose,
    /// The name of the stream that it is about.
    pub(super) stream: Vec<u8>,
    /// Whether it outlives its stream and the server.
    pub(super) keep_alive: bool,
    /// As streams carry it in their events, with the caller's own variables.
    pub(super) settings: Map,
    /// The far side is gone for good: nothing is tried any more.
    pub(super) hopeless: bool,
    current: Status,
    previous: Status,
}

/// What a configuration is for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// Pulling a stream from elsewhere.
    Pull(Address),
    /// Pushing one elsewhere.
    Push(Address),
    /// Writing one to files.
    Files(Files),
}

/// Where and how the files of an output are written.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) format: OutputFormat,
    /// The group; empty for a recording.
    pub(super) group: String,
    /// The folder of the group, with its separator at the end.
    pub(super) group_folder: Vec<u8>,
    /// The folder of the stream; of a recording the path without its extension.
    pub(super) folder: Vec<u8>,
    /// The time from one chunk to the next; none for a recording in one piece.
    pub(super) chunk_length: Duration,
    /// What the names of chunks begin with.
    pub(super) chunk_name: String,
    /// The playlist or manifest.
    pub(super) playlist: Vec<u8>,
    /// The kind of file of a recording.
    pub(super) container: &'static str,
}

/// How it stands with a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Streaming,
    Connecting,
    WaitingForStream,
    Connected,
    Disconnected,
    ConnectionFailed,
}

#[derive(Clone, Copy, Debug)]
struct Status {
    code: Code,
    since: Duration,
    stream: u64,
}

impl Status {
    fn value(self, seconds: u64) -> Value {
        let (code, description) = match self.code {
            Code::Streaming => (0, "Streaming"),
            Code::Connecting => (1, "Connecting"),
            Code::WaitingForStream => (2, "Waiting for stream"),
            Code::Connected => (3, "Connected"),
            Code::Disconnected => (4, "Disconnected"),
            Code::ConnectionFailed => (5, "Connection failed"),
        };
        Value::Map(map([
            ("code", u8(code)),
            ("description", text(description)),
            ("timestamp", u64(seconds)),
            ("uniqueStreamId", u64(self.stream)),
        ]))
    }
}

impl Config {
    pub(super) fn files(&self) -> Option<&Files> {
        match &self.purpose {
            Purpose::Files(files) => Some(files),
            Purpose::Pull(_) | Purpose::Push(_) => None,
        }
    }

    /// The part of the list of configurations that it stands in.
    pub(super) fn family(&self) -> &'static str {
        match &self.purpose {
            Purpose::Pull(_) => "pull",
            Purpose::Push(_) => "push",
            Purpose::Files(files) => files.format.names().name,
        }
    }
}

impl World {
    /// Keeps a new configuration, whose settings get its id.
    pub(super) fn add_config(
        &mut self,
        at: Duration,
        purpose: Purpose,
        stream: &[u8],
        keep_alive: bool,
        settings: &Map,
    ) -> u32 {
        self.configs_made += 1;
        let id = self.configs_made;
        let mut settings = settings.clone();
        settings.extend(map([("configId", u32(id))]));
        let code = match purpose {
            Purpose::Pull(_) | Purpose::Push(_) => Code::Connecting,
            Purpose::Files(_) => Code::WaitingForStream,
        };
        let status = Status { code, since: at, stream: 0 };
        self.configs.insert(
            id,
            Config {
                purpose,
                stream: stream.to_vec(),
                keep_alive,
                settings,
                hopeless: false,
                current: status,
                previous: status,
            },
        );
        id
    }

    pub(super) fn set_status(&mut self, at: Duration, config: u32, code: Code, stream: u64) {
        if let Some(config) = self.configs.get_mut(&config) {
            config.previous = config.current;
            config.current = Status { code, since: at, stream };
        }
    }

    /// The item of one configuration in the list of all.
    pub(super) fn config_item(&self, id: u32) -> Option<Map> {
        let config = self.configs.get(&id)?;
        let mut item = config.settings.clone();
        let status = |status: Status| status.value(self.clock.seconds(status.since));
        item.extend(map([(
            "status",
            Value::Map(map([("current", status(config.current)), ("previous", status(config.previous))])),
        )]));
        Some(item)
    }

    /// The configuration with which a stream of this name is pulled.
    pub(super) fn pull_of(&self, name: &[u8]) -> Option<u32> {
        let pulls = |config: &Config| matches!(config.purpose, Purpose::Pull(_)) && config.stream == name;
        self.configs.iter().find(|(_, config)| pulls(config)).map(|(id, _)| *id)
    }

    /// The configuration with which a stream is written in a format to a group.
    pub(super) fn files_of(&self, name: &[u8], format: OutputFormat, group: &str) -> Option<u32> {
        let writes = |config: &Config| {
            config.stream == name
                && config.files().is_some_and(|files| files.format == format && files.group == group)
        };
        self.configs.iter().find(|(_, config)| writes(config)).map(|(id, _)| *id)
    }

    /// Whether a stream is pushed anywhere.
    pub(super) fn is_pushed(&self, name: &[u8]) -> bool {
        self.configs
            .values()
            .any(|config| matches!(config.purpose, Purpose::Push(_)) && config.stream == name)
    }

    /// The stream, inbound or outbound, that belongs to a configuration at this moment.
    pub(super) fn stream_of(&self, config: u32) -> Option<u64> {
        let input = self.inputs.iter().find(|(_, input)| input.config == Some(config));
        let output = self.outputs.iter().find(|(_, output)| output.config == Some(config));
        input.map(|(id, _)| *id).or(output.map(|(id, _)| *id))
    }

    /// The open inbound stream of a name.
    pub(super) fn input_named(&self, name: &[u8]) -> Option<u64> {
        self.inputs.iter().find(|(_, input)| self.slots[input.slot].name == name).map(|(id, _)| *id)
    }

    /// The configuration of an open stream.
    pub(super) fn config_of(&self, unique_id: u64) -> Option<u32> {
        let input = self.inputs.get(&unique_id).and_then(|input| input.config);
        input.or_else(|| self.outputs.get(&unique_id).and_then(|output| output.config))
    }

    /// After a stream has ended: its configuration waits for it, or goes with it.
    pub(super) fn stream_ended(&mut self, at: Duration, config: Option<u32>, code: Code) {
        let Some(id) = config else {
            return;
        };
        let keeps = self.configs.get(&id).is_some_and(|config| config.keep_alive);
        if keeps {
            self.set_status(at, id, code, 0);
        } else {
            self.configs.remove(&id);
        }
    }

    /// A restart keeps what is to be kept alive, with nothing open.
    pub(super) fn keep_configs(&mut self, at: Duration) {
        self.configs.retain(|_, config| config.keep_alive);
        for config in self.configs.values_mut() {
            let code = match config.purpose {
                Purpose::Pull(_) | Purpose::Push(_) => Code::Connecting,
                Purpose::Files(_) => Code::WaitingForStream,
            };
            config.current = Status { code, since: at, stream: 0 };
            config.previous = config.current;
        }
    }

    /// Whether an output is a push.
    pub(super) fn is_push(&self, output: u64) -> bool {
        self.outputs.get(&output).is_some_and(|output| output.kind == Kind::Push)
    }
}
