//! Connections to the server: protocols registered to its application, carriers, and WebRTC.

use super::lifecycle::{Count, Lifecycle};
use super::{Change, Key};
use crate::exposition::{Kind, Metric, Samples};
use ems_protocol::{Message, Rejection};

/// The events of this family.
pub const EVENTS: &[(&str, Name)] = &[
    ("protocolRegisteredToApp", Name::Opened(Layer::Protocol)),
    ("protocolUnregisteredFromApp", Name::Closed(Layer::Protocol)),
    ("carrierCreated", Name::Opened(Layer::Carrier)),
    ("carrierClosed", Name::Closed(Layer::Carrier)),
    ("webRtcServiceConnected", Name::WebRtc),
    ("webRtcCommandReceived", Name::WebRtc),
    ("playerJoinedRoom", Name::WebRtc),
    ("webRtcServiceStarted", Name::WebRtc),
    ("webRtcServiceStopped", Name::WebRtc),
    ("webRTCStarted", Name::WebRtc),
    ("webRTCStopped", Name::WebRtc),
    ("webRTCPeerConnectionCreated", Name::WebRtc),
    ("webRTCPeerConnectionClosed", Name::WebRtc),
    ("webRTCPeerStreamStarted", Name::WebRtc),
    ("webRTCPeerStreamClosed", Name::WebRtc),
    ("webRtcPeerConnected", Name::WebRtc),
    ("webRtcPeerDisconnected", Name::WebRtc),
    ("webRtcPeerError", Name::WebRtc),
    ("WSStreamStarted", Name::WebRtc),
    ("WSStreamClosed", Name::WebRtc),
];

/// The tags of protocols; any other is exposed as `other`.
const PROTOCOLS: [&str; 54] = [
    "API", "BVAR", "DRM", "H4C", "HTTA", "IASCCLI", "ICET", "ICEU", "IDTLS", "IH4F", "IH4R", "IHTMR", "IHTT",
    "IHTT2", "IJSONCLI", "ILFL", "INVMSKMA", "IR", "IRPC", "IRS", "IRTP", "ISSL", "ITS", "IWS", "IWSFMP4",
    "JSONMETA", "JVAR", "MSSHTLI", "NMEA", "ODTLS", "OH4R", "OHTT", "OHTT2", "OLFL", "OR", "ORPC", "ORTP",
    "OSSL", "OUTVMF", "OWS", "PT", "RAW", "RE", "RNATT", "RS", "RTCP", "RTSP", "SCTP", "SDP", "UDS",
    "WRTCCNX", "WRTCSIG", "WSMETA", "XVAR",
];
/// The types of carriers; any other is exposed as `other`.
const CARRIERS: [&str; 2] = ["IOHT_TCP_CARRIER", "IOHT_UDP_CARRIER"];
/// Most connections that are tracked at once; further ones are only counted.
const LIMIT: usize = 100_000;

/// The meaning of an event name of this family.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    /// A connection was established.
    Opened(Layer),
    /// A connection is gone.
    Closed(Layer),
    /// Something of WebRTC or WebSocket: its payloads are not documented, so it is only counted.
    WebRtc,
}

/// The two layers count their ids apart, and each protocol runs on a carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The protocol.
    Protocol,
    /// The socket below it; such events reach files only.
    Carrier,
}

/// A connection as an event describes it.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    key: (Layer, Key),
    protocol: &'static str,
}

/// An event of this family.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// See [`Name::Opened`].
    Opened(Connection),
    /// See [`Name::Closed`].
    Closed(Connection),
    /// An event without an id, from EMS 1.6, or one of WebRTC.
    Counted,
}

impl Event {
    /// Whether the event can make a row appear.
    pub const fn opens(&self) -> bool {
        matches!(self, Self::Opened(_))
    }
}

/// Reads an event of this family.
pub fn interpret(name: Name, message: &Message<'_>) -> Result<Event, Rejection> {
    let event = match name {
        Name::Opened(layer) => connection(layer, message)?.map(Event::Opened),
        Name::Closed(layer) => connection(layer, message)?.map(Event::Closed),
        Name::WebRtc => None,
    };
    Ok(event.unwrap_or(Event::Counted))
}

fn connection(layer: Layer, message: &Message<'_>) -> Result<Option<Connection>, Rejection> {
    let payload = message.payload();
    if !payload.has("id") {
        return Ok(None);
    }
    let (field, tags): (_, &[_]) = match layer {
        Layer::Protocol => ("protocolType", &PROTOCOLS),
        Layer::Carrier => ("type", &CARRIERS),
    };
    let tag = payload.text(field)?.unwrap_or_default();
    let protocol = tags.iter().find(|known| **known == tag).copied().unwrap_or("other");
    Ok(Some(Connection { key: (layer, Key::of(message, "id")?), protocol }))
}

/// The connections of one server, counted by protocol. They have no stamp.
#[derive(Debug)]
pub struct Table(Lifecycle<(Layer, Key), &'static str, ()>);

impl Default for Table {
    fn default() -> Self {
        Self(Lifecycle::new(LIMIT))
    }
}

impl Table {
    /// How many connections came beyond the limit.
    pub const fn overflows(&self) -> u64 {
        self.0.overflows()
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event) -> Change {
        match event {
            Event::Opened(connection) => self.0.open((connection.key, 0), connection.protocol, true, || ()).0,
            Event::Closed(connection) => self.0.close((connection.key, 0), connection.protocol).0,
            Event::Counted => Change::Counted,
        }
    }

    /// Closes everything: connections do not outlive the server process.
    pub fn empty(&mut self) {
        self.0.end_all();
    }

    /// A new server process counts its connections anew.
    pub fn begin(&mut self) {
        self.0.begin();
    }
}

fn by_protocol(table: &Table, samples: &mut Samples<'_>, read: fn(&Count) -> u64) {
    for (protocol, count) in table.0.counts() {
        samples.add(&[("protocol", protocol)], read(count));
    }
}

/// The metrics of connections.
pub const METRICS: &[Metric<Table>] = &[
    Metric {
        name: "ems_connections",
        kind: Kind::Gauge,
        help: "Open connections by the server's protocol tag, from protocolRegisteredToApp and protocolUnregisteredFromApp; carriers, from carrierCreated and carrierClosed, have tags of their own.",
        labels: &["protocol"],
        query: "sum by (server, protocol) (ems_connections) > 0",
        samples: |table, samples| by_protocol(table, samples, |count| count.open as u64),
    },
    Metric {
        name: "ems_connections_opened_total",
        kind: Kind::Counter,
        help: "Connections opened, from protocolRegisteredToApp and carrierCreated or, if those were late or lost, the close of the connection; each counts once.",
        labels: &["protocol"],
        query: "sum by (server, protocol) (rate(ems_connections_opened_total[5m]))",
        samples: |table, samples| by_protocol(table, samples, |count| count.opened),
    },
    Metric {
        name: "ems_connections_closed_total",
        kind: Kind::Counter,
        help: "Connections closed, from protocolUnregisteredFromApp and carrierClosed or the end of the server process.",
        labels: &["protocol"],
        query: "sum by (server, protocol) (rate(ems_connections_closed_total[5m]))",
        samples: |table, samples| by_protocol(table, samples, |count| count.closed),
    },
];
