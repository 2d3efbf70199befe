//! What a peer can do wrong, and the one table from fault to status code.
//!
//! After any of these the connection cannot be trusted to be in step: answer, then close it.

use core::fmt;

/// A fault in what the peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerError {
    /// The request line is not `method SP target SP version` (RFC 9112, section 3).
    BadRequestLine,
    /// The method is not a token, or longer than any method that exists.
    BadMethod,
    /// The request target has a form or a byte that RFC 9112, section 3.2 does not allow.
    BadTarget,
    /// A path that leaves the root, or hides a slash, a NUL or bytes that are not UTF-8.
    BadPath,
    /// A line ends in LF alone, or a CR stands without its LF (RFC 9112, section 2.2).
    BadLineEnd,
    /// A field line starts with white space: the folding that RFC 9112, section 5.2 retired.
    FoldedField,
    /// White space between a field name and its colon (RFC 9112, section 5.1).
    SpaceBeforeColon,
    /// A field name is empty or not a token.
    BadFieldName,
    /// A field value holds a control byte.
    BadFieldValue,
    /// A field that may come once came twice.
    RepeatedField,
    /// An HTTP/1.1 request without `Host` (RFC 9112, section 3.2).
    MissingHost,
    /// `Host`, or the authority of the target, is not `host [":" port]`.
    BadHost,
    /// `Content-Length` is not a number, or two of them differ.
    BadContentLength,
    /// Both `Content-Length` and `Transfer-Encoding`: a proxy before us may believe the other one.
    ConflictingLengths,
    /// `Transfer-Encoding` where chunked is not the last and only coding, or on HTTP/1.0.
    BadTransferEncoding,
    /// A chunk size, extension or line end that RFC 9112, section 7.1 does not allow.
    BadChunk,
    /// A trailer field that is not a field line.
    BadTrailer,
    /// The request line is above [`crate::limits::REQUEST_LINE_BYTES_MAX`].
    TargetTooLong,
    /// The fields are above [`crate::limits::HEADER_BLOCK_BYTES_MAX`] or their count too high.
    FieldsTooLarge,
    /// The body is above what the server takes.
    BodyTooLarge,
    /// A body without a length where one is needed.
    LengthRequired,
    /// An `Expect` other than `100-continue`.
    UnknownExpectation,
    /// The request is for a host that this server, or this connection, does not serve.
    Misdirected,
    /// A transfer coding that this server does not implement.
    UnknownTransferCoding,
    /// A version of HTTP that this parser does not speak.
    UnknownVersion,
    /// The head did not arrive in time.
    HeadTimeout,
}

impl PeerError {
    /// The status code that answers this fault.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequestLine
            | Self::BadMethod
            | Self::BadTarget
            | Self::BadPath
            | Self::BadLineEnd
            | Self::FoldedField
            | Self::SpaceBeforeColon
            | Self::BadFieldName
            | Self::BadFieldValue
            | Self::RepeatedField
            | Self::MissingHost
            | Self::BadHost
            | Self::BadContentLength
            | Self::ConflictingLengths
            | Self::BadTransferEncoding
            | Self::BadChunk
            | Self::BadTrailer => 400,
            Self::HeadTimeout => 408,
            Self::LengthRequired => 411,
            Self::BodyTooLarge => 413,
            Self::TargetTooLong => 414,
            Self::UnknownExpectation => 417,
            Self::Misdirected => 421,
            Self::FieldsTooLarge => 431,
            Self::UnknownTransferCoding => 501,
            Self::UnknownVersion => 505,
        }
    }

    /// A few words for the answer's body and for the log; fit to show to the peer.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::BadRequestLine => "malformed request line",
            Self::BadMethod => "malformed method",
            Self::BadTarget => "malformed request target",
            Self::BadPath => "malformed path",
            Self::BadLineEnd => "a line must end in CR LF",
            Self::FoldedField => "folded header field",
            Self::SpaceBeforeColon => "white space before a colon",
            Self::BadFieldName => "malformed header field name",
            Self::BadFieldValue => "control byte in a header field",
            Self::RepeatedField => "header field sent twice",
            Self::MissingHost => "missing Host",
            Self::BadHost => "malformed Host",
            Self::BadContentLength => "malformed Content-Length",
            Self::ConflictingLengths => "both Content-Length and Transfer-Encoding",
            Self::BadTransferEncoding => "malformed Transfer-Encoding",
            Self::BadChunk => "malformed chunk",
            Self::BadTrailer => "malformed trailer",
            Self::TargetTooLong => "request line too long",
            Self::FieldsTooLarge => "header fields too large",
            Self::BodyTooLarge => "body too large",
            Self::LengthRequired => "Content-Length required",
            Self::UnknownExpectation => "unknown expectation",
            Self::Misdirected => "host not served here",
            Self::UnknownTransferCoding => "transfer coding not implemented",
            Self::UnknownVersion => "HTTP version not supported",
            Self::HeadTimeout => "request not received in time",
        }
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for PeerError {}
