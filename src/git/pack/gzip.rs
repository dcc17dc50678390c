//! gzip streams (RFC 1952), with a limit.

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
