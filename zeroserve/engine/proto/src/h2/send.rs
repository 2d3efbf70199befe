//! Answers: HTTP/1 heads and body bytes in, frames out, within the peer's windows.

use super::connection::Connection;
use super::core::Core;
use super::frame::{self, HEADER_BYTES, flag, kind};
use super::hpack::Encoder;
use super::stream::{Answer, Stream, StreamId};
use crate::limits::{
    H2_FRAME_BYTES_MAX, H2_OUTPUT_BYTES_MAX, H2_TINY_DATA_BYTES, H2_WINDOW_UPDATES_EARNED,
};
use crate::scan::line_end;

/// An answer's say in when it is sent (RFC 9218, section 8).
const PRIORITY_FIELD: &[u8] = b"priority:";

/// Where the status code stands in `HTTP/1.1 200 OK`.
const STATUS_AT: core::ops::Range<usize> = 9..12;

impl Connection {
    /// Sends the head of an answer, given as HTTP/1 has it: status line, field lines, an empty line.
    /// Fields that speak of the connection are left out.
    ///
    /// Gives how many bytes of `head` were head; whatever follows is a body, and is not sent. `None`
    /// when the stream is gone or has its head already. A head with a 1xx status may come before the
    /// final one and never ends the stream.
    pub fn send_head(&mut self, stream: StreamId, head: &[u8], end_stream: bool) -> Option<usize> {
        let core = &mut self.core;
        let found = core.streams.find_mut(stream.0)?;
        if found.answer != Answer::Awaited {
            return None;
        }
        let status = head.get(STATUS_AT).unwrap_or_default().iter();
        let status = status.fold(0, |sum, digit| {
            sum * 10 + u16::from(digit.wrapping_sub(b'0'))
        });
        let interim = status < 200;
        if !interim {
            found.answer = Answer::Body;
        }
        let priority = found.priority;
        let (length, changed) =
            core.write_head(stream.0, Some(status), head, end_stream && !interim);
        if let Some(value) = changed
            && !interim
            && let Some(found) = core.streams.find_mut(stream.0)
        {
            found.priority = priority.changed_by(value);
        }
        if end_stream && !interim {
            core.answered(stream.0);
        }
        Some(length)
    }

    /// Ends an answer with trailer fields: lines as HTTP/1 has them. All its data must have been
    /// accepted before. False when the stream is gone, or has no head yet.
    pub fn send_trailers(&mut self, stream: StreamId, lines: &[u8]) -> bool {
        let core = &mut self.core;
        if core
            .streams
            .find(stream.0)
            .is_none_or(|found| found.answer != Answer::Body)
        {
            return false;
        }
        core.write_head(stream.0, None, lines, true);
        core.answered(stream.0);
        true
    }

    /// Sends body bytes, as many as the windows and the output's bound allow, and gives their
    /// number. `end_stream` counts when all were taken. A stream with bytes left over waits for
    /// [`Connection::poll_writable`]. `None` when the stream is gone, or has no head yet.
    pub fn send_data(&mut self, stream: StreamId, bytes: &[u8], end_stream: bool) -> Option<usize> {
        let core = &mut self.core;
        let found = core
            .streams
            .find(stream.0)
            .filter(|found| found.answer == Answer::Body)?;
        let room = core.room(found);
        let taken = bytes.get(..room).unwrap_or(bytes);
        let all = taken.len() == bytes.len();
        if !all && taken.len() < H2_TINY_DATA_BYTES && !taken.is_empty() {
            core.counters.tiny_data += 1;
            let _within_budget = core.budgets.tiny_data.spend(1);
        }
        core.write_data(stream.0, taken, all && end_stream);
        core.send.take(taken.len());
        if all && end_stream {
            core.answered(stream.0);
        } else if let Some(found) = core.streams.find_mut(stream.0) {
            found.send.take(taken.len());
            found.ready = !all;
        }
        Some(taken.len())
    }

    /// How many bytes [`Connection::send_data`] would take now.
    #[must_use]
    pub fn sendable(&self, stream: StreamId) -> usize {
        self.core
            .streams
            .find(stream.0)
            .map_or(0, |found| self.core.room(found))
    }

    /// Whether the caller has body bytes for this stream, so that it takes part in
    /// [`Connection::poll_writable`].
    pub fn set_ready(&mut self, stream: StreamId, ready: bool) {
        if let Some(found) = self.core.streams.find_mut(stream.0) {
            found.ready = ready && found.answer == Answer::Body;
        }
    }

    /// The stream whose turn it is to send, and how many bytes it may. `None` when none is ready
    /// that could: then output must be sent, or a window opened, first.
    ///
    /// The most urgent go first (RFC 9218, section 10). Within an urgency, incremental streams take
    /// turns with each other and with the first of those that go one after the other. Each call is a
    /// turn: give no more than a few frames for it.
    pub fn poll_writable(&mut self) -> Option<(StreamId, usize)> {
        let core = &mut self.core;
        if core.send.room() == 0 || core.out.len() >= H2_OUTPUT_BYTES_MAX {
            return None;
        }
        let next = core
            .streams
            .iter()
            .filter(|stream| stream.ready && core.room(stream) > 0)
            .min_by_key(|stream| (stream.priority.urgency, core.turn(stream), stream.id))?;
        let (id, room, priority) = (next.id, core.room(next), next.priority);
        core.turns += 1;
        if priority.incremental {
            let turn = core.turns;
            core.streams.find_mut(id)?.turn = turn;
        } else if let Some(turn) = core.queue_turns.get_mut(usize::from(priority.urgency)) {
            *turn = core.turns;
        }
        Some((StreamId(id), room))
    }

    /// Whether a stream has bytes to send that the peer's windows hold back: the time that lasts is
    /// for the caller to limit.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        let blocked = |stream: &Stream| stream.ready && self.core.window(stream) == 0;
        self.core.streams.iter().any(blocked)
    }
}

impl Core {
    fn turn(&self, stream: &Stream) -> u64 {
        if stream.priority.incremental {
            return stream.turn;
        }
        self.queue_turns
            .get(usize::from(stream.priority.urgency))
            .copied()
            .unwrap_or(0)
    }

    /// What the peer's windows allow a stream to send.
    #[inline]
    fn window(&self, stream: &Stream) -> usize {
        let window = stream.send.room().min(self.send.room());
        if window < H2_TINY_DATA_BYTES && self.budgets.tiny_data.is_spent() {
            return 0;
        }
        window
    }

    /// What a stream can send now: within its windows, and not past the output's bound by more than
    /// the rest of a frame.
    #[inline]
    fn room(&self, stream: &Stream) -> usize {
        match H2_OUTPUT_BYTES_MAX.saturating_sub(self.out.len()) {
            0 => 0,
            left => self.window(stream).min(left.max(H2_FRAME_BYTES_MAX)),
        }
    }

    #[inline]
    fn write_data(&mut self, id: u32, mut bytes: &[u8], last: bool) {
        if bytes.is_empty() && !last {
            return;
        }
        let frames = bytes.len() / H2_FRAME_BYTES_MAX + 1;
        self.out.reserve(bytes.len() + frames * HEADER_BYTES);
        loop {
            let end = bytes.len().min(H2_FRAME_BYTES_MAX);
            let Some((part, rest)) = bytes.split_at_checked(end) else {
                return;
            };
            let flags = if last && rest.is_empty() {
                flag::END_STREAM
            } else {
                0
            };
            frame::write_header(&mut self.out, part.len(), kind::DATA, flags, id);
            self.budgets.window_updates.earn(H2_WINDOW_UPDATES_EARNED);
            self.out.extend_from_slice(part);
            bytes = rest;
            if bytes.is_empty() {
                return;
            }
        }
    }

    /// HEADERS from HTTP/1 lines, the first of which is a status line if there is a status. Gives
    /// the length of the lines, the empty one included, and the value of a `priority` field.
    fn write_head<'h>(
        &mut self,
        id: u32,
        status: Option<u16>,
        lines: &'h [u8],
        last: bool,
    ) -> (usize, Option<&'h [u8]>) {
        let start = self.out.len();
        self.out.reserve(HEADER_BYTES + lines.len());
        let end_stream = if last { flag::END_STREAM } else { 0 };
        frame::write_header(
            &mut self.out,
            0,
            kind::HEADERS,
            end_stream | flag::END_HEADERS,
            id,
        );
        self.encoder.start(&mut self.out);
        let mut rest = lines;
        let mut priority = None;
        if let Some(status) = status {
            Encoder::status(status, &mut self.out);
            next_line(&mut rest);
        }
        while let Some(line) = next_line(&mut rest) {
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_at_checked(PRIORITY_FIELD.len())
                && name.eq_ignore_ascii_case(PRIORITY_FIELD)
            {
                priority = Some(value);
            }
            self.encoder.line(line, &mut self.out);
        }
        let block = start + HEADER_BYTES;
        let length = self.out.len() - block;
        if length <= H2_FRAME_BYTES_MAX {
            frame::patch_length(&mut self.out, start, length);
        } else {
            self.split_head(start, id, end_stream);
        }
        (lines.len() - rest.len(), priority)
    }

    /// Rewrites a header block that does not fit one frame.
    #[cold]
    fn split_head(&mut self, start: usize, id: u32, end_stream: u8) {
        let block = self.out.split_off(start + HEADER_BYTES);
        self.out.truncate(start);
        let mut parts = block.chunks(H2_FRAME_BYTES_MAX).peekable();
        let (mut frame_kind, mut flags) = (kind::HEADERS, end_stream);
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                flags |= flag::END_HEADERS;
            }
            frame::write_header(&mut self.out, part.len(), frame_kind, flags, id);
            self.out.extend_from_slice(part);
            (frame_kind, flags) = (kind::CONTINUATION, 0);
        }
    }
}

/// The line at the start of `rest`, without its end; `rest` is what follows.
#[inline]
fn next_line<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let end = line_end(rest)?;
    let line = rest.get(..end)?;
    *rest = rest.get(end + 1..)?;
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}
