//! `match` of a rule: the events of a name that it is for.

use glob::Pattern;

use super::trigger::Trigger;
use crate::model::output::Format;
use crate::model::stream::Purpose;

/// What must match. An empty list matches everything; of several entries, one must match.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Match {
    /// Patterns of server names.
    pub servers: Vec<Pattern>,
    /// Patterns of stream names.
    pub streams: Vec<Pattern>,
    /// Patterns of the groups of outputs.
    pub groups: Vec<Pattern>,
    /// Types of streams.
    pub kinds: Vec<&'static str>,
    /// Purposes of streams.
    pub purposes: Vec<Purpose>,
    /// Formats of outputs.
    pub formats: Vec<Format>,
}

impl Match {
    /// Whether a server of this name matches.
    pub fn server(&self, name: &str) -> bool {
        glob_matches(&self.servers, Some(name))
    }

    /// The first key that a trigger does not match. An unknown value matches no list.
    pub(super) fn mismatch(&self, trigger: &Trigger) -> Option<&'static str> {
        let keys = [
            ("server", self.server(&trigger.server)),
            ("stream", glob_matches(&self.streams, trigger.stream.as_deref())),
            ("group", glob_matches(&self.groups, trigger.group.as_deref())),
            ("type", matches(&self.kinds, trigger.kind)),
            ("purpose", matches(&self.purposes, trigger.purpose)),
            ("format", matches(&self.formats, trigger.format)),
        ];
        keys.into_iter().find(|(_, matches)| !matches).map(|(key, _)| key)
    }
}

fn matches<T: PartialEq>(wanted: &[T], value: Option<T>) -> bool {
    wanted.is_empty() || value.is_some_and(|value| wanted.contains(&value))
}

fn glob_matches(wanted: &[Pattern], value: Option<&str>) -> bool {
    wanted.is_empty() || value.is_some_and(|value| wanted.iter().any(|pattern| pattern.matches(value)))
}
