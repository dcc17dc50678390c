//! The virtual clock: instants and spans in whole milliseconds.
//!
//! Below the floors that touch the real world nothing reads a clock: the time is handed in. Instants
//! are written as Kubernetes writes them (RFC 3339, UTC, whole seconds), spans as Go's
//! `time.ParseDuration` reads and `Duration.String` prints them, since those are the forms that
//! manifests and Flux use.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant of the virtual clock: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// A span of the virtual clock, in milliseconds; never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

/// Why a text is no [`Timestamp`] or [`Duration`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ParseTimeError {
    text: String,
    expected: &'static str,
}

impl Timestamp {
    /// Where simulations begin unless told otherwise: 2026-01-01T00:00:00Z.
    pub const START: Timestamp = Timestamp(1_767_225_600_000);

    /// The instant this many milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Timestamp(millis)
    }

    /// The instant this many seconds after the Unix epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Timestamp(secs * 1000)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// The span from `earlier` to this instant; zero when `earlier` is the later of the two.
    pub const fn since(self, earlier: Timestamp) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }

    /// As `metav1.MicroTime` is written: six digits of a second.
    pub fn to_micro_string(self) -> String {
        let whole = self.to_string();
        format!("{}.{:06}Z", &whole[..whole.len() - 1], self.0 % 1000 * 1000)
    }
}

/// As Kubernetes writes `metav1.Time`: RFC 3339 in UTC, whole seconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.as_secs();
        let (year, month, day) = civil_from_days((secs / 86_400) as i64);
        let (hour, minute, second) = (secs / 3600 % 24, secs / 60 % 60, secs % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Reads RFC 3339 with `Z` or a numeric offset and an optional fraction (cut to milliseconds).
impl FromStr for Timestamp {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, ParseTimeError> {
        parse_rfc3339(text).ok_or_else(|| ParseTimeError {
            text: text.into(),
            expected: "an RFC 3339 time such as 2026-01-01T00:00:00Z",
        })
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);

    /// A span of this many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Duration(millis)
    }

    /// A span of this many seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Duration(secs * 1000)
    }

    /// A span of this many minutes.
    pub const fn from_mins(mins: u64) -> Self {
        Duration(mins * 60_000)
    }

    /// A span of this many hours.
    pub const fn from_hours(hours: u64) -> Self {
        Duration(hours * 3_600_000)
    }

    /// The span in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The span in whole seconds.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// Whether the span is empty.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// This span less `other`, zero at the least.
    pub const fn saturating_sub(self, other: Duration) -> Duration {
        Duration(self.0.saturating_sub(other.0))
    }
}

/// As Go prints a `time.Duration`: `1h0m0s`, `1m30s`, `1.5s`, `250ms`, `0s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, minutes, millis) = (self.0 / 3_600_000, self.0 / 60_000 % 60, self.0 % 60_000);
        match self.0 {
            0 => return f.write_str("0s"),
            1..=999 => return write!(f, "{}ms", self.0),
            _ => {}
        }
        if hours > 0 {
            write!(f, "{hours}h{minutes}m")?;
        } else if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        let fraction = format!("{:03}", millis % 1000);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}s", millis / 1000),
            digits => write!(f, "{}.{digits}s", millis / 1000),
        }
    }
}

/// Reads what Go's `time.ParseDuration` reads, for spans that are not negative: `1h30m`, `1.5s`, `300ms`.
impl FromStr for Duration {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, ParseTimeError> {
        parse_go_duration(text).map(Duration).ok_or_else(|| ParseTimeError {
            text: text.into(),
            expected: "a duration such as 30s, 1m30s or 1h",
        })
    }
}

/// As it is displayed.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From its text.
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// As it is displayed.
impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From its text.
impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }
}

impl Add for Duration {
    type Output = Duration;
    fn add(self, other: Duration) -> Duration {
        Duration(self.0.saturating_add(other.0))
    }
}

impl Mul<u64> for Duration {
    type Output = Duration;
    fn mul(self, times: u64) -> Duration {
        Duration(self.0.saturating_mul(times))
    }
}

/// Days since the epoch to a civil date (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| {
        text.get(from..to)
            .filter(|s| s.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|s| s.parse::<i64>().ok())
    };
    let is = |at: usize, wanted: &[u8]| text.as_bytes().get(at).is_some_and(|b| wanted.contains(b));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    let rest = text.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(tail) => tail.split_at(tail.find(|c: char| !c.is_ascii_digit())?),
        None => ("", rest),
    };
    let millis = format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?;
    let secs = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
        - zone_offset_secs(zone)?;
    u64::try_from(secs * 1000 + millis).ok().map(Timestamp)
}

fn zone_offset_secs(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match zone.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60))
}

fn parse_go_duration(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    if text.is_empty() {
        return None;
    }
    let mut rest = text;
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit_len = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let scale: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        nanos = nanos.checked_add(scaled(number, scale)?)?;
        rest = tail;
    }
    u64::try_from(nanos / 1_000_000).ok()
}

fn scaled(number: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty()
        || fraction.contains('.')
        || whole.len() > 18
        || fraction.len() > 18
    {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part = if fraction.is_empty() {
        0
    } else {
        fraction.parse::<u128>().ok()? * scale / 10u128.pow(fraction.len() as u32)
    };
    whole.checked_mul(scale)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_kubernetes_writes_them() {
        let check = |millis: u64, expected: &str| {
            assert_eq!(Timestamp::from_millis(millis).to_string(), expected);
            assert_eq!(expected.parse::<Timestamp>().unwrap().as_millis(), millis / 1000 * 1000);
        };
        check(0, "1970-01-01T00:00:00Z");
        check(1_767_225_600_000, "2026-01-01T00:00:00Z");
        check(951_782_400_999, "2000-02-29T00:00:00Z");
        check(4_102_444_799_000, "2099-12-31T23:59:59Z");
        assert_eq!(Timestamp::from_millis(1_500).to_micro_string(), "1970-01-01T00:00:01.500000Z");
    }

    #[test]
    fn offsets_and_fractions_are_read() {
        let check = |text: &str, millis: Option<u64>| {
            assert_eq!(text.parse::<Timestamp>().ok().map(Timestamp::as_millis), millis, "{text}")
        };
        check("1970-01-01T01:00:00+01:00", Some(0));
        check("1970-01-01T00:00:00.25Z", Some(250));
        check("1970-01-01T00:00:00.123456Z", Some(123));
        check("1970-13-01T00:00:00Z", None);
        check("1970-01-01", None);
        check("1970-01-01T00:00:00", None);
        check("tomorrow", None);
    }

    #[test]
    fn spans_are_read_and_printed_as_go_does() {
        let check = |text: &str, millis: u64, printed: &str| {
            let span: Duration = text.parse().unwrap();
            assert_eq!((span.as_millis(), span.to_string().as_str()), (millis, printed), "{text}");
        };
        check("0", 0, "0s");
        check("30s", 30_000, "30s");
        check("90s", 90_000, "1m30s");
        check("10m", 600_000, "10m0s");
        check("1h", 3_600_000, "1h0m0s");
        check("1h15m30.918s", 4_530_918, "1h15m30.918s");
        check("1.5s", 1_500, "1.5s");
        check("250ms", 250, "250ms");
        for bad in ["", "1", "s", "1 s", "-1s", "1.2.3s", "1d", "99999999999999999999h"] {
            assert!(bad.parse::<Duration>().is_err(), "{bad}");
        }
    }
}
