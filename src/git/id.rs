//! Object ids: SHA-1 over a header and the content, as Git computes them.

use std::fmt;
use std::str::FromStr;

use sha1::{Digest, Sha1};

/// The name of a Git object: 20 bytes, written as 40 hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; 20]);

/// A text that is no object id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an object id: 40 hexadecimal digits are")]
pub struct ParseObjectIdError(String);

impl ObjectId {
    /// The id of an object of this type (`blob`, `tree`, `commit`, `tag`) with this content.
    ///
    /// ```
    /// use driftlab::git::ObjectId;
    /// assert_eq!(ObjectId::of("blob", b"").to_string(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    /// ```
    pub fn of(kind: &str, content: &[u8]) -> Self {
        let mut hash = Sha1::new();
        hash.update(kind.as_bytes());
        hash.update(format!(" {}\0", content.len()).as_bytes());
        hash.update(content);
        ObjectId(hash.finalize().into())
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        ObjectId(bytes)
    }

    /// The 20 bytes.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The first seven digits, as people write ids.
    pub fn short(&self) -> String {
        self.to_string()[..7].to_owned()
    }

    /// Whether the digits begin so.
    pub(super) fn has_prefix(&self, digits: &str) -> bool {
        self.to_string().starts_with(&digits.to_ascii_lowercase())
    }

    /// The least id that begins with these digits; the null id when they are no digits.
    pub(super) fn first_with_prefix(digits: &str) -> ObjectId {
        format!("{digits:0<40}").parse().unwrap_or_default()
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
        let digits = self.0.map(|byte| [digit(byte >> 4), digit(byte & 0xf)]);
        f.write_str(std::str::from_utf8(digits.as_flattened()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectId {
    type Err = ParseObjectIdError;

    fn from_str(text: &str) -> Result<Self, ParseObjectIdError> {
        parse(text).map(ObjectId).ok_or_else(|| ParseObjectIdError(text.into()))
    }
}

fn parse(text: &str) -> Option<[u8; 20]> {
    let digits: &[u8; 40] = text.as_bytes().try_into().ok()?;
    let digit = |at: usize| Some(char::from(digits[at]).to_digit(16)? as u8);
    let mut bytes = [0; 20];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = digit(2 * at)? << 4 | digit(2 * at + 1)?;
    }
    Some(bytes)
}
