//! From the simulated server's own time to the stamps in its events.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use std::time::Duration;

/// Where the simulated time stands on the real clock.
///
/// The world counts time from its first start. A speed other than 1 makes that time run faster or slower, but the stamps
/// stay on the real clock: a receiver that compares them with its own clock sees true ages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Time since the Unix epoch at which the world began.
    pub(crate) epoch: Duration,
    /// How many simulated seconds pass in one real second.
    pub(crate) speed: f64,
}

impl Clock {
    /// The real time since the Unix epoch that belongs to a moment of the world.
    pub(crate) fn real(&self, moment: Duration) -> Duration {
        self.epoch + moment.div_f64(self.speed)
    }

    /// Whole seconds since the Unix epoch, as in the envelope.
    pub(crate) fn seconds(&self, moment: Duration) -> u64 {
        self.real(moment).as_secs()
    }

    /// Milliseconds since the Unix epoch with their fraction, as in `creationTimestamp`.
    pub(crate) fn millis(&self, moment: Duration) -> f64 {
        self.real(moment).as_nanos() as f64 / 1e6
    }

    /// Real milliseconds between two moments, as in `upTime`.
    pub(crate) fn millis_between(&self, from: Duration, to: Duration) -> f64 {
        to.saturating_sub(from).div_f64(self.speed).as_nanos() as f64 / 1e6
    }

    /// `2026-11-22T16:14:55.000`, the form of chunk and timer times.
    pub(crate) fn date_time(&self, moment: Duration) -> String {
        self.stamp(self.seconds(moment))
    }

    /// `2026-11-22T16:14:55`, the form in which a command gives a time.
    pub(crate) fn command_time(&self, moment: Duration) -> String {
        written(self.seconds(moment), "%Y-%m-%dT%H:%M:%S")
    }

    /// `2026-11-22T16-14-55`, the form of web session times.
    pub(crate) fn session_time(&self, moment: Duration) -> String {
        written(self.seconds(moment), "%Y-%m-%dT%H-%M-%S")
    }

    /// A whole number of seconds since the Unix epoch in the form of timer times.
    pub(crate) fn stamp(&self, seconds: u64) -> String {
        written(seconds, "%Y-%m-%dT%H:%M:%S.000")
    }

    /// The moment of the world that belongs to a real time; none before its beginning.
    pub(crate) fn moment(&self, seconds: u64) -> Option<Duration> {
        let since = Duration::from_secs(seconds).checked_sub(self.epoch)?;
        Duration::try_from_secs_f64(since.as_secs_f64() * self.speed).ok()
    }

    /// Seconds since the Unix epoch of `2026-11-22T16:14:55`, or of `16:14:55` when that is next.
    pub(crate) fn read(&self, text: &str, now: Duration) -> Option<u64> {
        // The parser takes a leap second for second 59; the server knows none.
        if text.ends_with(":60") {
            return None;
        }
        if let Ok(given) = DateTime::strptime("%Y-%m-%dT%H:%M:%S", text) {
            return seconds_of(given);
        }
        let (now, time) = (self.seconds(now), Time::strptime("%H:%M:%S", text).ok()?);
        let today = seconds_of(utc(now).date().to_datetime(time))?;
        Some(if today < now { today + 86_400 } else { today })
    }
}

/// A time since the Unix epoch on the calendar, which ends with the year 9999.
fn utc(seconds: u64) -> DateTime {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    TimeZone::UTC.to_datetime(Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX))
}

fn seconds_of(time: DateTime) -> Option<u64> {
    u64::try_from(TimeZone::UTC.to_timestamp(time).ok()?.as_second()).ok()
}

fn written(seconds: u64, form: &str) -> String {
    utc(seconds).strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use std::time::Duration;

    #[test]
    fn stamps_are_written_as_the_server_writes_them() {
        let clock = Clock { epoch: Duration::from_millis(1_795_364_095_178), speed: 1.0 };
        assert_eq!(clock.date_time(Duration::ZERO), "2026-11-22T16:14:55.000");
        assert_eq!(clock.session_time(Duration::from_secs(11)), "2026-11-22T16-15-06");
        assert_eq!(clock.seconds(Duration::from_secs(1)), 1_795_364_096);
        let leap = Clock { epoch: Duration::from_secs(1_709_164_800), speed: 1.0 };
        assert_eq!(leap.command_time(Duration::ZERO), "2024-02-29T00:00:00");
    }

    #[test]
    fn a_written_time_is_read_back() {
        let clock = Clock { epoch: Duration::from_millis(1_795_364_095_178), speed: 2.0 };
        for seconds in [0, 951_782_400, 1_709_164_800, 1_795_364_095, 4_102_444_799] {
            let written = clock.stamp(seconds);
            let read = clock.read(written.strip_suffix(".000").unwrap(), Duration::ZERO);
            assert_eq!(read, Some(seconds), "{written}");
        }
        assert_eq!(clock.read("16:14:56", Duration::ZERO), Some(1_795_364_096));
        assert_eq!(clock.read("16:14:54", Duration::ZERO), Some(1_795_364_094 + 86_400));
        for wrong in [
            "2026-02-30T00:00:00",
            "2026-11-22T00:00:60",
            "23:59:60",
            "24:00:00",
            "soon",
            "2026-11-22",
            "2026-11-22T1:2",
        ] {
            assert_eq!(clock.read(wrong, Duration::ZERO), None, "{wrong}");
        }
        assert_eq!(clock.moment(1_795_364_096).map(|moment| moment.as_millis()), Some(1644));
        assert_eq!(clock.moment(1), None);
    }

    #[test]
    fn a_faster_world_keeps_its_stamps_on_the_real_clock() {
        let clock = Clock { epoch: Duration::from_secs(1000), speed: 10.0 };
        assert_eq!(clock.seconds(Duration::from_secs(600)), 1060);
    }
}
