//! Bodies that a proxy or another sender has compressed.

use std::io::Read;

use axum::http::{HeaderMap, header};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::buffer::Buffer;
use ems_protocol::Rejection;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Not at all.
    Identity,
    /// As gzip, RFC 1952.
    Gzip,
    /// As deflate: in the format of zlib, RFC 1950, or without its header, as some programs send it.
    Deflate,
}

impl Encoding {
    /// The encoding that the headers name.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Rejection> {
        let mut names = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(name) = names.next() else { return Ok(Self::Identity) };
        match (name.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str(), names.next()) {
            ("identity" | "", None) => Ok(Self::Identity),
            ("gzip" | "x-gzip", None) => Ok(Self::Gzip),
            ("deflate", None) => Ok(Self::Deflate),
            _ => Err(Rejection::NotAnEvent(
                "its Content-Encoding is not read: send it as gzip, as deflate or without",
            )),
        }
    }

    /// The body, or its content in `space`.
    pub(super) fn decode<'b>(self, body: &'b [u8], space: &'b mut Buffer) -> Result<&'b [u8], Rejection> {
        // RFC 1950, section 2.2: the first two bytes are a multiple of 31, and the method is 8.
        let is_zlib = matches!(*body, [first, second, ..] if first & 15 == 8 && u16::from_be_bytes([first, second]) % 31 == 0);
        match self {
            Self::Identity => Ok(body),
            Self::Gzip => read(MultiGzDecoder::new(body), space),
            Self::Deflate if is_zlib => read(ZlibDecoder::new(body), space),
            Self::Deflate => read(DeflateDecoder::new(body), space),
        }
    }
}

fn read(mut decoder: impl Read, space: &mut Buffer) -> Result<&[u8], Rejection> {
    let mut piece = [0; 8 << 10];
    loop {
        match decoder.read(&mut piece) {
            Ok(0) => return Ok(space),
            Ok(length) => space.extend(&piece[..length])?,
            Err(_) => return Err(Rejection::NotAnEvent("its compressed content is broken")),
        }
    }
}
