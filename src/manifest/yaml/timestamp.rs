//! Dates that stand unquoted: kustomize reads them as times and writes them back as RFC 3339.

/// The text that kustomize makes of a plain date or time; `None` when it is none.
///
/// Read are `2024-1-2`, `2024-1-2 15:4:5.99` and, with an offset or `Z`, `2024-1-2T15:4:5.99Z`.
pub(super) fn normalised(text: &str) -> Option<String> {
    let year = text.get(..4)?;
    if !year.bytes().all(|b| b.is_ascii_digit()) || text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    match text.find(['T', 't', ' ']) {
        None => Some(format!("{}T00:00:00Z", date(text)?)),
        Some(at) => {
            let (day, clock) = (date(&text[..at])?, &text[at + 1..]);
            let (clock, offset) = split_offset(clock, text.as_bytes()[at] == b' ')?;
            Some(format!("{day}T{}{offset}", time(clock)?))
        }
    }
}

fn date(text: &str) -> Option<String> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let (y, m, d) = (year.parse::<u32>().ok()?, two_digits(month)?, two_digits(day)?);
    let leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let days = match m {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=days).contains(&d).then(|| format!("{year}-{m:02}-{d:02}"))
}

/// The clock, and its offset as RFC 3339 writes it; a time after a space has none.
fn split_offset(clock: &str, after_space: bool) -> Option<(&str, String)> {
    if after_space {
        return Some((clock, "Z".into()));
    }
    if let Some(clock) = clock.strip_suffix('Z') {
        return Some((clock, "Z".into()));
    }
    let at = clock.rfind(['+', '-'])?;
    let (hours, minutes) = clock[at + 1..].split_once(':')?;
    let fits = hours.len() == 2
        && minutes.len() == 2
        && two_digits(hours)? < 24
        && two_digits(minutes)? < 60;
    let offset = if &clock[at + 1..] == "00:00" { "Z" } else { &clock[at..] };
    fits.then(|| (&clock[..at], offset.into()))
}

fn time(clock: &str) -> Option<String> {
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.splitn(3, ':');
    let (h, m, s) =
        (two_digits(parts.next()?)?, two_digits(parts.next()?)?, two_digits(parts.next()?)?);
    if h > 23 || m > 59 || s > 59 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction = fraction.get(..9).unwrap_or(fraction).trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{h:02}:{m:02}:{s:02}{point}{fraction}"))
}

fn two_digits(text: &str) -> Option<u32> {
    let fits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_what_kustomize_makes_of_them() {
        let check = |text: &str, time: Option<&str>| {
            assert_eq!(normalised(text).as_deref(), time, "{text}")
        };
        check("2024-1-1", Some("2024-01-01T00:00:00Z"));
        check("2024-01-01 10:00:00", Some("2024-01-01T10:00:00Z"));
        check("2024-01-01T10:00:00.120+02:00", Some("2024-01-01T10:00:00.12+02:00"));
        check("2024-01-01t10:00:00Z", Some("2024-01-01T10:00:00Z"));
        for none in
            ["2024-13-01", "2023-02-29", "2024", "2024-01", "10:00", "2024-01-01T10:00", "éé-é"]
        {
            check(none, None);
        }
    }
}
