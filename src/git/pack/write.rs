//! Objects as one pack, which every Git reads (gitformat-pack(5)).
//!
//! Contents are stored, not compressed: Git packs them anew when it likes, and no compression library is
//! needed.

use sha1::{Digest, Sha1};

/// Encodes objects, each with its type's number (1 commit, 2 tree, 3 blob, 4 tag), as a pack.
pub(in crate::git) fn encode(objects: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    let count = u32::try_from(objects.len()).expect("memory holds fewer objects than that");
    pack.extend(count.to_be_bytes());
    for (kind, content) in objects {
        pack.extend(entry_header(*kind, content.len()));
        store(&mut pack, content);
    }
    let sum = Sha1::digest(&pack);
    pack.extend_from_slice(&sum);
    pack
}

/// Type and length, four bits of it and then seven a byte.
pub(super) fn entry_header(kind: u8, length: usize) -> Vec<u8> {
    let mut header = Vec::new();
    let mut byte = kind << 4 | (length & 0xf) as u8;
    let mut rest = length >> 4;
    while rest > 0 {
        header.push(byte | 0x80);
        byte = (rest & 0x7f) as u8;
        rest >>= 7;
    }
    header.push(byte);
    header
}

/// A zlib stream of stored blocks (RFC 1950, RFC 1951 section 3.2.4).
pub(super) fn store(out: &mut Vec<u8>, content: &[u8]) {
    out.extend([0x78, 0x01]);
    let mut blocks = content.chunks(0xffff).peekable();
    if blocks.peek().is_none() {
        out.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend(adler32(content).to_be_bytes());
}

fn adler32(content: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (mut a, mut b) = (1u32, 0u32);
    // So many bytes cannot overflow before the remainder is taken.
    for chunk in content.chunks(5552) {
        for byte in chunk {
            a += u32::from(*byte);
            b += a;
        }
        (a, b) = (a % MODULUS, b % MODULUS);
    }
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_rfc() {
        assert_eq!(adler32(b""), 1);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn lengths_are_written_seven_bits_a_byte() {
        assert_eq!(entry_header(1, 5), [0x15]);
        assert_eq!(entry_header(3, 0x1234), [0xb4, 0xa3, 0x02]);
    }
}
