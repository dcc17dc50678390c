//! Schedules in the form of cron, as `robfig/cron` reads them: five fields, names, ranges, steps, lists,
//! and the `@` words.

use std::str::FromStr;

use crate::time::{Duration, Timestamp};

/// When something is to happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Schedule {
    /// At the minutes that all fields select.
    Fields(Fields),
    /// Again and again after a span.
    Every(Duration),
}

/// The values that each field selects, as bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether the field was `*`: days and weekdays are alternatives unless one of them is.
    any_day: bool,
    any_weekday: bool,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MINUTE: Duration = Duration::from_mins(1);

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fields = match text.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => match other.strip_prefix("@every ") {
                Some(span) => return every(span),
                None => other,
            },
        };
        let parts: Vec<&str> = fields.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = parts[..] else {
            return Err(format!("expected exactly 5 fields, found {}: [{text}]", parts.len()));
        };
        let weekday_bits = field(weekdays, 0, 7, &WEEKDAYS)?;
        Ok(Schedule::Fields(Fields {
            minutes: field(minutes, 0, 59, &[])?,
            hours: field(hours, 0, 23, &[])?,
            days: field(days, 1, 31, &[])?,
            months: field(months, 1, 12, &MONTHS)?,
            weekdays: weekday_bits | weekday_bits >> 7,
            any_day: is_any(days),
            any_weekday: is_any(weekdays),
        }))
    }
}

impl Schedule {
    /// The first time after an instant; `None` when there is none within five years.
    pub(crate) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Schedule::Every(span) => Some(after + *span),
            Schedule::Fields(fields) => fields.next_after(after),
        }
    }

    /// The last time after `after` and no later than `until`, and how many there are, 101 standing for
    /// more than a hundred.
    pub(crate) fn last_between(
        &self,
        after: Timestamp,
        until: Timestamp,
    ) -> (Option<Timestamp>, usize) {
        let mut last = None;
        let mut missed = 0;
        let mut at = after;
        while let Some(next) = self.next_after(at).filter(|next| *next <= until) {
            missed += 1;
            last = Some(next);
            // After a long absence only the most recent time matters: go there in one leap.
            at = if missed == 101 { next.max(until - Duration::from_hours(24)) } else { next };
        }
        (last, missed.min(101))
    }
}

impl Fields {
    fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let end = after + Duration::from_hours(5 * 366 * 24);
        let mut at = Timestamp::from_secs(after.as_secs() / 60 * 60) + MINUTE;
        while at <= end {
            let civil = Civil::of(at);
            let day = self.selects_day(&civil);
            if day && has(self.hours, civil.hour) && has(self.minutes, civil.minute) {
                return Some(at);
            }
            at = match (day, has(self.hours, civil.hour)) {
                (false, _) => Timestamp::from_secs((at.as_secs() / 86_400 + 1) * 86_400),
                (true, false) => Timestamp::from_secs((at.as_secs() / 3600 + 1) * 3600),
                (true, true) => at + MINUTE,
            };
        }
        None
    }

    fn selects_day(&self, civil: &Civil) -> bool {
        let (day, weekday) = (has(self.days, civil.day), has(self.weekdays, civil.weekday));
        let fits = match self.any_day || self.any_weekday {
            true => day && weekday,
            false => day || weekday,
        };
        fits && has(self.months, civil.month)
    }
}

/// The parts of an instant that schedules select by, in UTC.
struct Civil {
    minute: u32,
    hour: u32,
    day: u32,
    month: u32,
    weekday: u32,
}

impl Civil {
    fn of(at: Timestamp) -> Self {
        let text = at.to_string();
        let part = |from: usize| text[from..from + 2].parse().expect("RFC 3339 has digits here");
        let weekday = ((at.as_secs() / 86_400 + 4) % 7) as u32;
        Civil { minute: part(14), hour: part(11), day: part(8), month: part(5), weekday }
    }
}

fn every(span: &str) -> Result<Schedule, String> {
    let span: Duration = span.trim().parse().map_err(|error| format!("{error}"))?;
    match span < Duration::from_secs(1) {
        true => Err("@every needs a second at least".into()),
        false => Ok(Schedule::Every(span)),
    }
}

fn is_any(field: &str) -> bool {
    field.split(',').any(|part| part.starts_with('*') || part.starts_with('?'))
}

fn has(bits: u64, value: u32) -> bool {
    bits >> value & 1 == 1
}

fn field(text: &str, from: u32, to: u32, names: &[&str]) -> Result<u64, String> {
    text.split(',').try_fold(0, |bits, part| Ok(bits | range(part, from, to, names)?))
}

fn range(part: &str, from: u32, to: u32, names: &[&str]) -> Result<u64, String> {
    let (span, step) = part.split_once('/').unwrap_or((part, "1"));
    let step_by: u32 = step.parse().ok().filter(|s| *s > 0).ok_or_else(|| bad(part))?;
    let value = |text: &str| {
        let named = names.iter().position(|name| text.to_ascii_lowercase() == *name);
        let value = named.map(|i| i as u32 + from).or_else(|| text.parse().ok());
        value.filter(|v| (from..=to).contains(v)).ok_or_else(|| bad(part))
    };
    let (first, last) = match span {
        "*" | "?" => (from, to),
        _ => match span.split_once('-') {
            Some((first, last)) => (value(first)?, value(last)?),
            None if part.contains('/') => (value(span)?, to),
            None => (value(span)?, value(span)?),
        },
    };
    if first > last {
        return Err(format!("beginning of range ({first}) beyond end of range ({last}): {part}"));
    }
    Ok((first..=last).step_by(step_by as usize).fold(0, |bits, v| bits | 1 << v))
}

fn bad(part: &str) -> String {
    format!("failed to parse {part:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_next_time_is_the_first_that_every_field_selects() {
        let check = |schedule: &str, after: &str, expected: &str| {
            let schedule: Schedule = schedule.parse().unwrap();
            assert_eq!(schedule.next_after(at(after)), Some(at(expected)), "{schedule:?}");
        };
        check("* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z");
        check("*/15 * * * *", "2026-01-01T00:46:30Z", "2026-01-01T01:00:00Z");
        check("0 9-17/4 * * mon-fri", "2026-01-02T17:00:00Z", "2026-01-05T09:00:00Z");
        check("30 2 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T02:30:00Z");
        check("0 0 13 * 5", "2026-01-03T00:00:00Z", "2026-01-09T00:00:00Z");
        check("0 0 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z");
        check("@hourly", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z");
        check("@every 90s", "2026-01-01T00:00:00Z", "2026-01-01T00:01:30Z");
    }

    #[test]
    fn what_is_no_schedule_is_told_so() {
        for text in [
            "",
            "* * * *",
            "60 * * * *",
            "* * 0 * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "@every x",
            "a b c d e",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text:?}");
        }
        let never: Schedule = "0 0 31 2 *".parse().unwrap();
        assert_eq!(never.next_after(at("2026-01-01T00:00:00Z")), None);
    }

    #[test]
    fn missed_times_are_counted_up_to_a_hundred() {
        let schedule: Schedule = "* * * * *".parse().unwrap();
        let check = |until: &str, expected: &str, missed: usize| {
            let found = schedule.last_between(at("2026-01-01T00:00:30Z"), at(until));
            assert_eq!(found, (Some(at(expected)), missed));
        };
        check("2026-01-01T00:03:10Z", "2026-01-01T00:03:00Z", 3);
        check("2026-01-09T00:03:10Z", "2026-01-09T00:03:00Z", 101);
        assert_eq!(
            schedule.last_between(at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:59Z")),
            (None, 0)
        );
    }
}
