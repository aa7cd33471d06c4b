//! Writing an event as a request body, in each of the server's three serializers.

mod json;
mod markup;
mod xml;
mod xmlrpc;

use super::command::Answer;
use super::event::Event;
use super::options::Format;

/// The body of the request that carries an event.
pub(crate) fn body(format: Format, event: &Event) -> Vec<u8> {
    let members = event.members();
    let mut out = Vec::with_capacity(1024);
    match format {
        Format::Json => json::write_map(&mut out, &members),
        Format::Xml => xml::write(&mut out, event.name, &members),
        Format::Xmlrpc => xmlrpc::write(&mut out, event.name, &members),
    }
    out
}

/// An answer of the API, which is always JSON.
pub(crate) fn answer(answer: &Answer) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    json::write_map(&mut out, &answer.members());
    out
}

#[cfg(test)]
mod tests {
    use super::{Format, body};
    use crate::tests::recorded;

    /// Recorded in all three serializers.
    const RECORDED: [&str; 14] = [
        "cliRequest",
        "cliResponse",
        "dashChunkClosed",
        "hlsChunkClosed",
        "inStreamClosed.INR",
        "inStreamCreated.INR",
        "lastPlaylistItemStart",
        "outStreamClosed.ONR",
        "outStreamCodecsUpdated.OFHDS",
        "outStreamCreated.OFHLS",
        "outStreamCreated.OFMSS",
        "recordChunkClosed",
        "streamingSessionEnded",
        "timerTriggered",
    ];

    #[test]
    fn every_serializer_writes_the_recorded_bytes() {
        for name in RECORDED {
            let event = recorded::event(name);
            for (format, extension) in
                [(Format::Json, "json"), (Format::Xml, "xml"), (Format::Xmlrpc, "xmlrpc")]
            {
                let expected = recorded::request(name, extension);
                let expected = recorded::split(&expected).1;
                assert_eq!(
                    String::from_utf8_lossy(&body(format, &event)),
                    String::from_utf8_lossy(expected),
                    "{name} as {extension}"
                );
            }
        }
    }
}
