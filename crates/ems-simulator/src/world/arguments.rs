//! Reading the parameters of a command, or the sentence with which the server rejects one.

use crate::command::{Answer, Command};
use std::ops::RangeInclusive;

/// A parameter, or the server's rejection.
pub(crate) type Read<T> = Result<T, Answer>;

impl Command {
    /// Rejects a command without any parameter.
    pub(crate) fn some(&self) -> Read<()> {
        if self.parameters.is_empty() {
            return Err(Answer::failure("Syntax error. No parameters provided"));
        }
        Ok(())
    }

    /// A text that may be missing.
    pub(crate) fn optional(&self, name: &str) -> Read<Option<Vec<u8>>> {
        match self.argument(name) {
            None => Ok(None),
            Some([text]) => Ok(Some(text.clone())),
            Some(_) => Err(invalid(name)),
        }
    }

    /// A text, or the default.
    pub(crate) fn text(&self, name: &str, default: &[u8]) -> Read<Vec<u8>> {
        Ok(self.optional(name)?.unwrap_or_else(|| default.to_vec()))
    }

    /// A text that must not be missing or empty.
    pub(crate) fn required(&self, name: &str) -> Read<Vec<u8>> {
        self.optional(name)?.filter(|text| !text.is_empty()).ok_or_else(|| invalid(name))
    }

    /// One of a few words.
    pub(crate) fn word(
        &self,
        name: &str,
        default: &'static str,
        others: &[&'static str],
    ) -> Read<&'static str> {
        let Some(given) = self.optional(name)? else {
            return Ok(default);
        };
        let mut words = [default].into_iter().chain(others.iter().copied());
        words.find(|word| given == word.as_bytes()).ok_or_else(|| invalid(name))
    }

    /// Texts that must not be missing or empty.
    pub(crate) fn list(&self, name: &str) -> Read<Vec<Vec<u8>>> {
        let list = self.argument(name).filter(|list| !list.iter().any(Vec::is_empty));
        list.map(<[_]>::to_vec).ok_or_else(|| invalid(name))
    }

    /// Only a number counts, so that the word `true` means no.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Read<bool> {
        Ok(self.optional(name)?.map_or(default, |text| canonical(&text).is_some_and(|number| number != 0)))
    }

    /// A whole number within limits.
    pub(crate) fn number(&self, name: &str, default: i64, range: RangeInclusive<i64>) -> Read<i64> {
        let Some(text) = self.optional(name)? else {
            return Ok(default);
        };
        canonical(&text).filter(|number| range.contains(number)).ok_or_else(|| {
            Answer::failure(format!(
                "Syntax error. Parameter {name} is invalid. Range: {} - {}",
                range.start(),
                range.end()
            ))
        })
    }
}

/// The rejection of a parameter.
pub(crate) fn invalid(name: &str) -> Answer {
    Answer::failure(format!("Syntax error. Parameter {name} is invalid"))
}

/// A number written as the server would write it itself.
pub(crate) fn canonical(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::Command;

    #[test]
    fn every_rejection_names_its_parameter() {
        let command = &Command::all(b"c n=010 big=70 list=a,b empty= word=odd yes=true one=1")[0];
        let rejection = |description: Vec<u8>| String::from_utf8(description).unwrap();
        let number = |name| command.number(name, 1, 1..=60).map_err(|answer| rejection(answer.description));
        assert_eq!(number("n").unwrap_err(), "Syntax error. Parameter n is invalid. Range: 1 - 60");
        assert!(number("big").unwrap_err().contains("big"));
        assert_eq!(number("none"), Ok(1));
        assert!(command.text("list", b"").is_err());
        assert!(command.required("empty").is_err());
        assert!(command.required("none").is_err());
        assert!(command.list("none").is_err());
        assert!(command.word("word", "live", &["record"]).is_err());
        assert_eq!(command.flag("yes", true), Ok(false));
        assert_eq!(command.flag("one", false), Ok(true));
        assert_eq!(command.list("list").unwrap(), [b"a", b"b"]);
    }
}
