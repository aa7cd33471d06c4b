//! The commands about timers.

use super::super::arguments::{Read, canonical, invalid};
use super::super::model::{Task, World};
use super::super::model::{Timer, When};
use super::listing::some;
use crate::command::{Answer, Command};
use crate::value::Value;
use std::time::Duration;

/// The longest period of a timer, in seconds.
const LONGEST: i64 = 86_399;

impl World {
    /// A period in seconds, or a time at which the timer fires once; a time that is past fires at once.
    pub(crate) fn set_timer(&mut self, at: Duration, arguments: &Command) -> Read<Answer> {
        arguments.some()?;
        let value = arguments.required("value")?;
        let when = match canonical(&value) {
            Some(seconds @ 1..=LONGEST) => When::Every(seconds.unsigned_abs()),
            Some(_) => return Err(Answer::failure("Unable to start custom timer")),
            None => match self.clock.read(&String::from_utf8_lossy(&value), at) {
                Some(seconds) => When::At(seconds),
                None => return Err(Answer::failure("Unable to parse the string as a date/time")),
            },
        };
        let timer = self.process.next_protocol();
        self.timers.insert(timer, Timer { when, triggered: 0, variables: arguments.variables() });
        self.log_timer(at, "timerCreated", timer);
        let due = match when {
            When::Every(seconds) => Some(at + Duration::from_secs(seconds)),
            When::At(seconds) => self.clock.moment(seconds).filter(|moment| *moment > at),
        };
        let data = match due {
            Some(due) => {
                self.schedule(due, Task::Trigger { timer });
                self.timer_object(timer)
            }
            None => self.fire_once(at, timer),
        };
        Ok(Answer::success("Custom timer enqueued", Value::Map(data)))
    }

    pub(crate) fn list_timers(&self) -> Answer {
        let timers = self.timers.keys().map(|id| Value::Map(self.timer_object(*id))).collect();
        Answer::success("List of armed timers", some(timers))
    }

    pub(crate) fn remove_timer(&mut self, at: Duration, arguments: &Command) -> Read<Answer> {
        arguments.some()?;
        let id = canonical(&arguments.required("id")?).ok_or_else(|| invalid("id"))?;
        let id = u32::try_from(id).ok().filter(|id| self.timers.contains_key(id));
        let timer = id.ok_or_else(|| Answer::failure("Timer not found"))?;
        let data = self.timer_object(timer);
        self.schedule(at, Task::CloseTimer { timer });
        Ok(Answer::success("Timer removed", Value::Map(data)))
    }
}
