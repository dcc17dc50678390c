//! What a scalar means: the resolution of plain text to null, truth, number or text.
//!
//! The rules are those of the Go parsers that kubectl and kustomize use, which read YAML 1.1 with
//! some of 1.2: octal as `0777` and `0o777`, digits grouped as `1_000`.

use serde_json::{Number, Value};

use super::{Dialect, timestamp};

/// What a scalar is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    /// Nothing.
    Null,
    /// `true` or `false`, in one of their spellings.
    Bool,
    /// A whole number.
    Int,
    /// A number with a fraction, an exponent, or too large for 64 bits.
    Float,
    /// Text.
    Str,
}

/// A scalar: its text, after quotes and escapes are read, and what it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text.
    pub text: String,
    /// What the text is of.
    pub tag: Tag,
}

impl Scalar {
    /// Text, whatever it looks like.
    pub fn text(text: impl Into<String>) -> Self {
        Scalar { text: text.into(), tag: Tag::Str }
    }

    /// Plain text, resolved as `dialect` does.
    pub fn plain(text: impl Into<String>, dialect: Dialect) -> Self {
        let text = text.into();
        let tag = resolve(&text, dialect);
        match timestamp::normalised(&text) {
            Some(time) if tag == Tag::Str && dialect == Dialect::Kustomize => Scalar::text(time),
            _ => Scalar { text, tag },
        }
    }

    /// The value as JSON. Text that does not fit its tag, such as a number that was replaced by a
    /// word, has none; nor have infinities.
    pub fn value(&self) -> Option<Value> {
        Some(match self.tag {
            Tag::Null if !is_null(&self.text) => return None,
            Tag::Null => Value::Null,
            Tag::Str => Value::String(self.text.clone()),
            Tag::Bool => Value::Bool(truth(&self.text)?),
            Tag::Int | Tag::Float => number(&self.text)?,
        })
    }
}

/// What plain text is of.
pub(crate) fn resolve(text: &str, dialect: Dialect) -> Tag {
    match text {
        _ if is_null(text) => Tag::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Tag::Bool,
        _ if dialect == Dialect::Kubectl && truth(text).is_some() => Tag::Bool,
        _ if is_infinite(text) => Tag::Float,
        _ if !text.starts_with(['+', '-', '.'])
            && !text.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            Tag::Str
        }
        _ if integer(text).is_some() => Tag::Int,
        _ if float(text).is_some() => Tag::Float,
        _ => Tag::Str,
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// YAML 1.1's words for true and false.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => {
            Some(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            Some(false)
        }
        _ => None,
    }
}

/// Infinities and what is no number: JSON has none of them.
pub(crate) fn is_infinite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// A number as JSON writes it: whole floats below 1e21 are whole numbers where 64 bits hold them.
pub(crate) fn number(text: &str) -> Option<Value> {
    if let Some(whole) = integer(text) {
        return Some(whole_number(whole));
    }
    float(text).and_then(float_value)
}

/// A float as Go's JSON writes and reads it back.
pub(crate) fn float_value(float: f64) -> Option<Value> {
    if float.fract() == 0.0 && float.abs() < 1e21 {
        let digits: i128 = format!("{float:.0}").parse().ok()?;
        if i64::try_from(digits).is_ok() || u64::try_from(digits).is_ok() {
            return Some(whole_number(digits));
        }
    }
    Number::from_f64(float).map(Value::Number)
}

fn whole_number(whole: i128) -> Value {
    match (i64::try_from(whole), u64::try_from(whole)) {
        (Ok(signed), _) => signed.into(),
        (_, Ok(unsigned)) => unsigned.into(),
        _ => unreachable!("integer() gives what 64 bits hold"),
    }
}

/// A whole number as Go's `strconv.ParseInt` with base 0 reads it, `_` left out; `None` beyond 64 bits.
pub(crate) fn integer(text: &str) -> Option<i128> {
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.as_bytes().first()? {
        b'-' => (true, &plain[1..]),
        b'+' => (false, &plain[1..]),
        _ => (false, &plain[..]),
    };
    let (base, digits) = split_base(digits);
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    let size = i128::from_str_radix(digits, base).ok()?;
    let whole = if negative { -size } else { size };
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&whole).then_some(whole)
}

fn split_base(digits: &str) -> (u32, &str) {
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    match lower.as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    }
}

/// A float as the Go parsers read it: `[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?`, `_` left out.
pub(crate) fn float(text: &str) -> Option<f64> {
    let plain = text.replace('_', "");
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let mantissa_fits =
        digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_fits = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    let shaped = mantissa_fits && exponent_fits && !mantissa.is_empty();
    shaped.then(|| plain.parse().ok()).flatten().filter(|f: &f64| f.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_are_what_kubectl_and_kustomize_read() {
        let check = |text: &str, kubectl: Value, kustomize: Value| {
            assert_eq!(Scalar::plain(text, Dialect::Kubectl).value(), Some(kubectl), "{text}");
            assert_eq!(Scalar::plain(text, Dialect::Kustomize).value(), Some(kustomize), "{text}");
        };
        let both = |text: &str, value: Value| check(text, value.clone(), value);
        for (word, truth) in
            [("yes", true), ("on", true), ("y", true), ("N", false), ("Off", false)]
        {
            check(word, truth.into(), word.into());
        }
        both("TRUE", json!(true));
        both("tRue", json!("tRue"));
        both("~", json!(null));
        for (text, whole) in [
            ("0777", 511),
            ("-0777", -511),
            ("08", 8),
            ("0o17", 15),
            ("0x1F", 31),
            ("-0b11", -3),
            ("+5", 5),
            ("1_000", 1000),
            ("1e3", 1000),
            ("5.", 5),
            ("0_", 0),
            ("1__0", 10),
            ("-0.0", 0),
        ] {
            both(text, json!(whole));
        }
        both("1_0.5", json!(10.5));
        both("-1.5e-3", json!(-0.0015));
        both("18446744073709551615", json!(u64::MAX));
        both("18446744073709551616", json!(18446744073709551616.0));
        both("1e19", json!(10_000_000_000_000_000_000_u64));
        for text in
            ["_1", "0b", "0x", "1e", "1:20", "-.inf-x", "-", ".", "+", "0x1G", "1.2.3", "e3"]
        {
            both(text, json!(text));
        }
    }
}
