//! `servers` of the configuration: media servers, their event files and their runtime APIs.

use std::time::Duration;

use super::document::Section;
use super::values::{Config, Remote, Source};
use crate::folders::PathMap;
use crate::pipeline::ConfiguredServer;
use ems_protocol::runtime_api::{Address, DEFAULT_TIMEOUT, Login};
use ems_tail::Format;

/// A server as the file describes it; `SERVER_KEYS` documents the fields.
#[derive(Default)]
pub struct Draft {
    pub name: String,
    pub expect: Vec<String>,
    pub files: Vec<String>,
    pub format: Option<Format>,
    pub folders: PathMap,
    pub url: Option<Address>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub timeout: Option<Duration>,
}

impl Draft {
    /// How long a call may take.
    pub fn timeout(&mut self) -> &mut Duration {
        self.timeout.get_or_insert(DEFAULT_TIMEOUT)
    }
}

/// Adds a server to the configuration.
pub(super) fn add(mut draft: Draft, section: &Section, config: &mut Config) {
    if !draft.name.is_empty() && config.servers.iter().any(|other| other.name == draft.name) {
        section.fault("name", "is used twice: names must differ");
    }
    if draft.username.is_some() != section.has("api.password_file") {
        section.fault("api", "needs both username and password_file, or neither");
    }
    let (timeout, server) = (*draft.timeout(), draft.name.clone());
    let login = draft.username.zip(draft.password).map(|(user, password)| Login { user, password });
    config.apis.extend(draft.url.map(|address| Remote { server, address, login, timeout }));
    if !draft.files.is_empty() {
        let server = Some(draft.name.clone());
        config.sources.push(Source { server, patterns: draft.files, format: draft.format });
    }
    if draft.folders != PathMap::default() {
        config.server_folders.insert(draft.name.clone(), draft.folders);
    }
    config.servers.push(ConfiguredServer { name: draft.name, expected: draft.expect });
}
