//! XML bodies: the server's own `<MAP>` documents, and XML-RPC calls.
//!
//! Both are read in one pass into the fields that JSON gives. Entities that a document declares
//! are never expanded; only the five of XML itself and character references are known.

use memchr::memmem;
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::format::Format;
use crate::limits::{KEPT_DEPTH, MAX_DEPTH};
use crate::message::{Field, Message, Value, add, count_members};
use crate::rejection::Rejection;
use crate::text::Text;

/// The names of an XML-RPC call's positional parameters: the envelope's members in byte order.
const POSITIONS: [&str; 5] = ["id", "payload", "processId", "timestamp", "type"];

/// Decodes a `<MAP>` or `<TYPED_MAP>` document.
pub(super) fn decode(body: &[u8]) -> Result<Message<'_>, Rejection> {
    read(body, map)
}

fn map<'a>(mut document: Document<'a, '_>) -> Result<Message<'a>, Rejection> {
    let root = document.element()?.ok_or_else(|| document.syntax("it has no element"))?;
    if !matches!(root.name, b"MAP" | b"TYPED_MAP") {
        return Err(Rejection::NotAnEvent("its root is not a MAP"));
    }
    document.members(1)?;
    Message::open(document.fields)
}

/// Decodes a `<methodCall>`: the server's five positional parameters, or one struct with members
/// `type` and `payload` as its documentation shows.
pub(super) fn decode_call(body: &[u8]) -> Result<Message<'_>, Rejection> {
    read(body, call)
}

fn call<'a>(mut document: Document<'a, '_>) -> Result<Message<'a>, Rejection> {
    document.enter(b"methodCall")?;
    document.enter(b"methodName")?;
    let method = document.text_until_end()?;
    document.enter(b"params")?;
    let mut params = 0;
    while let Some(param) = document.element()? {
        if param.name != b"param" {
            return Err(document.syntax("a param is missing"));
        }
        let key = POSITIONS.get(params).copied().unwrap_or_default();
        document.enter(b"value")?;
        document.rpc_value(key.as_bytes(), 1)?;
        document.leave()?;
        params += 1;
    }
    let mut fields = document.fields;
    if params == 1 && fields.first().is_some_and(|first| matches!(first.value, Value::Map)) {
        // One struct: its members are the envelope.
        fields.remove(0);
    }
    if !fields.iter().any(|field| field.key == b"type") {
        add(&mut fields, b"type", Value::Text(method))?;
    }
    Message::open(fields)
}

/// Reads a body, if need be with the bytes replaced that are not UTF-8: the server writes stream names as it received
/// them.
fn read<'a>(
    body: &'a [u8],
    decode: impl for<'r> Fn(Document<'a, 'r>) -> Result<Message<'a>, Rejection>,
) -> Result<Message<'a>, Rejection> {
    let strictly = decode(Document::new(body, body));
    if strictly.is_ok() || std::str::from_utf8(body).is_ok() {
        return strictly;
    }
    decode(Document::new(body, &masked(body)))
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
    /// Reads the body, or a copy of it in which every place is the same.
    reader: Reader<&'r [u8]>,
    fields: Vec<Field<'a>>,
}

impl<'a, 'r> Document<'a, 'r> {
    fn new(body: &'a [u8], readable: &'r [u8]) -> Self {
        let mut reader = Reader::from_reader(readable);
        reader.config_mut().expand_empty_elements = true;
        Self { body, reader, fields: Vec::with_capacity(96) }
    }

    fn at(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).map_or(self.body.len(), |at| at.min(self.body.len()))
    }

    fn syntax(&self, what: &'static str) -> Rejection {
        Rejection::Syntax { format: Format::Xml, what, at: self.at() }
    }

    fn read(&mut self) -> Result<Event<'r>, Rejection> {
        self.reader.read_event().map_err(|_| Rejection::Syntax {
            format: Format::Xml,
            what: "the markup is not well formed",
            at: usize::try_from(self.reader.error_position()).unwrap_or(self.body.len()),
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
                Event::End(_) => {
                    return Ok(Text::xml(&self.body[start..end]));
                }
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
            let key = attribute(element.tag, b" name=\"").unwrap_or_default();
            let place = add(&mut self.fields, key, Value::Null)?;
            let value = match element.name {
                b"MAP" | b"TYPED_MAP" => {
                    let list = attribute(element.tag, b" isArray=\"") == Some(b"true");
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

/// The value of an attribute as written; `wanted` is a space, its name, `=` and the quote.
fn attribute<'a>(tag: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let start = memmem::find(tag, wanted)? + wanted.len();
    let end = start + memchr::memchr(b'"', &tag[start..])?;
    Some(&tag[start..end])
}

/// The value of an element by its type; the width of an integer is not checked.
fn scalar<'a>(kind: &[u8], text: Text<'a>) -> Value<'a> {
    match kind {
        b"NULL" | b"UNDEFINED" | b"nil" => Value::Null,
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

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        let body = b"<MAP name=\"\"><STR name=\"type\">x</STR><STR name=\"bad\xff\">y</STR>\
            <MAP name=\"payload\"><STR name=\"name\">a&amp;b\xff\xfe</STR><UINT64 name=\"uniqueId\">7</UINT64></MAP></MAP>";
        let message = decode(body).unwrap();
        let payload = message.payload();
        assert_eq!(payload.text("name").unwrap().as_deref(), Some("a&b\u{fffd}\u{fffd}"));
        assert_eq!(payload.u64("uniqueId").unwrap(), Some(7));
        let broken = decode(b"<MAP name=\"\"><STR name=\"type\">x\xff</STR>").unwrap_err();
        assert!(matches!(broken, Rejection::Syntax { at: 38, .. }), "{broken:?}");
    }
}
