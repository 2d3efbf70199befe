//! Response heads into a buffer that the caller keeps: appended once, nothing allocated besides.

use crate::scan::field_value_end;

/// Room that a head of a static file needs; reserve it once for a connection's buffer.
pub const HEAD_BYTES_TYPICAL: usize = 512;

/// The reason phrase of a status code (RFC 9110, section 15 and the registry); empty if unknown.
#[must_use]
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        511 => "Network Authentication Required",
        _ => "",
    }
}

/// Writes one response head to the end of a buffer.
///
/// ```
/// # use zs_proto::h1::encode::HeadWriter;
/// let mut out = Vec::new();
/// let date = b"Sun, 06 Nov 1994 08:49:37 GMT";
/// HeadWriter::status(&mut out, 404).date(date).content_length(0).finish();
/// ```
#[derive(Debug)]
#[must_use = "a head is complete after `finish`"]
pub struct HeadWriter<'v> {
    out: &'v mut Vec<u8>,
}

impl<'v> HeadWriter<'v> {
    /// Starts with the status line and `Server`. Always HTTP/1.1, our own version, also in answers
    /// to HTTP/1.0 (RFC 9110, section 6.2).
    #[inline]
    pub fn status(out: &'v mut Vec<u8>, status: u16) -> Self {
        // The codes that files are answered with are ready text; the others are put together.
        match status {
            200 => out.extend_from_slice(b"HTTP/1.1 200 OK\r\nServer: zeroserve\r\n"),
            206 => out.extend_from_slice(b"HTTP/1.1 206 Partial Content\r\nServer: zeroserve\r\n"),
            304 => out.extend_from_slice(b"HTTP/1.1 304 Not Modified\r\nServer: zeroserve\r\n"),
            404 => out.extend_from_slice(b"HTTP/1.1 404 Not Found\r\nServer: zeroserve\r\n"),
            _ => {
                out.extend_from_slice(b"HTTP/1.1 ");
                // Three digits always: a code outside 100-999 is ours to prevent, not the wire's.
                let code = status.clamp(100, 999);
                out.extend_from_slice(itoa::Buffer::new().format(code).as_bytes());
                out.push(b' ');
                out.extend_from_slice(reason_phrase(code).as_bytes());
                out.extend_from_slice(b"\r\nServer: zeroserve\r\n");
            }
        }
        Self { out }
    }

    /// `Date`, from the text that [`crate::date::format_imf`] made for this second.
    #[inline]
    pub fn date(self, imf: &[u8; 29]) -> Self {
        self.out.extend_from_slice(b"Date: ");
        self.out.extend_from_slice(imf);
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// A field. Control bytes in the value become spaces (RFC 9110, section 5.5), so that a value
    /// can never start a line of its own.
    #[inline]
    pub fn header(self, name: &str, value: &[u8]) -> Self {
        debug_assert!(
            name.bytes().all(crate::scan::is_token),
            "field names are ours to choose"
        );
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        if field_value_end(value).is_none() {
            self.out.extend_from_slice(value);
        } else {
            let safe = |&byte: &u8| {
                if byte < b' ' || byte == 0x7f {
                    b' '
                } else {
                    byte
                }
            };
            self.out.extend(value.iter().map(safe));
        }
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// A field with a number for its value.
    #[inline]
    pub fn header_number(self, name: &str, value: u64) -> Self {
        self.header(name, itoa::Buffer::new().format(value).as_bytes())
    }

    /// Whole field lines made ready at load time, each with its `CRLF`.
    #[inline]
    pub fn block(self, lines: &[u8]) -> Self {
        debug_assert!(
            lines.is_empty() || lines.ends_with(b"\r\n"),
            "whole lines only"
        );
        self.out.extend_from_slice(lines);
        self
    }

    /// `Content-Length`.
    #[inline]
    pub fn content_length(self, bytes: u64) -> Self {
        self.out.extend_from_slice(b"Content-Length: ");
        self.out
            .extend_from_slice(itoa::Buffer::new().format(bytes).as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// `Content-Range: bytes start-end/size`, for 206.
    #[inline]
    pub fn content_range(self, range: crate::range::ByteRange, size: u64) -> Self {
        self.out.extend_from_slice(b"Content-Range: bytes ");
        let mut digits = itoa::Buffer::new();
        self.out
            .extend_from_slice(digits.format(range.start).as_bytes());
        self.out.push(b'-');
        self.out
            .extend_from_slice(digits.format(range.end_inclusive).as_bytes());
        self.out.push(b'/');
        self.out.extend_from_slice(digits.format(size).as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// `Content-Range: bytes */size`, for 416.
    #[inline]
    pub fn content_range_unsatisfied(self, size: u64) -> Self {
        self.out.extend_from_slice(b"Content-Range: bytes */");
        self.out
            .extend_from_slice(itoa::Buffer::new().format(size).as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// `Connection: close`: the last answer on this connection.
    #[inline]
    pub fn close(self) -> Self {
        self.out.extend_from_slice(b"Connection: close\r\n");
        self
    }

    /// `Connection: keep-alive`: an HTTP/1.0 client that asked for it has to be told.
    #[inline]
    pub fn keep_alive(self) -> Self {
        self.out.extend_from_slice(b"Connection: keep-alive\r\n");
        self
    }

    /// The empty line after the fields.
    #[inline]
    pub fn finish(self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

/// `100 Continue`, whole: the client may send its body now (RFC 9110, section 10.1.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
