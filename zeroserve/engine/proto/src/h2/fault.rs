//! What a peer can do wrong in HTTP/2, what it is told then, and what was counted.

use core::fmt;

/// The error codes of RFC 9113, section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// Not an error: a graceful end.
    NoError,
    /// A rule was broken that has no code of its own.
    ProtocolError,
    /// Something went wrong on the sender's side.
    InternalError,
    /// More data than the window had room for.
    FlowControlError,
    /// A frame for a stream that is closed.
    StreamClosed,
    /// A frame whose size cannot be.
    FrameSizeError,
    /// Not processed at all: the request may be sent again.
    RefusedStream,
    /// No longer wanted.
    Cancel,
    /// The header compression state is lost.
    CompressionError,
    /// The peer makes more work than it should.
    EnhanceYourCalm,
    /// Should be tried with HTTP/1.1.
    Http11Required,
    /// Any other number; RFC 9113, section 7 gives unknown ones no meaning.
    Other(u32),
}

impl ErrorCode {
    /// The code's number on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::NoError => 0x0,
            Self::ProtocolError => 0x1,
            Self::InternalError => 0x2,
            Self::FlowControlError => 0x3,
            Self::StreamClosed => 0x5,
            Self::FrameSizeError => 0x6,
            Self::RefusedStream => 0x7,
            Self::Cancel => 0x8,
            Self::CompressionError => 0x9,
            Self::EnhanceYourCalm => 0xb,
            Self::Http11Required => 0xd,
            Self::Other(number) => number,
        }
    }

    /// The code with this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            0x0 => Self::NoError,
            0x1 => Self::ProtocolError,
            0x2 => Self::InternalError,
            0x3 => Self::FlowControlError,
            0x5 => Self::StreamClosed,
            0x6 => Self::FrameSizeError,
            0x7 => Self::RefusedStream,
            0x8 => Self::Cancel,
            0x9 => Self::CompressionError,
            0xb => Self::EnhanceYourCalm,
            0xd => Self::Http11Required,
            other => Self::Other(other),
        }
    }
}

/// A fault in what the peer sent. Whether it costs the stream or the connection depends on where it
/// was found; [`Fault::code`] is what the peer is told either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection did not start with the preface and SETTINGS (RFC 9113, section 3.4).
    BadPreface,
    /// A frame above the size that we announced (section 4.2).
    FrameTooLarge,
    /// A frame whose size does not fit its type.
    BadFrameSize,
    /// A frame on a stream, or on none, where its type may not be.
    WrongStream,
    /// A client may not push (section 8.4).
    PushPromise,
    /// Another frame between HEADERS and the end of its CONTINUATION frames, or one of those alone.
    BrokenHeaderBlock,
    /// More padding than payload.
    BadPadding,
    /// A new stream with an even identifier, or one below an earlier one (section 5.1.1).
    BadStreamId,
    /// A frame on a stream that was never opened.
    IdleStream,
    /// A frame on a stream that the peer has ended.
    StreamClosed,
    /// A setting with a value that it may not have.
    BadSetting,
    /// A window above 2^31-1 (section 6.9.1).
    WindowOverflow,
    /// `WINDOW_UPDATE` by zero.
    EmptyWindowUpdate,
    /// More data than the window had room for.
    WindowExceeded,
    /// A header block that HPACK cannot decode.
    BadHeaderBlock,
    /// A header block of more bytes or frames than any request needs.
    HeaderBlockTooLarge,
    /// A stream that depends on itself (RFC 7540, section 5.3.1).
    SelfDependency,
    /// `PRIORITY_UPDATE` for something that is no request.
    BadPriorityUpdate,
    /// A request that breaks RFC 9113, section 8.
    MalformedRequest,
    /// A trailer section that breaks section 8.1.
    MalformedTrailers,
    /// A body longer or shorter than its `content-length`.
    WrongContentLength,
    /// More streams at once than we announced.
    TooManyStreams,
    /// Streams opened to be reset, or to be refused, faster than anybody gives up requests.
    ResetFlood,
    /// SETTINGS or PING faster than anybody needs them.
    AckFlood,
    /// Frames that do nothing, or hardly anything.
    NoiseFlood,
    /// PRIORITY or `PRIORITY_UPDATE` faster than anybody changes their mind.
    PriorityFlood,
    /// `WINDOW_UPDATE` far more often than data came.
    WindowFlood,
    /// Requests with too many or too large fields, one after the other.
    HeadFlood,
    /// Windows stay closed, or are opened by a few bytes at a time, while answers wait.
    Stalled,
    /// Answers to control frames pile up because the peer does not read.
    UnreadAnswers,
}

impl Fault {
    /// What the peer is told.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::BadPreface
            | Self::WrongStream
            | Self::PushPromise
            | Self::BrokenHeaderBlock
            | Self::BadPadding
            | Self::BadStreamId
            | Self::IdleStream
            | Self::EmptyWindowUpdate
            | Self::SelfDependency
            | Self::BadPriorityUpdate
            | Self::MalformedRequest
            | Self::MalformedTrailers
            | Self::WrongContentLength
            | Self::BadSetting => ErrorCode::ProtocolError,
            Self::FrameTooLarge | Self::BadFrameSize => ErrorCode::FrameSizeError,
            Self::StreamClosed => ErrorCode::StreamClosed,
            Self::WindowOverflow | Self::WindowExceeded => ErrorCode::FlowControlError,
            Self::BadHeaderBlock => ErrorCode::CompressionError,
            Self::TooManyStreams => ErrorCode::RefusedStream,
            Self::HeaderBlockTooLarge
            | Self::ResetFlood
            | Self::AckFlood
            | Self::NoiseFlood
            | Self::PriorityFlood
            | Self::WindowFlood
            | Self::HeadFlood
            | Self::Stalled
            | Self::UnreadAnswers => ErrorCode::EnhanceYourCalm,
        }
    }

    /// A few words for GOAWAY and for the log; fit to show to the peer.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::BadPreface => "no HTTP/2 preface",
            Self::FrameTooLarge => "frame too large",
            Self::BadFrameSize => "wrong frame size",
            Self::WrongStream => "frame on the wrong stream",
            Self::PushPromise => "push from a client",
            Self::BrokenHeaderBlock => "broken header block",
            Self::BadPadding => "bad padding",
            Self::BadStreamId => "bad stream identifier",
            Self::IdleStream => "frame on an idle stream",
            Self::StreamClosed => "frame on a closed stream",
            Self::BadSetting => "bad setting",
            Self::WindowOverflow => "window overflow",
            Self::EmptyWindowUpdate => "window update by zero",
            Self::WindowExceeded => "window exceeded",
            Self::BadHeaderBlock => "header compression broken",
            Self::HeaderBlockTooLarge => "header block too large",
            Self::SelfDependency => "stream depends on itself",
            Self::BadPriorityUpdate => "bad priority update",
            Self::MalformedRequest => "malformed request",
            Self::MalformedTrailers => "malformed trailers",
            Self::WrongContentLength => "body differs from content-length",
            Self::TooManyStreams => "too many streams",
            Self::ResetFlood => "too many resets",
            Self::AckFlood => "too many pings or settings",
            Self::NoiseFlood => "too many frames without use",
            Self::PriorityFlood => "too many priorities",
            Self::WindowFlood => "too many window updates",
            Self::HeadFlood => "too many oversized heads",
            Self::Stalled => "windows kept closed",
            Self::UnreadAnswers => "answers not read",
        }
    }
}

/// What a connection was ended for, in the classes that statistics have: one for each kind of flood,
/// and one for everything that breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// [`Fault::ResetFlood`].
    Resets,
    /// [`Fault::HeaderBlockTooLarge`]: too many CONTINUATION frames, or too much in them.
    Continuations,
    /// [`Fault::HeadFlood`].
    OversizedHeads,
    /// [`Fault::AckFlood`].
    Acks,
    /// [`Fault::NoiseFlood`].
    Noise,
    /// [`Fault::PriorityFlood`].
    Priorities,
    /// [`Fault::WindowFlood`].
    WindowUpdates,
    /// [`Fault::UnreadAnswers`].
    UnreadAnswers,
    /// [`Fault::Stalled`].
    Stalls,
    /// Any other fault.
    BrokenRule,
}

impl Misuse {
    /// Every class, in the order of its number.
    pub const ALL: [Self; 10] = [
        Self::Resets,
        Self::Continuations,
        Self::OversizedHeads,
        Self::Acks,
        Self::Noise,
        Self::Priorities,
        Self::WindowUpdates,
        Self::UnreadAnswers,
        Self::Stalls,
        Self::BrokenRule,
    ];

    /// Its name in statistics. Names are stable.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Resets => "resets",
            Self::Continuations => "continuations",
            Self::OversizedHeads => "oversized_heads",
            Self::Acks => "acks",
            Self::Noise => "noise",
            Self::Priorities => "priorities",
            Self::WindowUpdates => "window_updates",
            Self::UnreadAnswers => "unread_answers",
            Self::Stalls => "stalls",
            Self::BrokenRule => "broken_rule",
        }
    }
}

impl From<Fault> for Misuse {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::ResetFlood => Self::Resets,
            Fault::HeaderBlockTooLarge => Self::Continuations,
            Fault::HeadFlood => Self::OversizedHeads,
            Fault::AckFlood => Self::Acks,
            Fault::NoiseFlood => Self::Noise,
            Fault::PriorityFlood => Self::Priorities,
            Fault::WindowFlood => Self::WindowUpdates,
            Fault::UnreadAnswers => Self::UnreadAnswers,
            Fault::Stalled => Self::Stalls,
            _ => Self::BrokenRule,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for Fault {}

/// What one connection did, for statistics and for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that were handed out, refused ones with an answer included.
    pub requests: u64,
    /// Streams that the peer reset while their answer was under way.
    pub resets_received: u64,
    /// Streams that we reset for a fault of the peer.
    pub resets_sent: u64,
    /// SETTINGS and PING frames that wanted an acknowledgement.
    pub acks: u64,
    /// Frames that did nothing: empty, unknown, on closed streams.
    pub noise: u64,
    /// PRIORITY and `PRIORITY_UPDATE` frames.
    pub priorities: u64,
    /// `WINDOW_UPDATE` frames.
    pub window_updates: u64,
    /// DATA frames kept small by a window that the peer opened by a few bytes only.
    pub tiny_data: u64,
    /// CONTINUATION frames.
    pub continuations: u64,
    /// Requests whose fields were above [`crate::limits::HEADER_BLOCK_BYTES_MAX`].
    pub oversized_heads: u64,
}
