//! The metrics that a scrape selects with `server=` and `collect[]=`.

use std::cell::LazyCell;
use std::collections::BTreeSet;

use strum::VariantArray;

use super::catalogue::catalogue;
use super::exporter::ExporterMetrics;
use super::group::MetricGroup;
use crate::pipeline::is_server_name;

/// The selected servers and metrics; empty sets select all. A query may repeat a name thousands of times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    servers: BTreeSet<String>,
    groups: BTreeSet<MetricGroup>,
    prefixes: BTreeSet<String>,
}

/// Why a selection is invalid, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// Not a valid name of a server.
    #[error("server is not a name: it has 1 to 64 letters, digits, dots, dashes and underscores")]
    Server,
    /// Neither a group nor the beginning of a metric's name.
    #[error("collect[] is neither the beginning of a metric's name nor one of {}", groups().join(", "))]
    Group,
}

impl Selection {
    /// Parses a query string. Other parameters are ignored: scrape configurations may add some.
    pub fn parse(text: &str, exporter: &ExporterMetrics) -> Result<Self, SelectionError> {
        let mut selection = Self::default();
        let catalogue = LazyCell::new(|| catalogue(exporter));
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            match &*name {
                "server" if is_server_name(&value) => {
                    selection.servers.insert(value.into_owned());
                }
                "server" => return Err(SelectionError::Server),
                "collect[]" => selection.collect(&value, |prefix| {
                    catalogue.iter().any(|metric| metric.name.starts_with(prefix))
                })?,
                _ => {}
            }
        }
        Ok(selection)
    }

    fn collect(&mut self, value: &str, is_prefix: impl Fn(&str) -> bool) -> Result<(), SelectionError> {
        if let Some(group) = MetricGroup::VARIANTS.iter().find(|group| group.name() == value) {
            self.groups.insert(*group);
        } else if self.prefixes.contains(value) {
            return Ok(());
        } else if !value.is_empty() && is_prefix(value) {
            self.prefixes.insert(value.to_owned());
        } else {
            return Err(SelectionError::Group);
        }
        Ok(())
    }

    /// Whether series of this server are selected.
    pub fn has_server(&self, name: &str) -> bool {
        self.servers.is_empty() || self.servers.contains(name)
    }

    /// Whether a metric of this group is selected.
    pub fn has(&self, group: MetricGroup, metric: &str) -> bool {
        (self.groups.is_empty() && self.prefixes.is_empty())
            || self.groups.contains(&group)
            || (1..=metric.len()).any(|length| self.prefixes.contains(&metric[..length]))
    }
}

fn groups() -> Vec<&'static str> {
    MetricGroup::VARIANTS.iter().map(|group| group.name()).collect()
}
