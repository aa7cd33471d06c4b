//! A media address taken apart, as answers to commands show it where events have one text.

use crate::value::{Map, Value, map, text, u16};

/// The parts of `scheme://user:password@host:port/path?parameters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) original: Vec<u8>,
    scheme: String,
    user: Vec<u8>,
    password: Vec<u8>,
    pub(crate) host: String,
    pub(crate) port: u16,
    port_given: bool,
    path: Vec<u8>,
    parameters: Vec<u8>,
}

impl Address {
    /// The parts of an address; none when it is not one.
    pub(crate) fn read(original: &[u8]) -> Option<Self> {
        let mark = original.windows(3).position(|three| three == b"://")?;
        let (scheme, rest) = (&original[..mark], &original[mark + 3..]);
        let scheme = std::str::from_utf8(scheme).ok()?.to_ascii_lowercase();
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (login, place) = match authority.iter().rposition(|byte| *byte == b'@') {
            Some(at) => (&authority[..at], &authority[at + 1..]),
            None => (&b""[..], authority),
        };
        let (user, password) = halves(login, b':');
        let (host, port) = halves(place, b':');
        let host = std::str::from_utf8(host).ok().filter(|host| !host.is_empty())?.to_owned();
        let (port, port_given) = match std::str::from_utf8(port).ok()? {
            "" => (usual_port(&scheme)?, false),
            given => (given.parse().ok().filter(|port| *port > 0)?, true),
        };
        let (path, parameters) = halves(path, b'?');
        let path = if path.is_empty() { b"/" } else { path };
        Some(Self {
            original: original.to_vec(),
            scheme,
            user: user.to_vec(),
            password: password.to_vec(),
            host,
            port,
            port_given,
            path: path.to_vec(),
            parameters: parameters.to_vec(),
        })
    }

    /// The object that answers carry.
    pub(crate) fn members(&self) -> Map {
        let cut = self.path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (folder, document) = self.path.split_at(cut);
        let question: &[u8] = if self.parameters.is_empty() { b"" } else { b"?" };
        let with = |start: &[u8]| text([start, question, &self.parameters].concat());
        let port = if self.port_given { format!(":{}", self.port) } else { String::new() };
        let full = |login: &[u8]| {
            let scheme = self.scheme.as_bytes();
            with(&[scheme, b"://", login, self.host.as_bytes(), port.as_bytes(), &self.path].concat())
        };
        let login = match (self.user.is_empty(), self.password.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) => [&self.user, &b"@"[..]].concat(),
            (false, false) => [&self.user, &b":"[..], &self.password, b"@"].concat(),
        };
        let pairs = self.parameters.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        let parameters = pairs.map(|pair| {
            let (name, value) = halves(pair, b'=');
            (String::from_utf8_lossy(name).into_owned().into(), text(value))
        });
        map([
            ("document", text(document)),
            ("documentPath", text(folder)),
            ("documentWithFullParameters", with(document)),
            ("fullDocumentPath", text(&self.path)),
            ("fullDocumentPathWithParameters", with(&self.path)),
            ("fullParameters", with(b"")),
            ("fullUri", full(b"")),
            ("fullUriWithAuth", full(&login)),
            ("host", text(&self.host)),
            ("ip", text(&self.host)),
            ("originalUri", text(&self.original)),
            ("parameters", Value::Map(parameters.collect())),
            ("password", text(&self.password)),
            ("port", u16(self.port)),
            ("portSpecified", Value::Bool(self.port_given)),
            ("scheme", text(&self.scheme)),
            ("userName", text(&self.user)),
        ])
    }
}

/// The bytes before and after the first separator.
fn halves(bytes: &[u8], separator: u8) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == separator) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, b""),
    }
}

fn usual_port(scheme: &str) -> Option<u16> {
    Some(match scheme {
        "rtmp" | "rtmpe" | "rtmpt" => 1935,
        "rtmps" | "https" => 443,
        "rtsp" => 554,
        "http" => 80,
        "mpegtsudp" | "mpegtstcp" | "dmpegtsudp" | "dmpegtstcp" | "rtp" => 9999,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Address, Value};

    #[test]
    fn an_address_is_parsed() {
        let address = Address::read(b"rtsp://u:p@h:5544/live/cam?a=b").unwrap();
        assert_eq!((address.host.as_str(), address.port), ("h", 5544));
        let members = address.members();
        let text = |member: &str| {
            let Value::Text(text) = &members[member] else { panic!("{member} is no text") };
            String::from_utf8(text.clone()).unwrap()
        };
        assert_eq!(text("documentPath"), "/live/");
        assert_eq!(text("documentWithFullParameters"), "cam?a=b");
        assert_eq!(text("fullUri"), "rtsp://h:5544/live/cam?a=b");
        assert_eq!(text("fullUriWithAuth"), "rtsp://u:p@h:5544/live/cam?a=b");
    }

    #[test]
    fn text_that_is_not_an_address_is_rejected() {
        for wrong in [&b"cam1"[..], b"rtmp://", b"odd://h/x", b"rtmp://h:0/x", b"rtmp://h:x/x"] {
            assert_eq!(Address::read(wrong), None, "{}", String::from_utf8_lossy(wrong));
        }
    }
}
