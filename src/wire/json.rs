//! JSON bodies: one object, an array of objects, or one object on each line.
//!
//! The scanner is our own because a media server's JSON is not always JSON: stream names put raw
//! control bytes and invalid UTF-8 into its strings, which a strict parser must refuse. The text
//! inside strings is taken as it comes; everything around it is checked strictly.

use memchr::memchr2;

use super::{
    Escapes, Field, Format, KEPT_DEPTH, MAX_DEPTH, MIXED_SINKS, Message, Refusal, Text, Value, keep,
    skip_space,
};

/// Decodes `body` and hands over each event in it.
pub(super) fn decode<'a>(body: &'a [u8], each: &mut impl FnMut(Result<Message<'a>, Refusal>)) {
    let mut scanner = Scanner::new(body);
    if scanner.peek() == Some(b'[') {
        return decode_array(&mut scanner, each);
    }
    while scanner.peek().is_some() {
        let event = scanner.event();
        let broken = matches!(event, Err(Refusal::Syntax { .. } | Refusal::Depth | Refusal::Fields));
        each(event);
        if broken {
            // An object that cannot be read ends somewhere on this line or on a later one that
            // starts an object of its own.
            scanner.skip_to_next_line();
        } else if scanner.peek() == Some(b',') {
            // The server's own event files separate objects by a comma and a line feed.
            scanner.at += 1;
        }
    }
}

fn decode_array<'a>(scanner: &mut Scanner<'a>, each: &mut impl FnMut(Result<Message<'a>, Refusal>)) {
    scanner.at += 1;
    if scanner.peek() == Some(b']') {
        scanner.at += 1;
    } else {
        loop {
            let event = scanner.event();
            // Inside an array nothing tells where the next object starts.
            let broken = matches!(event, Err(Refusal::Syntax { .. } | Refusal::Depth | Refusal::Fields));
            each(event);
            if broken {
                return;
            }
            match scanner.next() {
                Some(b',') => {}
                Some(b']') => break,
                _ => return each(Err(scanner.syntax("a comma or the end of the array is missing"))),
            }
        }
    }
    if scanner.peek().is_some() {
        each(Err(scanner.syntax("something follows the array")));
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

    /// The next byte that is no white space, without taking it.
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

    fn syntax(&self, what: &'static str) -> Refusal {
        Refusal::Syntax { format: Format::Json, what, at: self.at.min(self.input.len()) }
    }

    fn skip_to_next_line(&mut self) {
        let rest = &self.input[self.at..];
        self.at += memchr::memmem::find(rest, b"\n{").map_or(rest.len(), |line| line + 1);
    }

    /// One event: an object at the top level.
    fn event(&mut self) -> Result<Message<'a>, Refusal> {
        self.fields = Vec::with_capacity(96);
        match self.value(1)? {
            Value::Map => Message::open(std::mem::take(&mut self.fields)),
            Value::Text(text) if text.raw == MIXED_SINKS => Err(Refusal::MixedSinks),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List => {
                Err(Refusal::NotAnEvent("it is not an object"))
            }
        }
    }

    /// Reads a value; members of objects up to [`KEPT_DEPTH`] go into `fields`.
    fn value(&mut self, depth: usize) -> Result<Value<'a>, Refusal> {
        match self.next() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b't') => self.word(b"rue", Value::Bool(true)),
            Some(b'f') => self.word(b"alse", Value::Bool(false)),
            Some(b'n') if self.input.get(self.at) == Some(&b'a') => self.word(b"an", Value::Null),
            Some(b'n') => self.word(b"ull", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => {
                self.at -= 1;
                Err(self.syntax("a value is missing"))
            }
            None => Err(self.syntax("it ends too early")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, Refusal> {
        if depth > MAX_DEPTH {
            return Err(Refusal::Depth);
        }
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map);
        }
        loop {
            if self.next() != Some(b'"') {
                return Err(self.syntax("a member's name is missing"));
            }
            let key = self.string()?.raw;
            if self.next() != Some(b':') {
                return Err(self.syntax("a colon is missing"));
            }
            if depth <= KEPT_DEPTH {
                let place = self.fields.len();
                keep(&mut self.fields, Field { key, value: Value::Null, members: 0 })?;
                let value = self.value(depth + 1)?;
                let members = (self.fields.len() - place - 1) as u32;
                self.fields[place].value = value;
                self.fields[place].members = members;
            } else {
                self.value(depth + 1)?;
            }
            match self.next() {
                Some(b',') => {}
                Some(b'}') => return Ok(Value::Map),
                // The sender has counted one byte too few: nothing but the last brace is missing.
                None if depth == 1 => return Ok(Value::Map),
                _ => return Err(self.syntax("a comma or the end of the object is missing")),
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, Refusal> {
        if depth > MAX_DEPTH {
            return Err(Refusal::Depth);
        }
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List);
        }
        loop {
            // No member of a list is kept, however shallow it lies.
            self.value((depth + 1).max(KEPT_DEPTH + 1))?;
            match self.next() {
                Some(b',') => {}
                Some(b']') => return Ok(Value::List),
                _ => return Err(self.syntax("a comma or the end of the list is missing")),
            }
        }
    }

    /// The rest of a string whose opening quote has been taken.
    fn string(&mut self) -> Result<Text<'a>, Refusal> {
        let start = self.at;
        let mut escapes = Escapes::None;
        loop {
            let rest = self.input.get(self.at..).unwrap_or_default();
            let Some(found) = memchr2(b'"', b'\\', rest) else {
                self.at = self.input.len();
                return Err(self.syntax("a string does not end"));
            };
            self.at += found + 1;
            if rest[found] == b'"' {
                return Ok(Text { raw: &self.input[start..self.at - 1], escapes });
            }
            escapes = Escapes::Json;
            self.at += 1;
        }
    }

    fn word(&mut self, rest: &[u8], value: Value<'a>) -> Result<Value<'a>, Refusal> {
        if self.input[self.at..].starts_with(rest) {
            self.at += rest.len();
            return Ok(value);
        }
        Err(self.syntax("an unknown word"))
    }

    /// A number whose first byte has been taken.
    fn number(&mut self) -> Result<Value<'a>, Refusal> {
        self.at -= 1;
        let start = self.at;
        self.at += usize::from(self.input[self.at] == b'-');
        if self.input[self.at..].starts_with(b"nan") {
            self.at += 3;
            return Ok(Value::Null);
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
        if valid {
            Ok(Value::Number(&self.input[start..self.at]))
        } else {
            Err(self.syntax("a number is broken"))
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.input.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - start
    }
}

/// Text with its `\` escapes resolved. An escape that JSON does not know stands for itself.
pub(super) fn unescape(raw: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(found) = memchr::memchr(b'\\', rest) {
        bytes.extend_from_slice(&rest[..found]);
        let (escape, after) = rest[found + 1..].split_first().unwrap_or((&b'\\', &[]));
        rest = after;
        match escape {
            b'b' => bytes.push(8),
            b'f' => bytes.push(12),
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'u' => {
                let (character, after) = code_point(rest);
                rest = after;
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => bytes.push(*other),
        }
    }
    bytes.extend_from_slice(rest);
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The character behind `\u`, and what follows it; a lone or broken half becomes U+FFFD.
fn code_point(rest: &[u8]) -> (char, &[u8]) {
    let unit = |rest: &[u8]| -> Option<u32> {
        let digits = std::str::from_utf8(rest.get(..4)?).ok()?;
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let Some(first) = unit(rest) else {
        return (char::REPLACEMENT_CHARACTER, rest);
    };
    let after = &rest[4..];
    if (0xD800..0xDC00).contains(&first)
        && let Some(low) = after.strip_prefix(b"\\u").and_then(unit)
        && (0xDC00..0xE000).contains(&low)
    {
        let joined = 0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00);
        return (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), &after[6..]);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), after)
}
