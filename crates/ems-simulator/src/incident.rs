//! Incident with one stream from some moment on, as it is written in a flag.

use std::str::FromStr;
use std::time::Duration;

/// One request: `STREAM:after=DURATION`.
///
/// The duration is the simulated server's time, counted from its first start. If there is nothing yet to be in trouble
/// by then, it begins as soon as there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The stream in trouble.
    pub stream: String,
    /// When the trouble begins.
    pub after: Duration,
}

impl FromStr for Incident {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once(":after=").filter(|(stream, _)| !stream.is_empty());
        let (stream, after) = parts.ok_or("this is written STREAM:after=DURATION")?;
        let after = humantime::parse_duration(after)
            .map_err(|error| format!("after={after} is not a duration: {error}"))?;
        Ok(Self { stream: stream.to_owned(), after })
    }
}

#[cfg(test)]
mod tests {
    use super::Incident;
    use std::time::Duration;

    #[test]
    fn a_request_is_read_or_refused_with_its_reason() {
        let trouble = Incident { stream: "cam1".to_owned(), after: Duration::from_secs(20) };
        assert_eq!("cam1:after=20s".parse(), Ok(trouble));
        for (text, reason) in [
            ("cam1", "is written"),
            (":after=1s", "is written"),
            ("cam1:for=1s", "is written"),
            ("cam1:after=soon", "not a duration"),
        ] {
            let error = text.parse::<Incident>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
