//! The innermost loops: how many bytes of a string are plain, sixteen at a time, as most strings of a pod are shorter.

use wide::u8x16;

/// How many bytes are looked at together.
pub(super) const CHUNK: usize = 16;

/// How many bytes come before the first quote, backslash or control character.
#[inline]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((chunk, more)) = rest.split_first_chunk() {
        let special = special_bytes(*chunk);
        if special != 0 {
            return bytes.len() - rest.len() + special.trailing_zeros() as usize;
        }
        rest = more;
    }
    bytes.len() - rest.len() + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1f)
}

/// The bytes around the end of a key: [`CHUNK`] bytes, the closing quote, and a colon. With it the length of the text need not
/// be checked for each of them.
pub(super) type Window = [u8; CHUNK + 2];

/// The window at a closing quote, unless the text begins or ends within it.
#[inline(always)]
pub(super) fn window_at_end(bytes: &[u8], end: usize) -> Option<&Window> {
    let start = end.checked_sub(CHUNK)?;
    bytes.get(start..start + size_of::<Window>())?.first_chunk()
}

/// A bit for each byte that is a quote, a backslash or a control character.
#[inline]
pub(super) fn special_bytes(chunk: [u8; CHUNK]) -> u32 {
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
            for length in 0..=40 {
                for after in [0, 1, 15, 16, 20] {
                    let mut bytes = vec![b'a'; length];
                    bytes.push(byte);
                    bytes.resize(length + 1 + after, 0x80);
                    let expected = if is_special(byte) { length } else { bytes.len() };
                    assert_eq!(plain_length(&bytes), expected, "{byte:#x} after {length}, then {after}");
                }
            }
        }
    }
}
