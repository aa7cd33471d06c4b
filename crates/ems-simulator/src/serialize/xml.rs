//! The XML serializer: one typed element for each value, indented.

use super::markup::{escape, indent};
use crate::value::{Map, Value};

/// Writes a whole document, whose root names the event.
pub(crate) fn write(out: &mut Vec<u8>, event: &str, members: &Map) {
    out.extend_from_slice(b"<?xml version=\"1.0\" ?>\n<TYPED_MAP typeName=\"");
    escape(out, event.as_bytes());
    out.extend_from_slice(b"\" isArray=\"false\" name=\"\">\n");
    for (name, value) in members {
        write_value(out, 1, name, value);
    }
    out.extend_from_slice(b"</TYPED_MAP>\n");
}

fn write_value(out: &mut Vec<u8>, level: usize, name: &str, value: &Value) {
    match value {
        Value::Null => {
            indent(out, level);
            out.extend_from_slice(b"<NULL name=\"");
            escape(out, name.as_bytes());
            out.extend_from_slice(b"\" />\n");
        }
        Value::Bool(flag) => {
            let word: &[u8] = if *flag { b"true" } else { b"false" };
            write_leaf(out, level, "BOOL", name, word);
        }
        Value::Integer(width, number) => {
            let digits = number.to_string();
            write_leaf(out, level, width.into(), name, digits.as_bytes());
        }
        Value::Double(number) => {
            write_leaf(out, level, "DOUBLE", name, format!("{number:.3}").as_bytes());
        }
        Value::Timestamp(text) => write_leaf(out, level, "TIMESTAMP", name, text.as_bytes()),
        Value::Text(text) => write_leaf(out, level, "STR", name, text),
        Value::List(values) => {
            let names = (0..values.len()).map(|position| format!("0x{position:08x}"));
            write_branch(out, level, "true", name, names.zip(values));
        }
        Value::Map(members) => write_branch(out, level, "false", name, members.iter()),
    }
}

fn write_leaf(out: &mut Vec<u8>, level: usize, tag: &str, name: &str, text: &[u8]) {
    indent(out, level);
    out.extend_from_slice(format!("<{tag} name=\"").as_bytes());
    escape(out, name.as_bytes());
    out.extend_from_slice(b"\">");
    escape(out, text);
    out.extend_from_slice(format!("</{tag}>\n").as_bytes());
}

fn write_branch<'a, N: AsRef<str>>(
    out: &mut Vec<u8>,
    level: usize,
    is_array: &str,
    name: &str,
    children: impl ExactSizeIterator<Item = (N, &'a Value)>,
) {
    indent(out, level);
    out.extend_from_slice(format!("<MAP isArray=\"{is_array}\" name=\"").as_bytes());
    escape(out, name.as_bytes());
    if children.len() == 0 {
        out.extend_from_slice(b"\" />\n");
        return;
    }
    out.extend_from_slice(b"\">\n");
    for (name, value) in children {
        write_value(out, level + 1, name.as_ref(), value);
    }
    indent(out, level);
    out.extend_from_slice(b"</MAP>\n");
}

#[cfg(test)]
mod tests {
    use super::super::super::value::{Map, Value};
    use super::super::super::value::{map, text};
    use super::write;

    #[test]
    fn markup_and_control_characters_become_references() {
        let mut out = Vec::new();
        write(&mut out, "e", &map([("name", text(b"a\t\x01&<>'\"\xff"))]));
        let expected = b"    <STR name=\"name\">a&#x09;&#x01;&amp;&lt;&gt;&apos;&quot;\xff</STR>\n";
        assert!(
            out.windows(expected.len()).any(|window| window == expected),
            "{}",
            String::from_utf8_lossy(&out)
        );
    }

    #[test]
    fn an_empty_map_closes_itself() {
        let mut out = Vec::new();
        write(&mut out, "e", &map([("parameters", Value::Map(Map::new()))]));
        let page = String::from_utf8(out).unwrap();
        assert!(page.contains("    <MAP isArray=\"false\" name=\"parameters\" />\n"), "{page}");
    }
}
