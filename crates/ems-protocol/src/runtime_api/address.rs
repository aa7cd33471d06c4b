//! Where a server's runtime API is: its own port, or the proxy of its web server.

use std::fmt;
use std::str::FromStr;

/// `http://HOST[:PORT][/PREFIX]`. The server's own port is 7777; its web server answers on another,
/// under a prefix and with HTTP Basic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The host, as in a Host header.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path before the name of the command, without a slash at its end.
    pub prefix: String,
}

/// The port of the server's own HTTP transport to its API.
const PORT: u16 = 7777;

/// The port of other HTTP servers.
const HTTP: u16 = 80;

impl Address {
    /// `HOST:PORT`.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "is not an address such as http://127.0.0.1:7777 or http://HOST:8888/apiproxy";
        let address = Self::read(text, PORT, b"/-_.~", wrong)?;
        Ok(Self { prefix: address.prefix.trim_end_matches('/').to_owned(), ..address })
    }
}

impl Address {
    /// The address of a program other than a media server.
    pub fn of_other(text: &str) -> Result<Self, &'static str> {
        Self::read(text, HTTP, b"/-_.~?&=%+", "is not an address such as http://127.0.0.1:9000/hook")
    }

    fn read(text: &str, usual: u16, marks: &[u8], wrong: &'static str) -> Result<Self, &'static str> {
        if text.starts_with("https://") {
            return Err(
                "must begin with http://: for https, give the address of a proxy that forwards to it",
            );
        }
        let rest = text.strip_prefix("http://").ok_or(wrong)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("must not hold a password: it goes into username and password_file");
        }
        let bracket = authority.rfind(']').unwrap_or(0);
        let (host, port) = match authority[bracket..].rfind(':') {
            Some(colon) => {
                let (host, port) = authority.split_at(bracket + colon);
                (host, port[1..].parse().map_err(|_| wrong)?)
            }
            None => (authority, usual),
        };
        let plain = |text: &str, more: &[u8]| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
        };
        if host.is_empty() || !plain(host, b".-_[]:") || !plain(path, marks) {
            return Err(wrong);
        }
        Ok(Self { host: host.to_owned(), port, prefix: path.to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_addresses_of_api_and_proxy() {
        let read = |text: &str| text.parse::<Address>().map(|address| address.to_string());
        assert_eq!(read("http://127.0.0.1").as_deref(), Ok("http://127.0.0.1:7777"));
        assert_eq!(read("http://ems:8888/apiproxy/").as_deref(), Ok("http://ems:8888/apiproxy"));
        assert_eq!(read("http://[::1]:7777").as_deref(), Ok("http://[::1]:7777"));
        assert_eq!(read("http://[::1]").as_deref(), Ok("http://[::1]:7777"));
        for wrong in
            ["", "127.0.0.1:7777", "https://ems", "http://", "http://a:b", "http://a/b?c", "http://a b"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let other = |text: &str| Address::of_other(text).map(|address| address.to_string());
        assert_eq!(other("http://host/hook/?a=b").as_deref(), Ok("http://host:80/hook/?a=b"));
        assert!(other("http://host/a b").is_err() && other("https://host/").is_err());
        assert!(read("http://me:secret@ems").unwrap_err().contains("password_file"));
    }
}
