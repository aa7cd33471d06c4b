//! XML bodies: the server's own `<MAP>` documents, and XML-RPC calls.
//!
//! Both are read in one pass into the fields that JSON gives. Entities that a document declares
//! are never expanded; only the five of XML itself and character references are known.

use memchr::memmem;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::resync::{Marker, is_unfinished};
use crate::format::{Format, skip_space};
use crate::limits::{KEPT_DEPTH, MAX_DEPTH};
use crate::message::{Field, Message, Value, add, count_members};
use crate::rejection::Rejection;
use crate::text::{Escapes, Text};

/// The names of an XML-RPC call's positional parameters: the envelope's members in byte order.
const POSITIONS: [&str; 5] = ["id", "payload", "processId", "timestamp", "type"];

/// How far behind the beginning of a root's start tag its name is searched.
const ROOT_TAG: usize = 1024;

/// How many times the length of a body its broken documents may take together: each may be read up to the end of the
/// body before it proves broken.
const BROKEN: usize = 8;

/// Decodes `body`, one document or several one after the other, and hands over each event in it, and the rejections of
/// up to `patience` of them. The server writes stream names as it received them, so bytes that are not UTF-8 are
/// replaced.
pub(super) fn decode<'a>(
    body: &'a [u8],
    mut patience: usize,
    each: &mut impl FnMut(Result<Message<'a>, Rejection>),
) {
    let replaced = if std::str::from_utf8(body).is_ok() { None } else { Some(masked(body)) };
    let readable = replaced.as_deref().unwrap_or(body);
    let mut starts = [Marker::new(b"<?xml"), Marker::new(b"<methodCall")];
    let mut roots = [Marker::new(b" name=\"\""), Marker::new(b" name=''")];
    let (mut at, mut budget) = (skip_space(body), body.len().saturating_mul(BROKEN));
    loop {
        let mut document = Document::new(body, readable, at);
        let event = document.event();
        let rejection = event.as_ref().err().cloned();
        each(event);
        at = document.at();
        if let Some(rejection) = rejection {
            patience = patience.saturating_sub(1);
            budget = budget.saturating_sub(at - document.start);
            if is_unfinished(&rejection) {
                let starts = starts.iter_mut().filter_map(|starts| starts.next(body, document.start + 1));
                let roots = roots.iter_mut().filter_map(|roots| root(body, document.start + 1, roots));
                at = starts.chain(roots).min().unwrap_or(body.len());
            }
        }
        at += skip_space(&body[at..]);
        if at == body.len() {
            return;
        }
        if patience == 0 || budget == 0 {
            return each(Err(Rejection::GivenUp));
        }
    }
}

/// The next start tag of a map without a name: only the roots of documents have none.
fn root(body: &[u8], mut from: usize, roots: &mut Marker) -> Option<usize> {
    loop {
        let found = roots.next(body, from)?;
        let nearest = from.max(found.saturating_sub(ROOT_TAG));
        let tag = memchr::memrchr(b'<', &body[nearest..found]).map(|tag| nearest + tag);
        match tag
            .filter(|tag| [&b"<MAP "[..], b"<TYPED_MAP "].iter().any(|name| body[*tag..].starts_with(name)))
        {
            Some(tag) => return Some(tag),
            None => from = found + 1,
        }
    }
}

/// The body with a plain byte in place of each that is not UTF-8, so that all offsets stay the same.
fn masked(body: &[u8]) -> Vec<u8> {
    let mut masked = Vec::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        masked.extend_from_slice(chunk.valid().as_bytes());
        masked.resize(masked.len() + chunk.invalid().len(), b'?');
    }
    masked
}

/// A start tag.
struct Element<'a> {
    name: &'a [u8],
    /// The tag as written, for its attributes.
    tag: &'a [u8],
}

struct Document<'a, 'r> {
    body: &'a [u8],
    /// Where it begins in the body.
    start: usize,
    /// Reads the body, or a copy of it in which every place is the same.
    reader: Reader<&'r [u8]>,
    fields: Vec<Field<'a>>,
}

impl<'a, 'r> Document<'a, 'r> {
    /// The document that begins at `start`; `readable` is the body, or a copy of it in which every place is the same.
    fn new(body: &'a [u8], readable: &'r [u8], start: usize) -> Self {
        let mut reader = Reader::from_reader(&readable[start..]);
        reader.config_mut().expand_empty_elements = true;
        Self { body, start, reader, fields: Vec::with_capacity(96) }
    }

    fn at(&self) -> usize {
        self.place(self.reader.buffer_position())
    }

    fn place(&self, position: u64) -> usize {
        let place = usize::try_from(position).map_or(self.body.len(), |position| self.start + position);
        place.min(self.body.len())
    }

    /// The event that the whole document is: a `<MAP>` or `<TYPED_MAP>`, or a `<methodCall>`.
    fn event(&mut self) -> Result<Message<'a>, Rejection> {
        match self.element()?.map(|root| root.name) {
            Some(b"MAP" | b"TYPED_MAP") => self.members(1)?,
            Some(b"methodCall") => self.call()?,
            Some(_) => {
                self.skip(1)?;
                return Err(Rejection::NotAnEvent("its root is neither a MAP nor a methodCall"));
            }
            None => return Err(self.syntax("it has no element")),
        }
        Message::open(std::mem::take(&mut self.fields))
    }

    /// The rest of a call: the server's five positional parameters, or one struct with members `type` and `payload` as
    /// its documentation shows.
    fn call(&mut self) -> Result<(), Rejection> {
        self.enter(b"methodName")?;
        let method = self.text_until_end()?;
        self.enter(b"params")?;
        let mut params = 0;
        while let Some(param) = self.element()? {
            if param.name != b"param" {
                return Err(self.syntax("a param is missing"));
            }
            let key = POSITIONS.get(params).copied().unwrap_or_default();
            self.enter(b"value")?;
            self.rpc_value(key.as_bytes(), 1)?;
            self.leave()?;
            params += 1;
        }
        self.leave()?;
        if params == 1 && self.fields.first().is_some_and(|first| matches!(first.value, Value::Map)) {
            // One struct: its members are the envelope.
            self.fields.remove(0);
        }
        if !self.fields.iter().any(|field| field.key == b"type") {
            add(&mut self.fields, b"type", Value::Text(method))?;
        }
        Ok(())
    }

    fn syntax(&self, what: &'static str) -> Rejection {
        Rejection::Syntax { format: Format::Xml, what, at: self.at() }
    }

    fn read(&mut self) -> Result<Event<'r>, Rejection> {
        self.reader.read_event().map_err(|_| Rejection::Syntax {
            format: Format::Xml,
            what: "the markup is not well formed",
            at: self.place(self.reader.error_position()),
        })
    }

    /// The next start tag, or `None` at the end tag of the open element.
    fn element(&mut self) -> Result<Option<Element<'a>>, Rejection> {
        loop {
            let before = self.at();
            let event = self.read()?;
            match event {
                Event::Start(start) => {
                    let tag = &self.body[before.min(self.at())..self.at()];
                    let name = tag.get(1..1 + start.name().as_ref().len()).unwrap_or_default();
                    return Ok(Some(Element { name, tag }));
                }
                Event::End(_) => return Ok(None),
                Event::Eof => return Err(self.syntax("it ends too early")),
                Event::Empty(_)
                | Event::Text(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_)
                | Event::GeneralRef(_) => {}
            }
        }
    }

    fn enter(&mut self, wanted: &'static [u8]) -> Result<(), Rejection> {
        match self.element()? {
            Some(element) if element.name == wanted => Ok(()),
            _ => Err(self.syntax("an element is not the one that belongs here")),
        }
    }

    /// Reads to the end tag of the open element, which must hold nothing more.
    fn leave(&mut self) -> Result<(), Rejection> {
        match self.element()? {
            None => Ok(()),
            Some(_) => Err(self.syntax("an element too many")),
        }
    }

    /// The text of the open element; its end tag is taken.
    fn text_until_end(&mut self) -> Result<Text<'a>, Rejection> {
        let start = self.at();
        loop {
            let end = self.at();
            match self.read()? {
                Event::End(_) => return Ok(Text::xml(&self.body[start..end])),
                Event::Text(_) | Event::GeneralRef(_) | Event::Comment(_) | Event::CData(_) => {}
                Event::Eof => return Err(self.syntax("it ends too early")),
                Event::Start(_) | Event::Empty(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {
                    return Err(self.syntax("markup where a text belongs"));
                }
            }
        }
    }

    /// Skips the rest of the open element.
    fn skip(&mut self, depth: usize) -> Result<(), Rejection> {
        let mut open = 1;
        loop {
            match self.read()? {
                Event::Start(_) => open += 1,
                Event::End(_) => open -= 1,
                Event::Eof => return Err(self.syntax("it ends too early")),
                Event::Empty(_)
                | Event::Text(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_)
                | Event::GeneralRef(_) => {}
            }
            if open == 0 {
                return Ok(());
            }
            if depth + open > MAX_DEPTH {
                return Err(Rejection::Depth);
            }
        }
    }

    /// The members of the open `<MAP>`; its end tag is taken.
    fn members(&mut self, depth: usize) -> Result<(), Rejection> {
        while let Some(element) = self.element()? {
            let key = attribute(element.tag, b"name").unwrap_or_default();
            let place = add(&mut self.fields, key, Value::Null)?;
            let value = match element.name {
                b"MAP" | b"TYPED_MAP" if key.is_empty() => {
                    return Err(self.syntax("it is cut off: another event begins within it"));
                }
                b"MAP" | b"TYPED_MAP" => {
                    let list = attribute(element.tag, b"isArray") == Some(b"true");
                    if list || depth >= KEPT_DEPTH {
                        self.skip(depth)?;
                    } else {
                        self.members(depth + 1)?;
                    }
                    if list { Value::List } else { Value::Map }
                }
                kind => scalar(kind, self.text_until_end()?),
            };
            self.fields[place].value = value;
            count_members(&mut self.fields, place);
        }
        Ok(())
    }

    /// The content of the open XML-RPC `<value>`; its end tag is taken.
    fn rpc_value(&mut self, key: &'a [u8], depth: usize) -> Result<(), Rejection> {
        let place = add(&mut self.fields, key, Value::Null)?;
        let start = self.at();
        let Some(element) = self.element()? else {
            // A value without a type is a string.
            let end = memmem::rfind(&self.body[start..self.at()], b"</").map_or(start, |end| start + end);
            self.fields[place].value = Value::Text(Text::xml(&self.body[start..end]));
            return Ok(());
        };
        let value = match element.name {
            // The envelope may itself be a struct, so one level more is kept than elsewhere.
            b"struct" if depth <= KEPT_DEPTH => {
                while let Some(member) = self.element()? {
                    if member.name != b"member" {
                        return Err(self.syntax("a member is missing"));
                    }
                    self.enter(b"name")?;
                    let name = self.text_until_end()?.raw;
                    self.enter(b"value")?;
                    self.rpc_value(name, depth + 1)?;
                    self.leave()?;
                }
                Value::Map
            }
            b"struct" => {
                self.skip(depth)?;
                Value::Map
            }
            b"array" => {
                self.skip(depth)?;
                Value::List
            }
            kind => scalar(kind, self.text_until_end()?),
        };
        self.fields[place].value = value;
        count_members(&mut self.fields, place);
        self.leave()
    }
}

/// The value of an attribute as written.
fn attribute<'a>(tag: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut rest = &tag[tag.iter().position(u8::is_ascii_whitespace)?..];
    loop {
        let (name, after) = rest.split_at(memchr::memchr(b'=', rest)?);
        let after = after[1..].trim_ascii_start();
        let (quote, after) = after.split_first()?;
        let (value, after) = after.split_at(memchr::memchr(*quote, after)?);
        if name.trim_ascii() == wanted {
            return Some(value);
        }
        rest = &after[1..];
    }
}

/// The value of an element by its type; the width of an integer is not checked.
fn scalar<'a>(kind: &[u8], text: Text<'a>) -> Value<'a> {
    match kind {
        b"NULL" | b"UNDEFINED" | b"nil" => Value::Null,
        // Markup within it has to be resolved first.
        _ if text.escapes != Escapes::None => Value::Text(text),
        b"BOOL" | b"boolean" => match text.raw {
            b"true" | b"1" => Value::Bool(true),
            b"false" | b"0" => Value::Bool(false),
            _ => Value::Text(text),
        },
        b"DOUBLE" | b"double" | b"int" | b"i4" | b"i8" => Value::Number(text.raw),
        _ if kind.starts_with(b"INT") || kind.starts_with(b"UINT") => Value::Number(text.raw),
        _ => Value::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(body: &[u8]) -> Vec<Result<Message<'_>, Rejection>> {
        let mut all = Vec::new();
        decode(body, usize::MAX, &mut |event| all.push(event));
        all
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        let body = b"<MAP name=\"\"><STR name=\"type\">x</STR><STR name=\"bad\xff\">y</STR>\
            <MAP name=\"payload\"><STR name=\"name\">a&amp;b\xff\xfe</STR><UINT64 name=\"uniqueId\">7</UINT64></MAP></MAP>";
        let message = decoded(body).remove(0).unwrap();
        let payload = message.payload();
        assert_eq!(payload.text("name").unwrap().as_deref(), Some("a&b\u{fffd}\u{fffd}"));
        assert_eq!(payload.u64("uniqueId").unwrap(), Some(7));
        let broken = decoded(b"<MAP name=\"\"><STR name=\"type\">x\xff</STR>").remove(0).unwrap_err();
        assert!(matches!(broken, Rejection::Syntax { at: 38, .. }), "{broken:?}");
    }

    #[test]
    fn markup_in_any_legal_form_gives_the_same_fields() {
        for payload in [
            r#"<MAP name="payload"><STR name="name">a &amp; b</STR><UINT64 name="id">7</UINT64></MAP>"#,
            r#"<MAP  isArray='false'  name = 'payload' ><STR x="a name='b'" name='name'><![CDATA[a & b]]></STR><UINT64 name="id"><![CDATA[7]]></UINT64></MAP >"#,
            r#"<!-- <MAP> --><MAP name="payload"><STR
                name="name">a<!-- x --> &#38; <![CDATA[b]]></STR><UINT64 name="id"><!-- y -->7</UINT64></MAP>"#,
        ] {
            let body = format!(r#"<MAP name=""><STR name="type">x</STR>{payload}</MAP>"#);
            let all = decoded(body.as_bytes());
            let payload = all[0].as_ref().unwrap().payload();
            assert_eq!(payload.text("name").unwrap().as_deref(), Some("a & b"), "{body}");
            assert_eq!(payload.u64("id").unwrap(), Some(7), "{body}");
        }
    }

    #[test]
    fn each_document_of_a_body_counts_and_a_broken_one_costs_only_itself() {
        let good = r#"<MAP name=""><STR name="type">x</STR></MAP>"#;
        let call = "<methodCall><methodName>x</methodName><params/></methodCall>";
        let torn = r#"<MAP name=""><STR name="type">x"#;
        let prolog = r#"<?xml version="1.0" ?>"#;
        for (body, outcomes) in [
            (format!("{good}{good}\n\n{good}\n"), vec![true; 3]),
            (format!("{prolog}{good}{prolog}\n{good}"), vec![true; 2]),
            (format!("{prolog}{call}\n{call}{call}"), vec![true; 3]),
            (format!("{good}\n{torn}\n{good}\n{good}"), vec![true, false, true, true]),
            (format!("{torn}{prolog}{good}"), vec![false, true]),
            (format!("<OTHER><MAP/></OTHER>\n{good}"), vec![false, true]),
            (format!("{good}\nrest"), vec![true, false]),
            (format!("\u{feff}{prolog}{good}\n{good}"), vec![true, true]),
        ] {
            let seen: Vec<_> = decoded(body.as_bytes()).iter().map(Result::is_ok).collect();
            assert_eq!(seen, outcomes, "{body}");
        }
    }
}
