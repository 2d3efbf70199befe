//! One connection: bytes and answers in, events and bytes out.

use super::core::{Core, Drain};
use super::event::{Cause, Event, Step};
use super::fault::{Counters, ErrorCode, Fault};
use super::flow::INITIAL;
use super::frame::{self, PREFACE, setting};
use super::head::{HeadBlock, Unfit};
use super::hpack::Decoder;
use super::receive::{Found, Gathering, Stop};
use super::stream::{Body, StreamId};
use crate::limits::{H2_STREAMS_MAX, HEADER_BLOCK_BYTES_MAX};

/// Largest window (RFC 9113, section 6.9.1).
const WINDOW_MAX: u32 = u32::MAX >> 1;
/// Marks the PING whose answer tells that the peer has read our first GOAWAY.
const DRAIN_PING: [u8; 8] = *b"zs-drain";

/// What a connection grants to its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of body that one stream may have under way, at most 2^31-1.
    pub stream_window: u32,
    /// Bytes of body that all streams together may have under way; 65,535 at least.
    pub connection_window: u32,
    /// Streams that may be open at once.
    pub streams_max: usize,
}

impl Default for Settings {
    /// 512 KiB a stream, 1 MiB a connection: an upload over a path of 100 ms then reaches 5 MB/s.
    fn default() -> Self {
        Self {
            stream_window: 512 << 10,
            connection_window: 1 << 20,
            streams_max: H2_STREAMS_MAX,
        }
    }
}

/// What comes next on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Preface,
    FirstSettings,
    Frames,
}

/// The server's side of one HTTP/2 connection.
#[derive(Debug)]
pub struct Connection {
    pub(super) core: Core,
    pub(super) phase: Phase,
    pub(super) decoder: Decoder,
    pub(super) head: HeadBlock,
    /// A header block that comes in several frames.
    pub(super) fragments: Vec<u8>,
    pub(super) gathering: Option<Gathering>,
}

impl Connection {
    /// A new connection. Its output holds our SETTINGS, which may leave before the peer's preface.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let stream_window = settings.stream_window.min(WINDOW_MAX);
        let connection_window = settings.connection_window.clamp(INITIAL, WINDOW_MAX);
        let streams_max = settings.streams_max.clamp(1, H2_STREAMS_MAX);
        let mut core = Core::new(stream_window, connection_window, streams_max);
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        frame::write_settings(
            &mut core.out,
            &[
                (setting::MAX_CONCURRENT_STREAMS, number(streams_max)),
                (setting::INITIAL_WINDOW_SIZE, stream_window),
                (
                    setting::MAX_HEADER_LIST_SIZE,
                    number(HEADER_BLOCK_BYTES_MAX),
                ),
                (setting::NO_RFC7540_PRIORITIES, 1),
            ],
        );
        if connection_window > INITIAL {
            frame::write_window_update(&mut core.out, 0, connection_window - INITIAL);
        }
        Self {
            core,
            phase: Phase::Preface,
            decoder: Decoder::new(),
            head: HeadBlock::default(),
            fragments: Vec::new(),
            gathering: None,
        }
    }

    /// Handles frames at the start of `bytes`, up to the first that makes an event.
    ///
    /// Call it again with the bytes behind those consumed until it gives no event; what is left then
    /// is the start of a frame, at most [`super::FRAME_BYTES_MAX`] bytes, to be given again with
    /// more behind it. `now_s` is any clock that counts seconds; budgets fill up by it.
    pub fn handle_bytes<'c>(&'c mut self, now_s: u64, bytes: &'c [u8]) -> Step<'c> {
        self.core.budgets.refill(now_s);
        let mut rest = bytes;
        let found = loop {
            if self.core.failed {
                return Step {
                    consumed: bytes.len(),
                    event: None,
                };
            }
            match self.next_frame(&mut rest) {
                Ok(None) => {}
                Ok(Some(found)) => break found,
                Err(Stop::More) => {
                    return Step {
                        consumed: bytes.len() - rest.len(),
                        event: None,
                    };
                }
                Err(Stop::Fault(fault)) => {
                    self.core.fail(fault);
                    let event = Some(Event::Failed { fault });
                    return Step {
                        consumed: bytes.len(),
                        event,
                    };
                }
            }
        };
        let consumed = bytes.len() - rest.len();
        let event = self.event(found);
        Step {
            consumed,
            event: Some(event),
        }
    }

    /// Gives what was found the shape that the caller sees; heads are judged here.
    fn event<'c>(&'c mut self, found: Found<'c>) -> Event<'c> {
        match found {
            Found::Head { id, end_stream } => self.request(id, end_stream),
            Found::Trailers { id } => Event::Trailers {
                stream: StreamId(id),
                fields: self.head.fields(),
            },
            Found::Data {
                id,
                bytes,
                end_stream,
            } => Event::Data {
                stream: StreamId(id),
                bytes,
                end_stream,
            },
            Found::Gone { id, cause } => Event::Gone {
                stream: StreamId(id),
                cause,
            },
            Found::Pong { data } => Event::Pong { data },
            Found::PeerGoesAway { code } => Event::PeerGoesAway { code },
        }
    }

    fn request(&mut self, id: u32, end_stream: bool) -> Event<'_> {
        let stream = StreamId(id);
        self.head.complete();
        let core = &mut self.core;
        match self.head.request(end_stream) {
            Ok(head) => {
                core.counters.requests += 1;
                if let (crate::message::BodyFraming::Length(length), Some(stream)) =
                    (head.body, core.streams.find_mut(id))
                {
                    stream.body_left = Some(length);
                }
                Event::Request {
                    stream,
                    head,
                    end_stream,
                }
            }
            Err(Unfit::Refused(error)) => {
                core.counters.requests += 1;
                if self.head.is_too_large()
                    && let Err(fault) = core.head_is_oversized()
                {
                    core.fail(fault);
                    return Event::Failed { fault };
                }
                if let Some(stream) = core.streams.find_mut(id) {
                    stream.body = Body::Unwanted;
                }
                Event::Refused { stream, error }
            }
            Err(Unfit::Malformed) => match core.reset_for(id, Fault::MalformedRequest) {
                Ok(cause) => Event::Gone { stream, cause },
                Err(fault) => {
                    core.fail(fault);
                    Event::Failed { fault }
                }
            },
        }
    }

    /// What is to be sent. Take it or clear it when it has been; bytes only ever come behind.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.core.out
    }

    /// Gives body bytes back to the peer's window; see [`Event::Data`].
    pub fn body_consumed(&mut self, stream: StreamId, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if !self.core.failed
            && let Err(fault) = self.core.give_back(stream.0, bytes)
        {
            self.core.fail(fault);
        }
    }

    /// Whether more of the request's body is to come, if only its end.
    #[must_use]
    pub fn is_body_coming(&self, stream: StreamId) -> bool {
        let found = self.core.streams.find(stream.0);
        found.is_some_and(|found| found.peer_open)
    }

    /// No more [`Event::Data`] for this stream: its body is read away.
    pub fn discard_body(&mut self, stream: StreamId) {
        if let Some(stream) = self.core.streams.find_mut(stream.0) {
            stream.body = Body::Unwanted;
        }
    }

    /// Gives a stream up, whatever its state.
    pub fn reset(&mut self, stream: StreamId, code: ErrorCode) {
        if self.core.streams.find(stream.0).is_some() {
            self.core.reset(stream.0, code);
        }
    }

    /// Ends the connection for something that only its caller could see, such as a peer that does not
    /// move on. Nothing is handled after it.
    pub fn fail(&mut self, fault: Fault) {
        if !self.core.failed {
            self.core.fail(fault);
        }
    }

    /// Asks the peer for a [`Event::Pong`], to see whether it is still there.
    pub fn ping(&mut self, data: [u8; 8]) {
        if !self.core.failed {
            frame::write_ping(&mut self.core.out, 0, data);
        }
    }

    /// Starts a graceful end: the peer is told to open no more streams, those that it opened before
    /// it knew are still answered. When it has read that (its answer to a PING tells), or on
    /// [`Connection::finish_drain`], the last stream is named.
    pub fn drain(&mut self) {
        if self.core.failed || self.core.drain != Drain::No {
            return;
        }
        self.core.drain = Drain::Announced;
        let out = &mut self.core.out;
        frame::write_go_away(out, frame::STREAM_ID_MASK, ErrorCode::NoError, "");
        frame::write_ping(out, 0, DRAIN_PING);
    }

    /// Names the last stream that is answered; later ones are ignored. For a peer that takes too
    /// long to answer [`Connection::drain`], and for ends that are not graceful.
    pub fn finish_drain(&mut self) {
        self.core.finish_drain();
    }

    /// The peer answered a PING; true when it was the one of [`Connection::drain`].
    pub(super) fn is_drain_pong(&self, data: [u8; 8]) -> bool {
        self.core.drain == Drain::Announced && data == DRAIN_PING
    }

    /// Nothing is left to do but to send the output and close.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.core.failed || (self.core.drain == Drain::Final && self.core.streams.len() == 0)
    }

    /// Streams that are open, those included whose answer is sent and whose request still comes.
    #[must_use]
    pub const fn open_streams(&self) -> usize {
        self.core.streams.len()
    }

    /// Whether a head has begun that its peer has not finished.
    #[must_use]
    pub const fn is_gathering(&self) -> bool {
        self.gathering.is_some()
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.core.counters
    }

    /// Frees what is of no use until the next request comes. The output stays.
    pub fn rest(&mut self) {
        if self.gathering.is_none() {
            self.fragments = Vec::new();
        }
        self.head.rest();
        self.core.streams.rest();
    }

    /// The preface, and then what each frame does.
    fn next_frame<'b>(&mut self, rest: &mut &'b [u8]) -> Result<Option<Found<'b>>, Stop> {
        if self.phase == Phase::Preface {
            let given = rest.get(..PREFACE.len()).unwrap_or(rest);
            if !PREFACE.starts_with(given) {
                return Err(Fault::BadPreface.into());
            }
            *rest = rest.get(PREFACE.len()..).ok_or(Stop::More)?;
            self.phase = Phase::FirstSettings;
        }
        self.handle_frame(rest)
    }

    /// A stream error: the stream ends, the connection goes on.
    pub(super) fn stream_fault<'b>(
        &mut self,
        id: u32,
        fault: Fault,
    ) -> Result<Option<Found<'b>>, Stop> {
        let cause: Cause = self.core.reset_for(id, fault)?;
        Ok(Some(Found::Gone { id, cause }))
    }
}
