//! The state of the world, for comparison.

use super::model::{Kind, World};
use crate::truth::{ChunksClosed, Configuration, Input, Output, Push, Timer, Truth};
use crate::value::{Map, text_of, variables};
use std::collections::BTreeMap;

impl World {
    /// The state at this moment, without deliveries.
    pub(crate) fn truth(&self) -> Truth {
        let mut truth = Truth {
            running: self.running,
            process_id: self.process.id,
            starts: self.starts,
            last_event_id: self.process.events,
            timers_triggered: self.timers_triggered,
            sessions: self.sessions.keys().copied().collect(),
            emitted: self.emitted.clone(),
            ..Truth::default()
        };
        for (unique_id, input) in &self.inputs {
            let stream = self.slots[input.slot].label.clone();
            truth.streams.insert(stream.clone(), *unique_id);
            truth.inputs.push(Input {
                stream,
                unique_id: *unique_id,
                config_id: input.config,
                variables: input.pull.as_ref().map(texts).unwrap_or_default(),
                frozen: input.frozen.is_some(),
            });
        }
        self.add_outputs(&mut truth);
        truth.timers = self
            .timers
            .iter()
            .map(|(id, timer)| Timer {
                id: *id,
                period: timer.period(),
                triggered: timer.triggered,
                variables: texts(&timer.variables),
            })
            .collect();
        truth.configs = self
            .configs
            .iter()
            .map(|(id, config)| Configuration {
                id: *id,
                purpose: config.family(),
                group: config.files().map(|files| files.group.clone()).unwrap_or_default(),
                stream: String::from_utf8_lossy(&config.stream).into_owned(),
                keep_alive: config.keep_alive,
                writes_nothing: config.files().is_some_and(|files| {
                    self.writes_nothing(&String::from_utf8_lossy(&config.stream), files.format, self.now)
                }),
                variables: texts(&config.settings),
            })
            .collect();
        truth.chunks_closed = self
            .chunks_closed
            .iter()
            .map(|((format, group, stream, track), closed)| ChunksClosed {
                format: *format,
                group: group.clone(),
                stream: stream.clone(),
                track,
                closed: *closed,
            })
            .collect();
        truth
    }

    fn add_outputs(&self, truth: &mut Truth) {
        for (unique_id, output) in &self.outputs {
            let stream = self.slots[output.slot].label.clone();
            match &output.kind {
                Kind::Player => *truth.players.entry(stream).or_default() += 1,
                Kind::Push => {
                    *truth.pushes.entry(stream.clone()).or_default() += 1;
                    truth.pushed.push(Push {
                        stream,
                        target: text_of(&output.settings, "targetUri"),
                        unique_id: *unique_id,
                        config_id: output.config,
                        variables: texts(&output.settings),
                    });
                }
                Kind::Files(files) => truth.outputs.push(Output {
                    format: files.format,
                    group: files.group.clone(),
                    stream,
                    unique_id: *unique_id,
                    config_id: output.config,
                    variables: texts(&output.settings),
                    stalled: self.held(output, files.format, self.now).is_some()
                        || self.writes_nothing(&self.slots[output.slot].label, files.format, self.now),
                }),
            }
        }
        truth.outputs.sort_by(|one, other| {
            let key = |output: &Output| (output.format, output.stream.clone(), output.group.clone());
            key(one).cmp(&key(other))
        });
    }
}

fn texts(settings: &Map) -> BTreeMap<String, String> {
    let own = variables(settings);
    own.keys().map(|name| (name.clone().into_owned(), text_of(settings, name))).collect()
}
