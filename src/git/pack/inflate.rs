//! zlib streams (RFC 1950), with a limit.

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
