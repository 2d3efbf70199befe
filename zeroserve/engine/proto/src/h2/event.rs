//! What a connection tells its caller.

use super::fault::{ErrorCode, Fault};
use super::stream::StreamId;
use crate::error::PeerError;
use crate::field::Fields;
use crate::message::RequestHead;

/// The outcome of one [`super::Connection::handle_bytes`].
#[derive(Debug)]
pub struct Step<'c> {
    /// Bytes of the input that are done with. The rest must be given again.
    pub consumed: usize,
    /// `None` when more bytes are needed.
    pub event: Option<Event<'c>>,
}

/// One thing that happened. Heads and bytes are borrowed until the next call.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a request is the usual event, and none is ever stored"
)]
pub enum Event<'c> {
    /// A request to answer with [`super::Connection::send_head`].
    Request {
        /// Its stream.
        stream: StreamId,
        /// The head. A body of unknown length has [`crate::message::BodyFraming::Chunked`]; the
        /// version is that of the HTTP/1.1 head which the request would have been.
        head: RequestHead<'c>,
        /// No body follows.
        end_stream: bool,
    },
    /// A request that cannot be taken as it is: answer with the error's status. Its body, if one
    /// follows, is not handed out.
    Refused {
        /// Its stream.
        stream: StreamId,
        /// Why.
        error: PeerError,
    },
    /// Bytes of a request's body. Say [`super::Connection::body_consumed`] for all of them, at once
    /// or later, also when the stream is gone by then.
    Data {
        /// The stream.
        stream: StreamId,
        /// The bytes; none when the peer only ends the body.
        bytes: &'c [u8],
        /// The body is complete.
        end_stream: bool,
    },
    /// The body is complete, and trailer fields came after it.
    Trailers {
        /// The stream.
        stream: StreamId,
        /// The fields, checked.
        fields: Fields<'c>,
    },
    /// The stream is over before its answer was; or never began, after a malformed request.
    Gone {
        /// The stream.
        stream: StreamId,
        /// Who ended it, and why.
        cause: Cause,
    },
    /// The peer answered a [`super::Connection::ping`].
    Pong {
        /// The bytes that were sent with it.
        data: [u8; 8],
    },
    /// The peer will open no more streams; those that are open go on.
    PeerGoesAway {
        /// Its reason.
        code: ErrorCode,
    },
    /// The connection is over: send what [`super::Connection::output`] holds and close. All streams
    /// are gone. Bytes that still come are swallowed.
    Failed {
        /// The peer's fault.
        fault: Fault,
    },
}

/// Why a stream is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The peer reset it.
    Peer(ErrorCode),
    /// We reset it for a fault of the peer.
    Fault(Fault),
}
