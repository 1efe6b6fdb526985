//! The innermost loop: how many bytes of a string stand for themselves.

use wide::u8x16;

/// How many bytes come before the first quote, backslash or control character: sixteen at a time, as most
/// strings of a pod are shorter.
#[inline]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    while let Some(chunk) = bytes.get(length..).and_then(|rest| rest.first_chunk::<16>()) {
        let special = special_bytes(*chunk);
        if special != 0 {
            return length + special.trailing_zeros() as usize;
        }
        length += 16;
    }
    let rest = bytes.get(length..).unwrap_or_default();
    length + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1f)
}

/// A bit for each special byte of sixteen.
#[inline]
fn special_bytes(chunk: [u8; 16]) -> u32 {
    let bytes = u8x16::new(chunk);
    let quotes = bytes.simd_eq(u8x16::splat(b'"'));
    let backslashes = bytes.simd_eq(u8x16::splat(b'\\'));
    let controls = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    (quotes | backslashes | controls).to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            for length in [0, 1, 7, 8, 15, 16, 17, 31, 40] {
                let mut bytes = vec![b'a'; length];
                bytes.push(byte);
                bytes.extend([0x80; 20]);
                let expected = if is_special(byte) { length } else { bytes.len() };
                assert_eq!(plain_length(&bytes), expected, "{byte:#x} after {length}");
            }
        }
    }
}
