//! The functions of `${variable function arguments}`.

/// What a function makes of a value.
pub(super) fn apply(function: &str, value: &str, arguments: &[String]) -> String {
    let argument = |i: usize| arguments.get(i).map_or("", String::as_str);
    match (function, arguments.len()) {
        (",", _) => change_first(value, |c| c.to_lowercase().collect()),
        ("^", _) => change_first(value, |c| c.to_uppercase().collect()),
        (",,", _) => value.to_lowercase(),
        ("^^", _) => value.to_uppercase(),
        ("#", 0) => value.len().to_string(),
        ("#", _) => trim(value, argument(0), false),
        ("##", _) => trim(value, argument(0), true),
        ("%", _) => reverse(&trim(&reverse(value), &reverse(argument(0)), false)),
        ("%%", _) => reverse(&trim(&reverse(value), &reverse(argument(0)), true)),
        (":", _) => part(value, arguments),
        ("/#", 2) => match value.strip_prefix(argument(0)) {
            Some(rest) => format!("{}{rest}", argument(1)),
            None => value.into(),
        },
        ("/%", 2) => match value.strip_suffix(argument(0)) {
            Some(rest) => format!("{rest}{}", argument(1)),
            None => value.into(),
        },
        ("/#" | "/%", _) => value.into(),
        ("/", _) => value.replacen(argument(0), argument(1), 1),
        ("//", _) => value.replace(argument(0), argument(1)),
        _ if value.is_empty() => arguments.concat(),
        _ => value.into(),
    }
}

fn change_first(value: &str, change: impl Fn(char) -> String) -> String {
    let mut chars = value.chars();
    chars.next().map_or(String::new(), |first| change(first) + chars.as_str())
}

/// `${value:position:length}`, counted in bytes; what is no number leaves the value alone.
fn part(value: &str, arguments: &[String]) -> String {
    let number = |i: usize| arguments.get(i).map(|text| text.trim().parse::<i64>());
    let size = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let Some(Ok(position)) = number(0) else { return value.into() };
    let from = if position < 0 { size.saturating_add(position).max(0) } else { position };
    let to = match number(1) {
        None => size,
        Some(Err(_)) => return value.into(),
        Some(Ok(length)) if length < 0 => size.saturating_add(length),
        Some(Ok(length)) => from.saturating_add(length).min(size),
    };
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    let bytes = range.and_then(|(from, to)| value.as_bytes().get(from..to)).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// Removes the shortest or longest prefix that a pattern matches; an empty prefix is none.
fn trim(value: &str, pattern: &str, longest: bool) -> String {
    let ends: Vec<usize> =
        value.char_indices().skip(1).map(|(i, _)| i).chain([value.len()]).collect();
    let matching = |end: &&usize| **end > 0 && matches(pattern, &value[..**end]);
    let end = if longest { ends.iter().rev().find(matching) } else { ends.iter().find(matching) };
    value[end.copied().unwrap_or(0)..].into()
}

/// Whether a shell pattern matches a whole text: `*`, `?`, `[a-z]`, `[^a]`, `\` before a plain character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            retry = Some((p + 1, t));
            p += 1;
        } else if let Some(next) = one(&pattern, p, text[t]) {
            (p, t) = (next, t + 1);
        } else if let Some((after, from)) = retry {
            retry = Some((after, from + 1));
            (p, t) = (after, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The place after the pattern's element at `p` if that matches a character.
fn one(pattern: &[char], p: usize, c: char) -> Option<usize> {
    match pattern.get(p)? {
        '?' => Some(p + 1),
        '[' => class(pattern, p + 1, c),
        '\\' => (pattern.get(p + 1) == Some(&c)).then_some(p + 2),
        plain => (*plain == c).then_some(p + 1),
    }
}

fn class(pattern: &[char], start: usize, c: char) -> Option<usize> {
    let negated = pattern.get(start) == Some(&'^');
    let begin = start + usize::from(negated);
    let length = pattern.get(begin + 1..)?.iter().position(|c| *c == ']')? + 1;
    let members = &pattern[begin..begin + length];
    let mut found = false;
    let mut i = 0;
    while i < members.len() {
        let range = members.get(i + 1) == Some(&'-') && i + 2 < members.len();
        let last = if range { members[i + 2] } else { members[i] };
        found |= (members[i]..=last).contains(&c);
        i += if range { 3 } else { 1 };
    }
    (found != negated).then_some(begin + length + 1)
}

fn reverse(text: &str) -> String {
    text.chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}")
        };
        check("*", "", true);
        check("a*c", "abbc", true);
        check("a*c", "abbd", false);
        check("?b", "ab", true);
        check("[a-c]x", "bx", true);
        check("[^a-c]x", "bx", false);
        check("\\*", "*", true);
        check("[a", "a", false);
        check("a*b*c", "axxbyyc", true);
    }

    #[test]
    fn parts_are_counted_in_bytes_and_never_out_of_range() {
        let check = |arguments: &[&str], expected: &str| {
            let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
            assert_eq!(part("abcdef", &arguments), expected, "{arguments:?}");
        };
        check(&["2"], "cdef");
        check(&["-2"], "ef");
        check(&["-9"], "abcdef");
        check(&["9"], "");
        check(&["1", "2"], "bc");
        check(&["1", "-1"], "bcde");
        check(&["4", "-4"], "");
        check(&["x"], "abcdef");
        check(&["9223372036854775807", "9223372036854775807"], "");
    }
}
