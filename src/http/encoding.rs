//! Bodies that a proxy or another sender has compressed.

use std::io::{self, Read};

use axum::http::{HeaderMap, header};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use ems_protocol::Rejection;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// As gzip, RFC 1952.
    Gzip,
    /// As deflate: in the format of zlib, RFC 1950, or without its header, as some programs send it.
    Deflate,
}

impl Encoding {
    /// The encoding that the headers name.
    pub fn of(headers: &HeaderMap) -> Result<Self, Rejection> {
        let mut names = headers.get_all(header::CONTENT_ENCODING).iter();
        let name = names.next().map_or(Ok("identity"), |name| name.to_str());
        match (name.unwrap_or_default().trim().to_ascii_lowercase().as_str(), names.next()) {
            ("identity" | "", None) => Ok(Self::Identity),
            ("gzip" | "x-gzip", None) => Ok(Self::Gzip),
            ("deflate", None) => Ok(Self::Deflate),
            _ => Err(Rejection::NotAnEvent(
                "its Content-Encoding is not read: send it as gzip, as deflate or without",
            )),
        }
    }

    /// The body, of at most `limit` bytes.
    pub fn decode(self, bytes: Vec<u8>, limit: usize) -> Result<Vec<u8>, Rejection> {
        // RFC 1950, section 2.2: the first two bytes are a multiple of 31, and the method is 8.
        let is_zlib = matches!(bytes[..], [first, second, ..] if first & 15 == 8 && u16::from_be_bytes([first, second]) % 31 == 0);
        match self {
            Self::Identity => Ok(bytes),
            Self::Gzip => read(MultiGzDecoder::new(&bytes[..]), limit),
            Self::Deflate if is_zlib => read(ZlibDecoder::new(&bytes[..]), limit),
            Self::Deflate => read(DeflateDecoder::new(&bytes[..]), limit),
        }
    }
}

fn read(decoder: impl Read, limit: usize) -> Result<Vec<u8>, Rejection> {
    let mut bytes = Vec::new();
    let broken = |_: io::Error| Rejection::NotAnEvent("its compressed content is broken");
    decoder.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() > limit { Err(Rejection::Size(limit)) } else { Ok(bytes) }
}
