//! A client that writes frames by hand and reads ours with the model decoder.

use crate::h2::fault::ErrorCode;
use crate::h2::frame::{self, Header, flag, kind};
use crate::h2::hpack::model::ModelDecoder;
use crate::h2::{Cause, Connection, Event, Fault, Settings};

/// What the server sent, one frame each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Head {
        stream: u32,
        lines: Vec<String>,
        end: bool,
    },
    Data {
        stream: u32,
        bytes: Vec<u8>,
        end: bool,
    },
    Reset {
        stream: u32,
        code: ErrorCode,
    },
    GoAway {
        last: u32,
        code: ErrorCode,
    },
    WindowUpdate {
        stream: u32,
        bytes: u32,
    },
    Settings(Vec<(u16, u32)>),
    SettingsAck,
    Ping([u8; 8]),
    PingAck([u8; 8]),
}

/// What the state machine told its caller, without borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Request {
        stream: u32,
        line: String,
        fields: Vec<String>,
        end: bool,
    },
    Refused {
        stream: u32,
        status: u16,
    },
    Data {
        stream: u32,
        bytes: Vec<u8>,
        end: bool,
    },
    Trailers {
        stream: u32,
        fields: Vec<String>,
    },
    Reset {
        stream: u32,
        code: ErrorCode,
    },
    Faulted {
        stream: u32,
        fault: Fault,
    },
    Pong([u8; 8]),
    PeerGoesAway(ErrorCode),
    Failed(Fault),
}

fn line((name, value): (&[u8], &[u8])) -> String {
    format!("{}: {}", name.escape_ascii(), value.escape_ascii())
}

impl Told {
    pub(super) fn of(event: &Event<'_>) -> Self {
        match event {
            Event::Request {
                stream,
                head,
                end_stream,
            } => Self::Request {
                stream: stream.number(),
                line: format!(
                    "{} {} {}",
                    head.method.as_bytes().escape_ascii(),
                    head.target.escape_ascii(),
                    head.host.unwrap_or_default().escape_ascii()
                ),
                fields: head.headers().map(line).collect(),
                end: *end_stream,
            },
            Event::Refused { stream, error } => Self::Refused {
                stream: stream.number(),
                status: error.status(),
            },
            Event::Data {
                stream,
                bytes,
                end_stream,
            } => Self::Data {
                stream: stream.number(),
                bytes: bytes.to_vec(),
                end: *end_stream,
            },
            Event::Trailers { stream, fields } => Self::Trailers {
                stream: stream.number(),
                fields: fields.clone().map(line).collect(),
            },
            Event::Gone {
                stream,
                cause: Cause::Peer(code),
            } => Self::Reset {
                stream: stream.number(),
                code: *code,
            },
            Event::Gone {
                stream,
                cause: Cause::Fault(fault),
            } => Self::Faulted {
                stream: stream.number(),
                fault: *fault,
            },
            Event::Pong { data } => Self::Pong(*data),
            Event::PeerGoesAway { code } => Self::PeerGoesAway(*code),
            Event::Failed { fault } => Self::Failed(*fault),
        }
    }
}

pub(super) struct Client {
    pub(super) server: Connection,
    pub(super) now_s: u64,
    decoder: ModelDecoder,
    /// Sent to the server and not consumed by it.
    pending: Vec<u8>,
}

pub(super) const GET: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "a.test"),
    (":path", "/"),
];
pub(super) const POST: &[(&str, &str)] = &[
    (":method", "POST"),
    (":scheme", "https"),
    (":authority", "a.test"),
    (":path", "/"),
];

/// A header block of literals that no table knows.
pub(super) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            crate::h2::hpack::write_plain(&mut out, text.as_bytes());
        }
    }
    out
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write_header(&mut out, payload.len(), kind, flags, stream);
    out.extend_from_slice(payload);
    out
}

pub(super) fn headers(stream: u32, fields: &[(&str, &str)], end: bool) -> Vec<u8> {
    let flags = flag::END_HEADERS | if end { flag::END_STREAM } else { 0 };
    frame(kind::HEADERS, flags, stream, &block(fields))
}

pub(super) fn data(stream: u32, bytes: &[u8], end: bool) -> Vec<u8> {
    frame(
        kind::DATA,
        if end { flag::END_STREAM } else { 0 },
        stream,
        bytes,
    )
}

pub(super) fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write_settings(&mut out, values);
    out
}

pub(super) fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

pub(super) fn reset(stream: u32) -> Vec<u8> {
    frame(
        kind::RST_STREAM,
        0,
        stream,
        &ErrorCode::Cancel.number().to_be_bytes(),
    )
}

impl Client {
    /// Says nothing yet.
    pub(super) fn silent(settings: &Settings) -> Self {
        Self {
            server: Connection::new(settings),
            now_s: 0,
            decoder: ModelDecoder::new(4096),
            pending: Vec::new(),
        }
    }

    /// Past the handshake: settings exchanged and acknowledged, output read.
    pub(super) fn new() -> Self {
        Self::with(&Settings::default(), &[])
    }

    pub(super) fn with(own: &Settings, theirs: &[(u16, u32)]) -> Self {
        let mut client = Self::silent(own);
        let mut hello = frame::PREFACE.to_vec();
        hello.extend(settings(theirs));
        hello.extend(frame(kind::SETTINGS, flag::ACK, 0, &[]));
        assert_eq!(client.send(&hello), []);
        client.seen();
        client
    }

    /// Sends bytes; gives what the server's caller is told. Bodies are consumed at once.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Vec<Told> {
        self.pending.extend_from_slice(bytes);
        let mut told = Vec::new();
        let mut at = 0;
        loop {
            let step = self.server.handle_bytes(self.now_s, &self.pending[at..]);
            at += step.consumed;
            let Some(event) = step.event else { break };
            told.push(Told::of(&event));
            if let Event::Data { stream, bytes, .. } = event {
                let length = bytes.len();
                self.server.body_consumed(stream, length);
            }
        }
        self.pending.drain(..at);
        told
    }

    /// Everything that the server wants to send.
    pub(super) fn seen(&mut self) -> Vec<Seen> {
        let out = core::mem::take(self.server.output());
        let mut rest = out.as_slice();
        let mut seen = Vec::new();
        let mut split: Option<(u32, bool, Vec<u8>)> = None;
        while let Some((bytes, behind)) = rest.split_first_chunk::<9>() {
            let header = Header::parse(*bytes);
            let (payload, behind) = behind.split_at(header.length);
            rest = behind;
            if matches!(header.kind, kind::HEADERS | kind::CONTINUATION) {
                let opening = (header.stream, header.has(flag::END_STREAM), Vec::new());
                let (stream, end, mut block) = split.take().unwrap_or(opening);
                assert_eq!(stream, header.stream);
                block.extend_from_slice(payload);
                if header.has(flag::END_HEADERS) {
                    let fields = self.decoder.decode(&block).expect("a fit header block");
                    let fields = fields
                        .iter()
                        .map(|(n, v)| line((n.as_slice(), v.as_slice())));
                    seen.push(Seen::Head {
                        stream,
                        lines: fields.collect(),
                        end,
                    });
                } else {
                    split = Some((stream, end, block));
                }
                continue;
            }
            assert!(split.is_none(), "a frame within a header block");
            seen.push(Self::frame_seen(header, payload));
        }
        assert!(rest.is_empty(), "whole frames only");
        seen
    }

    fn frame_seen(header: Header, payload: &[u8]) -> Seen {
        let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        let code = |at| ErrorCode::from_number(number(at));
        let stream = header.stream;
        match header.kind {
            kind::DATA => Seen::Data {
                stream,
                bytes: payload.to_vec(),
                end: header.has(flag::END_STREAM),
            },
            kind::RST_STREAM => Seen::Reset {
                stream,
                code: code(0),
            },
            kind::GOAWAY => Seen::GoAway {
                last: number(0),
                code: code(4),
            },
            kind::WINDOW_UPDATE => Seen::WindowUpdate {
                stream,
                bytes: number(0),
            },
            kind::SETTINGS if header.has(flag::ACK) => Seen::SettingsAck,
            kind::SETTINGS => Seen::Settings(
                payload
                    .chunks(6)
                    .map(|s| {
                        let value = u32::from_be_bytes(s[2..].try_into().unwrap());
                        (u16::from_be_bytes([s[0], s[1]]), value)
                    })
                    .collect(),
            ),
            kind::PING if header.has(flag::ACK) => Seen::PingAck(payload.try_into().unwrap()),
            kind::PING => Seen::Ping(payload.try_into().unwrap()),
            other => panic!("a frame of type {other}"),
        }
    }

    /// Opens a stream with a GET.
    pub(super) fn get(&mut self, stream: u32) -> crate::h2::StreamId {
        let told = self.send(&headers(stream, GET, true));
        assert!(
            matches!(told[..], [Told::Request { end: true, .. }]),
            "{told:?}"
        );
        crate::h2::StreamId(stream)
    }

    /// Opens a stream with a POST whose body is to come.
    pub(super) fn post(&mut self, stream: u32) -> crate::h2::StreamId {
        let told = self.send(&headers(stream, POST, false));
        assert!(
            matches!(told[..], [Told::Request { end: false, .. }]),
            "{told:?}"
        );
        crate::h2::StreamId(stream)
    }
}

/// A head without fields.
pub(super) const OK: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
