//! From the simulated server's own time to the stamps in its events.

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
        format!("{}.000", self.format(moment, ':'))
    }

    /// `2026-11-22T16:14:55`, the form in which a command gives a time.
    pub(crate) fn command_time(&self, moment: Duration) -> String {
        self.format(moment, ':')
    }

    /// `2026-11-22T16-14-55`, the form of web session times.
    pub(crate) fn session_time(&self, moment: Duration) -> String {
        self.format(moment, '-')
    }

    fn format(&self, moment: Duration, mark: char) -> String {
        let seconds = self.seconds(moment);
        let (year, month, day) = date_of(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}{mark}{minute:02}{mark}{second:02}")
    }
}

/// Year, month and day of a count of days since the Unix epoch, in the Gregorian calendar.
fn date_of(days: u64) -> (u64, u64, u64) {
    // Counted from 1 March of year 0, so that the leap day ends a year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
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
    fn a_faster_world_keeps_its_stamps_on_the_real_clock() {
        let clock = Clock { epoch: Duration::from_secs(1000), speed: 10.0 };
        assert_eq!(clock.seconds(Duration::from_secs(600)), 1060);
    }
}
