//! Request bodies, back-pressure, and how connections end.

use super::client::{Client, GET, OK, Seen, Told, data, frame, headers, reset};
use crate::h2::fault::ErrorCode;
use crate::h2::frame::{flag, kind};
use crate::h2::{Event, Fault, Preface, Settings, StreamId};
use crate::limits::H2_UNWANTED_BODY_BYTES_MAX;

const SMALL: Settings = Settings {
    stream_window: 100_000,
    connection_window: 150_000,
    streams_max: 4,
};

#[test]
fn windows_open_again_as_bodies_are_consumed() {
    let mut client = Client::with(&SMALL, &[]);
    client.post(1);
    let part = [0; 16_000];
    let mut updates = Vec::new();
    for _ in 0..20 {
        client.send(&data(1, &part, false));
        updates.extend(client.seen());
    }
    let given = |stream: u32| -> u32 {
        let bytes = |seen: &Seen| match seen {
            Seen::WindowUpdate { stream: of, bytes } if *of == stream => *bytes,
            _ => 0,
        };
        updates.iter().map(bytes).sum()
    };
    assert!(given(1) > 220_000 && given(0) > 220_000, "{updates:?}");
    assert!(updates.len() < 14, "half a window at a time");
}

#[test]
fn what_is_not_consumed_holds_the_peer_back() {
    let mut client = Client::with(&SMALL, &[]);
    client.post(1);
    let bytes = data(1, &[0; 16_000], false);
    for _ in 0..6 {
        let step = client.server.handle_bytes(0, &bytes);
        assert!(matches!(step.event, Some(Event::Data { .. })));
    }
    assert_eq!(client.seen(), [], "no window is given");
    let fault = Fault::WindowExceeded;
    assert_eq!(client.send(&bytes), [Told::Faulted { stream: 1, fault }]);
    let seen = client.seen();
    assert_eq!(
        seen,
        [Seen::Reset {
            stream: 1,
            code: ErrorCode::FlowControlError
        }]
    );
    client.server.body_consumed(StreamId(1), 96_000);
    assert_eq!(
        client.seen(),
        [Seen::WindowUpdate {
            stream: 0,
            bytes: 112_000
        }]
    );
}

#[test]
fn the_connection_window_is_enforced() {
    let settings = Settings {
        stream_window: 1 << 20,
        connection_window: 70_000,
        streams_max: 4,
    };
    let mut client = Client::with(&settings, &[]);
    client.post(1);
    for _ in 0..4 {
        let bytes = data(1, &[0; 16_000], false);
        assert!(client.server.handle_bytes(0, &bytes).event.is_some());
    }
    let told = client.send(&data(1, &[0; 16_000], false));
    assert_eq!(told, [Told::Failed(Fault::WindowExceeded)]);
}

#[test]
fn before_our_settings_are_known_the_first_window_counts() {
    let settings = Settings {
        stream_window: 1000,
        connection_window: 1 << 20,
        streams_max: 4,
    };
    let mut client = Client::silent(&settings);
    client.send(crate::h2::frame::PREFACE);
    client.send(&super::client::settings(&[]));
    client.post(1);
    let told = client.send(&data(1, &[0; 16_000], false));
    assert!(matches!(told[..], [Told::Data { .. }]), "{told:?}");
    client.send(&frame(kind::SETTINGS, flag::ACK, 0, &[]));
    client.post(3);
    let fault = Fault::WindowExceeded;
    let told = client.send(&data(3, &[0; 1001], false));
    assert_eq!(told, [Told::Faulted { stream: 3, fault }]);
}

#[test]
fn a_body_nobody_wants_is_read_away_within_reason() {
    let mut client = Client::with(&SMALL, &[]);
    let stream = client.post(1);
    client.server.send_head(stream, OK, true).unwrap();
    client.seen();
    let part = data(1, &[0; 16_384], false);
    let parts = H2_UNWANTED_BODY_BYTES_MAX / 16_384;
    for _ in 0..parts {
        assert_eq!(client.send(&part), []);
        let update = |seen: &Seen| matches!(seen, Seen::WindowUpdate { .. });
        assert!(client.seen().iter().all(update));
    }
    client.send(&part);
    let reset = Seen::Reset {
        stream: 1,
        code: ErrorCode::NoError,
    };
    assert!(client.seen().contains(&reset));
    assert_eq!(client.server.open_streams(), 0);
    let stream = client.post(3);
    client.server.discard_body(stream);
    assert_eq!(client.send(&data(3, b"abc", true)), []);
    assert_eq!(client.server.send_head(stream, OK, true), Some(OK.len()));
    assert_eq!(client.server.open_streams(), 0);
}

#[test]
fn streams_above_the_limit_are_refused() {
    let mut client = Client::with(&SMALL, &[]);
    for id in [1, 3, 5, 7] {
        client.get(id);
    }
    let fault = Fault::TooManyStreams;
    assert_eq!(
        client.send(&headers(9, GET, true)),
        [Told::Faulted { stream: 9, fault }]
    );
    assert_eq!(
        client.seen(),
        [Seen::Reset {
            stream: 9,
            code: ErrorCode::RefusedStream
        }]
    );
    client.server.send_head(StreamId(1), OK, true).unwrap();
    client.get(11);
}

#[test]
fn a_reset_stream_is_gone() {
    let mut client = Client::new();
    let stream = client.get(1);
    client.server.send_head(stream, OK, false).unwrap();
    assert_eq!(
        client.send(&reset(1)),
        [Told::Reset {
            stream: 1,
            code: ErrorCode::Cancel
        }]
    );
    assert_eq!(client.server.send_data(stream, b"x", true), None);
    assert_eq!(client.server.counters().resets_received, 1);
}

#[test]
fn a_drain_takes_what_is_under_way_and_then_names_the_last() {
    let mut client = Client::new();
    let first = client.get(1);
    client.server.drain();
    client.server.drain();
    let last = (1 << 31) - 1;
    let ping = Seen::Ping(*b"zs-drain");
    let go_away = |last| Seen::GoAway {
        last,
        code: ErrorCode::NoError,
    };
    assert_eq!(client.seen(), [go_away(last), ping]);
    let second = client.get(3);
    assert_eq!(
        client.send(&frame(kind::PING, flag::ACK, 0, b"zs-drain")),
        []
    );
    assert_eq!(client.seen(), [go_away(3)]);
    let post = headers(5, super::client::POST, false);
    assert_eq!(client.send(&post), [], "too late");
    assert_eq!(client.send(&data(5, b"ignored", true)), []);
    assert!(!client.server.is_finished());
    for stream in [first, second] {
        client.server.send_head(stream, OK, true).unwrap();
    }
    assert!(client.server.is_finished());
    client.server.finish_drain();
    assert!(!client.seen().contains(&go_away(3)), "said once");
}

#[test]
fn the_preface_is_told_from_http_1() {
    for (bytes, wanted) in [
        (b"".as_slice(), Preface::Partial),
        (b"PRI", Preface::Partial),
        (b"PRI * HTTP/2.0\r", Preface::Partial),
        (b"PRI * HTTP/2.0\r\n", Preface::Http2),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0", Preface::Http2),
        (b"PRI * HTTP/2.0\r\n\r\nXM\r\n\r\n", Preface::Http2),
        (b"PRIX", Preface::Other),
        (b"GET / HTTP/1.1\r\n", Preface::Other),
    ] {
        assert_eq!(Preface::of(bytes), wanted, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_resting_connection_goes_on() {
    let mut client = Client::new();
    let stream = client.get(1);
    client.server.send_head(stream, OK, true).unwrap();
    client.server.rest();
    client.get(3);
}
