//! Parsing of requests: the line of text that the server makes of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A parsed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiRequest {
    /// The command with its parameters as one text, which can hold more than one command; none when the parameters
    /// cannot be decoded.
    pub(crate) line: Option<Vec<u8>>,
    /// Whether it came through the web server's proxy.
    pub(crate) proxied: bool,
}

/// The first step of the path of what goes through the proxy.
const PROXY: &str = "apiproxy/";

impl ApiRequest {
    /// Reads path and query as they are: nothing is percent-decoded.
    pub(crate) fn read(path: &str, query: Option<&str>, has_proxy: bool) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        let (command, proxied) = match path.strip_prefix(PROXY) {
            Some(command) if has_proxy => (command, true),
            Some(_) | None => (path, false),
        };
        let mut line = command.as_bytes().to_vec();
        let line = match first_value(query.unwrap_or_default()) {
            "" => Some(line),
            encoded => STANDARD.decode(encoded).ok().map(|parameters| {
                line.push(b' ');
                line.extend_from_slice(&parameters);
                line
            }),
        };
        Self { line, proxied }
    }
}

/// The value of the parameter whose name comes first in the alphabet, whatever it is.
fn first_value(query: &str) -> &str {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.min_by_key(|(name, _)| *name).map_or("", |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::ApiRequest;

    fn line(path: &str, query: Option<&str>) -> Option<String> {
        ApiRequest::read(path, query, false).line.map(|line| String::from_utf8(line).unwrap())
    }

    #[test]
    fn the_line_is_the_command_and_its_decoded_parameters() {
        assert_eq!(line("/version", None).as_deref(), Some("version"));
        let shutdown = line("/shutdownStream", Some("params=aWQ9NTUgcGVybWFuZW50bHk9MQ=="));
        assert_eq!(shutdown.as_deref(), Some("shutdownStream id=55 permanently=1"));
    }

    #[test]
    fn the_first_name_of_the_alphabet_counts() {
        let query = "params=aWQ9MQ==&a=aWQ9Mg==";
        assert_eq!(line("/x", Some(query)).as_deref(), Some("x id=2"));
    }

    #[test]
    fn only_the_standard_alphabet_with_padding_is_understood() {
        for wrong in ["params=aWQ9MQ", "params=aWQ9MQ%3D%3D", "params=-_==", "params=a WQ9"] {
            assert_eq!(line("/x", Some(wrong)), None, "{wrong}");
        }
        assert_eq!(ApiRequest::read("/x", Some("params=//++"), false).line, Some(b"x \xff\xff\xbe".to_vec()));
    }

    #[test]
    fn the_proxy_path_is_known_only_with_a_login() {
        let request = ApiRequest::read("/apiproxy/version", None, true);
        assert_eq!(request, ApiRequest { line: Some(b"version".to_vec()), proxied: true });
        assert_eq!(line("/apiproxy/version", None).as_deref(), Some("apiproxy/version"));
    }
}
