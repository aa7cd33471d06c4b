//! When the entries of followed files happened. Their stamps are the server's: its clock may be wrong or step, and in
//! local time they name no zone.

use std::time::Duration;

use jiff::tz::{AmbiguousOffset, TimeZone};

use ems_protocol::{Message, Timestamp};

/// An entry that was written within this time happened just now, whatever its stamp is.
const LIVE: Duration = Duration::from_secs(5);
/// In the hour that a zone has twice, an entry that seems so much older than the one before is of the second time.
const DISORDER: Duration = Duration::from_secs(60);

/// The times of the entries of one follower.
#[derive(Debug)]
pub(super) struct EntryClock {
    /// The zone of local times, while nothing better is known.
    zone: TimeZone,
    started: Timestamp,
    /// What is read now was written after this moment: a poll that began later read everything. The epoch until all
    /// that existed at the start has been read.
    written_after: Timestamp,
    /// When a poll last read everything, or the start.
    read_to_end: Timestamp,
    /// When the entry before happened.
    last: Timestamp,
    /// By how many milliseconds the exporter's clock was ahead of the stamp of the last entry that was read live.
    ahead: Option<i64>,
}

impl EntryClock {
    pub(super) const fn new(zone: TimeZone, started: Timestamp) -> Self {
        let epoch = Timestamp::from_millis(0);
        Self { zone, started, written_after: epoch, read_to_end: started, last: epoch, ahead: None }
    }

    /// All files have been read to their ends at `now`.
    pub(super) const fn read_to_end(&mut self, now: Timestamp) {
        (self.written_after, self.read_to_end) = (self.read_to_end, now);
    }

    /// When an entry that is read at `now` happened: not before the entry before it, and not later than now. Between
    /// these, its stamp decides.
    pub(super) fn happened(&mut self, message: &Message<'_>, now: Timestamp) -> Timestamp {
        let catching_up = self.written_after == Timestamp::default();
        let latest = if catching_up { self.started } else { now };
        let earliest = self.last.max(self.written_after).min(latest);
        let live = !catching_up && latest.since(earliest) <= LIVE;
        let stamp = message.at.filter(|_| !live);
        self.last = stamp.map_or(latest, |stamp| self.expected(stamp, message.local).clamp(earliest, latest));
        if let Some(stamp) = message.at.filter(|_| live) {
            self.ahead = Some(difference(self.last, stamp));
        }
        self.last
    }

    /// The time that a stamp means.
    fn expected(&self, stamp: Timestamp, local: bool) -> Timestamp {
        match self.ahead {
            Some(ahead) => Timestamp::from_millis(stamp.millis().saturating_add_signed(ahead)),
            None if local => in_zone(stamp, &self.zone, self.last),
            None => stamp,
        }
    }
}

const fn difference(later: Timestamp, earlier: Timestamp) -> i64 {
    later.millis().cast_signed().wrapping_sub(earlier.millis().cast_signed())
}

/// Reads a local time that was parsed as UTC in `zone`: the server writes no zone. In the hour that clocks go through
/// twice, `last` decides: when the entry before happened.
pub(super) fn in_zone(parsed: Timestamp, zone: &TimeZone, last: Timestamp) -> Timestamp {
    let civil = i64::try_from(parsed.millis())
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        .map(|timestamp| TimeZone::UTC.to_datetime(timestamp));
    let time = |zoned: Result<jiff::Zoned, jiff::Error>| {
        let millis = zoned.ok()?.timestamp().as_millisecond();
        Some(Timestamp::from_millis(u64::try_from(millis).unwrap_or_default()))
    };
    let read = civil.and_then(|civil| {
        let ambiguous = zone.to_ambiguous_zoned(civil);
        let twice = matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. });
        let first = time(ambiguous.clone().compatible())?;
        if twice && last.since(first) > DISORDER { time(ambiguous.later()) } else { Some(first) }
    });
    read.unwrap_or(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ems_protocol::{Format, decode};

    const START: u64 = 1_795_364_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(START.saturating_add_signed(seconds))
    }

    fn text(seconds: i64) -> String {
        let time = jiff::Timestamp::from_second(START.saturating_add_signed(seconds).cast_signed()).unwrap();
        format!("\"{}\"", time.strftime("%Y-%m-%dT%H:%M:%S.000"))
    }

    /// Reads an entry with this stamp at `now`; returns its time in seconds after [`START`].
    fn read(clock: &mut EntryClock, stamp: &str, now: i64) -> i64 {
        let body = format!(r#"{{"id":1,"processId":1,"timestamp":{stamp},"type":"x"}}"#);
        let mut happened = None;
        decode::decode(body.as_bytes(), Format::Json, 1, |message| {
            happened = Some(clock.happened(&message.unwrap(), at(now)));
        });
        difference(happened.unwrap(), at(0)) / 1000
    }

    fn number(seconds: i64) -> String {
        (START.cast_signed() + seconds).to_string()
    }

    #[test]
    fn local_time_is_read_in_the_zone_of_this_host() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let parsed = Timestamp::parse("2026-11-22T11:14:56").unwrap();
        let meant = Timestamp::parse("2026-11-22T16:14:56").unwrap();
        assert_eq!(in_zone(parsed, &zone, Timestamp::default()), meant);
        assert_eq!(in_zone(parsed, &TimeZone::UTC, Timestamp::default()), parsed);
    }

    #[test]
    fn the_order_of_entries_decides_on_the_hour_that_comes_twice() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let mut last = Timestamp::default();
        // Clocks went back at 06:00 UTC, and forward at 07:00 UTC.
        for (local, utc) in [
            ("2026-11-01T01:00:00", "2026-11-01T05:00:00"),
            ("2026-11-01T01:59:59", "2026-11-01T05:59:59"),
            ("2026-11-01T01:59:58", "2026-11-01T05:59:58"),
            ("2026-11-01T01:00:01", "2026-11-01T06:00:01"),
            ("2026-11-01T01:30:00", "2026-11-01T06:30:00"),
            ("2026-11-01T01:59:59", "2026-11-01T06:59:59"),
            ("2026-11-01T02:00:00", "2026-11-01T07:00:00"),
            ("2027-03-14T01:59:59", "2027-03-14T06:59:59"),
            ("2027-03-14T03:00:00", "2027-03-14T07:00:00"),
        ] {
            let read = in_zone(Timestamp::parse(local).unwrap(), &zone, last);
            assert_eq!(read, Timestamp::parse(utc).unwrap(), "{local}");
            last = last.max(read);
        }
    }

    #[test]
    fn an_entry_that_is_read_live_has_just_happened() {
        for stamp in [
            number(0),
            number(3 * 3600),
            number(75 * 365 * 86_400),
            text(9 * 3600),
            text(-5 * 3600),
            "-1".to_owned(),
            "\"1969-12-31T23:59:59\"".to_owned(),
        ] {
            let mut clock = EntryClock::new(TimeZone::UTC, at(0));
            clock.read_to_end(at(1));
            assert_eq!(read(&mut clock, &stamp, 2), 2, "{stamp}");
            for second in 3..9 {
                clock.read_to_end(at(second));
                assert_eq!(read(&mut clock, &stamp, second), second, "{stamp}");
            }
        }
    }

    #[test]
    fn before_the_first_end_stamps_decide_within_the_order_and_the_start() {
        let mut clock = EntryClock::new(TimeZone::UTC, at(0));
        let read = |clock: &mut _, stamp: i64| read(clock, &number(stamp), 3);
        assert_eq!(read(&mut clock, -100), -100);
        assert_eq!(read(&mut clock, -200), -100, "the server's clock went back");
        assert_eq!(read(&mut clock, -50), -50);
        assert_eq!(read(&mut clock, 3600), 0, "the server's clock is ahead");
        assert_eq!(read(&mut clock, -10), 0);
    }

    #[test]
    fn after_a_hang_the_stamps_are_read_like_those_before_it() {
        for zone in [0, 9 * 3600, -5 * 3600] {
            let mut clock = EntryClock::new(TimeZone::UTC, at(0));
            clock.read_to_end(at(1));
            assert_eq!(read(&mut clock, &text(zone + 2), 2), 2);
            clock.read_to_end(at(2));
            clock.read_to_end(at(3));
            for second in [100, 300, 590] {
                assert_eq!(read(&mut clock, &text(zone + second), 600), second, "{zone}");
            }
            assert_eq!(read(&mut clock, &text(zone + 7200), 600), 600, "the server's clock was set");
        }
    }
}
