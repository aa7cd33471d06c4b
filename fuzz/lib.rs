//! Code shared by the targets: reads all fields of a decoded message.

use ems_exporter::model::event;
use ems_protocol::{decode, Format, Message, Rejection};

/// Decodes `bytes` and reads all of each event.
pub fn decode(bytes: &[u8], format: Format) {
    decode::decode(bytes, format, usize::MAX, read);
}

/// Reads all of a message: its fields are decoded only then.
pub fn read(message: Result<Message<'_>, Rejection>) {
    match message {
        Ok(message) => {
            // A rejection is a valid result; only a panic or a hang is a failure.
            message.pid().ok();
            event::interpret(&message).ok();
        }
        Err(rejection) => assert!(!rejection.to_string().is_empty()),
    }
}
