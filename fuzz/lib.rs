//! What the targets share: a look at everything that a decoded message can be asked for.

use ems_exporter::event;
use ems_exporter::wire::{self, Format, Message, Refusal};

/// Decodes `bytes` and asks each event in it for all that it holds.
pub fn decode(bytes: &[u8], format: Format) {
    wire::decode(bytes, format, look);
}

/// Asks a message for all that it holds: its fields are read only then.
pub fn look(message: Result<Message<'_>, Refusal>) {
    match message {
        Ok(message) => {
            // Refusals are answers; only a panic or a hang is none.
            message.pid().ok();
            event::interpret(&message).ok();
        }
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}
