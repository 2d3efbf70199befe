//! HTTP dates (RFC 9110, section 5.6.7). Pure arithmetic: what the time is, the caller knows.

const DAY_NAMES: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
const LONG_DAY_NAMES: [&[u8]; 7] = [
    b"Monday",
    b"Tuesday",
    b"Wednesday",
    b"Thursday",
    b"Friday",
    b"Saturday",
    b"Sunday",
];
const MONTH_NAMES: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

const DAY_SECONDS: u64 = 86_400;

/// 9999-12-31 23:59:59, the last second that four digits of a year can name.
const LAST_SECOND: u64 = 253_402_300_799;

/// Writes `Sun, 06 Nov 1994 08:49:37 GMT`. Times after the year 9999 are written as its last second.
pub fn format_imf(unix_seconds: u64, out: &mut [u8; 29]) {
    let seconds = unix_seconds.min(LAST_SECOND);
    let (days, second) = (seconds / DAY_SECONDS, seconds % DAY_SECONDS);
    let (year, month, day) = civil_from_days(days);
    *out = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    put(out, 0, name_at(&DAY_NAMES, (days + 3) % 7)); // 1970-01-01 was a Thursday
    put(out, 5, &two_digits(day));
    put(out, 8, name_at(&MONTH_NAMES, month - 1));
    put(out, 12, &two_digits(year / 100));
    put(out, 14, &two_digits(year % 100));
    put(out, 17, &two_digits(second / 3600));
    put(out, 20, &two_digits(second / 60 % 60));
    put(out, 23, &two_digits(second % 60));
}

fn put(out: &mut [u8; 29], at: usize, text: &[u8]) {
    if let Some(place) = out.get_mut(at..at + text.len()) {
        place.copy_from_slice(text);
    }
}

fn name_at<'n>(names: &[&'n [u8; 3]], index: u64) -> &'n [u8; 3] {
    usize::try_from(index)
        .ok()
        .and_then(|index| names.get(index).copied())
        .unwrap_or(b"???")
}

fn two_digits(number: u64) -> [u8; 2] {
    let digit = |value: u64| b'0' + u8::try_from(value % 10).unwrap_or_default();
    [digit(number / 10), digit(number)]
}

/// Year, month (1-12) and day of a count of days since 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is a year's last; 400 years have 146,097 days.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // days from 0000-03-01 to 1970-01-01
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Days from 1970-01-01; zero for anything before it.
fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 {
        year.wrapping_sub(1)
    } else {
        year
    };
    if !(1969..=9999).contains(&year) {
        return 0;
    }
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).saturating_sub(719_468)
}

fn days_in_month(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Unix seconds of a date in any of the three forms; `None` when it is not one.
///
/// Times before 1970 are given as 0: the comparisons that use them come out the same. A year of two
/// digits (RFC 850) is read as 1970-2069: without a clock the sliding rule of RFC 9110 cannot be
/// applied, and nothing that still sends this form names other years. The day's name must be one,
/// but is not checked against the date.
#[must_use]
pub fn parse_http_date(text: &[u8]) -> Option<u64> {
    match text {
        [_, _, _, b',', ..] => parse_imf(text),
        [_, _, _, b' ', ..] => parse_asctime(text),
        _ => {
            let comma = text.iter().position(|&byte| byte == b',')?;
            let (day_name, rest) = text.split_at_checked(comma)?;
            LONG_DAY_NAMES.contains(&day_name).then_some(())?;
            parse_rfc850(rest)
        }
    }
}

/// What is left of a date's text.
struct Text<'b>(&'b [u8]);

impl Text<'_> {
    fn skip(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn name(&mut self) -> Option<[u8; 3]> {
        let (name, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*name)
    }

    fn two_digits(&mut self) -> Option<u64> {
        let (&[tens, ones], rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        let both = tens.is_ascii_digit() && ones.is_ascii_digit();
        both.then(|| u64::from(tens - b'0') * 10 + u64::from(ones - b'0'))
    }

    fn year(&mut self) -> Option<u64> {
        Some(self.two_digits()? * 100 + self.two_digits()?)
    }

    fn day_name(&mut self) -> Option<()> {
        let name = self.name()?;
        DAY_NAMES.contains(&&name).then_some(())
    }

    /// `08:49:37` as seconds since midnight; second 60 is let pass, because leap seconds are sent.
    fn time(&mut self) -> Option<u64> {
        let hour = self.two_digits()?;
        self.skip(b":")?;
        let minute = self.two_digits()?;
        self.skip(b":")?;
        let second = self.two_digits()?;
        (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn parse_imf(text: &[u8]) -> Option<u64> {
    let mut text = Text(text);
    text.day_name()?;
    text.skip(b", ")?;
    let day = text.two_digits()?;
    text.skip(b" ")?;
    let month = text.name()?;
    text.skip(b" ")?;
    let year = text.year()?;
    text.skip(b" ")?;
    let time = text.time()?;
    text.skip(b" GMT")?;
    text.end()?;
    assemble(year, month, day, time)
}

/// `, 06-Nov-94 08:49:37 GMT`, after the day's long name
fn parse_rfc850(text: &[u8]) -> Option<u64> {
    let mut text = Text(text);
    text.skip(b", ")?;
    let day = text.two_digits()?;
    text.skip(b"-")?;
    let month = text.name()?;
    text.skip(b"-")?;
    let year = text.two_digits()?;
    text.skip(b" ")?;
    let time = text.time()?;
    text.skip(b" GMT")?;
    text.end()?;
    assemble(
        if year < 70 { 2000 + year } else { 1900 + year },
        month,
        day,
        time,
    )
}

/// `Sun Nov  6 08:49:37 1994`
fn parse_asctime(text: &[u8]) -> Option<u64> {
    let mut text = Text(text);
    text.day_name()?;
    text.skip(b" ")?;
    let month = text.name()?;
    text.skip(b" ")?;
    let day = match text.0 {
        [b' ', ones @ b'0'..=b'9', rest @ ..] => {
            text = Text(rest);
            u64::from(ones - b'0')
        }
        _ => text.two_digits()?,
    };
    text.skip(b" ")?;
    let time = text.time()?;
    text.skip(b" ")?;
    let year = text.year()?;
    text.end()?;
    assemble(year, month, day, time)
}

fn assemble(year: u64, month_name: [u8; 3], day: u64, time: u64) -> Option<u64> {
    let index = MONTH_NAMES.iter().position(|name| **name == month_name)?;
    let month = u64::try_from(index).ok()? + 1;
    if day == 0 || day > days_in_month(year, month) {
        return None;
    }
    if year < 1970 {
        return Some(0);
    }
    Some(days_from_civil(year, month, day) * DAY_SECONDS + time)
}

/// Fuzz body: a date that is read is written as the same second.
///
/// # Panics
/// When that does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_date(bytes: &[u8]) {
    let mut written = [0; 29];
    if let Some(seconds) = parse_http_date(bytes) {
        assert!(
            seconds <= LAST_SECOND + 1,
            "a leap second may end the year 9999"
        );
        format_imf(seconds, &mut written);
        assert_eq!(parse_http_date(&written), Some(seconds.min(LAST_SECOND)));
    }
    if let Some(seconds) = bytes.first_chunk() {
        let seconds = u64::from_le_bytes(*seconds);
        format_imf(seconds, &mut written);
        assert_eq!(parse_http_date(&written), Some(seconds.min(LAST_SECOND)));
    }
}
