//! JSON bodies: one object, an array of objects, or one object on each line.
//!
//! The scanner is our own because a media server's JSON is not always JSON: stream names put raw
//! control bytes and invalid UTF-8 into its strings, which a strict parser must reject. The text
//! inside strings is taken as it comes; everything around it is checked strictly.

use std::borrow::Cow;

use super::resync::{Marker, is_unfinished};
use crate::format::{Format, skip_space};
use crate::limits::{KEPT_DEPTH, MAX_DEPTH, MAX_ITEMS};
use crate::message::{Field, Message, Value, add, count_members};
use crate::rejection::Rejection;
use crate::text::{Escapes, Text};

/// The text that a JSON sink sends for every event when an XML sink stands before it in the configuration.
const MIXED_SINKS: &[u8] = b"V_TIMESTAMP,V_DATE,V_TIME,V_TYPED_MAP and V_BYTEARRAY not supported by JSON";

/// Capacity is reserved for one field per this many bytes of a body, and for no more than usual
/// bodies have.
const BYTES_PER_FIELD: usize = 16;
const USUAL_FIELDS: usize = 96;

/// How each entry of the server's event files starts.
const ENTRY_START: &[u8] = b"{\"_logEntry\":";

/// Decodes `body` and hands over each event in it, and the rejections of up to `patience` of them.
pub(super) fn decode<'a>(
    body: &'a [u8],
    mut patience: usize,
    each: &mut impl FnMut(Result<Message<'a>, Rejection>),
) {
    let mut scanner = Scanner::new(body);
    if scanner.peek() == Some(b'[') {
        return decode_array(&mut scanner, patience, each);
    }
    let (mut entries, mut lines) = (Marker::new(ENTRY_START), Marker::new(b"\n{"));
    while scanner.peek().is_some() {
        let start = scanner.at;
        let event = scanner.event();
        let rejection = event.as_ref().err().cloned();
        each(event);
        let mut moved = false;
        if let Some(rejection) = rejection {
            patience = patience.saturating_sub(1);
            moved = scanner.move_to_next_event(start, &rejection, &mut entries, &mut lines);
            if patience == 0 && scanner.peek().is_some() {
                return each(Err(Rejection::GivenUp));
            }
        }
        if !moved && scanner.peek() == Some(b',') {
            // The server's own event files separate objects by a comma and a line feed.
            scanner.at += 1;
        }
    }
}

fn decode_array<'a>(
    scanner: &mut Scanner<'a>,
    mut patience: usize,
    each: &mut impl FnMut(Result<Message<'a>, Rejection>),
) {
    scanner.at += 1;
    let mut is_empty = true;
    let array = scanner.separated(1, b']', "a comma or the end of the array is missing", |scanner| {
        is_empty = false;
        if patience == 0 {
            return Err(Rejection::GivenUp);
        }
        match scanner.event() {
            // The start of the next event is unknown.
            Err(rejection) if is_unfinished(&rejection) => return Err(rejection),
            event => {
                patience -= usize::from(event.is_err());
                each(event);
            }
        }
        Ok(())
    });
    let end = array.and_then(|()| match scanner.peek() {
        Some(_) => Err(scanner.syntax("something follows the array")),
        None if is_empty => Err(Rejection::NotAnEvent("the array is empty")),
        None => Ok(()),
    });
    if let Err(rejection) = end {
        each(Err(rejection));
    }
}

/// A value in a document that is not an event, such as an answer of the runtime API, as its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a>(&'a [u8]);

impl<'a> Part<'a> {
    /// The value that `bytes` hold.
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The member of this name of an object; `None` when it is absent.
    pub fn member(self, name: &str) -> Result<Option<Self>, Rejection> {
        let members = self.members()?;
        Ok(members.into_iter().find(|(key, _)| *key == name.as_bytes()).map(|(_, part)| part))
    }

    /// The members of an object, their names as they are written; none of null.
    pub fn members(self) -> Result<Vec<(&'a [u8], Self)>, Rejection> {
        let mut members = Vec::new();
        Scanner::new(self.0).inside(b'{', b'}', |scanner| {
            members.push((scanner.key()?, scanner.part()?));
            Ok(())
        })?;
        Ok(members)
    }

    /// The items of a list; none of null, which the server writes for an empty one.
    pub fn items(self) -> Result<Vec<Self>, Rejection> {
        let mut items = Vec::new();
        Scanner::new(self.0).inside(b'[', b']', |scanner| {
            items.push(scanner.part()?);
            if items.len() > MAX_ITEMS { Err(Rejection::Items) } else { Ok(()) }
        })?;
        Ok(items)
    }

    /// The value as it is written.
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The text; `None` when it is something else.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let mut scanner = Scanner::new(self.0);
        let text = (scanner.next() == Some(b'"')).then(|| scanner.string())?;
        text.ok().map(Text::read)
    }

    /// The members of an object as the payload of a message, so that what reads events reads lists.
    pub fn message(self) -> Result<Message<'a>, Rejection> {
        let mut scanner = Scanner::new(self.0);
        if scanner.next() != Some(b'{') {
            return Err(scanner.syntax("an object is missing"));
        }
        scanner.object(1)?;
        Message::of_members(scanner.fields)
    }
}

struct Scanner<'a> {
    input: &'a [u8],
    at: usize,
    fields: Vec<Field<'a>>,
}

impl<'a> Scanner<'a> {
    fn new(input: &'a [u8]) -> Self {
        Self { input, at: skip_space(input), fields: Vec::new() }
    }

    /// The next byte that is not white space, without taking it.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.input.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn syntax(&self, what: &'static str) -> Rejection {
        Rejection::Syntax { format: Format::Json, what, at: self.at.min(self.input.len()) }
    }

    /// Moves to the possible start of another event after a rejected one at `start`: within it, where a restarted
    /// server continued after a crash, or on a later line if its end is unknown. Returns whether it moved.
    fn move_to_next_event(
        &mut self,
        start: usize,
        rejection: &Rejection,
        entries: &mut Marker,
        lines: &mut Marker,
    ) -> bool {
        let unfinished = is_unfinished(rejection);
        let end = if unfinished { self.input.len() } else { self.at };
        let entry = entries.next(self.input, start + 1).filter(|entry| *entry < end);
        let line = lines.next(self.input, self.at).filter(|line| *line < end).map(|line| line + 1);
        let next = entry.into_iter().chain(line).min();
        self.at = next.unwrap_or(end);
        unfinished || next.is_some()
    }

    /// One event: an object at the top level.
    fn event(&mut self) -> Result<Message<'a>, Rejection> {
        let rest = self.input.len() - self.at;
        self.fields = Vec::with_capacity((rest / BYTES_PER_FIELD).min(USUAL_FIELDS));
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                self.object(1)?;
                Message::open(std::mem::take(&mut self.fields))
            }
            Some(b'"') => {
                self.at += 1;
                match self.string()?.raw {
                    MIXED_SINKS => Err(Rejection::MixedSinks),
                    _ => Err(Rejection::NotAnEvent("it is not an object")),
                }
            }
            Some(_) | None => {
                self.value(1, None)?;
                Err(Rejection::NotAnEvent("it is not an object"))
            }
        }
    }

    /// The next value, whatever it is.
    fn part(&mut self) -> Result<Part<'a>, Rejection> {
        self.peek();
        let start = self.at;
        self.value(KEPT_DEPTH + 1, None)?;
        Ok(Part(&self.input[start..self.at]))
    }

    /// Reads all between `open` and `close`, one after the other; null has nothing in it.
    fn inside(
        &mut self,
        open: u8,
        close: u8,
        each: impl FnMut(&mut Self) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        match self.next() {
            Some(b'n') => return self.word(b"ull"),
            Some(byte) if byte == open => {}
            Some(_) | None => return Err(self.syntax("a list or an object is missing")),
        }
        self.separated(KEPT_DEPTH, close, "a comma or an end is missing", each)
    }

    /// Reads all up to `close`, separated by commas; the opening byte has been taken.
    fn separated(
        &mut self,
        depth: usize,
        close: u8,
        unfinished: &'static str,
        mut each: impl FnMut(&mut Self) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        if depth > MAX_DEPTH {
            return Err(Rejection::Depth);
        }
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(());
        }
        loop {
            each(self)?;
            match self.next() {
                Some(b',') => {}
                Some(byte) if byte == close => return Ok(()),
                // The sender has counted one byte too few: nothing but the last brace is missing.
                None if depth == 1 && close == b'}' => return Ok(()),
                _ => return Err(self.syntax(unfinished)),
            }
        }
    }

    /// The name of a member, and its colon.
    fn key(&mut self) -> Result<&'a [u8], Rejection> {
        if self.next() != Some(b'"') {
            return Err(self.syntax("a member's name is missing"));
        }
        let key = self.string()?.raw;
        if self.next() != Some(b':') {
            return Err(self.syntax("a colon is missing"));
        }
        Ok(key)
    }

    /// Reads a value into the field at `place`, if it is kept; members of objects up to
    /// [`KEPT_DEPTH`] go into `fields`.
    fn value(&mut self, depth: usize, place: Option<usize>) -> Result<(), Rejection> {
        match self.next() {
            Some(b'"') => {
                let text = self.string()?;
                self.put(place, Value::Text(text));
            }
            Some(b'{') => {
                self.object(depth)?;
                self.put(place, Value::Map);
            }
            Some(b'[') => {
                self.list(depth)?;
                self.put(place, Value::List);
            }
            Some(b't') => {
                self.word(b"rue")?;
                self.put(place, Value::Bool(true));
            }
            Some(b'f') => {
                self.word(b"alse")?;
                self.put(place, Value::Bool(false));
            }
            // Null is what a field holds until a value comes.
            Some(b'n') if self.input.get(self.at) == Some(&b'a') => self.word(b"an")?,
            Some(b'n') => self.word(b"ull")?,
            Some(b'-' | b'0'..=b'9') => {
                if let Some(digits) = self.number()? {
                    self.put(place, Value::Number(digits));
                }
            }
            Some(_) => {
                self.at -= 1;
                return Err(self.syntax("a value is missing"));
            }
            None => return Err(self.syntax("it ends too early")),
        }
        Ok(())
    }

    fn put(&mut self, place: Option<usize>, value: Value<'a>) {
        if let Some(field) = place.and_then(|place| self.fields.get_mut(place)) {
            field.value = value;
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Rejection> {
        self.separated(depth, b'}', "a comma or the end of the object is missing", |scanner| {
            let key = scanner.key()?;
            if depth > KEPT_DEPTH {
                return scanner.value(depth + 1, None);
            }
            let place = add(&mut scanner.fields, key, Value::Null)?;
            scanner.value(depth + 1, Some(place))?;
            count_members(&mut scanner.fields, place);
            Ok(())
        })
    }

    fn list(&mut self, depth: usize) -> Result<(), Rejection> {
        // No member of a list is kept, however shallow it lies.
        let depth_of_items = (depth + 1).max(KEPT_DEPTH + 1);
        self.separated(depth, b']', "a comma or the end of the list is missing", |scanner| {
            scanner.value(depth_of_items, None)
        })
    }

    /// The rest of a string whose opening quote has been taken.
    fn string(&mut self) -> Result<Text<'a>, Rejection> {
        let start = self.at;
        let mut escapes = Escapes::None;
        loop {
            let rest = self.input.get(self.at..).unwrap_or_default();
            let plain = plain(rest);
            self.at += plain + 1;
            match rest.get(plain) {
                Some(b'"') => return Ok(Text { raw: &self.input[start..self.at - 1], escapes }),
                Some(_) => {
                    escapes = Escapes::Json;
                    self.at += 1;
                }
                None => {
                    self.at = self.input.len();
                    return Err(self.syntax("a string does not end"));
                }
            }
        }
    }

    fn word(&mut self, rest: &[u8]) -> Result<(), Rejection> {
        if self.input[self.at..].starts_with(rest) {
            self.at += rest.len();
            return Ok(());
        }
        Err(self.syntax("an unknown word"))
    }

    /// A number whose first byte has been taken; `None` for not-a-number.
    fn number(&mut self) -> Result<Option<&'a [u8]>, Rejection> {
        self.at -= 1;
        let start = self.at;
        self.at += usize::from(self.input[self.at] == b'-');
        if self.input[self.at..].starts_with(b"nan") {
            self.at += 3;
            return Ok(None);
        }
        let whole = self.digits();
        let mut valid = whole > 0;
        if self.input.get(self.at) == Some(&b'.') {
            self.at += 1;
            valid &= self.digits() > 0;
        }
        if let Some(b'e' | b'E') = self.input.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.input.get(self.at), Some(b'+' | b'-')));
            valid &= self.digits() > 0;
        }
        if valid { Ok(Some(&self.input[start..self.at])) } else { Err(self.syntax("a number is broken")) }
    }

    fn digits(&mut self) -> usize {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }
}

/// The number of bytes before the next quote or backslash. Eight are compared at once: the strings
/// of events are short, and calls of `memchr2` would be a third of the time of decoding.
fn plain(bytes: &[u8]) -> usize {
    const fn all(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    // The lowest bit of the result is the highest bit of the first byte that is `byte`.
    let find = |word: u64, byte: u8| {
        let zero_where_found = word ^ all(byte);
        zero_where_found.wrapping_sub(all(1)) & !zero_where_found & all(0x80)
    };
    let (words, rest) = bytes.as_chunks();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = find(word, b'"') | find(word, b'\\');
        if found != 0 {
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let tail = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
    words.len() * 8 + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_of_plain_text_wherever_it_stands() {
        // Neighbours of the two in value, and bytes with the highest bit set.
        let others = [b'!', b'#', b'[', b']', 0, 0x80, 0xa2, 0xdc, 0xff];
        for length in 0..40 {
            let mut text: Vec<u8> = others.iter().copied().cycle().take(length).collect();
            assert_eq!(plain(&text), length);
            for at in (0..length).rev() {
                text[at] = if at % 3 == 0 { b'"' } else { b'\\' };
                assert_eq!(plain(&text), at);
            }
        }
    }
}
