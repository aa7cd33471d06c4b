//! Which events of a name a rule is for.

use glob::Pattern;

use super::Trigger;
use crate::model::output::Format;
use crate::model::stream::Purpose;

/// What must fit. Where nothing is given, everything fits; of several, one must.
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

/// One thing that must fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    /// See [`Match::servers`].
    Server,
    /// See [`Match::streams`].
    Stream,
    /// See [`Match::groups`].
    Group,
    /// See [`Match::kinds`].
    Kind,
    /// See [`Match::purposes`].
    Purpose,
    /// See [`Match::formats`].
    Format,
}

impl Aspect {
    /// Its key in the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Stream => "stream",
            Self::Group => "group",
            Self::Kind => "type",
            Self::Purpose => "purpose",
            Self::Format => "format",
        }
    }
}

impl Match {
    /// Whether a server of this name fits.
    pub fn server(&self, name: &str) -> bool {
        glob_fits(&self.servers, Some(name))
    }

    /// The first thing about an trigger that does not fit. What it does not tell fits nothing.
    pub(super) fn misfit(&self, trigger: &Trigger) -> Option<Aspect> {
        [
            (Aspect::Server, self.server(&trigger.server)),
            (Aspect::Stream, glob_fits(&self.streams, trigger.stream.as_deref())),
            (Aspect::Group, glob_fits(&self.groups, trigger.group.as_deref())),
            (Aspect::Kind, fits(&self.kinds, trigger.kind)),
            (Aspect::Purpose, fits(&self.purposes, trigger.purpose)),
            (Aspect::Format, fits(&self.formats, trigger.format)),
        ]
        .into_iter()
        .find(|(_, fits)| !fits)
        .map(|(aspect, _)| aspect)
    }
}

fn fits<T: PartialEq>(wanted: &[T], told: Option<T>) -> bool {
    wanted.is_empty() || told.is_some_and(|told| wanted.contains(&told))
}

fn glob_fits(wanted: &[Pattern], told: Option<&str>) -> bool {
    wanted.is_empty() || told.is_some_and(|told| wanted.iter().any(|pattern| pattern.matches(told)))
}
