//! Ending streams and configurations: `shutdownStream` and `removeConfig`.

use super::super::arguments::Read;
use super::super::model::{Peer, Task, World};
use super::super::stream_object::NEAR_IP;
use super::listing::{Selector, config_id};
use crate::command::{Answer, Command};
use crate::value::{Map, Value, i32, map, text, u16, u32, u64};
use std::time::Duration;

impl World {
    /// The answer describes the stream as it was; it closes right after that.
    pub(crate) fn shutdown_stream(&mut self, at: Duration, arguments: &Command) -> Read<Answer> {
        let gone = || Answer::failure("Stream no longer available");
        let stream = match self.selector(arguments)? {
            Selector::Id(id) => id,
            Selector::Name(name) => self.input_named(&name).ok_or_else(gone)?,
        };
        let object = self.stream_object(at, stream).ok_or_else(gone)?;
        if arguments.flag("permanently", true)?
            && let Some(config) = self.config_of(stream)
        {
            self.configs.remove(&config);
        }
        let data = map([
            ("protocolStackInfo", Value::Map(self.protocol_stack(at, stream, &object))),
            ("streamInfo", Value::Map(object)),
        ]);
        self.schedule(at, Task::Shut { stream });
        Ok(Answer::success("Stream closed", Value::Map(data)))
    }

    /// Removes one configuration, or all of a group, and closes what they keep open; an unknown id is not an error.
    pub(crate) fn remove_config(&mut self, at: Duration, arguments: &Command) -> Read<Answer> {
        let group = match arguments.optional("groupName")? {
            Some(group) => Some(group),
            None => arguments.optional("hlsHdsMssGroup")?,
        };
        let ids: Vec<u32> = match (config_id(arguments)?, group) {
            (Some(id), _) => vec![id],
            (None, Some(group)) => {
                let of_group = self.configs.iter().filter(|(_, config)| {
                    config.files().is_some_and(|files| !group.is_empty() && files.group.as_bytes() == group)
                });
                of_group.map(|(id, _)| *id).collect()
            }
            (None, None) => return Err(Answer::failure("No id nor group name provided")),
        };
        let mut sample = Value::Null;
        for id in ids {
            let stream = self.stream_of(id);
            if let Some(config) = self.configs.remove(&id) {
                sample = Value::Map(config.settings);
            }
            if let Some(stream) = stream {
                self.schedule(at, Task::Shut { stream });
            }
        }
        Ok(Answer::success("Configuration terminated", sample))
    }

    /// Closes a stream on command.
    pub(in super::super) fn shut(&mut self, at: Duration, stream: u64) {
        if self.inputs.contains_key(&stream) {
            self.close_stream(at, stream);
        } else {
            self.finish_output(at, stream);
        }
    }

    /// The connection under a stream; an output to files has none.
    fn protocol_stack(&mut self, at: Duration, stream: u64, object: &Map) -> Map {
        let (peer, created, inbound) = match (self.inputs.get(&stream), self.outputs.get(&stream)) {
            (Some(input), _) => (Some(input.peer.clone()), input.created, true),
            (None, Some(output)) => (output.peer.clone(), output.created, false),
            (None, None) => return Map::new(),
        };
        let Some(peer) = peer else {
            return map([("carrier", Value::Null), ("stack", Value::List(Vec::new()))]);
        };
        let calling = peer.near_port != 1935;
        let bytes = bytes_of(object, "audio") + bytes_of(object, "video");
        let (received, sent) = if inbound { (bytes, 3540) } else { (3540, bytes) };
        let mut layer = |application: i32, kind: &str| {
            map([
                ("applicationId", i32(application)),
                ("creationTimestamp", Value::Double(self.clock.millis(created))),
                ("id", u32(self.process.next_protocol())),
                ("isEnqueueForDelete", Value::Bool(false)),
                ("queryTimestamp", Value::Double(self.clock.millis(at))),
                ("type", text(kind)),
            ])
        };
        let tcp = layer(0, "TCP");
        let mut rtmp = layer(1, if calling { "OR" } else { "IR" });
        rtmp.extend(map([
            ("rxInvokes", u64(13)),
            ("streams", Value::List(vec![Value::Map(object.clone())])),
            ("txInvokes", u64(5)),
        ]));
        if calling {
            rtmp.extend(map([("serverAgent", text("FMS/3,0,1,123"))]));
        }
        let carrier = carrier(self.process.next_protocol(), &peer, received, sent);
        map([("carrier", carrier), ("stack", Value::List(vec![Value::Map(tcp), Value::Map(rtmp)]))])
    }
}

fn carrier(id: u32, peer: &Peer, received: i64, sent: i64) -> Value {
    Value::Map(map([
        ("farIP", text(&peer.far_ip)),
        ("farPort", u16(peer.far_port)),
        ("id", u32(id)),
        ("nearIP", text(NEAR_IP)),
        ("nearPort", u16(peer.near_port)),
        ("rx", u64(received.unsigned_abs())),
        ("tx", u64(sent.unsigned_abs())),
        ("type", text("IOHT_TCP_CARRIER")),
    ]))
}

fn bytes_of(object: &Map, feed: &str) -> i64 {
    let Some(Value::Map(feed)) = object.get(feed) else {
        return 0;
    };
    match feed.get("bytesCount") {
        Some(Value::Integer(_, bytes)) => *bytes,
        Some(_) | None => 0,
    }
}
