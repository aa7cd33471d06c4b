//! Unix time in whole milliseconds: the exporter's steady clock, and the host's wall clock beside it.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::civil::Date;
use jiff::tz::Offset;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Times before 1970 keep their place within this many seconds: senders of the same event, which may write the hour of
/// another zone, then agree on it as they do on later times. Zones differ by quarters of an hour.
const ZONE_STEP: i64 = 900;

/// When the steady clock began, and the wall clock's time then.
static START: OnceLock<(Instant, Timestamp)> = OnceLock::new();

/// Milliseconds since 1970-01-01T00:00:00Z. Time always comes in as an argument: only listeners,
/// followers and timers call [`Timestamp::now`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Later than all others.
    pub const MAX: Self = Self(u64::MAX);

    /// The steady clock: the wall clock's time when it is first read, and from then on the time that has passed. It
    /// never steps, and it stands still while the machine is suspended, so that neither changes an age.
    pub fn now() -> Self {
        Self::from(Instant::now())
    }

    /// `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// `seconds` seconds after the epoch.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// `seconds` seconds after the epoch, or before it: then a time soon after the epoch stands for it.
    pub const fn from_unix(seconds: i64) -> Self {
        let later = if seconds < 0 { seconds.rem_euclid(ZONE_STEP) } else { seconds };
        Self::from_seconds(later.unsigned_abs())
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Seconds since the epoch. Times that the exporter shows are [`Wall::seconds`].
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// How long after `earlier` this is; zero when the clock went back.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This time plus `by`.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// This time less `by`, not before the epoch.
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Reads `YYYY-MM-DDTHH:MM:SS` as the server writes it: with or without a fraction, with `-` or
    /// `:` in the time part, or as `YYYY-Mon-DD HH:MM:SS` in W3C files. No zone is ever written;
    /// the text is taken as UTC.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(month) = text.get(5..8).and_then(|name| MONTHS.iter().position(|month| *month == name)) {
            let (year, rest) = (text.get(..5)?, text.get(8..)?);
            return Self::parse(&format!("{year}{:02}{}", month + 1, rest.replacen(' ', "T", 1)));
        }
        let bytes = text.as_bytes();
        let number = |from: usize, to: usize| -> Option<u64> {
            let digits = bytes.get(from..to)?;
            digits.iter().try_fold(0u64, |sum, digit| {
                digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0'))
            })
        };
        let separators = [(4, b"--"), (7, b"--"), (10, b"TT"), (13, b":-"), (16, b":-")];
        if !separators.iter().all(|(at, either)| bytes.get(*at).is_some_and(|byte| either.contains(byte))) {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let (year, month, day) =
            (i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let midnight = Date::new(year, month, day).ok()?.at(0, 0, 0, 0);
        let midnight = Offset::UTC.to_timestamp(midnight).ok()?.as_second();
        Some(Self::from_unix(midnight.saturating_add_unsigned(hour * 3600 + minute * 60 + second)))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH);
        Self(since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl From<Instant> for Timestamp {
    fn from(instant: Instant) -> Self {
        let (start, wall) = *START.get_or_init(|| (Instant::now(), Self::from(SystemTime::now())));
        wall.plus(instant.saturating_duration_since(start))
    }
}

/// By how many seconds the host's wall clock is ahead of the steady one: 0 until it is set or the machine suspended.
///
/// All times in one answer are converted with the same difference, so that ages between them are right. Whole seconds
/// keep it from changing with each reading of the two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wall(i64);

impl Wall {
    /// The present difference.
    pub fn now() -> Self {
        let (steady, wall) = (Timestamp::now(), Timestamp::from(SystemTime::now()));
        Self::ahead((wall.seconds() - steady.seconds()).round() as i64)
    }

    /// A wall clock that is `seconds` ahead of the steady one.
    pub const fn ahead(seconds: i64) -> Self {
        Self(seconds)
    }

    /// By how many seconds it is ahead.
    pub const fn difference(self) -> i64 {
        self.0
    }

    /// A time of the steady clock, by the wall clock.
    pub const fn time(self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.saturating_add_signed(self.0.saturating_mul(1000)))
    }

    /// A time of the steady clock, in seconds since the epoch by the wall clock: the unit of every
    /// `…_timestamp_seconds`.
    pub fn seconds(self, at: Timestamp) -> f64 {
        self.time(at).seconds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_spellings_of_the_server() {
        let expected = Some(Timestamp::from_seconds(1_795_364_096));
        assert_eq!(Timestamp::parse("2026-11-22T16:14:56.000"), expected);
        assert_eq!(Timestamp::parse("2026-11-22T16:14:56"), expected);
        assert_eq!(Timestamp::parse("2026-11-22T16-14-56"), expected);
        assert_eq!(Timestamp::parse("2026-Nov-22 16:14:56"), expected);
        assert_eq!(Timestamp::parse("1970-01-01T00:00:00"), Some(Timestamp(0)));
        assert_eq!(Timestamp::parse("2024-02-29T12:00:00"), Some(Timestamp::from_seconds(1_709_208_000)));
    }

    #[test]
    fn rejects_invalid_times() {
        for text in [
            "",
            "now",
            "2026-13-01T00:00:00",
            "2026-11-22 16:14:56",
            "2026-11-2xT16:14:56",
            "2026-02-29T00:00:00",
            "2026-02-31T00:00:00",
            "2026-04-31T00:00:00",
            "2026-Feb-30 00:00:00",
            "2026-11-00T00:00:00",
            "2026-11-22T24:00:00",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn times_before_1970_are_read_alike_in_every_zone() {
        let (east, west) = ("1969-12-31T23:59:59", "1969-06-30T19:44:59");
        assert_eq!(Timestamp::parse(east), Some(Timestamp::from_unix(-1)));
        assert_eq!(Timestamp::parse(west), Some(Timestamp::from_unix(-1)));
        assert_eq!(Timestamp::from_unix(-1), Timestamp::from_seconds(899));
    }

    #[test]
    fn times_are_shown_by_the_wall_clock() {
        let at = Timestamp::from_millis(10_500);
        assert_eq!(
            [Wall::default(), Wall::ahead(-3), Wall::ahead(-60)].map(|wall| wall.seconds(at)),
            [10.5, 7.5, 0.0]
        );
    }

    #[test]
    fn an_age_is_never_negative() {
        let (early, late) = (Timestamp::from_seconds(1), Timestamp::from_seconds(3));
        assert_eq!(late.since(early), Duration::from_secs(2));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
