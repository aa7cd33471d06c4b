//! What the targets share: a look at everything that a decoded message can be asked for.

use ems_exporter::model::event;
use ems_protocol::message::{self, Format, Message, Rejection};

/// Decodes `bytes` and asks each event in it for all that it holds.
pub fn decode(bytes: &[u8], format: Format) {
    message::decode(bytes, format, look);
}

/// Asks a message for all that it holds: its fields are read only then.
pub fn look(message: Result<Message<'_>, Rejection>) {
    match message {
        Ok(message) => {
            // Rejections are answers; only a panic or a hang is none.
            message.pid().ok();
            event::interpret(&message).ok();
        }
        Err(rejection) => assert!(!rejection.to_string().is_empty()),
    }
}
