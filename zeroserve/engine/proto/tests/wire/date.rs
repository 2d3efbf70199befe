//! HTTP dates: known pairs, and a calendar that counts day by day.

use proptest::prelude::*;
use zs_proto::date::{format_imf, parse_http_date};

fn written(seconds: u64) -> String {
    let mut out = [0; 29];
    format_imf(seconds, &mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn known_seconds_are_written_and_read() {
    let cases = [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
        (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
        (2_147_483_648, "Tue, 19 Jan 2038 03:14:08 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ];
    for (seconds, text) in cases {
        assert_eq!(written(seconds), text);
        assert_eq!(parse_http_date(text.as_bytes()), Some(seconds), "{text}");
    }
    assert_eq!(written(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
}

#[test]
fn the_two_old_forms_are_read() {
    let cases = [
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
        ("Sun Nov  6 08:49:37 1994", 784_111_777),
        ("Sun Nov 06 08:49:37 1994", 784_111_777),
        ("Wed Nov 16 08:49:37 1994", 784_975_777),
        ("Thursday, 01-Jan-70 00:00:00 GMT", 0),
        ("Tuesday, 31-Dec-69 23:59:59 GMT", 3_155_759_999),
    ];
    for (text, seconds) in cases {
        assert_eq!(parse_http_date(text.as_bytes()), Some(seconds), "{text}");
    }
}

#[test]
fn leap_seconds_and_early_years_are_let_pass() {
    assert_eq!(
        parse_http_date(b"Sat, 31 Dec 2016 23:59:60 GMT"),
        Some(1_483_228_800)
    );
    assert_eq!(parse_http_date(b"Wed, 31 Dec 1969 23:59:59 GMT"), Some(0));
    assert_eq!(parse_http_date(b"Sat, 01 Jan 0000 00:00:00 GMT"), Some(0));
}

#[test]
fn anything_else_is_no_date() {
    let cases = [
        "",
        "0",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 29 Feb 2023 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:+7 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov  6 08:49:37 94",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  06 08:49:37 1994",
        "1994-11-06T08:49:37Z",
    ];
    for text in cases {
        assert_eq!(parse_http_date(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn every_day_of_400_years_agrees_with_a_counted_calendar() {
    let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (mut year, mut month, mut day) = (1970, 0, 1);
    for count in 0..146_097_u64 {
        let name = names[usize::try_from((count + 3) % 7).unwrap()];
        let text = format!("{name}, {day:02} {} {year} 00:00:00 GMT", months[month]);
        assert_eq!(written(count * 86_400), text);
        assert_eq!(parse_http_date(text.as_bytes()), Some(count * 86_400));
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = [
            31,
            28 + i32::from(leap),
            31,
            30,
            31,
            30,
            31,
            31,
            30,
            31,
            30,
            31,
        ][month];
        day += 1;
        if day > length {
            (day, month) = (1, month + 1);
        }
        if month == 12 {
            (month, year) = (0, year + 1);
        }
    }
    assert_eq!((year, month, day), (2370, 0, 1));
}

proptest! {
    #[test]
    fn any_second_survives_a_round_trip(seconds in 0_u64..=253_402_300_799) {
        prop_assert_eq!(parse_http_date(written(seconds).as_bytes()), Some(seconds));
    }

    #[test]
    fn almost_dates_never_panic(text in "[A-Z][a-z]{2,8},? [0-9 ]{2}[ -][A-Z][a-z]{2}[ -][0-9]{2,4} [0-9:]{8} ?(GMT)?[0-9]{0,4}") {
        if let Some(seconds) = parse_http_date(text.as_bytes()) {
            prop_assert_eq!(parse_http_date(written(seconds).as_bytes()), Some(seconds));
        }
    }
}
