//! Quantities: `100m`, `1Gi`, `2e3`, as `k8s.io/apimachinery/pkg/api/resource` reads and prints them.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

/// An amount of a resource, exact to a billionth, with the suffix family it was written in.
///
/// ```
/// use driftlab::object::Quantity;
/// let check = |text: &str, canonical: &str| assert_eq!(text.parse::<Quantity>().unwrap().to_string(), canonical);
/// check("0.5", "500m");
/// check("1024Mi", "1Gi");
/// check("1000", "1k");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Decimal,
    Exponent,
    Binary,
}

/// A text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)]
pub struct ParseQuantityError;

const NANOS: i128 = 1_000_000_000;
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [(&str, i32); 10] = [
    ("E", 18),
    ("P", 15),
    ("T", 12),
    ("G", 9),
    ("M", 6),
    ("k", 3),
    ("", 0),
    ("m", -3),
    ("u", -6),
    ("n", -9),
];

impl Quantity {
    /// The amount in whole units, rounded up as Go's `Quantity.Value` does.
    pub fn value(self) -> i128 {
        self.nanos.div_euclid(NANOS) + i128::from(self.nanos.rem_euclid(NANOS) != 0)
    }

    /// The amount in thousandths, rounded up as Go's `Quantity.MilliValue` does.
    pub fn milli_value(self) -> i128 {
        self.nanos.div_euclid(1_000_000) + i128::from(self.nanos.rem_euclid(1_000_000) != 0)
    }
}

/// In the suffix family of the first, or of the second when the first is 0.
impl Add for Quantity {
    type Output = Quantity;

    fn add(self, other: Quantity) -> Quantity {
        let format = if self.nanos == 0 { other.format } else { self.format };
        Quantity { nanos: self.nanos.saturating_add(other.nanos), format }
    }
}

/// In the suffix family of a sum.
impl Sub for Quantity {
    type Output = Quantity;

    fn sub(self, other: Quantity) -> Quantity {
        self + Quantity { nanos: -other.nanos, ..other }
    }
}

/// So many whole units.
impl From<i64> for Quantity {
    fn from(units: i64) -> Self {
        Quantity { nanos: i128::from(units) * NANOS, format: Format::Decimal }
    }
}

/// Nothing.
impl Default for Quantity {
    fn default() -> Self {
        Quantity::from(0)
    }
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, ParseQuantityError> {
        let unsigned = text.trim_start_matches(['+', '-']);
        if text.len() - unsigned.len() > 1 {
            return Err(ParseQuantityError);
        }
        let split =
            unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(split);
        let (scale, format) = suffix_scale(suffix).ok_or(ParseQuantityError)?;
        let nanos = scaled_nanos(number, scale).ok_or(ParseQuantityError)?;
        Ok(Quantity { nanos: if text.starts_with('-') { -nanos } else { nanos }, format })
    }
}

/// The canonical form: no fraction, the largest suffix that allows it.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        if self.format == Format::Binary
            && self.nanos % NANOS == 0
            && (self.nanos / NANOS).abs() >= 1024
        {
            let (mut value, mut power) = (self.nanos / NANOS, 0);
            while value % 1024 == 0 && power + 1 < BINARY.len() {
                value /= 1024;
                power += 1;
            }
            return write!(f, "{value}{}", BINARY[power]);
        }
        let (suffix, exponent) = DECIMAL
            .into_iter()
            .find(|(_, exponent)| self.nanos % 10i128.pow((exponent + 9) as u32) == 0)
            .unwrap_or(("n", -9));
        let value = self.nanos / 10i128.pow((exponent + 9) as u32);
        match (self.format, exponent) {
            (Format::Exponent, 0) => write!(f, "{value}"),
            (Format::Exponent, _) => write!(f, "{value}e{exponent}"),
            _ => write!(f, "{value}{suffix}"),
        }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

enum Scale {
    Ten(i32),
    Times(i128),
}

fn suffix_scale(suffix: &str) -> Option<(Scale, Format)> {
    if let Some((_, exponent)) = DECIMAL.into_iter().find(|(s, _)| *s == suffix) {
        return Some((Scale::Ten(exponent), Format::Decimal));
    }
    if let Some(power) = BINARY.iter().position(|s| *s == suffix) {
        return Some((Scale::Times(1024i128.pow(power as u32)), Format::Binary));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?.parse::<i32>().ok()?;
    (-18..=18).contains(&exponent).then_some((Scale::Ten(exponent), Format::Exponent))
}

/// `number` times the scale in billionths; digits past a billionth round away from zero.
fn scaled_nanos(number: &str, scale: Scale) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0
        || fraction.contains('.')
        || whole.len() > 18
        || fraction.len() > 12
    {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let places = fraction.len() as i32;
    let (digits, exponent) = match scale {
        Scale::Ten(exponent) => (digits, exponent + 9 - places),
        Scale::Times(times) => (digits.checked_mul(times)?, 9 - places),
    };
    if exponent >= 0 {
        return digits.checked_mul(10i128.checked_pow(exponent as u32)?);
    }
    let divisor = 10i128.checked_pow(exponent.unsigned_abs())?;
    Some(digits / divisor + i128::from(digits % divisor != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_written_as_their_first_part() {
        let check = |one: &str, other: &str, sum: &str| {
            let [one, other] = [one, other].map(|text| text.parse::<Quantity>().unwrap());
            assert_eq!((one + other).to_string(), sum)
        };
        check("600Mi", "600Mi", "1200Mi");
        check("1", "700m", "1700m");
        check("1k", "1Ki", "2024");
        check("0", "64Mi", "64Mi");
    }

    #[test]
    fn quantities_print_in_canonical_form() {
        let check = |text: &str, canonical: &str| {
            assert_eq!(text.parse::<Quantity>().unwrap().to_string(), canonical, "{text}")
        };
        check("100m", "100m");
        check("1000m", "1");
        check("0.1", "100m");
        check("1.5Gi", "1536Mi");
        check("1e3", "1e3");
        check("12e6", "12e6");
        check("0", "0");
        check("-1.50", "-1500m");
        check("128974848", "128974848");
        check("129M", "129M");
        check("64Mi", "64Mi");
        check("0.5Ki", "512");
        for bad in ["", "1 Gi", "Gi", "1.2.3", "++1", "1GB", "1e99"] {
            assert!(bad.parse::<Quantity>().is_err(), "{bad}");
        }
    }

    #[test]
    fn quantities_compare_by_amount() {
        let amount = |text: &str| text.parse::<Quantity>().unwrap();
        assert_eq!(amount("1Gi"), amount("1024Mi"));
        assert!(amount("999m") < amount("1"));
        assert_eq!((amount("1500m").value(), amount("1500m").milli_value()), (2, 1500));
    }
}
