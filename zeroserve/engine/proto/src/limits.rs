//! Caps on what a peer may send. Each has a unit in its name, a reason, and a tie to its neighbours.

/// Longest request line, its line end included. Above it the peer gets 414.
///
/// 8,000 octets is what RFC 9112, section 3 recommends to support; 8 KiB is the next round size.
pub const REQUEST_LINE_BYTES_MAX: usize = 8 << 10;

/// Longest block of header fields, the closing empty line included. Above it the peer gets 431.
///
/// Room for several cookies at their usual 4 KiB cap and one long token; browsers send under 4 KiB.
pub const HEADER_BLOCK_BYTES_MAX: usize = 64 << 10;

/// Most header fields in one request. Above it the peer gets 431.
///
/// Browsers send about 20; the cap bounds the work of anything that looks at every field.
pub const HEADERS_MAX: usize = 100;

/// Most bytes of empty lines before a request line (RFC 9112, section 2.2 asks to ignore at least
/// one `CRLF`). Some old clients send one after a body; nobody needs more than four.
pub const LEADING_CRLF_BYTES_MAX: usize = 8;

/// Longest head as a whole: what a connection's buffer must be able to hold.
pub const HEAD_BYTES_MAX: usize =
    LEADING_CRLF_BYTES_MAX + REQUEST_LINE_BYTES_MAX + HEADER_BLOCK_BYTES_MAX;

/// Longest method name. The longest registered one, `UPDATEREDIRECTREF`, has 17 characters.
pub const METHOD_BYTES_MAX: usize = 32;

/// Longest `Host` or authority: 253 characters of DNS name, brackets or a trailing dot, a port.
pub const HOST_BYTES_MAX: usize = 262;

/// Most hexadecimal digits of a chunk size: those of a `u64`, so that zeros cannot be padded on.
pub const CHUNK_SIZE_DIGITS_MAX: u8 = 16;

/// Most bytes of chunk extensions in one body, all chunks together.
///
/// Nobody uses extensions; unbounded, they let one byte of body cost a line of parsing each.
pub const CHUNK_EXTENSION_BYTES_MAX: u32 = 4 << 10;

/// Most bytes of trailer fields after one chunked body. Above it the peer gets 431.
pub const TRAILER_BYTES_MAX: u32 = 8 << 10;

/// Most ranges answered from one `Range` field; with more the whole representation is sent.
///
/// RFC 9110, section 14.2 lets a server ignore such fields; 16 is more than PDF readers ask for.
pub const RANGES_MAX: usize = 16;

/// Most members of one list field that are looked at (`If-None-Match`, `Accept-Encoding`).
///
/// A shared cache revalidates a handful of stored responses at once; the rest counts as no match.
pub const LIST_MEMBERS_MAX: usize = 256;

const _: () = assert!(
    HEAD_BYTES_MAX <= 128 << 10,
    "a head must fit the largest receive buffer"
);
const _: () = assert!(METHOD_BYTES_MAX + HOST_BYTES_MAX < REQUEST_LINE_BYTES_MAX);
const _: () = assert!(
    HEADERS_MAX * 4 < HEADER_BLOCK_BYTES_MAX,
    "`a:` and a line end each"
);
const _: () = assert!(LEADING_CRLF_BYTES_MAX.is_multiple_of(2), "whole line ends");
const _: () = assert!(
    CHUNK_SIZE_DIGITS_MAX as u32 * 4 <= u64::BITS,
    "a size never overflows"
);
const _: () = assert!(TRAILER_BYTES_MAX as usize <= HEADER_BLOCK_BYTES_MAX);

/// Longest first message of a TLS client. Post-quantum key shares and Encrypted Client Hello make a
/// few kilobytes; `BoringSSL` itself gives up at 16 KiB more.
pub const CLIENT_HELLO_BYTES_MAX: usize = 64 << 10;
