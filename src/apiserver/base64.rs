//! Base64 (RFC 4648), with and without padding.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The standard alphabet, padded.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = digits(bytes, STANDARD);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// The alphabet for URLs, unpadded.
pub(super) fn encode_url(bytes: &[u8]) -> String {
    digits(bytes, URL)
}

/// The bytes of a text in the alphabet for URLs, or where it is none.
pub(super) fn decode_url(text: &str) -> Result<Vec<u8>, usize> {
    undo(text, URL)
}

/// The bytes of a text in the standard alphabet, padded or not, or where it is none.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, usize> {
    undo(text.trim_end_matches('='), STANDARD)
}

fn undo(text: &str, alphabet: &[u8; 64]) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut word, mut bits) = (0u32, 0);
    for (at, c) in text.bytes().enumerate() {
        let digit = alphabet.iter().position(|d| *d == c).ok_or(at)?;
        word = word << 6 | digit as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits) as u8);
        }
    }
    if text.len() % 4 == 1 { Err(text.len()) } else { Ok(bytes) }
}

fn digits(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, b| word << 8 | u32::from(*b));
        let word = word << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            text.push(alphabet[(word >> (18 - 6 * digit)) as usize & 63] as char);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_encoded_as_the_standard_says() {
        let check = |text: &str, encoded: &str| {
            assert_eq!(encode(text.as_bytes()), encoded);
            assert_eq!(decode(encoded).unwrap(), text.as_bytes());
            let url = encode_url(text.as_bytes());
            assert_eq!(decode_url(&url).unwrap(), text.as_bytes());
        };
        check("", "");
        check("f", "Zg==");
        check("fo", "Zm8=");
        check("foo", "Zm9v");
        check("http://x", "aHR0cDovL3g=");
    }
}
