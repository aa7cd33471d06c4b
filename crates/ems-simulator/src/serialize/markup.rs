//! Indentation and escapes, which both XML formats share.

/// Four spaces for each level, as both XML formats are indented.
pub(crate) fn indent(out: &mut Vec<u8>, level: usize) {
    for _ in 0..level {
        out.extend_from_slice(b"    ");
    }
}

/// Text inside an XML element or attribute: markup and control characters become references, other bytes pass as they are.
pub(crate) fn escape(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&apos;"),
            0..=31 => out.extend_from_slice(format!("&#x{byte:02X};").as_bytes()),
            _ => out.push(byte),
        }
    }
}
