//! Response heads.

use zs_proto::h1::encode::{CONTINUE, HEAD_BYTES_TYPICAL, HeadWriter, reason_phrase};
use zs_proto::range::ByteRange;

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";

#[test]
fn a_files_head_is_written_in_order_behind_what_is_there() {
    let mut out = b"before".to_vec();
    HeadWriter::status(&mut out, 206)
        .date(DATE)
        .block(b"Content-Type: text/plain; charset=utf-8\r\nETag: \"a\"\r\n")
        .content_range(
            ByteRange {
                start: 1,
                end_inclusive: 9,
            },
            100,
        )
        .content_length(9)
        .header("Vary", b"Accept-Encoding")
        .header_number("Age", 7)
        .close()
        .finish();
    let text = "beforeHTTP/1.1 206 Partial Content\r\nServer: zeroserve\r\n\
        Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain; charset=utf-8\r\n\
        ETag: \"a\"\r\nContent-Range: bytes 1-9/100\r\nContent-Length: 9\r\n\
        Vary: Accept-Encoding\r\nAge: 7\r\nConnection: close\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), text);
}

#[test]
fn ready_status_lines_are_those_that_would_be_put_together() {
    for status in [200, 206, 304, 404, 416, 431, 500] {
        let mut out = Vec::new();
        HeadWriter::status(&mut out, status).finish();
        let wanted = format!(
            "HTTP/1.1 {status} {}\r\nServer: zeroserve\r\n\r\n",
            reason_phrase(status)
        );
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }
}

#[test]
fn a_value_cannot_start_a_line() {
    let mut out = Vec::new();
    HeadWriter::status(&mut out, 308)
        .header("Location", b"/a\r\nSet-Cookie: x\0\x7f\ty")
        .keep_alive()
        .content_range_unsatisfied(5)
        .finish();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("Location: /a  Set-Cookie: x   y\r\n"),
        "{text:?}"
    );
    assert!(text.contains("\r\nConnection: keep-alive\r\nContent-Range: bytes */5\r\n\r\n"));
}

#[test]
fn a_reserved_buffer_is_not_grown() {
    let mut out = Vec::with_capacity(HEAD_BYTES_TYPICAL);
    let before = out.capacity();
    HeadWriter::status(&mut out, 200)
        .date(DATE)
        .content_length(u64::MAX)
        .finish();
    assert_eq!(out.capacity(), before);
    assert!(CONTINUE.ends_with(b"\r\n\r\n"));
}
