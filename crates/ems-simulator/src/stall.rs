//! When an output stops writing chunks although its stream and connection stay up.

use super::output_format::OutputFormat;
use std::str::FromStr;
use std::time::Duration;

/// One requested stall: `STREAM[:FORMAT]:after=DURATION,for=DURATION|recreated[,every=DURATION]`.
///
/// Durations are the simulated server's time, counted from its first start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The stream whose outputs stall.
    pub stream: String,
    /// The one format that stalls; all of the stream's when absent.
    pub format: Option<OutputFormat>,
    /// When the first stall begins.
    pub after: Duration,
    /// How long each stall lasts; until the output is closed and re-created when absent.
    pub lasting: Option<Duration>,
    /// From the beginning of one stall to that of the next; only one stall when absent.
    pub every: Option<Duration>,
}

/// How the stall of an output ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StallEnd {
    /// By itself, at this moment.
    At(Duration),
    /// When the output is closed and re-created.
    Recreated,
}

impl Stall {
    /// The next moment, from this one on, at which the stall begins.
    pub(crate) fn next_start(&self, moment: Duration) -> Option<Duration> {
        let Some(since) = moment.checked_sub(self.after) else { return Some(self.after) };
        let every = self.every.map_or(0, |every| every.as_nanos());
        match since.as_nanos().checked_rem(every) {
            _ if since.is_zero() => Some(moment),
            None => None,
            Some(0) => Some(moment),
            Some(passed) => {
                Some(moment + Duration::from_nanos(u64::try_from(every - passed).unwrap_or(u64::MAX)))
            }
        }
    }

    /// The end of the stall that holds an output of this age at a moment, if one does.
    pub(crate) fn end(
        &self,
        stream: &str,
        format: OutputFormat,
        created: Duration,
        moment: Duration,
    ) -> Option<StallEnd> {
        if self.stream != stream || self.format.is_some_and(|only| only != format) {
            return None;
        }
        let since = moment.checked_sub(self.after)?;
        let start = match self.every {
            Some(every) => {
                let passed = since.as_nanos() % every.as_nanos().max(1);
                moment - Duration::from_nanos(u64::try_from(passed).unwrap_or(u64::MAX))
            }
            None => self.after,
        };
        match self.lasting {
            Some(lasting) => (moment < start + lasting).then_some(StallEnd::At(start + lasting)),
            None => (created < start).then_some(StallEnd::Recreated),
        }
    }
}

impl FromStr for Stall {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "expected STREAM[:FORMAT]:after=DURATION,for=DURATION|recreated[,every=DURATION]";
        let Some((place, times)) = text.rsplit_once(':') else {
            return Err(form.to_owned());
        };
        let (stream, format) = match place.split_once(':') {
            Some((stream, format)) => (stream, Some(format.parse()?)),
            None => (place, None),
        };
        if stream.is_empty() {
            return Err(form.to_owned());
        }
        let (mut after, mut lasting, mut every) = (None, None, None);
        for part in times.split(',') {
            let Some((key, value)) = part.split_once('=') else {
                return Err(form.to_owned());
            };
            let slot = match key {
                "after" => &mut after,
                "for" => &mut lasting,
                "every" => &mut every,
                other => {
                    return Err(format!("a stall has no {other:?}, only after, for and every"));
                }
            };
            let duration = match (key, value) {
                ("for", "recreated") => None,
                _ => Some(
                    humantime::parse_duration(value)
                        .map_err(|error| format!("{key}={value} is not a duration: {error}"))?,
                ),
            };
            if slot.replace(duration).is_some() {
                return Err(format!("a stall takes {key} only once"));
            }
        }
        let (Some(after), Some(lasting)) = (after, lasting) else {
            return Err("a stall needs both after and for".to_owned());
        };
        let Some(after) = after else {
            return Err("a stall's after must be a duration".to_owned());
        };
        let every = every.flatten();
        if every.is_some_and(|every| lasting.is_some_and(|lasting| every <= lasting)) {
            return Err("a stall's every must be longer than its for".to_owned());
        }
        Ok(Self { stream: stream.to_owned(), format, after, lasting, every })
    }
}

#[cfg(test)]
mod tests {
    use super::{OutputFormat, Stall, StallEnd};
    use std::time::Duration;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_stall_begins_ends_and_repeats() {
        let stall: Stall = "cam2:hls:after=20s,for=60s,every=5m".parse().unwrap();
        let end = |stall: &Stall, stream, format, moment| stall.end(stream, format, at(0), at(moment));
        let until = |moment| end(&stall, "cam2", OutputFormat::Hls, moment);
        assert_eq!(until(19), None);
        assert_eq!(until(20), Some(StallEnd::At(at(80))));
        assert_eq!(until(79), Some(StallEnd::At(at(80))));
        assert_eq!(until(80), None);
        assert_eq!(until(320), Some(StallEnd::At(at(380))));
        assert_eq!(end(&stall, "cam2", OutputFormat::Hds, 20), None);
        assert_eq!(end(&stall, "cam1", OutputFormat::Hls, 20), None);
        let once: Stall = "cam1:after=1s,for=1s".parse().unwrap();
        assert_eq!(end(&once, "cam1", OutputFormat::Dash, 1), Some(StallEnd::At(at(2))));
        assert_eq!(end(&once, "cam1", OutputFormat::Dash, 2), None);
    }

    #[test]
    fn the_next_start_is_found_from_any_moment() {
        let repeated: Stall = "cam2:after=20s,for=60s,every=5m".parse().unwrap();
        let once: Stall = "cam2:after=20s,for=60s".parse().unwrap();
        for (moment, next) in [(0, 20), (20, 20), (21, 320), (320, 320), (321, 620)] {
            assert_eq!(repeated.next_start(at(moment)), Some(at(next)), "{moment}");
            assert_eq!(once.next_start(at(moment)), (moment <= 20).then_some(at(20)), "{moment}");
        }
    }

    #[test]
    fn a_stall_can_last_until_the_output_is_recreated() {
        let stall: Stall = "cam1:after=20s,for=recreated,every=1m".parse().unwrap();
        let end = |created, moment| stall.end("cam1", OutputFormat::Hls, at(created), at(moment));
        assert_eq!(end(1, 19), None);
        assert_eq!(end(1, 20), Some(StallEnd::Recreated));
        assert_eq!(end(1, 70), Some(StallEnd::Recreated));
        assert_eq!(end(25, 70), None);
        assert_eq!(end(25, 80), Some(StallEnd::Recreated));
    }

    #[test]
    fn every_wrong_stall_is_rejected_with_its_reason() {
        for (text, reason) in [
            ("cam1", "expected STREAM"),
            (":after=1s,for=1s", "expected STREAM"),
            ("cam1:after=1s,for", "expected STREAM"),
            ("cam1:mp3:after=1s,for=1s", "hls, hds, dash, mss or record"),
            ("cam1:after=1s", "needs both"),
            ("cam1:after=1s,for=soon", "not a duration"),
            ("cam1:after=1s,for=1s,for=2s", "only once"),
            ("cam1:after=1s,for=1s,then=2s", "has no"),
            ("cam1:after=1s,for=9s,every=9s", "longer"),
        ] {
            let error = text.parse::<Stall>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
