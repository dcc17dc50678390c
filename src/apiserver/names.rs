//! Names that the server makes: uids and generated names. Both follow from the log position, so that
//! the same requests give the same names.

use crate::api::ResourceVersion;

/// A version 4 UUID that follows from where an object is created and what it is called.
pub(super) fn uid(version: ResourceVersion, seed: &str) -> String {
    let (high, low) =
        (mix(version.0 ^ hash(seed)), mix(version.0.wrapping_add(0x5851_f42d_4c95_7f2d)));
    let (b, c) = ((high >> 16) & 0xffff, (high & 0x0fff) | 0x4000);
    let (d, e) = (((low >> 48) & 0x3fff) | 0x8000, low & 0xffff_ffff_ffff);
    format!("{:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}", high >> 32)
}

/// `prefix` and five letters, as `generateName` gives. The prefix is cut to 58 characters.
/// (`k8s.io/apiserver/pkg/storage/names`.)
pub(super) fn generate(prefix: &str, version: ResourceVersion, attempt: u64) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut rest = mix(version.0 ^ hash(prefix) ^ mix(attempt));
    let cut = prefix.char_indices().nth(58).map_or(prefix.len(), |(at, _)| at);
    let mut name = prefix[..cut].to_owned();
    for _ in 0..5 {
        name.push(LETTERS[(rest % LETTERS.len() as u64) as usize] as char);
        rest /= LETTERS.len() as u64;
    }
    name
}

/// The finaliser of SplitMix64: every bit of the result depends on every bit of the input.
pub(super) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// FNV-1a, 64 bits.
pub(super) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_follow_from_position_and_name() {
        let first = uid(ResourceVersion(7), "ConfigMap/a");
        assert_eq!(first, uid(ResourceVersion(7), "ConfigMap/a"));
        assert_ne!(first, uid(ResourceVersion(8), "ConfigMap/a"));
        assert_ne!(first, uid(ResourceVersion(7), "ConfigMap/b"));
        assert_eq!((first.len(), &first[14..15]), (36, "4"));
    }

    #[test]
    fn generated_names_keep_at_most_58_characters_of_the_prefix() {
        let check = |prefix: &str, len: usize| {
            assert_eq!(generate(prefix, ResourceVersion(1), 0).len(), len)
        };
        check("web-", 9);
        check(&"x".repeat(100), 63);
        assert_ne!(generate("a", ResourceVersion(1), 0), generate("a", ResourceVersion(1), 1));
    }
}
