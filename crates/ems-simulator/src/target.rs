//! The address that events are posted to.

use std::fmt;
use std::str::FromStr;

/// Where events go: `http://host[:port][/path][?query]`, the only form the simulated server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The host as written; it alone goes into the `Host` header, as the server does it.
    pub host: String,
    /// The port, 80 when the address names none.
    pub port: u16,
    /// Path and query, sent as given.
    pub path: String,
}

impl Default for Target {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: 10777, path: "/events".to_owned() }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("https://") {
            return Err("https is not supported, only http://host:port/path?query".to_owned());
        }
        let Some(rest) = text.strip_prefix("http://") else {
            return Err("the address must start with http://, as in http://host:port/path?query".to_owned());
        };
        if let Some(bad) = text.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
            return Err(format!("the address must not hold the character {bad:?}"));
        }
        let (authority, path) = match rest.find(['/', '?']) {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(
                "a user and password in the address are not sent by the server; put a secret into the path or query"
                    .to_owned(),
            );
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => match port.parse() {
                Ok(port) if port > 0 => (host, port),
                Ok(_) | Err(_) => return Err(format!("{port:?} is not a port from 1 to 65535")),
            },
            _ => (authority, 80),
        };
        if host.is_empty() {
            return Err("the address names no host".to_owned());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn an_address_is_parsed_and_displayed() {
        let target: Target = "http://h:8080/a/b?c=d".parse().unwrap();
        assert_eq!((target.host.as_str(), target.port, target.path.as_str()), ("h", 8080, "/a/b?c=d"));
        assert_eq!(target.to_string(), "http://h:8080/a/b?c=d");
        let bare: Target = "http://h".parse().unwrap();
        assert_eq!((bare.port, bare.path.as_str()), (80, "/"));
        let six: Target = "http://[::1]:1/".parse().unwrap();
        assert_eq!((six.host.as_str(), six.port), ("[::1]", 1));
        assert_eq!("http://[::1]/".parse::<Target>().unwrap().port, 80);
        assert_eq!("http://h?a=b".parse::<Target>().unwrap().path, "/?a=b");
    }

    #[test]
    fn every_wrong_address_is_rejected_with_its_reason() {
        for (text, reason) in [
            ("https://h/", "https is not supported"),
            ("h:80/", "must start with http://"),
            ("http://u:p@h/", "user and password"),
            ("http://:80/", "names no host"),
            ("http://h:0/", "not a port"),
            ("http://h:x/", "not a port"),
            ("http://h/#top", "must not hold"),
            ("http://h/a b", "must not hold"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
