//! The commands that only ask: streams, configurations and web sessions.

use super::super::arguments::{Read, canonical, invalid};
use super::super::model::World;
use crate::command::{Answer, Command};
use crate::value::{Map, Value, map, text, u32, u64};
use std::borrow::Cow;
use std::time::Duration;

/// Every part of the list of configurations; some are always empty here.
const FAMILIES: [&str; 10] =
    ["dash", "hds", "hls", "metalistener", "mss", "process", "pull", "push", "record", "webrtc"];

impl World {
    pub(crate) fn list_streams(&self, at: Duration, arguments: &Command) -> Read<Answer> {
        // There are no internal streams here that the flag could show.
        arguments.flag("disableInternalStreams", true)?;
        Ok(Answer::success("Available streams", some(self.listed(at, self.stream_ids()))))
    }

    pub(crate) fn list_inbound_streams(&self, at: Duration, arguments: &Command) -> Read<Answer> {
        arguments.flag("disableInternalStreams", true)?;
        let inputs = self.inputs.keys().copied().collect();
        Ok(Answer::success("Available inbound streams", some(self.listed(at, inputs))))
    }

    pub(crate) fn list_inbound_stream_names(&self, arguments: &Command) -> Read<Answer> {
        arguments.flag("disableInternalStreams", true)?;
        let named = |slot: usize| Value::Map(map([("name", text(&self.slots[slot].name))]));
        let names = self.inputs.values().map(|input| named(input.slot)).collect();
        Ok(Answer::success("Inbound local stream names", some(names)))
    }

    pub(crate) fn list_streams_ids(&self) -> Answer {
        let ids = self.stream_ids().into_iter().map(u64).collect();
        Answer::success("Available stream IDs", some(ids))
    }

    pub(crate) fn get_streams_count(&self) -> Answer {
        let count = u32::try_from(self.stream_ids().len()).unwrap_or(u32::MAX);
        Answer::success("Active streams count", Value::Map(map([("streamCount", u32(count))])))
    }

    pub(crate) fn get_stream_info(&self, at: Duration, arguments: &Command) -> Read<Answer> {
        arguments.some()?;
        let found = match self.selector(arguments)? {
            Selector::Id(id) => self.stream_object(at, id).ok_or_else(|| format!("0:{id}").into_bytes()),
            Selector::Name(name) => {
                let object = self.input_named(&name).and_then(|id| self.stream_object(at, id));
                object.ok_or(name)
            }
        };
        found
            .map(|object| Answer::success("Stream information", Value::Map(object)))
            .map_err(|missing| Answer::failure([&b"Stream "[..], &missing, b" not found"].concat()))
    }

    pub(crate) fn is_stream_running(&self, arguments: &Command) -> Read<Answer> {
        arguments.some()?;
        let running = match self.selector(arguments)? {
            Selector::Id(id) => self.inputs.contains_key(&id) || self.outputs.contains_key(&id),
            Selector::Name(name) => self.input_named(&name).is_some(),
        };
        Ok(Answer::success("Stream status:", Value::Map(map([("Running", Value::Bool(running))]))))
    }

    pub(crate) fn list_config(&self) -> Answer {
        let families = FAMILIES.into_iter().map(|family| {
            let items = self.configs.iter().filter(|(_, config)| config.family() == family);
            let items = items.filter_map(|(id, _)| self.config_item(*id)).map(Value::Map);
            (Cow::Borrowed(family), Value::List(items.collect()))
        });
        Answer::success("Run-time configuration", Value::Map(families.collect()))
    }

    pub(crate) fn get_config_info(&self, arguments: &Command) -> Read<Answer> {
        arguments.some()?;
        let id = config_id(arguments)?.ok_or_else(|| invalid("id"))?;
        let item = self.config_item(id);
        item.map(|item| Answer::success("Configuration Info", Value::Map(item)))
            .ok_or_else(|| Answer::failure(format!("Configuration {id} not found")))
    }

    pub(crate) fn list_http_streaming_sessions(&self, at: Duration) -> Answer {
        let sessions =
            self.sessions.iter().map(|(id, session)| Value::Map(self.session_item(at, *id, session)));
        Answer::success("Available HTTP streaming sessions", some(sessions.collect()))
    }

    /// The stream that a command means; its id goes before its name.
    pub(crate) fn selector(&self, arguments: &Command) -> Read<Selector> {
        if let Some(id) = arguments.optional("id")? {
            let number = canonical(&id).and_then(|id| u64::try_from(id).ok());
            return number.map(Selector::Id).ok_or_else(|| invalid("id"));
        }
        match arguments.optional("localStreamName")?.filter(|name| !name.is_empty()) {
            Some(name) => Ok(Selector::Name(name)),
            None => Err(Answer::failure("id or localStreamName parameters needs to be supplied")),
        }
    }

    fn stream_ids(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.inputs.keys().chain(self.outputs.keys()).copied().collect();
        ids.sort_unstable();
        ids
    }

    fn listed(&self, at: Duration, ids: Vec<u64>) -> Vec<Value> {
        let objects = ids.into_iter().filter_map(|id| self.stream_object(at, id));
        let with_edge = objects.map(|mut object: Map| {
            object.extend(map([("edgePid", u32(0))]));
            Value::Map(object)
        });
        with_edge.collect()
    }
}

/// The stream that a command names.
pub(crate) enum Selector {
    /// The one with this unique id.
    Id(u64),
    /// The inbound one with this name.
    Name(Vec<u8>),
}

/// The configuration that a command names by its id.
pub(crate) fn config_id(arguments: &Command) -> Read<Option<u32>> {
    let Some(text) = arguments.optional("id")? else {
        return Ok(None);
    };
    let id = canonical(&text).and_then(|id| u32::try_from(id).ok());
    id.map(Some).ok_or_else(|| invalid("id"))
}

/// An empty list is sent as nothing.
pub(crate) fn some(values: Vec<Value>) -> Value {
    if values.is_empty() { Value::Null } else { Value::List(values) }
}
