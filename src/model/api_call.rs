//! Calls of the server's runtime API, by any client.

use super::Change;
use crate::exposition::{Kind, Metric};
use ems_protocol::{Message, Rejection};

/// The events of this family.
pub const EVENTS: &[(&str, Name)] = &[("cliRequest", Name::Request), ("cliResponse", Name::Response)];

/// The meaning of an event name of this family.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    /// A command was received.
    Request,
    /// A command was answered.
    Response,
}

/// An event of this family. Parameters and data are never read: they may hold secrets.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// See [`Name::Request`].
    Request,
    /// See [`Name::Response`].
    Response {
        /// Whether `status` was `FAIL`.
        failed: bool,
    },
}

/// Reads an event of this family.
pub fn interpret(name: Name, message: &Message<'_>) -> Result<Event, Rejection> {
    Ok(match name {
        Name::Request => Event::Request,
        Name::Response => {
            let status = message.payload().text("status")?;
            Event::Response { failed: status.is_some_and(|status| status == "FAIL") }
        }
    })
}

/// The API calls of one server.
#[derive(Debug, Default)]
pub struct Table {
    requests: u64,
    failures: u64,
}

impl Table {
    /// Applies an event.
    pub const fn apply(&mut self, event: &Event) -> Change {
        match event {
            Event::Request => self.requests += 1,
            Event::Response { failed: true } => self.failures += 1,
            Event::Response { failed: false } => {}
        }
        Change::Counted
    }
}

/// The metrics of API calls.
pub const METRICS: &[Metric<Table>] = &[
    Metric {
        name: "ems_api_requests_total",
        kind: Kind::Counter,
        help: "Commands received by the runtime API, from cliRequest.",
        labels: &[],
        query: "rate(ems_api_requests_total[5m])",
        samples: |table, samples| samples.add(&[], table.requests),
    },
    Metric {
        name: "ems_api_failures_total",
        kind: Kind::Counter,
        help: "Commands that the runtime API answered with FAIL, from cliResponse.",
        labels: &[],
        query: "increase(ems_api_failures_total[1h]) / increase(ems_api_requests_total[1h])",
        samples: |table, samples| samples.add(&[], table.failures),
    },
];
