//! Preconditions: a table, and the decision table of RFC 9110, section 13.2.2 as a model.

use proptest::prelude::*;
use zs_proto::conditional::{Conditions, Outcome, Validators, evaluate, if_range_matches};
use zs_proto::date::{format_imf, parse_http_date};
use zs_proto::field::FieldLines;
use zs_proto::h1::parse::parse_head;
use zs_proto::message::Method;

const MODIFIED: u64 = 784_111_777;
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

/// The outcome for a request with these lines, for the tag `"abc"` and `DATE`.
fn outcome(method: &str, lines: &str, last_modified: Option<u64>) -> Outcome {
    let bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let (head, _) = parse_head(bytes.as_bytes()).unwrap().unwrap();
    evaluate(
        &head.conditions(),
        &Validators {
            etag: b"\"abc\"",
            last_modified,
        },
        head.method,
    )
}

/// Each case: method, field lines, what is decided.
fn check(cases: &[(&str, String, Outcome)]) {
    for (method, lines, expected) in cases {
        let decided = outcome(method, lines, Some(MODIFIED));
        assert_eq!(decided, *expected, "{method} {lines:?}");
    }
}

#[test]
fn tags_are_applied_in_order() {
    use Outcome::{NotModified, PreconditionFailed, Proceed};
    check(&[
        ("GET", String::new(), Proceed),
        ("GET", "If-None-Match: \"abc\"\r\n".into(), NotModified),
        ("HEAD", "If-None-Match: \"abc\"\r\n".into(), NotModified),
        (
            "POST",
            "If-None-Match: \"abc\"\r\n".into(),
            PreconditionFailed,
        ),
        ("GET", "If-None-Match: W/\"abc\"\r\n".into(), NotModified),
        ("GET", "If-None-Match: *\r\n".into(), NotModified),
        ("PUT", "If-None-Match: *\r\n".into(), PreconditionFailed),
        (
            "GET",
            "If-None-Match: \"x\", W/\"y\" ,\"abc\"\r\n".into(),
            NotModified,
        ),
        ("GET", "If-None-Match: ,, \"abc\"\r\n".into(), NotModified),
        (
            "GET",
            "If-None-Match: \"x\"\r\nIf-None-Match: \"abc\"\r\n".into(),
            NotModified,
        ),
        (
            "GET",
            "If-None-Match: \"a,b\",\"abc\"\r\n".into(),
            NotModified,
        ),
        ("GET", "If-None-Match: \"ABC\"\r\n".into(), Proceed),
        ("GET", "If-None-Match: abc\r\n".into(), Proceed),
        ("GET", "If-None-Match: w/\"abc\"\r\n".into(), Proceed),
        ("GET", "If-None-Match: \"x\" \"abc\"\r\n".into(), Proceed),
        ("GET", "If-None-Match: \"abc\r\n".into(), Proceed),
        ("GET", "If-None-Match:\r\n".into(), Proceed),
        ("GET", "If-Match: \"abc\"\r\n".into(), Proceed),
        ("GET", "If-Match: *\r\n".into(), Proceed),
        ("GET", "If-Match: \"x\"\r\n".into(), PreconditionFailed),
        ("GET", "If-Match: W/\"abc\"\r\n".into(), PreconditionFailed),
        ("GET", "If-Match: W/\"abc\", \"abc\"\r\n".into(), Proceed),
        (
            "GET",
            "If-Match: \"abc\"\r\nIf-None-Match: \"abc\"\r\n".into(),
            NotModified,
        ),
        (
            "GET",
            "If-Match: \"x\"\r\nIf-None-Match: \"abc\"\r\n".into(),
            PreconditionFailed,
        ),
    ]);
}

#[test]
fn dates_are_applied_in_order() {
    use Outcome::{NotModified, PreconditionFailed, Proceed};
    check(&[
        ("GET", format!("If-Modified-Since: {DATE}\r\n"), NotModified),
        (
            "GET",
            format!("If-Modified-Since: {LATER}\r\n"),
            NotModified,
        ),
        ("GET", format!("If-Modified-Since: {EARLIER}\r\n"), Proceed),
        ("POST", format!("If-Modified-Since: {DATE}\r\n"), Proceed),
        ("GET", "If-Modified-Since: yesterday\r\n".into(), Proceed),
        (
            "GET",
            format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {DATE}\r\n"),
            Proceed,
        ),
        ("GET", format!("If-Unmodified-Since: {DATE}\r\n"), Proceed),
        ("GET", format!("If-Unmodified-Since: {LATER}\r\n"), Proceed),
        (
            "GET",
            format!("If-Unmodified-Since: {EARLIER}\r\n"),
            PreconditionFailed,
        ),
        (
            "POST",
            format!("If-Unmodified-Since: {EARLIER}\r\n"),
            PreconditionFailed,
        ),
        ("GET", "If-Unmodified-Since: never\r\n".into(), Proceed),
        (
            "GET",
            format!("If-Match: \"abc\"\r\nIf-Unmodified-Since: {EARLIER}\r\n"),
            Proceed,
        ),
    ]);
}

#[test]
fn without_last_modified_dates_decide_nothing() {
    for date in [EARLIER, DATE, LATER] {
        for field in ["If-Modified-Since", "If-Unmodified-Since"] {
            assert_eq!(
                outcome("GET", &format!("{field}: {date}\r\n"), None),
                Outcome::Proceed
            );
        }
    }
}

#[test]
fn if_range_wants_the_very_same_thing() {
    let matches = |value: &str, last_modified| {
        if_range_matches(
            value.as_bytes(),
            &Validators {
                etag: b"\"abc\"",
                last_modified,
            },
        )
    };
    assert!(matches("\"abc\"", None));
    assert!(matches(DATE, Some(MODIFIED)));
    for other in [
        "\"abd\"",
        "W/\"abc\"",
        "abc",
        "*",
        "\"abc\", \"abc\"",
        "",
        LATER,
        EARLIER,
        DATE,
    ] {
        let last_modified = (other != DATE).then_some(MODIFIED);
        assert!(!matches(other, last_modified), "{other}");
    }
}

#[derive(Clone, Debug)]
struct Tag {
    weak: bool,
    text: &'static str,
}

fn tags() -> impl Strategy<Value = Option<Vec<Tag>>> {
    let text = prop_oneof![Just("abc"), Just("x"), Just("a,b"), Just("")];
    let tag = (any::<bool>(), text).prop_map(|(weak, text)| Tag { weak, text });
    proptest::option::of(proptest::collection::vec(tag, 0..4))
}

fn write(tags: &[Tag]) -> String {
    let quoted = |tag: &Tag| format!("{}\"{}\"", if tag.weak { "W/" } else { "" }, tag.text);
    tags.iter().map(quoted).collect::<Vec<_>>().join(", ")
}

proptest! {
    /// The numbered steps of RFC 9110, section 13.2.2, on values instead of text.
    #[test]
    fn decisions_agree_with_the_numbered_steps(
        if_match in tags(),
        if_none_match in tags(),
        since in proptest::option::of(MODIFIED - 2..MODIFIED + 3),
        until in proptest::option::of(MODIFIED - 2..MODIFIED + 3),
        modified in proptest::option::of(Just(MODIFIED)),
        read: bool,
    ) {
        let strong = |tags: &[Tag]| tags.iter().any(|tag| !tag.weak && tag.text == "abc");
        let weak = |tags: &[Tag]| tags.iter().any(|tag| tag.text == "abc");
        let step_3 = || match (&if_none_match, since.zip(modified)) {
            (Some(tags), _) if !weak(tags) => Outcome::Proceed,
            (Some(_), _) if read => Outcome::NotModified,
            (Some(_), _) => Outcome::PreconditionFailed,
            (None, Some((since, modified))) if read && modified <= since => Outcome::NotModified,
            _ => Outcome::Proceed,
        };
        let expected = match (&if_match, until.zip(modified)) {
            (Some(tags), _) if !strong(tags) => Outcome::PreconditionFailed,
            (None, Some((until, modified))) if modified > until => Outcome::PreconditionFailed,
            _ => step_3(),
        };
        let date = |seconds| {
            let mut text = [0; 29];
            format_imf(seconds, &mut text);
            assert_eq!(parse_http_date(&text), Some(seconds));
            text
        };
        let (if_match, if_none_match) = (if_match.as_deref().map(write), if_none_match.as_deref().map(write));
        let (since, until) = (since.map(date), until.map(date));
        let lines = |text: &'_ Option<String>| text.clone().map(String::into_bytes);
        let (if_match, if_none_match) = (lines(&if_match), lines(&if_none_match));
        let conditions = Conditions {
            if_match: if_match.as_deref().map(FieldLines::single),
            if_none_match: if_none_match.as_deref().map(FieldLines::single),
            if_modified_since: since.as_ref().map(<[u8; 29]>::as_slice),
            if_unmodified_since: until.as_ref().map(<[u8; 29]>::as_slice),
        };
        let validators = Validators { etag: b"\"abc\"", last_modified: modified };
        let method = if read { Method::Get } else { Method::Put };
        prop_assert_eq!(evaluate(&conditions, &validators, method), expected);
    }
}
