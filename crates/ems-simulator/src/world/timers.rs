//! Timers: set on command, firing periodically or once, removed in the end.

use super::model::{Task, When, World};
use crate::value::{self, Map, Value, map, u32, u64};
use std::time::Duration;

impl World {
    pub(crate) fn trigger(&mut self, at: Duration, id: u32) {
        match self.timers.get(&id).map(|timer| timer.when) {
            Some(When::Every(seconds)) => {
                self.count_expiry(at, id);
                self.schedule(at + Duration::from_secs(seconds), Task::Trigger { timer: id });
            }
            Some(When::At(_)) => drop(self.fire_once(at, id)),
            None => {}
        }
    }

    /// Fires a timer for the first and last time, and returns how it was then.
    pub(crate) fn fire_once(&mut self, at: Duration, id: u32) -> Map {
        self.count_expiry(at, id);
        let object = self.timer_object(id);
        self.close_timer(at, id);
        object
    }

    pub(crate) fn close_timer(&mut self, at: Duration, id: u32) {
        self.log_timer(at, "timerClosed", id);
        self.timers.remove(&id);
    }

    pub(crate) fn log_timer(&mut self, at: Duration, event: &'static str, id: u32) {
        if self.timers.contains_key(&id) {
            let payload = self.timer_object(id);
            self.log(at, event, payload);
        }
    }

    pub(crate) fn timer_object(&self, id: u32) -> Map {
        let Some(timer) = self.timers.get(&id) else {
            return Map::new();
        };
        let (count, value) = match timer.when {
            When::Every(seconds) => (u32(timer.triggered), u64(seconds)),
            When::At(seconds) => (
                match i32::try_from(timer.triggered) {
                    Ok(triggered) if triggered > 0 => value::i32(triggered),
                    Ok(_) | Err(_) => u32(0),
                },
                Value::Timestamp(self.clock.stamp(seconds)),
            ),
        };
        let mut object = timer.variables.clone();
        object.extend(map([("timerId", u32(id)), ("triggerCount", count), ("value", value)]));
        object
    }

    fn count_expiry(&mut self, at: Duration, id: u32) {
        if let Some(timer) = self.timers.get_mut(&id) {
            timer.triggered += 1;
            self.timers_triggered += 1;
            self.log_timer(at, "timerTriggered", id);
        }
    }
}
