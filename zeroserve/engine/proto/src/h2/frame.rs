//! Frames as they lie on the wire (RFC 9113, sections 4 and 6).

use super::fault::ErrorCode;

/// Octets of a frame's header.
pub(super) const HEADER_BYTES: usize = 9;

/// What a client sends first (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frame types. Others are ignored, as section 4.1 wants.
pub(super) mod kind {
    pub(in crate::h2) const DATA: u8 = 0x0;
    pub(in crate::h2) const HEADERS: u8 = 0x1;
    pub(in crate::h2) const PRIORITY: u8 = 0x2;
    pub(in crate::h2) const RST_STREAM: u8 = 0x3;
    pub(in crate::h2) const SETTINGS: u8 = 0x4;
    pub(in crate::h2) const PUSH_PROMISE: u8 = 0x5;
    pub(in crate::h2) const PING: u8 = 0x6;
    pub(in crate::h2) const GOAWAY: u8 = 0x7;
    pub(in crate::h2) const WINDOW_UPDATE: u8 = 0x8;
    pub(in crate::h2) const CONTINUATION: u8 = 0x9;
    /// RFC 9218, section 7.1.
    pub(in crate::h2) const PRIORITY_UPDATE: u8 = 0x10;
}

/// Flags, named by the frames that have them.
pub(super) mod flag {
    /// SETTINGS, PING.
    pub(in crate::h2) const ACK: u8 = 0x1;
    /// DATA, HEADERS.
    pub(in crate::h2) const END_STREAM: u8 = 0x1;
    /// HEADERS, CONTINUATION.
    pub(in crate::h2) const END_HEADERS: u8 = 0x4;
    /// DATA, HEADERS.
    pub(in crate::h2) const PADDED: u8 = 0x8;
    /// HEADERS.
    pub(in crate::h2) const PRIORITY: u8 = 0x20;
}

/// Settings that mean something to a server (section 6.5.2, RFC 9218 section 2.1).
pub(super) mod setting {
    pub(in crate::h2) const HEADER_TABLE_SIZE: u16 = 0x1;
    pub(in crate::h2) const ENABLE_PUSH: u16 = 0x2;
    pub(in crate::h2) const MAX_CONCURRENT_STREAMS: u16 = 0x3;
    pub(in crate::h2) const INITIAL_WINDOW_SIZE: u16 = 0x4;
    pub(in crate::h2) const MAX_FRAME_SIZE: u16 = 0x5;
    pub(in crate::h2) const MAX_HEADER_LIST_SIZE: u16 = 0x6;
    pub(in crate::h2) const NO_RFC7540_PRIORITIES: u16 = 0x9;
}

/// The header of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Octets of payload.
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// Without the reserved bit.
    pub(super) stream: u32,
}

impl Header {
    pub(super) const fn parse(bytes: [u8; HEADER_BYTES]) -> Self {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = bytes;
        Self {
            length: u32::from_be_bytes([0, l0, l1, l2]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & STREAM_ID_MASK,
        }
    }

    pub(super) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Stream identifiers have 31 bits.
pub(super) const STREAM_ID_MASK: u32 = u32::MAX >> 1;

/// Length octets of a frame header: a frame's length has 24 bits, and no caller comes near.
const fn length_octets(length: usize) -> [u8; 3] {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "frames hold at most 16,384 octets"
    )]
    let [_, high, middle, low] = (length as u32).to_be_bytes();
    [high, middle, low]
}

#[inline]
pub(super) fn write_header(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let [high, middle, low] = length_octets(length);
    let [s0, s1, s2, s3] = stream.to_be_bytes();
    out.extend_from_slice(&[high, middle, low, kind, flags, s0, s1, s2, s3]);
}

/// Sets the length of the frame whose header starts at `start`.
#[inline]
pub(super) fn patch_length(out: &mut [u8], start: usize, length: usize) {
    if let Some(place) = out.get_mut(start..start + 3) {
        place.copy_from_slice(&length_octets(length));
    }
}

pub(super) fn write_reset(out: &mut Vec<u8>, stream: u32, code: ErrorCode) {
    write_header(out, 4, kind::RST_STREAM, 0, stream);
    out.extend_from_slice(&code.number().to_be_bytes());
}

pub(super) fn write_go_away(out: &mut Vec<u8>, last: u32, code: ErrorCode, words: &str) {
    write_header(out, 8 + words.len(), kind::GOAWAY, 0, 0);
    out.extend_from_slice(&last.to_be_bytes());
    out.extend_from_slice(&code.number().to_be_bytes());
    out.extend_from_slice(words.as_bytes());
}

pub(super) fn write_window_update(out: &mut Vec<u8>, stream: u32, bytes: u32) {
    write_header(out, 4, kind::WINDOW_UPDATE, 0, stream);
    out.extend_from_slice(&bytes.to_be_bytes());
}

pub(super) fn write_ping(out: &mut Vec<u8>, flags: u8, data: [u8; 8]) {
    write_header(out, 8, kind::PING, flags, 0);
    out.extend_from_slice(&data);
}

pub(super) fn write_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    write_header(out, settings.len() * 6, kind::SETTINGS, 0, 0);
    for (name, value) in settings {
        out.extend_from_slice(&name.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// The request line that the preface looks like.
const FIRST_LINE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// How the first bytes of a connection compare with the client's preface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preface {
    /// They are its start: read on before deciding.
    Partial,
    /// HTTP/2 with prior knowledge. The first line tells: no method of HTTP/1 is called `PRI` (RFC
    /// 9113, section 11.6). The rest of the preface is judged by [`super::Connection`].
    Http2,
    /// Something else.
    Other,
}

impl Preface {
    /// Compares the bytes that a connection started with (RFC 9113, section 3.3), for a listener
    /// that takes HTTP/1 and HTTP/2 on one port. Nothing is consumed.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(FIRST_LINE) {
            Self::Http2
        } else if PREFACE.starts_with(bytes) {
            Self::Partial
        } else {
            Self::Other
        }
    }
}
