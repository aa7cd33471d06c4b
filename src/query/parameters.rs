//! The parameters of a list: `server=`, `stream=`, `limit=` and `offset=`.

use crate::pipeline::is_server_name;

/// How many entries an answer holds by default.
const DEFAULT_LIMIT: usize = 100;
/// The largest limit.
const MAX_LIMIT: usize = 1000;

/// The parameters of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Only entries of this server.
    pub server: Option<String>,
    /// Only entries of the streams with this name.
    pub stream: Option<String>,
    /// At most so many entries.
    pub limit: usize,
    /// After this many.
    pub offset: usize,
}

impl Default for Query {
    fn default() -> Self {
        Self { server: None, stream: None, limit: DEFAULT_LIMIT, offset: 0 }
    }
}

/// Why a query is invalid, as a sentence. It repeats only names of servers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A parameter that the list does not take.
    #[error("unknown parameter: this list takes {0}")]
    Unknown(&'static str),
    /// A parameter that is given more than once.
    #[error("{0} is given more than once")]
    Twice(&'static str),
    /// Not a number, or too large a one.
    #[error("limit is not a whole number from 1 to {MAX_LIMIT}")]
    Limit,
    /// Not a number.
    #[error("offset is not a whole number")]
    Offset,
    /// Not a valid name of a server.
    #[error("server is not a name: it has 1 to 64 letters, digits, dots, dashes and underscores")]
    Name,
    /// A server that has sent no event and is not configured.
    #[error("no server named {0} is known: see /api/v1/servers")]
    Server(String),
}

impl Query {
    /// Parses a query string; `by_stream` is whether the list can be filtered by stream.
    pub fn parse(text: &str, by_stream: bool) -> Result<Self, QueryError> {
        let mut query = Self::default();
        let mut given: Vec<&str> = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let name = match &*name {
                "server" => "server",
                "stream" if by_stream => "stream",
                "limit" => "limit",
                "offset" => "offset",
                _ if by_stream => return Err(QueryError::Unknown("server, stream, limit and offset")),
                _ => return Err(QueryError::Unknown("server, limit and offset")),
            };
            if given.contains(&name) {
                return Err(QueryError::Twice(name));
            }
            given.push(name);
            match name {
                "server" if is_server_name(&value) => query.server = Some(value.into_owned()),
                "server" => return Err(QueryError::Name),
                "stream" => query.stream = Some(value.into_owned()),
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                    query.limit = limit.ok_or(QueryError::Limit)?;
                }
                _ => query.offset = value.parse().map_err(|_| QueryError::Offset)?,
            }
        }
        Ok(query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_query() {
        let query = Query::parse("server=west&stream=a%20b%2F%C3%A9&limit=5&offset=10", true).unwrap();
        let (server, stream) = (Some("west".to_owned()), Some("a b/é".to_owned()));
        assert_eq!(query, Query { server, stream, limit: 5, offset: 10 });
        assert_eq!(Query::parse("", false), Ok(Query::default()));
    }

    #[test]
    fn explains_an_invalid_query() {
        for (text, wrong) in [
            ("limit=0", "limit is not a whole number from 1 to 1000"),
            ("limit=1001", "limit is not a whole number from 1 to 1000"),
            ("limit=-1", "limit is not a whole number from 1 to 1000"),
            ("offset=x", "offset is not a whole number"),
            ("offset=99999999999999999999999", "offset is not a whole number"),
            ("limit=1&limit=2", "limit is given more than once"),
            ("stream=a", "unknown parameter: this list takes server, limit and offset"),
            (
                "server=%3Cb%3E",
                "server is not a name: it has 1 to 64 letters, digits, dots, dashes and underscores",
            ),
        ] {
            assert_eq!(Query::parse(text, false).unwrap_err().to_string(), wrong, "{text}");
        }
    }
}
