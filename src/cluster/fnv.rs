//! FNV-1a (RFC 9923), the hash that Kubernetes derives names with, and its spelling in names.

use std::hash::Hasher;

/// FNV-1a, 32 bits.
#[derive(Clone, Debug)]
pub(super) struct Fnv32(u32);

/// FNV-1a, 64 bits.
#[derive(Clone, Debug)]
pub(super) struct Fnv64(u64);

impl Default for Fnv32 {
    fn default() -> Self {
        Fnv32(0x811c_9dc5)
    }
}

impl Default for Fnv64 {
    fn default() -> Self {
        Fnv64(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv32 {
    pub(super) fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }

    pub(super) fn sum(&self) -> u32 {
        self.0
    }
}

impl std::fmt::Write for Fnv32 {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.write(text.as_bytes());
        Ok(())
    }
}

impl Hasher for Fnv64 {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// FNV-1, 32 bits: as FNV-1a, but multiplying first.
pub(super) fn fnv1_32(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0x811c_9dc5, |hash: u32, byte| hash.wrapping_mul(0x0100_0193) ^ u32::from(*byte))
}

/// A text in the letters that names may have and that make no words, as
/// `k8s.io/apimachinery/pkg/util/rand.SafeEncodeString` spells it.
pub(super) fn safe_encode(text: &str) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    text.bytes().map(|b| char::from(LETTERS[usize::from(b) % LETTERS.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_published_vectors() {
        let check = |text: &str, short: u32, long: u64| {
            let (mut a, mut b) = (Fnv32::default(), Fnv64::default());
            a.write(text.as_bytes());
            b.write(text.as_bytes());
            assert_eq!((a.sum(), b.finish()), (short, long), "{text}");
        };
        check("", 0x811c_9dc5, 0xcbf2_9ce4_8422_2325);
        check("foobar", 0xbf9c_f968, 0x8594_4171_f739_67e8);
    }

    #[test]
    fn names_get_letters_that_make_no_words() {
        assert_eq!(safe_encode("0123456789"), "456789bcdf");
    }
}
