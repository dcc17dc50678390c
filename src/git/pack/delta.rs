//! Deltas: an object as what to copy of another and what to put between (gitformat-pack(5), "Deltified
//! representation").

/// The size of what a delta makes, by its own word.
pub(super) fn size(delta: &[u8]) -> Option<u64> {
    let mut rest = delta;
    number(&mut rest)?;
    number(&mut rest)
}

/// Makes an object of its base; none when the delta does not fit it.
pub(super) fn apply(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    let mut rest = delta;
    let (from, to) = (number(&mut rest)?, number(&mut rest)?);
    if from != base.len() as u64 {
        return None;
    }
    let to = usize::try_from(to).ok()?;
    let mut made = Vec::new();
    while let Some((&instruction, tail)) = rest.split_first() {
        rest = tail;
        let piece = match instruction {
            0 => return None,
            1..0x80 => taken(&mut rest, usize::from(instruction))?,
            _ => copied(base, instruction, &mut rest)?,
        };
        if made.len() + piece.len() > to {
            return None;
        }
        made.extend_from_slice(piece);
    }
    (made.len() == to).then_some(made)
}

/// A number, seven bits a byte, the lowest first.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn taken<'d>(rest: &mut &'d [u8], length: usize) -> Option<&'d [u8]> {
    let (piece, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(piece)
}

/// Four bits say which bytes of the offset follow, three which of the length; a length of 0 is 64 KiB.
fn copied<'b>(base: &'b [u8], instruction: u8, rest: &mut &[u8]) -> Option<&'b [u8]> {
    let mut field = |bits: std::ops::Range<u8>| -> Option<usize> {
        let first = bits.start;
        bits.filter(|bit| instruction >> bit & 1 == 1).try_fold(0, |value, bit| {
            Some(value | usize::from(taken(rest, 1)?[0]) << (8 * (bit - first)))
        })
    };
    let (offset, length) = (field(0..4)?, field(4..7)?);
    let length = if length == 0 { 0x1_0000 } else { length };
    base.get(offset..)?.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_copies_and_puts_in() {
        let check = |delta: &[u8], expected: Option<&[u8]>| {
            assert_eq!(apply(b"hello world", delta).as_deref(), expected, "{delta:?}");
        };
        check(&[11, 8, 0x91, 6, 5, 3, b'!', b'!', b'!'], Some(b"world!!!"));
        check(&[11, 5, 0x90, 5], Some(b"hello"));
        check(&[11, 0], Some(b""));
        for wrong in [
            &[10, 5, 0x90, 5][..], // another base
            &[11, 4, 0x90, 5],     // longer than announced
            &[11, 6, 0x90, 5],     // shorter
            &[11, 5, 0x91, 9, 5],  // beyond the base
            &[11, 3, 3, b'a'],     // cut off
            &[11, 0, 0],           // reserved
            &[11],
            &[0xff; 12],
        ] {
            check(wrong, None);
        }
    }
}
