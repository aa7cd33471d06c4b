//! Configurations: pulls, pushes and outputs that the server maintains, each with an id and a status.

use super::model::{Code, Config, Purpose, Status, World};
use crate::output_format::OutputFormat;
use crate::value::{Map, Value, map, u32};
use std::time::Duration;

impl World {
    /// Keeps a new configuration; its id, and the settings with it.
    pub(crate) fn add_config(
        &mut self,
        at: Duration,
        purpose: Purpose,
        stream: &[u8],
        keep_alive: bool,
        mut settings: Map,
    ) -> (u32, Map) {
        self.configs_made += 1;
        let id = self.configs_made;
        settings.extend(map([("configId", u32(id))]));
        let status = Status::initial(&purpose, at);
        self.configs.insert(
            id,
            Config {
                purpose,
                stream: stream.to_vec(),
                keep_alive,
                settings: settings.clone(),
                unreachable: false,
                current: status,
                previous: status,
            },
        );
        (id, settings)
    }

    pub(crate) fn set_status(&mut self, at: Duration, config: u32, code: Code, stream: u64) {
        if let Some(config) = self.configs.get_mut(&config) {
            config.previous = config.current;
            config.current = Status { code, since: at, stream };
        }
    }

    /// The item of one configuration in the list of all.
    pub(crate) fn config_item(&self, id: u32) -> Option<Map> {
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
    pub(crate) fn pull_of(&self, name: &[u8]) -> Option<u32> {
        let pulls = |config: &Config| matches!(config.purpose, Purpose::Pull(_)) && config.stream == name;
        self.configs.iter().find(|(_, config)| pulls(config)).map(|(id, _)| *id)
    }

    /// The configuration with which a stream is written in a format to a group.
    pub(crate) fn files_of(&self, name: &[u8], format: OutputFormat, group: &str) -> Option<u32> {
        let writes = |config: &Config| {
            config.stream == name
                && config.files().is_some_and(|files| files.format == format && files.group == group)
        };
        self.configs.iter().find(|(_, config)| writes(config)).map(|(id, _)| *id)
    }

    /// Whether a stream is pushed anywhere.
    pub(crate) fn is_pushed(&self, name: &[u8]) -> bool {
        self.configs
            .values()
            .any(|config| matches!(config.purpose, Purpose::Push(_)) && config.stream == name)
    }

    /// The stream, inbound or outbound, that belongs to a configuration at this moment.
    pub(crate) fn stream_of(&self, config: u32) -> Option<u64> {
        let input = self.inputs.iter().find(|(_, input)| input.config == Some(config));
        let output = self.outputs.iter().find(|(_, output)| output.config == Some(config));
        input.map(|(id, _)| *id).or(output.map(|(id, _)| *id))
    }

    /// The open inbound stream of a name.
    pub(crate) fn input_named(&self, name: &[u8]) -> Option<u64> {
        self.inputs.iter().find(|(_, input)| self.slots[input.slot].name == name).map(|(id, _)| *id)
    }

    /// The configuration of an open stream.
    pub(crate) fn config_of(&self, unique_id: u64) -> Option<u32> {
        let input = self.inputs.get(&unique_id).and_then(|input| input.config);
        input.or_else(|| self.outputs.get(&unique_id).and_then(|output| output.config))
    }

    /// After a stream has ended: its configuration waits for it, or goes with it.
    pub(crate) fn stream_ended(&mut self, at: Duration, config: Option<u32>, code: Code) {
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
    pub(crate) fn keep_configs(&mut self, at: Duration) {
        self.configs.retain(|_, config| config.keep_alive);
        for config in self.configs.values_mut() {
            config.current = Status::initial(&config.purpose, at);
            config.previous = config.current;
        }
    }
}
