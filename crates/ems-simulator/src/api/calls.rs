//! The record of API calls and their answers, for comparison.

use crate::command::{Answer, Command};
use serde::Serialize;
use std::collections::VecDeque;

/// One command that came over the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Call {
    /// The command as written.
    pub command: String,
    /// Decoded names and values in their order; each item of a list has a pair of its own. Bytes that are not UTF-8
    /// appear as replacement characters.
    pub parameters: Vec<(String, String)>,
    /// Whether it stood behind the end of a line in the parameters of another command.
    pub injected: bool,
    /// Whether the server carried it out, which can also end in a rejection of its own, whatever was answered.
    pub carried_out: bool,
    /// Whether the answer is held back on request.
    pub slow: bool,
    /// The answer.
    pub answer: CallAnswer,
}

/// How a call was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallAnswer {
    /// Not yet, or never because the caller or the server has gone.
    Nothing,
    /// With SUCCESS.
    Success,
    /// With FAIL and this description.
    Fail(String),
    /// The connection was dropped on request.
    Reset,
    /// With something other than an answer, on request.
    Garbage,
    /// With 401, for want of the right user and password.
    Unauthorized,
}

impl CallAnswer {
    pub(crate) fn of(answer: &Answer) -> Self {
        if answer.accepted {
            Self::Success
        } else {
            Self::Fail(String::from_utf8_lossy(&answer.description).into_owned())
        }
    }
}

/// The most calls that are kept; older ones are dropped.
const KEPT: usize = 10_000;

/// The newest calls, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    kept: VecDeque<Call>,
    dropped: usize,
}

impl Calls {
    /// Keeps a new call and returns its number.
    pub(crate) fn add(&mut self, command: &Command, injected: bool) -> usize {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
            self.dropped += 1;
        }
        self.kept.push_back(Call {
            command: lossy(&command.name),
            parameters: command
                .parameters
                .iter()
                .flat_map(|(name, texts)| texts.iter().map(|text| (lossy(name), lossy(text))))
                .collect(),
            injected,
            carried_out: false,
            slow: false,
            answer: CallAnswer::Nothing,
        });
        self.dropped + self.kept.len() - 1
    }

    /// A call by its number, unless it is dropped.
    pub(crate) fn get_mut(&mut self, number: usize) -> Option<&mut Call> {
        self.kept.get_mut(number.checked_sub(self.dropped)?)
    }

    pub(crate) fn all(&self) -> Vec<Call> {
        self.kept.iter().cloned().collect()
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Calls, Command, KEPT};

    #[test]
    fn the_oldest_calls_are_dropped_and_numbers_stay() {
        let mut calls = Calls::default();
        let command = &Command::all(b"record a=1,2 b=x")[0];
        for number in 0..KEPT + 5 {
            assert_eq!(calls.add(command, false), number);
        }
        assert_eq!(calls.all().len(), KEPT);
        assert!(calls.get_mut(4).is_none());
        calls.get_mut(KEPT + 4).unwrap().carried_out = true;
        let last = calls.all().pop().unwrap();
        assert!(last.carried_out);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(last.parameters, [pair("a", "1"), pair("a", "2"), pair("b", "x")]);
    }
}
