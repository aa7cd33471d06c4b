//! Who may post events: media servers that know a secret, from allowed addresses.
//!
//! Media servers send no credentials, so the secret travels in the URL of their sink: as `?secret=…`, or as the last
//! segment of the path.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use subtle::ConstantTimeEq;

use ems_protocol::Rejection;

/// The shortest secret, in bytes: it must not be guessed.
const SHORTEST: usize = 16;
/// The longest secret, in bytes.
const LONGEST: usize = 256;
/// The parameter of a query that holds the secret.
const PARAMETER: &str = "secret=";

/// The secret that media servers send with their events. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// A secret that can stand in a URL as it is.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        if plain && (SHORTEST..=LONGEST).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        Err(
            "the secret must be 16 to 256 letters, digits, dots, dashes, underscores and tildes, such as `openssl rand -hex 16` prints",
        )
    }

    fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

/// The requirements for posting events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Guard {
    /// The secret they must send, if any.
    pub secret: Option<Secret>,
    /// The addresses they must come from; empty for any.
    pub allow: Vec<IpNet>,
    /// Whether the health pages require a user, as all other pages do.
    pub protect_health: bool,
    /// The host names by which browsers reach the exporter's pages.
    pub names: Vec<String>,
}

impl Guard {
    /// Whether anyone who reaches the exporter may post events.
    pub fn is_open(&self) -> bool {
        self.secret.is_none() && self.allows_all()
    }

    fn allows_all(&self) -> bool {
        self.allow.is_empty() || self.allow.iter().any(|net| net.prefix_len() == 0)
    }

    /// What a reload to `new` would take away.
    pub fn lost_in(&self, new: &Self) -> Vec<&'static str> {
        let mut lost = Vec::new();
        if self.secret.is_some() && new.secret.is_none() {
            lost.push("ingest.secret_file");
        }
        if !self.allows_all() && new.allows_all() {
            lost.push("ingest.allow");
        }
        if self.protect_health && !new.protect_health {
            lost.push("web.protect_health");
        }
        lost
    }

    /// Whether events may come from this address. An IPv4 address and the IPv6 address that it is mapped to are one.
    fn allows(&self, from: IpAddr) -> bool {
        let mapped = match from.to_canonical() {
            IpAddr::V4(plain) => IpAddr::V6(plain.to_ipv6_mapped()),
            IpAddr::V6(_) => from,
        };
        self.allow.iter().any(|net| net.contains(&from.to_canonical()) || net.contains(&mapped))
    }

    /// Checks who posts an event, and returns the path without the secret.
    pub fn admit<'p>(
        &self,
        from: Option<IpAddr>,
        path: &'p str,
        query: Option<&str>,
    ) -> Result<&'p str, Rejection> {
        if !self.allow.is_empty() && !from.is_some_and(|from| self.allows(from)) {
            return Err(Rejection::Forbidden("events may not be posted from this address"));
        }
        let Some(secret) = &self.secret else {
            return Ok(path);
        };
        let wrong = Err(Rejection::Forbidden("the secret in the URL is missing or wrong"));
        // It may stand in both places, and must not become the name of a server.
        let in_path = path.rsplit_once('/').filter(|(_, given)| secret.is(given)).map(|(rest, _)| rest);
        let mut parameters = query.unwrap_or_default().split('&');
        if let Some(given) = parameters.find_map(|parameter| parameter.strip_prefix(PARAMETER)) {
            return if secret.is(given) { Ok(in_path.unwrap_or(path)) } else { wrong };
        }
        in_path.map_or(wrong, Ok)
    }
}

/// A network such as `10.0.0.0/8`, or one address.
pub fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef";

    fn guard() -> Guard {
        Guard { secret: Some(Secret::new(SECRET).unwrap()), ..Guard::default() }
    }

    #[test]
    fn the_secret_is_found_in_query_and_path_and_taken_out() {
        let (query, more) = (format!("secret={SECRET}"), format!("a=b&secret={SECRET}&c"));
        for (path, query, expected) in [
            ("/events", Some(query.as_str()), "/events"),
            ("/", Some(&query), "/"),
            ("/events/west", Some(&more), "/events/west"),
            ("/events/0123456789abcdef", None, "/events"),
            ("/events/west/0123456789abcdef", None, "/events/west"),
            ("/events/west/0123456789abcdef", Some("x=y"), "/events/west"),
            ("/events/0123456789abcdef", Some(&query), "/events"),
        ] {
            assert_eq!(guard().admit(None, path, query), Ok(expected), "{path} {query:?}");
        }
        for (path, query) in [
            ("/events", None),
            ("/events/west", None),
            ("/events/0123456789abcdee", None),
            ("/events/0123456789abcdef/west", None),
            ("/events/0123456789abcdef", Some("secret=")),
            ("/", Some("secret=0123456789abcde")),
            ("/", Some("SECRET=0123456789abcdef")),
        ] {
            assert!(guard().admit(None, path, query).is_err(), "{path} {query:?}");
        }
        assert!(!format!("{:?}", guard()).contains(SECRET));
    }

    #[test]
    fn only_allowed_addresses_come_in() {
        let allow = ["10.0.0.0/8", "::1", "192.0.2.7"].map(|text| network(text).unwrap()).to_vec();
        let guard = Guard { allow, ..Guard::default() };
        let admits = |from: &str| guard.admit(Some(from.parse().unwrap()), "/events", None).is_ok();
        assert!(admits("10.1.2.3") && admits("::1") && admits("192.0.2.7"));
        assert!(admits("::ffff:10.1.2.3") && !admits("::ffff:11.0.0.1"));
        assert!(!admits("11.0.0.1") && !admits("192.0.2.8") && !admits("fe80::1"));
        assert!(guard.admit(None, "/events", None).is_err(), "an unknown address is not an allowed one");
        assert_eq!(network("10.0.0.0/33"), None);
        let only = |net: &str| Guard { allow: vec![network(net).unwrap()], ..Guard::default() };
        let from = |text: &str| Some(text.parse().unwrap());
        assert!(only("::ffff:10.0.0.0/104").admit(from("10.1.2.3"), "/events", None).is_ok());
        assert!(only("0.0.0.0/0").is_open() && only("::/0").is_open() && !only("0.0.0.0/1").is_open());
    }

    #[test]
    fn secrets_are_long_and_plain() {
        assert!(Secret::new("short").is_err());
        assert!(Secret::new("a secret with spaces").is_err());
        assert!(Secret::new(&"x".repeat(257)).is_err());
    }
}
