//! Timers: set by an operator, firing periodically or once, removed in the end.

use super::super::value::{self, Map, Value, map, text, u32, u64};
use super::{Task, World};
use std::time::Duration;

/// When a timer fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Every so many seconds.
    Every(u64),
    /// Once, at a time that lies this far ahead.
    In(Duration),
}

/// An armed timer.
#[derive(Debug)]
pub(super) struct Timer {
    when: When,
    set: Duration,
    /// How often it has fired.
    pub(super) triggered: u32,
}

impl Timer {
    /// The period in seconds of a periodic timer.
    pub(super) fn period(&self) -> Option<u64> {
        match self.when {
            When::Every(seconds) => Some(seconds),
            When::In(_) => None,
        }
    }
}

/// A periodic timer is removed after this many expiries and set again a little later.
const EXPIRIES: u32 = 30;
/// The pause before that.
const PAUSE: Duration = Duration::from_secs(5);

impl World {
    pub(super) fn set_timer(&mut self, at: Duration, when: When) {
        let (value, first) = match when {
            When::Every(seconds) => (seconds.to_string(), Duration::from_secs(seconds)),
            When::In(ahead) => (self.clock.command_time(at + ahead), ahead),
        };
        let mut parameters = map([("value", text(value))]);
        parameters.extend(owner(when));
        self.log_request(at, "setTimer", parameters);
        let timer = self.process.next_protocol();
        self.timers.insert(timer, Timer { when, set: at, triggered: 0 });
        self.log_timer(at, "timerCreated", timer);
        let data = self.timer_object(timer);
        self.log_response(at, "Custom timer enqueued", data);
        self.schedule(at + first, Task::Trigger { timer });
    }

    pub(super) fn trigger(&mut self, at: Duration, id: u32) {
        let Some(timer) = self.timers.get_mut(&id) else {
            return;
        };
        timer.triggered += 1;
        let (when, triggered) = (timer.when, timer.triggered);
        self.timers_triggered += 1;
        self.log_timer(at, "timerTriggered", id);
        match when {
            When::In(_) => {
                self.log_timer(at, "timerClosed", id);
                self.timers.remove(&id);
            }
            When::Every(_) if triggered == EXPIRIES => {
                self.log_request(at, "removeTimer", map([("id", text(id.to_string()))]));
                let data = self.timer_object(id);
                self.log_response(at, "Timer removed", data);
                self.log_timer(at, "timerClosed", id);
                self.timers.remove(&id);
                self.schedule(at + PAUSE, Task::SetTimer { value: when });
            }
            When::Every(seconds) => {
                self.schedule(at + Duration::from_secs(seconds), Task::Trigger { timer: id });
            }
        }
    }

    fn log_timer(&mut self, at: Duration, event: &'static str, id: u32) {
        let payload = self.timer_object(id);
        self.log(at, event, payload);
    }

    fn timer_object(&self, id: u32) -> Map {
        let Some(timer) = self.timers.get(&id) else {
            return Map::new();
        };
        let (count, value) = match timer.when {
            When::Every(seconds) => (u32(timer.triggered), u64(seconds)),
            When::In(ahead) => (
                match i32::try_from(timer.triggered) {
                    Ok(triggered) if triggered > 0 => value::i32(triggered),
                    Ok(_) | Err(_) => u32(0),
                },
                Value::Timestamp(self.clock.date_time(timer.set + ahead)),
            ),
        };
        let mut object = map([("timerId", u32(id)), ("triggerCount", count), ("value", value)]);
        object.extend(owner(timer.when));
        object
    }
}

/// The short timer tells by a variable of its own which stream it is for, as an operator would set it.
fn owner(when: When) -> Map {
    match when {
        When::Every(10) => map([("_streamName", text("cam1"))]),
        When::Every(_) | When::In(_) => Map::new(),
    }
}
