//! zlib and gzip streams (RFC 1950, RFC 1952), with a limit.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_COMPUTE_ADLER32, TINFL_FLAG_PARSE_ZLIB_HEADER,
    TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// No stream of deflate comes to more than so many times its length (RFC 1951: 258 bytes for two bits).
const HIGHEST_RATIO: u64 = 1032;

/// Inflates a zlib stream of a known size; returns the content, and how many bytes the stream had.
pub(super) fn inflate(
    state: &mut DecompressorOxide,
    stream: &[u8],
    size: u64,
) -> Option<(Vec<u8>, usize)> {
    const ROOM: u64 = 64;
    if size > HIGHEST_RATIO * (stream.len() as u64 + ROOM) {
        return None;
    }
    let mut content = vec![0; usize::try_from(size).ok()?];
    state.init();
    let flags = TINFL_FLAG_PARSE_ZLIB_HEADER
        | TINFL_FLAG_COMPUTE_ADLER32
        | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, read, written) = decompress(state, stream, &mut content, 0, flags);
    (status == TINFLStatus::Done && written == content.len()).then_some((content, read))
}

/// The content of a gzip stream with one member, if it is no more than so many bytes.
pub(in crate::git) fn gunzip(stream: &[u8], most: usize) -> Option<Vec<u8>> {
    const TRAILER: usize = 8;
    let body = stream.get(header_length(stream)?..)?;
    let end = body.len().checked_sub(TRAILER)?;
    let (deflated, trailer) = body.split_at(end);
    let content = miniz_oxide::inflate::decompress_to_vec_with_limit(deflated, most).ok()?;
    let sums = [crc32(&content), content.len() as u32].map(u32::to_le_bytes);
    (sums.as_flattened() == trailer).then_some(content)
}

/// How long the header of a gzip stream is (RFC 1952, 2.3).
fn header_length(stream: &[u8]) -> Option<usize> {
    let (header_sum, extra, name, comment) = (2u8, 4u8, 8u8, 16u8);
    let [0x1f, 0x8b, 8, flags, ..] = *stream else { return None };
    let mut at = 10;
    if flags & extra != 0 {
        at += 2 + usize::from(u16::from_le_bytes(*stream.get(at..)?.first_chunk()?));
    }
    for text in [name, comment] {
        if flags & text != 0 {
            at += 1 + stream.get(at..)?.iter().position(|byte| *byte == 0)?;
        }
    }
    Some(if flags & header_sum != 0 { at + 2 } else { at })
}

fn crc32(content: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let bit = |sum: u32| if sum & 1 == 1 { sum >> 1 ^ POLYNOMIAL } else { sum >> 1 };
    let byte = |sum: u32, byte: &u8| (0..8).fold(sum ^ u32::from(*byte), |sum, _| bit(sum));
    !content.iter().fold(u32::MAX, byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    /// `printf hello | gzip -n | xxd -p`.
    const HELLO: [u8; 25] = [
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9,
        0x07, 0x00, 0x86, 0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00,
    ];

    #[test]
    fn gzip_is_read_whole_or_not_at_all() {
        assert_eq!(gunzip(&HELLO, 5).as_deref(), Some(&b"hello"[..]));
        assert_eq!(gunzip(&HELLO, 4), None);
        for end in 0..HELLO.len() {
            assert_eq!(gunzip(&HELLO[..end], 5), None, "{end}");
        }
    }
}
