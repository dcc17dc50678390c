//! Schedules of CronJobs, as `robfig/cron` reads them.

/// A field of a schedule: its bounds and the names its values may have.
struct Field {
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 5] = [
    Field { low: 0, high: 59, names: &[] },
    Field { low: 0, high: 23, names: &[] },
    Field { low: 1, high: 31, names: &[] },
    Field { low: 1, high: 12, names: &MONTHS },
    Field { low: 0, high: 6, names: &DAYS },
];

/// What is wrong with a schedule, if anything.
pub(super) fn problem(schedule: &str) -> Option<String> {
    if schedule.contains("TZ") {
        return Some("cannot use TZ or CRON_TZ in schedule, use timeZone field instead".into());
    }
    if let Some(word) = schedule.strip_prefix('@') {
        return descriptor_problem(word);
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Some(format!(
            "expected exactly 5 fields, found {}: [{}]",
            fields.len(),
            fields.join(" ")
        ));
    }
    fields.iter().zip(&FIELDS).find_map(|(text, field)| field.problem(text))
}

fn descriptor_problem(word: &str) -> Option<String> {
    let known = ["yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"];
    if known.contains(&word) {
        return None;
    }
    match word.strip_prefix("every ") {
        Some(span) if span.parse::<crate::time::Duration>().is_ok() => None,
        Some(span) => {
            Some(format!("failed to parse duration @every {span}: time: invalid duration {span:?}"))
        }
        None => Some(format!("unrecognized descriptor: @{word}")),
    }
}

/// What is wrong with the name of a time zone, if anything.
///
/// The areas of the IANA database are known here, not the places within.
pub(super) fn zone_problem(zone: &str) -> Option<String> {
    const AREAS: [&str; 14] = [
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Brazil",
        "Canada",
        "Chile",
        "Etc",
        "Europe",
        "Indian",
        "Pacific",
    ];
    const NAMES: [&str; 28] = [
        "CET",
        "CST6CDT",
        "Cuba",
        "EET",
        "EST",
        "EST5EDT",
        "Egypt",
        "Eire",
        "GB",
        "GMT",
        "Greenwich",
        "HST",
        "Hongkong",
        "Iceland",
        "Iran",
        "Israel",
        "Jamaica",
        "Japan",
        "MET",
        "MST",
        "MST7MDT",
        "NZ",
        "PST8PDT",
        "Poland",
        "UCT",
        "UTC",
        "WET",
        "Zulu",
    ];
    let is_place = |place: &str| place.starts_with(|c: char| c.is_ascii_uppercase());
    match zone.split_once('/') {
        _ if zone.is_empty() => Some("timeZone must be nil or non-empty string".into()),
        _ if zone.eq_ignore_ascii_case("local") => Some(
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
                .into(),
        ),
        Some((area, place)) if AREAS.contains(&area) && is_place(place) => None,
        None if NAMES.contains(&zone) => None,
        _ => Some(format!("unknown time zone {zone}")),
    }
}

impl Field {
    /// Lists of ranges: `1-5/2,7`.
    fn problem(&self, text: &str) -> Option<String> {
        text.split(',').find_map(|range| self.range_problem(range))
    }

    fn range_problem(&self, text: &str) -> Option<String> {
        let mut steps = text.split('/');
        let (range, step) = (steps.next().unwrap_or(""), steps.next());
        if steps.next().is_some() {
            return Some(format!("too many slashes: {text}"));
        }
        let mut ends = range.split('-');
        let (low, high) = (ends.next().unwrap_or(""), ends.next());
        if ends.next().is_some() {
            return Some(format!("too many hyphens: {text}"));
        }
        let (start, mut end) = match low {
            "*" | "?" => (self.low, self.high),
            low => match self.number(low) {
                Ok(start) => (start, start),
                Err(problem) => return Some(problem),
            },
        };
        if let Some(high) = high {
            end = match self.number(high) {
                Ok(end) => end,
                Err(problem) => return Some(problem),
            };
        } else if step.is_some() {
            end = self.high;
        }
        if let Some(step) = step {
            match number(step) {
                Ok(0) => return Some(format!("step of range should be a positive number: {text}")),
                Ok(_) => {}
                Err(problem) => return Some(problem),
            }
        }
        self.bounds_problem(start, end, text)
    }

    fn bounds_problem(&self, start: u32, end: u32, text: &str) -> Option<String> {
        let (low, high) = (self.low, self.high);
        if start < low {
            return Some(format!("beginning of range ({start}) below minimum ({low}): {text}"));
        }
        if end > high {
            return Some(format!("end of range ({end}) above maximum ({high}): {text}"));
        }
        (start > end)
            .then(|| format!("beginning of range ({start}) beyond end of range ({end}): {text}"))
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        let name = text.to_ascii_lowercase();
        match self.names.iter().position(|own| *own == name) {
            Some(position) => Ok(position as u32 + self.low),
            None => number(text),
        }
    }
}

fn number(text: &str) -> Result<u32, String> {
    match text.parse::<i64>() {
        Ok(number) if number < 0 => Err(format!("negative number ({number}) not allowed: {text}")),
        Ok(number) => u32::try_from(number).map_err(|_| format!("failed to parse int from {text}")),
        Err(_) => Err(format!(
            "failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_as_cron_reads_them() {
        let check = |schedule: &str, expected: Option<&str>| {
            assert_eq!(problem(schedule).as_deref(), expected, "{schedule}")
        };
        check("*/5 0 1-15 jan,6 mon-fri", None);
        check("@hourly", None);
        check("@every 1h30m", None);
        check("@never", Some("unrecognized descriptor: @never"));
        check("not a schedule", Some("expected exactly 5 fields, found 3: [not a schedule]"));
        check("60 * * * *", Some("end of range (60) above maximum (59): 60"));
        check("* * 0 * *", Some("beginning of range (0) below minimum (1): 0"));
        check("5-1 * * * *", Some("beginning of range (5) beyond end of range (1): 5-1"));
        check("*/0 * * * *", Some("step of range should be a positive number: */0"));
    }
}
