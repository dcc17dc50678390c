//! Who did something, and when: the second half of a `author`, `committer` or `tagger` line.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::time::Timestamp;

/// A person and a moment, as commits and tags carry them.
///
/// ```
/// use driftlab::git::Signature;
/// use driftlab::time::Timestamp;
/// let ada = Signature::new("Ada", "ada@example.com", Timestamp::from_secs(1_767_225_600));
/// assert_eq!(ada.to_string(), "Ada <ada@example.com> 1767225600 +0000");
/// assert_eq!("Ada <ada@example.com> 1767225600 +0000".parse(), Ok(ada));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    /// The name of the person.
    pub name: String,
    /// The mail address, without angle brackets.
    pub email: String,
    /// The moment; Git keeps whole seconds.
    pub when: Timestamp,
    /// Minutes east of UTC where it was written down.
    pub offset: i16,
}

/// A text that is no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a signature: 'Name <mail> seconds +0000' is")]
pub struct ParseSignatureError(pub String);

impl Signature {
    /// A signature in UTC; name and address lose what Git does not let stand in them.
    pub fn new(name: &str, email: &str, when: Timestamp) -> Self {
        Signature { name: without_crud(name), email: without_crud(email), when, offset: 0 }
    }

    /// A signature of a person written `Name <mail>`, as `git commit --author` takes it.
    ///
    /// # Errors
    ///
    /// When there is no address in angle brackets.
    pub fn of(person: &str, when: Timestamp) -> Result<Self, ParseSignatureError> {
        let (name, rest) =
            person.split_once('<').ok_or_else(|| ParseSignatureError(person.into()))?;
        let email =
            rest.trim_end().strip_suffix('>').ok_or_else(|| ParseSignatureError(person.into()))?;
        Ok(Signature::new(name, email, when))
    }

    /// The person without the moment: `Name <mail>`.
    pub fn person(&self) -> String {
        format!("{} <{}>", plain(&self.name), plain(&self.email))
    }
}

/// As Git encodes it; what would end the line or the address early is left out.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (self.offset.unsigned_abs() / 60, self.offset.unsigned_abs() % 60);
        let (name, email, secs) = (plain(&self.name), plain(&self.email), self.when.as_secs());
        write!(f, "{name} <{email}> {secs} {sign}{hours:02}{minutes:02}")
    }
}

impl FromStr for Signature {
    type Err = ParseSignatureError;

    fn from_str(text: &str) -> Result<Self, ParseSignatureError> {
        parse(text).ok_or_else(|| ParseSignatureError(text.into()))
    }
}

fn parse(text: &str) -> Option<Signature> {
    let (person, moment) = text.rsplit_once('>')?;
    let (name, email) = person.split_once('<')?;
    let (secs, zone) = moment.trim_start().split_once(' ')?;
    let secs: u64 = secs.parse().ok().filter(|secs| *secs < u64::MAX / 1000)?;
    Some(Signature {
        name: name.strip_suffix(' ').unwrap_or(name).into(),
        email: email.into(),
        when: Timestamp::from_secs(secs),
        offset: parse_offset(zone)?,
    })
}

fn parse_offset(zone: &str) -> Option<i16> {
    let digits = zone.strip_prefix(['+', '-'])?;
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let minutes = digits[..2].parse::<i16>().ok()? * 60 + digits[2..].parse::<i16>().ok()?;
    Some(if zone.starts_with('-') { -minutes } else { minutes })
}

/// What Git's `strbuf_addstr_without_crud` leaves of a name or an address.
fn without_crud(text: &str) -> String {
    let crud =
        |c: char| c <= ' ' || matches!(c, '.' | ',' | ':' | ';' | '<' | '>' | '"' | '\\' | '\'');
    plain(text.trim_matches(crud)).into_owned()
}

fn plain(text: &str) -> Cow<'_, str> {
    let is_delimiter = |c: char| matches!(c, '\n' | '\0' | '<' | '>');
    match text.contains(is_delimiter) {
        true => text.chars().filter(|c| !is_delimiter(*c)).collect(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_hours_and_minutes() {
        let check = |offset: i16, zone: &str| {
            let mut who = Signature::new("A", "a@b", Timestamp::from_secs(1));
            who.offset = offset;
            assert_eq!(who.to_string(), format!("A <a@b> 1 {zone}"));
            assert_eq!(who.to_string().parse(), Ok(who));
        };
        check(0, "+0000");
        check(330, "+0530");
        check(-210, "-0330");
    }

    #[test]
    fn names_lose_their_crud() {
        let check = |given: &str, kept: &str| {
            assert_eq!(Signature::new(given, "", Timestamp::default()).name, kept)
        };
        check("  Ada, ", "Ada");
        check("O'Hara", "O'Hara");
        check("\"Quoted\"", "Quoted");
        check("a<b>\nc", "abc");
        check("Sammy Jr.", "Sammy Jr");
    }

    #[test]
    fn people_are_read_as_commit_author_reads_them() {
        let when = Timestamp::from_secs(5);
        assert_eq!(Signature::of("Bo Li <bo@x>", when), Ok(Signature::new("Bo Li", "bo@x", when)));
        assert!(Signature::of("Bo Li", when).is_err());
        assert!("Bo <bo@x> soon +0000".parse::<Signature>().is_err());
    }
}
