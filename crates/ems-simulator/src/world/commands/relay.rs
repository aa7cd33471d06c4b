//! Streams from and to other servers: `pullStream` and `pushStream`.

use super::super::address::Address;
use super::super::arguments::Read;
use super::super::model::Purpose;
use super::super::model::{Task, World};
use crate::command::{Answer, Command};
use crate::value::{Map, Value, i64, map, text, u8, u64};
use std::time::Duration;

/// From the answer to the connection.
const CONNECTS: Duration = Duration::from_millis(4);

impl World {
    /// The answer says nothing about the source: it is only tried afterwards.
    pub(in super::super) fn pull_stream(&mut self, at: Duration, arguments: &Command) -> Read<Answer> {
        arguments.some()?;
        let address = address(arguments)?;
        let name = arguments.required("localStreamName")?;
        let keep_alive = arguments.flag("keepAlive", true)?;
        let settings = pull_settings(arguments, &name, self.brand.agent, &address)?;
        if self.input_named(&name).is_some() || self.pull_of(&name).is_some() {
            return Err(Answer::failure([&b"Stream name "[..], &name, b" already taken"].concat()));
        }
        let members = Value::Map(address.members());
        let description = [&b"Stream "[..], &address.original, b" enqueued for pulling"].concat();
        let (_, mut data) = self.add_config(at, Purpose::Pull(address), &name, keep_alive, settings);
        data.extend(map([("uri", members)]));
        let slot = self.slot_of_pull(&name);
        self.schedule(at + CONNECTS, Task::OpenStream { slot });
        Ok(Answer::success(description, Value::Map(data)))
    }

    /// A push of a stream that is not there waits for it.
    pub(crate) fn push_stream(&mut self, at: Duration, arguments: &Command) -> Read<Answer> {
        arguments.some()?;
        let address = address(arguments)?;
        let name = arguments.required("localStreamName")?;
        let target = arguments.text("targetStreamName", &name)?;
        let keep_alive = arguments.flag("keepAlive", true)?;
        let settings = push_settings(arguments, &name, &target, self.brand.agent, &address)?;
        let members = Value::Map(address.members());
        let parts =
            [&b"Local stream "[..], &name, b" enqueued for pushing to ", &address.original, b" as ", &target];
        let description = parts.concat();
        let (config, mut data) = self.add_config(at, Purpose::Push(address), &name, keep_alive, settings);
        data.extend(map([("targetUri", members)]));
        self.schedule(at + CONNECTS, Task::StartConfig { config });
        Ok(Answer::success(description, Value::Map(data)))
    }
}

fn address(arguments: &Command) -> Read<Address> {
    let uri = arguments.required("uri")?;
    Address::read(&uri).ok_or_else(|| Answer::failure([&b"Invalid URI: "[..], &uri].concat()))
}

/// The settings of a pull, without the id of the configuration.
fn pull_settings(arguments: &Command, name: &[u8], agent: &str, address: &Address) -> Read<Map> {
    let flag = |name, default| Ok(Value::Bool(arguments.flag(name, default)?));
    let mut settings = arguments.variables();
    for unset in [
        "audioCodecBytes",
        "httpProxy",
        "pageUrl",
        "ppsBytes",
        "rangeTimeEnd",
        "rangeTimeStart",
        "sdpCustParams",
        "spsBytes",
        "ssmIp",
        "swfUrl",
        "tcUrl",
    ] {
        settings.extend([(unset.into(), text(arguments.text(unset, b"")?))]);
    }
    settings.extend(map([
        ("emulateUserAgent", text(arguments.text("emulateUserAgent", format!("{agent} player").as_bytes())?)),
        ("forceTcp", flag("forceTcp", false)?),
        ("isAudio", flag("isAudio", true)?),
        ("keepAlive", flag("keepAlive", true)?),
        ("localStreamName", text(name)),
        ("operationType", u8(1)),
        ("rangeEnd", i64(arguments.number("rangeEnd", -1, i64::MIN..=i64::MAX)?)),
        ("rangeStart", i64(arguments.number("rangeStart", -2, i64::MIN..=i64::MAX)?)),
        ("rtcpDetectionInterval", count(arguments, "rtcpDetectionInterval", 10, 60)?),
        ("sendRenewStream", flag("sendRenewStream", false)?),
        ("serializeToConfig", flag("serializeToConfig", true)?),
        ("sourceType", text(arguments.text("sourceType", b"live")?)),
        ("tos", count(arguments, "tos", 256, 256)?),
        ("ttl", count(arguments, "ttl", 256, 256)?),
        ("uri", text(&address.original)),
        ("videoSourceIndex", text(arguments.text("videoSourceIndex", b"high")?)),
    ]));
    Ok(settings)
}

/// The settings of a push, without the ids of the configuration and of the stream.
fn push_settings(
    arguments: &Command,
    name: &[u8],
    target: &[u8],
    agent: &str,
    address: &Address,
) -> Read<Map> {
    let flag = |name, default| Ok(Value::Bool(arguments.flag(name, default)?));
    let word = |name, default: &str| Ok(text(arguments.text(name, default.as_bytes())?));
    let mut settings = arguments.variables();
    settings.extend(map([
        ("emulateUserAgent", word("emulateUserAgent", agent)?),
        ("forceTcp", flag("forceTcp", false)?),
        ("httpProxy", word("httpProxy", "")?),
        ("keepAlive", flag("keepAlive", true)?),
        ("localStreamName", text(name)),
        ("operationType", u8(2)),
        ("pageUrl", word("pageUrl", "")?),
        ("rtmpAbsoluteTimestamps", flag("rtmpAbsoluteTimestamps", false)?),
        ("sendChunkSizeRequest", flag("sendChunkSizeRequest", true)?),
        ("swfUrl", word("swfUrl", "")?),
        ("targetStreamName", text(target)),
        ("targetStreamType", text(arguments.word("targetStreamType", "live", &["record", "append"])?)),
        ("targetUri", text(&address.original)),
        ("tcUrl", word("tcUrl", "")?),
        ("tos", count(arguments, "tos", 256, 256)?),
        ("ttl", count(arguments, "ttl", 256, 256)?),
        ("useSourcePts", flag("useSourcePts", false)?),
    ]));
    Ok(settings)
}

fn count(arguments: &Command, name: &str, default: i64, most: i64) -> Read<Value> {
    Ok(u64(arguments.number(name, default, 0..=most)?.unsigned_abs()))
}
