//! The server's XML documents and XML-RPC calls.

#![no_main]

use ems_protocol::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    ems_exporter_fuzz::decode(bytes, Format::Xml);
    ems_exporter_fuzz::decode(bytes, Format::XmlRpc);
});
