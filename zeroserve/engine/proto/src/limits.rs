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

/// Most HTTP/2 streams a peer may have open at once (`SETTINGS_MAX_CONCURRENT_STREAMS`).
///
/// RFC 9113, section 6.5.2 recommends at least 100; browsers and load tools stay at or below that.
pub const H2_STREAMS_MAX: usize = 128;

/// Largest payload of an HTTP/2 frame, in both directions: the size that every peer must take.
///
/// Larger frames would save nothing: a TLS record ends at 16 KiB too.
pub const H2_FRAME_BYTES_MAX: usize = 16 << 10;

/// Most CONTINUATION frames after one HEADERS frame. A block of the largest size needs four frames
/// of the largest size; the rest is for peers that send smaller ones.
pub const H2_CONTINUATIONS_MAX: u32 = 16;

/// Longest header block as sent, all its frames together; above it the connection ends. Coded text
/// is hardly ever longer than the text, which has the same cap.
pub const H2_HEADER_BLOCK_BYTES_MAX: usize = HEADER_BLOCK_BYTES_MAX;

/// Size of the table that a peer's encoder may fill: the value both sides start with
/// (RFC 9113, section 6.5.2), which is enough for what a browser repeats.
pub const H2_DECODER_TABLE_BYTES_MAX: usize = 4 << 10;

/// Size of the table that our own encoder fills. The fields that an answer repeats take a few
/// hundred bytes, and the date a new entry each second: a larger table would keep old dates only.
pub const H2_ENCODER_TABLE_BYTES_MAX: usize = 2 << 10;

/// Bytes of a request body that are read away after its answer is complete; above it the stream is
/// reset, which RFC 9113, section 8.1 allows. Some clients (curl 7.88 is one) lose the answer then,
/// so the limit is far above what a form sends by mistake.
pub const H2_UNWANTED_BODY_BYTES_MAX: u64 = 16 << 20;

/// DATA waits to be asked for while this much output is unsent, so that streams are mixed late.
/// It is also the bound of what one connection can hold in unsent DATA.
pub const H2_OUTPUT_BYTES_MAX: usize = 256 << 10;

/// Most bytes of acknowledgements, window updates and resets that wait unsent. Above it the
/// connection ends: the peer asks for answers and does not read them. One read of 16 KiB can ask
/// for as much again, so four of them fit.
pub const H2_CONTROL_BYTES_MAX: usize = 64 << 10;

/// Streams that may be opened and given up again: so many at once (browsers cancel what a page no
/// longer needs, up to all its streams, a few times in a row), then so many a second.
pub const H2_RESETS_BURST: u32 = 512;
/// See [`H2_RESETS_BURST`].
pub const H2_RESETS_PER_SECOND: u32 = 32;

/// SETTINGS and PING frames: gRPC clients measure round trips by PING, some dozens a second.
pub const H2_ACKS_BURST: u32 = 1000;
/// See [`H2_ACKS_BURST`].
pub const H2_ACKS_PER_SECOND: u32 = 200;

/// Parameters in one SETTINGS frame that cost no more than the frame; each further one costs as much
/// as a frame. RFC 9113 defines six, extensions a few more; one frame has room for 2,730.
pub const H2_SETTINGS_FREE: usize = 16;

/// Frames that do nothing (empty ones, unknown types, closed streams): those that were on their way
/// when a stream ended are the only ones that a client sends in earnest.
pub const H2_NOISE_BURST: u32 = 2000;
/// See [`H2_NOISE_BURST`].
pub const H2_NOISE_PER_SECOND: u32 = 200;

/// PRIORITY and `PRIORITY_UPDATE` frames: a browser that reorders a page's images sends some
/// hundreds.
pub const H2_PRIORITIES_BURST: u32 = 2000;
/// See [`H2_PRIORITIES_BURST`].
pub const H2_PRIORITIES_PER_SECOND: u32 = 200;

/// `WINDOW_UPDATE` frames beyond those that a client has reason for, see
/// [`H2_WINDOW_UPDATES_EARNED`].
pub const H2_WINDOW_UPDATES_BURST: u32 = 2000;
/// See [`H2_WINDOW_UPDATES_BURST`].
pub const H2_WINDOW_UPDATES_PER_SECOND: u32 = 200;
/// `WINDOW_UPDATE` frames that each request and each DATA frame of ours gives reason for: one for
/// the stream and one for the connection, and as many again for clients that answer half a frame.
pub const H2_WINDOW_UPDATES_EARNED: u32 = 4;

/// Requests whose fields are too large: a browser with a cookie that is sends one for each part of a
/// page. Each is decoded whole, which a few bytes can make costly.
pub const H2_OVERSIZED_HEADS_BURST: u32 = 200;
/// See [`H2_OVERSIZED_HEADS_BURST`].
pub const H2_OVERSIZED_HEADS_PER_SECOND: u32 = 10;

/// DATA frames below [`H2_TINY_DATA_BYTES`] because the peer opened its window no further. When they
/// are used up, such a stream waits for a larger window, or for the caller's patience to end.
pub const H2_TINY_DATA_BURST: u32 = 100;
/// See [`H2_TINY_DATA_BURST`].
pub const H2_TINY_DATA_PER_SECOND: u32 = 10;
/// A frame with less costs more in framing, encryption and waking than in its bytes.
pub const H2_TINY_DATA_BYTES: usize = 256;

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
const _: () = assert!(
    H2_HEADER_BLOCK_BYTES_MAX / H2_FRAME_BYTES_MAX < H2_CONTINUATIONS_MAX as usize,
    "the largest block fits"
);
const _: () = assert!(
    H2_STREAMS_MAX < H2_RESETS_BURST as usize,
    "giving up a whole page is no flood"
);
const _: () = assert!(H2_ENCODER_TABLE_BYTES_MAX <= H2_DECODER_TABLE_BYTES_MAX);
const _: () = assert!(
    H2_FRAME_BYTES_MAX * 2 <= H2_OUTPUT_BYTES_MAX,
    "a stream's turn is never only a part of a frame"
);
