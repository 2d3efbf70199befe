//! Fuzz bodies of this room. Each asserts properties, not only the absence of panics.
#![allow(clippy::expect_used, reason = "a fuzz body panics to be noticed")]

use std::collections::BTreeMap;

use super::frame::{self, Header, PREFACE, flag, kind};
use super::hpack;
use super::{Connection, ErrorCode, Event, Settings, StreamId};
use crate::limits::{H2_CONTROL_BYTES_MAX, H2_OUTPUT_BYTES_MAX, H2_STREAMS_MAX};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nServer: zeroserve\r\n\r\n";

/// Header blocks, each behind an octet with its length: the decoder and its model agree.
///
/// # Panics
/// When they do not.
pub fn fuzz_hpack(bytes: &[u8]) {
    let mut blocks = Vec::new();
    let mut rest = bytes;
    while let Some((&length, tail)) = rest.split_first() {
        let (block, tail) = tail.split_at(tail.len().min(usize::from(length)));
        blocks.push(block);
        rest = tail;
    }
    hpack::fuzz_blocks(&blocks);
}

/// A connection's bytes behind the preface: each cut gives the same events and the same output, and
/// output has a bound.
///
/// # Panics
/// When this does not hold.
pub fn fuzz_h2_frames(bytes: &[u8]) {
    let whole = walk(bytes, bytes.len().max(1));
    for size in [1, 7, 1000] {
        let cut = walk(bytes, size);
        assert_eq!(cut, whole, "cut in pieces of {size}");
    }
}

/// Feeds `bytes` in pieces, answers each request, and gives the events as text and all output.
fn walk(bytes: &[u8], size: usize) -> (Vec<String>, Vec<u8>) {
    let mut connection = Connection::new(&Settings::default());
    let mut input = Vec::new();
    let mut events = Vec::new();
    let mut output = Vec::new();
    for piece in [PREFACE].into_iter().chain(bytes.chunks(size)) {
        input.extend_from_slice(piece);
        let mut at = 0;
        loop {
            let step = connection.handle_bytes(0, input.get(at..).unwrap_or_default());
            at += step.consumed;
            let Some(event) = step.event else { break };
            events.push(format!("{event:?}"));
            match event {
                Event::Request {
                    stream, end_stream, ..
                } => {
                    connection.send_head(stream, OK, false);
                    connection.send_data(stream, b"body", end_stream);
                }
                Event::Refused { stream, .. } => {
                    connection.send_head(stream, OK, true);
                }
                Event::Data {
                    stream,
                    bytes,
                    end_stream,
                } => {
                    let length = bytes.len();
                    connection.body_consumed(stream, length);
                    if end_stream {
                        connection.send_data(stream, b"", true);
                    }
                }
                _ => {}
            }
            assert!(connection.output().len() < H2_CONTROL_BYTES_MAX + 1000);
            output.append(connection.output());
        }
        input.drain(..at);
        assert!(connection.open_streams() <= H2_STREAMS_MAX);
        output.append(connection.output());
    }
    (events, output)
}

/// What the client of [`fuzz_h2_operations`] knows of its windows.
#[derive(Default)]
struct Windows {
    initial: i64,
    connection: i64,
    streams: BTreeMap<u32, i64>,
}

/// Operations of a client and of the server's caller, two octets each: opening streams, windows,
/// settings, resets, turns, a drain. Nothing is sent past a window, in the wrong order, or without
/// bound.
///
/// # Panics
/// When this does not hold.
pub fn fuzz_h2_operations(operations: &[u8]) {
    let mut connection = Connection::new(&Settings::default());
    let mut windows = Windows {
        initial: 65_535,
        connection: 65_535,
        ..Windows::default()
    };
    let mut bodies: BTreeMap<StreamId, usize> = BTreeMap::new();
    let mut received: BTreeMap<u32, usize> = BTreeMap::new();
    let mut hello = PREFACE.to_vec();
    frame::write_settings(&mut hello, &[]);
    feed(&mut connection, &hello, &mut bodies);
    let mut next_stream = 1_u32;
    for pair in operations.chunks_exact(2) {
        let &[operation, argument] = pair else { return };
        let stream = (u32::from(argument) % next_stream) | 1;
        let mut bytes = Vec::new();
        match operation % 9 {
            0 => {
                request(&mut bytes, next_stream);
                windows.streams.insert(next_stream, windows.initial);
                next_stream += 2;
            }
            1 if stream < next_stream => {
                let more = u32::from(argument) * u32::from(operation) + 1;
                if let Some(window) = windows.streams.get_mut(&stream) {
                    *window += i64::from(more);
                }
                frame::write_window_update(&mut bytes, stream, more);
            }
            2 => {
                let more = u32::from(argument) * 300 + 1;
                windows.connection += i64::from(more);
                frame::write_window_update(&mut bytes, 0, more);
            }
            3 => {
                // What is under way counts by the old size.
                receive(&mut connection, &mut windows, &mut received);
                let initial = u32::from(argument) * u32::from(operation) * 3;
                let change = i64::from(initial) - windows.initial;
                windows.initial = i64::from(initial);
                windows
                    .streams
                    .values_mut()
                    .for_each(|window| *window += change);
                frame::write_settings(
                    &mut bytes,
                    &[(frame::setting::INITIAL_WINDOW_SIZE, initial)],
                );
            }
            4 if stream < next_stream => frame::write_reset(&mut bytes, stream, ErrorCode::Cancel),
            5 => receive(&mut connection, &mut windows, &mut received),
            6 if argument == 0 => connection.drain(),
            _ => turn(&mut connection, &mut bodies, usize::from(argument) * 100),
        }
        feed(&mut connection, &bytes, &mut bodies);
        assert!(connection.output().len() < 2 * H2_OUTPUT_BYTES_MAX + H2_CONTROL_BYTES_MAX);
    }
    receive(&mut connection, &mut windows, &mut received);
}

fn request(out: &mut Vec<u8>, stream: u32) {
    // :method GET, :scheme https, :path /, :authority a
    let block = [0x82, 0x87, 0x84, 0x01, 0x01, b'a'];
    let flags = flag::END_HEADERS | flag::END_STREAM;
    frame::write_header(out, block.len(), kind::HEADERS, flags, stream);
    out.extend_from_slice(&block);
}

/// The server's caller: answers each request with a head and makes it ready for its body.
fn feed(connection: &mut Connection, bytes: &[u8], bodies: &mut BTreeMap<StreamId, usize>) {
    let mut at = 0;
    loop {
        let step = connection.handle_bytes(0, bytes.get(at..).unwrap_or_default());
        at += step.consumed;
        match step.event {
            None => return,
            Some(Event::Request { stream, .. }) => {
                connection.send_head(stream, OK, false);
                connection.set_ready(stream, true);
                bodies.insert(stream, 0);
            }
            Some(Event::Gone { stream, .. }) => {
                bodies.remove(&stream);
            }
            Some(Event::Failed { .. }) => bodies.clear(),
            Some(_) => {}
        }
    }
}

/// One turn of the stream that goes next: bytes count up, so that their order can be seen.
fn turn(connection: &mut Connection, bodies: &mut BTreeMap<StreamId, usize>, want: usize) {
    let Some((stream, room)) = connection.poll_writable() else {
        return;
    };
    assert_eq!(room, connection.sendable(stream));
    let sent = bodies
        .get_mut(&stream)
        .expect("only streams with a body get a turn");
    let bytes: Vec<u8> = (*sent..*sent + want)
        .map(|at| at.to_le_bytes()[0])
        .collect();
    let taken = connection
        .send_data(stream, &bytes, false)
        .expect("a stream that is open");
    assert_eq!(taken, want.min(room));
    *sent += taken;
    connection.set_ready(stream, true);
}

/// The client reads all output and holds it against what it allowed.
fn receive(
    connection: &mut Connection,
    windows: &mut Windows,
    received: &mut BTreeMap<u32, usize>,
) {
    let output = core::mem::take(connection.output());
    let mut rest = output.as_slice();
    while let Some((bytes, behind)) = rest.split_first_chunk::<9>() {
        let header = Header::parse(*bytes);
        let (payload, behind) = behind.split_at(header.length);
        rest = behind;
        if header.kind != kind::DATA {
            continue;
        }
        let length = i64::try_from(payload.len()).expect("a frame is small");
        let window = windows
            .streams
            .get_mut(&header.stream)
            .expect("a stream that was opened");
        *window -= length;
        windows.connection -= length;
        assert!(*window >= 0, "past the stream's window");
        assert!(windows.connection >= 0, "past the connection's window");
        let count = received.entry(header.stream).or_default();
        for byte in payload {
            assert_eq!(*byte, count.to_le_bytes()[0], "in order");
            *count += 1;
        }
    }
    assert!(rest.is_empty(), "whole frames only");
}
