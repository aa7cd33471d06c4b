//! `servers` of the configuration: media servers, their event files and their runtime APIs.

use std::time::Duration;

use super::document::{Fault, Place};
use super::key::Placed;
use super::values::{Config, Remote, Source};
use crate::pipeline::ConfiguredServer;
use ems_protocol::runtime_api::{Address, DEFAULT_TIMEOUT, Login};
use ems_tail::Format;

/// A server as the file describes it.
#[derive(Clone)]
pub struct Draft {
    /// Its name.
    pub name: String,
    /// Inbound streams that are expected to be open.
    pub expect: Vec<String>,
    /// Shell patterns of its event files.
    pub files: Vec<String>,
    /// Their format.
    pub format: Option<Format>,
    /// Where its runtime API is.
    pub url: Option<Placed>,
    /// The user of the runtime API.
    pub username: Option<Placed>,
    /// The user's password.
    pub password: Option<String>,
    /// How long a call may take.
    pub timeout: Duration,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            name: String::new(),
            expect: Vec::new(),
            files: Vec::new(),
            format: None,
            url: None,
            username: None,
            password: None,
            timeout: DEFAULT_TIMEOUT,
        }
    }
}

/// Adds a server to the configuration.
pub(super) fn add(draft: Draft, place: Place, config: &mut Config, faults: &mut Vec<Fault>) {
    let name = draft.name.clone();
    if !name.is_empty() && config.servers.iter().any(|other| other.name == name) {
        faults.push(place.fault("servers[].name", "is used twice: names must differ"));
    }
    if !draft.files.is_empty() {
        config.sources.push(Source {
            server: Some(name.clone()),
            patterns: draft.files.clone(),
            format: draft.format,
        });
    }
    config.apis.extend(remote(&draft, place, faults));
    config.servers.push(ConfiguredServer { name, expected: draft.expect });
}

/// The runtime API. The password comes from a file, so that the configuration holds no secret.
fn remote(draft: &Draft, place: Place, faults: &mut Vec<Fault>) -> Option<Remote> {
    let user = draft.username.as_ref().filter(|(user, _)| !user.is_empty());
    if user.is_some() != draft.password.is_some() {
        let place = user.map_or(place, |(_, place)| *place);
        faults.push(place.fault("servers[].api", "needs both username and password_file, or neither"));
    }
    let login =
        user.zip(draft.password.clone()).map(|((user, _), password)| Login { user: user.clone(), password });
    let (url, place) = draft.url.as_ref()?;
    match url.parse::<Address>() {
        Ok(address) => Some(Remote { server: draft.name.clone(), address, login, timeout: draft.timeout }),
        Err(wrong) => {
            faults.push(place.fault("servers[].api.url", wrong));
            None
        }
    }
}
