//! An incident on one stream, as a flag requests it.

use std::str::FromStr;
use std::time::Duration;

/// One request: `STREAM:after=DURATION`.
///
/// The duration is the simulated server's time, counted from its first start. If the stream is not open by then, the
/// incident begins as soon as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The affected stream.
    pub stream: String,
    /// When the incident begins.
    pub after: Duration,
}

impl FromStr for Incident {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once(":after=").filter(|(stream, _)| !stream.is_empty());
        let (stream, after) = parts.ok_or("expected STREAM:after=DURATION, as in cam3:after=20s")?;
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
    fn a_request_is_read_or_rejected_with_its_reason() {
        let incident = Incident { stream: "cam1".to_owned(), after: Duration::from_secs(20) };
        assert_eq!("cam1:after=20s".parse(), Ok(incident));
        for (text, reason) in [
            ("cam1", "expected STREAM"),
            (":after=1s", "expected STREAM"),
            ("cam1:for=1s", "expected STREAM"),
            ("cam1:after=soon", "not a duration"),
        ] {
            let error = text.parse::<Incident>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
