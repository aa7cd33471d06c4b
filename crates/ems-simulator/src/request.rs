//! The bytes of one request, header for header as the server sends them.

use super::options::Format;
use super::target::Target;

pub(crate) const EMS_AGENT: &str = "EvoStream Media Server (www.evostream.com)";
pub(crate) const RMS_AGENT: &str = "RDKC Media Server (www.comcast.com)";

/// The bytes that a stock RMS sends between two headers: its name is shorter than the length it was built with, so that
/// seven bytes of the memory behind it follow, and the next header gets a NUL byte into its name.
const NUL_BYTES: &[u8] = b"\0GetOut";

/// The whole request for one event.
pub(crate) fn request(target: &Target, format: Format, stock_rms: bool, body: &[u8]) -> Vec<u8> {
    let (agent, stray) = if stock_rms { (RMS_AGENT, NUL_BYTES) } else { (EMS_AGENT, &b""[..]) };
    let content_type = match format {
        Format::Json => "application/json",
        Format::Xml | Format::Xmlrpc => "application/xml",
    };
    let Target { host, path, .. } = target;
    let mut out = Vec::with_capacity(256 + body.len());
    out.extend_from_slice(
        format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\n").as_bytes(),
    );
    out.extend_from_slice(stray);
    out.extend_from_slice(
        format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(),
    );
    out.extend_from_slice(body);
    out
}

#[cfg(test)]
mod tests {
    use super::{EMS_AGENT, Format, RMS_AGENT, request};
    use crate::tests::recorded;

    #[test]
    fn a_request_has_the_recorded_bytes_but_for_the_servers_name() {
        for (format, extension) in [(Format::Json, "json"), (Format::Xml, "xml"), (Format::Xmlrpc, "xmlrpc")]
        {
            let expected = recorded::request("inStreamCreated.INR", extension);
            let target = format!("http://127.0.0.1:9000/ems/{extension}").parse().unwrap();
            let sent = request(&target, format, false, recorded::split(&expected).1);
            assert_eq!(
                String::from_utf8(sent).unwrap().replace(EMS_AGENT, RMS_AGENT),
                String::from_utf8(expected).unwrap()
            );
        }
    }

    #[test]
    fn a_stock_rms_sends_its_recorded_bytes_with_the_nul() {
        let expected = recorded::request("nul_header", "json");
        let target = "http://127.0.0.1/ems/json?tok=1&x=y".parse().unwrap();
        let sent = request(&target, Format::Json, true, recorded::split(&expected).1);
        assert_eq!(String::from_utf8_lossy(&sent), String::from_utf8_lossy(&expected));
    }
}
