//! One attempt at a call. An object that the server has already is not created a second time.

use super::outcome::Outcome;
use ems_protocol::decode::json::Part;
use ems_protocol::runtime_api::command::{Command, CreatedObject};
use ems_protocol::runtime_api::parameter::{Parameter, Value};
use ems_protocol::runtime_api::{Address, Answer, Api, DEFAULT_TIMEOUT, Error, MAX_LIST, post_json};
use ems_protocol::{Map, Rejection};

/// `status.current.code` of a configuration whose connection failed.
const CONNECTION_FAILED: u64 = 5;

/// Posts a body.
pub(super) async fn post(address: &Address, body: &str) -> Result<Outcome, Error> {
    post_json(address, body.as_bytes(), DEFAULT_TIMEOUT).await?;
    Ok(Outcome::Done)
}

/// Calls a command, unless the object that it would create exists.
pub(super) async fn command(
    api: &Api,
    command: &Command,
    parameters: &[Parameter],
) -> Result<Outcome, Error> {
    let wanted = command.creates.and_then(|object| WantedObject::of(object, parameters));
    if let Some(wanted) = &wanted
        && wanted.is_in(&api.list_config(MAX_LIST).await?, Counted::Working)?
    {
        return Ok(Outcome::Already);
    }
    let error = match api.call(command.name, parameters).await {
        Ok(_) => return Ok(Outcome::Done),
        Err(error) => error,
    };
    // It may have been created in the meantime, or exist in a state that did not count before.
    if let Some(wanted) = wanted.filter(|_| error.is_answer())
        && let Ok(config) = api.list_config(MAX_LIST).await
        && wanted.is_in(&config, Counted::All).unwrap_or(false)
    {
        return Ok(Outcome::Already);
    }
    Err(error)
}

/// Whether a call may be repeated although it may have been carried out: the object that it creates would be found, or
/// it creates none.
pub(super) fn is_repeatable(command: &Command, parameters: &[Parameter]) -> bool {
    let found = command.creates.and_then(|object| WantedObject::of(object, parameters)).is_some();
    found || !command.keeps_marks()
}

/// Which configurations count as existing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    All,
    Working,
}

/// The object to be created, as `listConfig` would show it.
struct WantedObject<'p> {
    family: &'static str,
    streams: Vec<&'p str>,
    member: &'static str,
    place: &'p str,
}

impl<'p> WantedObject<'p> {
    /// `None` where the parameters leave its name to the server.
    fn of(object: CreatedObject, parameters: &'p [Parameter]) -> Option<Self> {
        let given = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let streams = match given(object.stream)? {
            Value::Text(one) => vec![one.as_str()],
            Value::List(all) => all.iter().map(String::as_str).collect(),
        };
        let Value::Text(place) = given(object.place.0)? else {
            return None;
        };
        Some(Self { family: object.family, streams, member: object.place.1, place })
    }

    /// Whether it exists for every stream.
    fn is_in(&self, config: &Answer, counted: Counted) -> Result<bool, Error> {
        let data = config.data()?;
        let existing = self.streams_in(data, counted).map_err(Error::Garbage)?;
        Ok(self.streams.iter().all(|wanted| existing.iter().any(|stream| stream == wanted)))
    }

    /// The streams for which it is configured.
    fn streams_in(&self, data: Part<'_>, counted: Counted) -> Result<Vec<String>, Rejection> {
        let Some(family) = data.member(self.family)? else {
            return Ok(Vec::new());
        };
        let mut streams = Vec::new();
        for item in family.items()? {
            let message = item.message()?;
            let item = message.payload();
            if self.is_place(item) && (counted == Counted::All || !has_failed(item)?) {
                streams.extend(item.text("localStreamName")?.map(|name| name.into_owned()));
            }
        }
        Ok(streams)
    }

    fn is_place(&self, item: Map<'_, '_>) -> bool {
        // An address is a text in some versions and an object in others.
        let address = item.map(self.member).ok().flatten();
        let values = [
            item.text(self.member).ok().flatten(),
            address.and_then(|address| address.text("fullUriWithAuth").ok().flatten()),
            address.and_then(|address| address.text("originalUri").ok().flatten()),
        ];
        values.into_iter().flatten().any(|value| value == self.place)
    }
}

fn has_failed(item: Map<'_, '_>) -> Result<bool, Rejection> {
    let current = item.map("status")?.map_or(Ok(None), |status| status.map("current"))?;
    let code = current.map_or(Ok(None), |current| current.u64("code"))?;
    Ok(code == Some(CONNECTION_FAILED))
}
