//! Frames from the peer, one at a time (RFC 9113, sections 6 and 8).

use super::connection::{Connection, Phase};
use super::core::Core;
use super::event::Cause;
use super::fault::{ErrorCode, Fault};
use super::flow::{INITIAL, SendWindow};
use super::frame::{self, HEADER_BYTES, Header, STREAM_ID_MASK, flag, kind, setting};
use super::priority::Priority;
use super::stream::{Answer, Body, Standing, Stream};
use crate::limits::{
    H2_CONTINUATIONS_MAX, H2_FRAME_BYTES_MAX, H2_HEADER_BLOCK_BYTES_MAX, H2_SETTINGS_FREE,
    H2_UNWANTED_BODY_BYTES_MAX, H2_WINDOW_UPDATES_EARNED,
};

/// What a frame led to that the caller must know of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'b> {
    /// A request's header block is decoded.
    Head {
        id: u32,
        end_stream: bool,
    },
    Trailers {
        id: u32,
    },
    Data {
        id: u32,
        bytes: &'b [u8],
        end_stream: bool,
    },
    Gone {
        id: u32,
        cause: Cause,
    },
    Pong {
        data: [u8; 8],
    },
    PeerGoesAway {
        code: ErrorCode,
    },
}

/// Why no further frame is handled.
#[derive(Debug)]
pub(super) enum Stop {
    /// It is not there as a whole.
    More,
    /// A connection error.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A header block whose end is still to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gathering {
    opening: Opening,
    continuations: u32,
}

/// What the HEADERS frame said besides its fields.
#[derive(Clone, Copy, Debug)]
struct Opening {
    id: u32,
    end_stream: bool,
    depends_on_itself: bool,
}

type Handled<'b> = Result<Option<Found<'b>>, Stop>;

impl Connection {
    pub(super) fn handle_frame<'b>(&mut self, rest: &mut &'b [u8]) -> Handled<'b> {
        let (bytes, behind) = rest.split_first_chunk::<HEADER_BYTES>().ok_or(Stop::More)?;
        let header = Header::parse(*bytes);
        if header.length > H2_FRAME_BYTES_MAX {
            return Err(Fault::FrameTooLarge.into());
        }
        if self.phase == Phase::FirstSettings {
            if header.kind != kind::SETTINGS || header.has(flag::ACK) {
                return Err(Fault::BadPreface.into());
            }
            self.phase = Phase::Frames;
        }
        let (payload, behind) = behind.split_at_checked(header.length).ok_or(Stop::More)?;
        *rest = behind;
        if let Some(gathering) = self.gathering {
            if header.kind != kind::CONTINUATION || header.stream != gathering.opening.id {
                return Err(Fault::BrokenHeaderBlock.into());
            }
            return self.continuation(header, payload, gathering);
        }
        match header.kind {
            kind::DATA => self.data(header, payload),
            kind::HEADERS => self.headers(header, payload),
            kind::PRIORITY => self.priority(header, payload),
            kind::RST_STREAM => self.reset_by_peer(header, payload),
            kind::SETTINGS => self.settings(header, payload),
            kind::PUSH_PROMISE => Err(Fault::PushPromise.into()),
            kind::PING => self.ping_from_peer(header, payload),
            kind::GOAWAY => go_away(header, payload),
            kind::WINDOW_UPDATE => self.window_update(header, payload),
            kind::CONTINUATION => Err(Fault::BrokenHeaderBlock.into()),
            kind::PRIORITY_UPDATE => self.priority_update(header, payload),
            _ => {
                self.core.noise()?;
                Ok(None)
            }
        }
    }

    fn headers<'b>(&mut self, header: Header, payload: &'b [u8]) -> Handled<'b> {
        if header.stream == 0 {
            return Err(Fault::WrongStream.into());
        }
        let mut block = without_padding(header, payload)?;
        let mut depends_on_itself = false;
        if header.has(flag::PRIORITY) {
            let (dependency, behind) = dependency(block).ok_or(Fault::BadFrameSize)?;
            depends_on_itself = dependency == header.stream;
            block = behind;
        }
        let opening = Opening {
            id: header.stream,
            end_stream: header.has(flag::END_STREAM),
            depends_on_itself,
        };
        if header.has(flag::END_HEADERS) {
            return self.header_block(opening, block);
        }
        self.fragments.clear();
        self.fragments.extend_from_slice(block);
        self.gathering = Some(Gathering {
            opening,
            continuations: 0,
        });
        Ok(None)
    }

    fn continuation<'b>(
        &mut self,
        header: Header,
        payload: &[u8],
        mut gathering: Gathering,
    ) -> Handled<'b> {
        self.core.counters.continuations += 1;
        gathering.continuations += 1;
        if gathering.continuations > H2_CONTINUATIONS_MAX
            || self.fragments.len() + payload.len() > H2_HEADER_BLOCK_BYTES_MAX
        {
            return Err(Fault::HeaderBlockTooLarge.into());
        }
        if payload.is_empty() {
            self.core.noise()?;
        }
        self.fragments.extend_from_slice(payload);
        if !header.has(flag::END_HEADERS) {
            self.gathering = Some(gathering);
            return Ok(None);
        }
        self.gathering = None;
        let block = core::mem::take(&mut self.fragments);
        let handled = self.header_block(gathering.opening, &block);
        self.fragments = block; // its memory serves the next one
        handled
    }

    /// A whole block. It is decoded in any case: the peer's encoder counts on it.
    fn header_block<'b>(&mut self, opening: Opening, block: &[u8]) -> Handled<'b> {
        self.head.clear();
        self.decoder
            .decode(block, &mut self.head)
            .map_err(|_| Fault::BadHeaderBlock)?;
        let id = opening.id;
        match self.core.streams.standing(id) {
            Standing::Idle => self.open(opening),
            Standing::Open => self.trailers(opening),
            Standing::ResetByUs | Standing::Ignored => {
                self.core.noise()?;
                Ok(None)
            }
            Standing::Closed => Err(Fault::StreamClosed.into()),
            Standing::Skipped => Err(Fault::BadStreamId.into()),
        }
    }

    fn open<'b>(&mut self, opening: Opening) -> Handled<'b> {
        let Opening {
            id,
            end_stream,
            depends_on_itself,
        } = opening;
        if !self.core.streams.use_number(id)? {
            self.core.noise()?;
            return Ok(None);
        }
        if depends_on_itself {
            return self.stream_fault(id, Fault::SelfDependency);
        }
        if self.core.streams.len() >= self.core.streams_max {
            return self.stream_fault(id, Fault::TooManyStreams);
        }
        let stream = Stream {
            id,
            send: SendWindow::new(self.core.peer_initial_window),
            receive: self.core.new_receive_window(),
            peer_open: !end_stream,
            answer: Answer::Awaited,
            body: Body::Wanted,
            body_left: None,
            unwanted_bytes: 0,
            priority: self.head.priority().unwrap_or(Priority::UNSAID),
            ready: false,
            turn: 0,
        };
        self.core.streams.push(stream);
        self.core
            .budgets
            .window_updates
            .earn(H2_WINDOW_UPDATES_EARNED);
        Ok(Some(Found::Head { id, end_stream }))
    }

    /// A second header block on a stream ends the request (RFC 9113, section 8.1).
    fn trailers<'b>(&mut self, opening: Opening) -> Handled<'b> {
        let id = opening.id;
        let Some(stream) = self.core.streams.find_mut(id) else {
            return Ok(None);
        };
        if !stream.peer_open {
            return self.stream_fault(id, Fault::StreamClosed);
        }
        if opening.depends_on_itself {
            return self.stream_fault(id, Fault::SelfDependency);
        }
        if !opening.end_stream || !self.head.is_trailers() {
            return self.stream_fault(id, Fault::MalformedTrailers);
        }
        if let Err(fault) = stream.count_body(0, true) {
            return self.stream_fault(id, fault);
        }
        stream.peer_open = false;
        let wanted = stream.body == Body::Wanted;
        if stream.answer == Answer::Done {
            self.core.streams.remove(id);
        }
        Ok(wanted.then_some(Found::Trailers { id }))
    }

    fn data<'b>(&mut self, header: Header, payload: &'b [u8]) -> Handled<'b> {
        let id = header.stream;
        if id == 0 {
            return Err(Fault::WrongStream.into());
        }
        let standing = self.core.streams.standing(id);
        if standing == Standing::Idle {
            return Err(Fault::IdleStream.into());
        }
        let length = flow_bytes(payload);
        self.core.receive.take(length)?;
        let bytes = without_padding(header, payload)?;
        let last = header.has(flag::END_STREAM);
        if bytes.is_empty() && !last {
            self.core.noise()?;
        }
        let Some(stream) = self.core.streams.find_mut(id) else {
            self.core.give_back(id, length)?;
            self.core.noise()?;
            return match standing {
                Standing::ResetByUs | Standing::Ignored => Ok(None),
                _ => self.stream_fault(id, Fault::StreamClosed),
            };
        };
        let taken = if stream.peer_open {
            stream.receive.take(length)
        } else {
            Err(Fault::StreamClosed)
        };
        if let Err(fault) = taken.and_then(|()| stream.count_body(bytes.len(), last)) {
            self.core.give_back(id, length)?;
            return self.stream_fault(id, fault);
        }
        stream.peer_open = !last;
        if stream.body == Body::Wanted {
            let padding = length.saturating_sub(flow_bytes(bytes));
            if padding > 0 {
                self.core.give_back(id, padding)?;
            }
            return Ok(Some(Found::Data {
                id,
                bytes,
                end_stream: last,
            }));
        }
        let done = stream.answer == Answer::Done;
        if done {
            stream.unwanted_bytes += u64::from(length);
        }
        let too_much = stream.unwanted_bytes > H2_UNWANTED_BODY_BYTES_MAX;
        self.core.give_back(id, length)?;
        if done && last {
            self.core.streams.remove(id);
        } else if too_much {
            self.core.reset(id, ErrorCode::NoError);
        }
        Ok(None)
    }

    fn reset_by_peer<'b>(&mut self, header: Header, payload: &[u8]) -> Handled<'b> {
        let id = header.stream;
        let code = ErrorCode::from_number(number(payload).ok_or(Fault::BadFrameSize)?);
        match self.core.streams.standing(id) {
            _ if id == 0 => Err(Fault::WrongStream.into()),
            Standing::Idle => Err(Fault::IdleStream.into()),
            Standing::Open => {
                let answer = self.core.streams.remove(id).map(|stream| stream.answer);
                if answer == Some(Answer::Done) {
                    return Ok(None);
                }
                self.core.counters.resets_received += 1;
                if !self.core.budgets.resets.spend(1) {
                    return Err(Fault::ResetFlood.into());
                }
                Ok(Some(Found::Gone {
                    id,
                    cause: Cause::Peer(code),
                }))
            }
            _ => {
                self.core.noise()?;
                Ok(None)
            }
        }
    }

    fn settings<'b>(&mut self, header: Header, payload: &[u8]) -> Handled<'b> {
        if header.stream != 0 {
            return Err(Fault::WrongStream.into());
        }
        if header.has(flag::ACK) {
            if !payload.is_empty() {
                return Err(Fault::BadFrameSize.into());
            }
            self.core.settings_acknowledged();
            return Ok(None);
        }
        let (settings, rest) = payload.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(Fault::BadFrameSize.into());
        }
        let further = settings.len().saturating_sub(H2_SETTINGS_FREE);
        self.core.want_ack(saturated(further).saturating_add(1))?;
        for [n0, n1, v0, v1, v2, v3] in settings {
            self.core.apply(
                u16::from_be_bytes([*n0, *n1]),
                u32::from_be_bytes([*v0, *v1, *v2, *v3]),
            )?;
        }
        self.core.control(HEADER_BYTES)?;
        frame::write_header(&mut self.core.out, 0, kind::SETTINGS, flag::ACK, 0);
        Ok(None)
    }

    fn ping_from_peer<'b>(&mut self, header: Header, payload: &[u8]) -> Handled<'b> {
        if header.stream != 0 {
            return Err(Fault::WrongStream.into());
        }
        let data: [u8; 8] = payload.try_into().map_err(|_| Fault::BadFrameSize)?;
        if header.has(flag::ACK) {
            if self.is_drain_pong(data) {
                self.core.finish_drain();
                return Ok(None);
            }
            self.core.noise()?;
            return Ok(Some(Found::Pong { data }));
        }
        self.core.want_ack(1)?;
        self.core.control(HEADER_BYTES + data.len())?;
        frame::write_ping(&mut self.core.out, flag::ACK, data);
        Ok(None)
    }

    fn window_update<'b>(&mut self, header: Header, payload: &[u8]) -> Handled<'b> {
        let id = header.stream;
        let bytes = number(payload).ok_or(Fault::BadFrameSize)? & STREAM_ID_MASK;
        self.core.window_update_came()?;
        if id == 0 {
            if bytes == 0 {
                return Err(Fault::EmptyWindowUpdate.into());
            }
            self.core.send.change(i64::from(bytes))?;
            return Ok(None);
        }
        if let Some(stream) = self.core.streams.find_mut(id) {
            let changed = match bytes {
                0 => Err(Fault::EmptyWindowUpdate),
                _ => stream.send.change(i64::from(bytes)),
            };
            return match changed {
                Ok(()) => Ok(None),
                Err(fault) => self.stream_fault(id, fault),
            };
        }
        match self.core.streams.standing(id) {
            Standing::Idle => Err(Fault::IdleStream.into()),
            _ => Ok(None),
        }
    }

    /// Dependencies are no longer followed (RFC 9113, section 5.3.2), only checked.
    fn priority<'b>(&mut self, header: Header, payload: &[u8]) -> Handled<'b> {
        let id = header.stream;
        if id == 0 {
            return Err(Fault::WrongStream.into());
        }
        self.core.priority_came()?;
        let fault = match dependency(payload) {
            Some((dependency, [])) if dependency == id => Fault::SelfDependency,
            Some((_, [])) => return Ok(None),
            _ => Fault::BadFrameSize,
        };
        if self.core.streams.find(id).is_some() {
            return self.stream_fault(id, fault);
        }
        Err(fault.into())
    }

    /// RFC 9218, section 7.1. One for a stream that is not open yet is forgotten, as it allows.
    fn priority_update<'b>(&mut self, header: Header, payload: &[u8]) -> Handled<'b> {
        if header.stream != 0 {
            return Err(Fault::WrongStream.into());
        }
        let (id, value) = payload
            .split_first_chunk::<4>()
            .ok_or(Fault::BadFrameSize)?;
        let id = u32::from_be_bytes(*id) & STREAM_ID_MASK;
        if id == 0 || id.is_multiple_of(2) {
            return Err(Fault::BadPriorityUpdate.into());
        }
        self.core.priority_came()?;
        if let Some(stream) = self.core.streams.find_mut(id) {
            stream.priority = Priority::parse(value);
        }
        Ok(None)
    }
}

fn go_away<'b>(header: Header, payload: &[u8]) -> Handled<'b> {
    if header.stream != 0 {
        return Err(Fault::WrongStream.into());
    }
    let code = payload
        .get(4..8)
        .and_then(number)
        .ok_or(Fault::BadFrameSize)?;
    Ok(Some(Found::PeerGoesAway {
        code: ErrorCode::from_number(code),
    }))
}

impl Core {
    /// One setting of the peer (RFC 9113, section 6.5.2). Unknown ones are ignored.
    fn apply(&mut self, name: u16, value: u32) -> Result<(), Fault> {
        match name {
            setting::HEADER_TABLE_SIZE => {
                self.encoder
                    .set_peer_size(usize::try_from(value).unwrap_or(usize::MAX));
                Ok(())
            }
            setting::ENABLE_PUSH | setting::NO_RFC7540_PRIORITIES if value > 1 => {
                Err(Fault::BadSetting)
            }
            setting::INITIAL_WINDOW_SIZE if value > STREAM_ID_MASK => Err(Fault::WindowOverflow),
            setting::INITIAL_WINDOW_SIZE => {
                let change = i64::from(value) - i64::from(self.peer_initial_window);
                self.peer_initial_window = value;
                self.streams
                    .iter_mut()
                    .try_for_each(|stream| stream.send.change(change))
            }
            setting::MAX_FRAME_SIZE if !(1 << 14..1 << 24).contains(&value) => {
                Err(Fault::BadSetting)
            }
            _ => Ok(()),
        }
    }

    /// From now on the peer keeps to our initial window; until now it may have had a larger one.
    fn settings_acknowledged(&mut self) {
        if self.settings_acknowledged {
            return;
        }
        self.settings_acknowledged = true;
        let excess = INITIAL.saturating_sub(self.stream_window);
        for stream in self.streams.iter_mut() {
            stream.receive.shrink(excess);
        }
    }
}

/// What counts towards the windows: the whole payload, padding included.
fn flow_bytes(payload: &[u8]) -> u32 {
    saturated(payload.len())
}

fn saturated(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn number(payload: &[u8]) -> Option<u32> {
    payload.try_into().ok().map(u32::from_be_bytes)
}

/// The payload of DATA or HEADERS without its padding (sections 6.1 and 6.2).
#[inline]
fn without_padding(header: Header, payload: &[u8]) -> Result<&[u8], Fault> {
    if !header.has(flag::PADDED) {
        return Ok(payload);
    }
    let (&padding, rest) = payload.split_first().ok_or(Fault::BadFrameSize)?;
    let kept = rest
        .len()
        .checked_sub(usize::from(padding))
        .ok_or(Fault::BadPadding)?;
    rest.get(..kept).ok_or(Fault::BadPadding)
}

/// The stream that one depends on, and what follows the weight (RFC 7540, section 6.3).
fn dependency(payload: &[u8]) -> Option<(u32, &[u8])> {
    let (fields, rest) = payload.split_first_chunk::<5>()?;
    let [d0, d1, d2, d3, _weight] = *fields;
    Some((u32::from_be_bytes([d0, d1, d2, d3]) & STREAM_ID_MASK, rest))
}
