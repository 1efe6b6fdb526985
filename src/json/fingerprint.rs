//! What is kept of a key to recognise it when it comes again: a short key as it is, a long one as a hash with its place.

use crate::json::scan::CHUNK;

/// The fingerprint of a key. It is made of the key's bytes, with escapes as every encoder writes them: then equal keys are
/// spelt alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyFingerprint {
    /// Of a short key, which has fewer bytes than [`CHUNK`], the first byte is 0, as no byte of a key is.
    low: u64,
    /// Its last bytes, the very last one highest.
    high: u64,
}

/// In [`KeyFingerprint::low`]: that the key is long.
const IS_LONG: u64 = 0xff;

/// Spreads a difference in a few bits over all of them: 2^64 divided by the golden ratio.
const MIXER: u64 = 0x9e37_79b9_7f4a_7c15;

/// For each length under [`CHUNK`], the bytes of a fingerprint that belong to a key of that length.
#[expect(clippy::indexing_slicing, reason = "an index out of range would not compile")]
static OF_LENGTH: [KeyFingerprint; CHUNK] = {
    let mut masks = [KeyFingerprint { low: 0, high: 0 }; CHUNK];
    let mut mask: u128 = 0;
    let mut length = 0;
    while length < CHUNK {
        masks[length] = KeyFingerprint { low: mask as u64, high: (mask >> 64) as u64 };
        mask = mask >> 8 | 0xff << 120;
        length += 1;
    }
    masks
};

impl KeyFingerprint {
    /// The fingerprint of a plain key by its length, under [`CHUNK`], and the bytes before the quote that ends it.
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "a remainder is in range")]
    pub(super) fn of_short(before: [u8; CHUNK], length: usize) -> Self {
        let mask = OF_LENGTH[length % CHUNK];
        let both = u128::from_le_bytes(before);
        Self { low: both as u64 & mask.low, high: (both >> 64) as u64 & mask.high }
    }

    /// The fingerprint of a key of [`CHUNK`] bytes and more, by its bytes and the place in the text of the first one.
    #[inline(always)]
    pub(super) fn of_long(key: &[u8], start: usize) -> Self {
        let low = IS_LONG | (start as u64) << 8;
        let [first, last] = match (key.first_chunk(), key.last_chunk()) {
            (Some(first), Some(last)) => [u64::from_le_bytes(*first), u64::from_le_bytes(*last)],
            _ => [0; 2],
        };
        Self { low, high: first ^ last.rotate_left(29) ^ (key.len() as u64).wrapping_mul(MIXER) ^ low }
    }

    /// The fingerprint of a key by the bytes before the quote that ends it and, if it is long, by the text that it stands in.
    /// Nothing if it stands nowhere.
    #[inline(always)]
    pub(super) fn of_shown(before: &[u8; CHUNK], text: &[u8], (start, end): (usize, usize)) -> Option<Self> {
        match end.checked_sub(start)? {
            length @ ..CHUNK => Some(Self::of_short(*before, length)),
            _ => Some(Self::of_long(text.get(start..end)?, start)),
        }
    }

    /// The fingerprint of any key.
    pub(super) fn of(key: &[u8], start: usize) -> Self {
        if key.len() >= CHUNK {
            return Self::of_long(key, start);
        }
        let mut before = [0; CHUNK];
        for (to, from) in before.iter_mut().rev().zip(key.iter().rev()) {
            *to = *from;
        }
        Self::of_short(before, key.len())
    }

    /// The same number for equal keys.
    #[inline(always)]
    fn hash(self) -> u64 {
        self.low ^ self.high
    }

    /// A bit of 64, the same for equal keys.
    #[inline(always)]
    pub(super) fn filter_bit(self) -> u64 {
        1 << (self.hash().wrapping_mul(MIXER) >> 58)
    }

    /// Where in the text a long key begins.
    pub(super) fn start(self) -> Option<usize> {
        (self.low & IS_LONG == IS_LONG).then_some((self.low >> 8) as usize)
    }

    /// Whether the keys may be equal: short ones are; of long ones the bytes must be compared.
    pub(super) fn is_like(self, other: Self) -> bool {
        match (self.start(), other.start()) {
            (None, None) => self == other,
            (Some(_), Some(_)) => self.hash() == other.hash(),
            _ => false,
        }
    }

    /// The bytes of a short key.
    pub(super) fn short_key(self) -> Vec<u8> {
        let bytes = [self.low.to_le_bytes(), self.high.to_le_bytes()].concat();
        bytes.into_iter().skip_while(|byte| *byte == 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_before_a_quote_show_the_key() {
        for length in 0..CHUNK {
            let key: Vec<u8> = (0xf0..).take(length).collect();
            let text = [b"the bytes before the key\"", key.as_slice()].concat();
            let fingerprint = KeyFingerprint::of_short(*text.last_chunk().expect("enough bytes"), length);
            assert_eq!(
                (fingerprint, fingerprint.start(), fingerprint.short_key()),
                (KeyFingerprint::of(&key, 7), None, key)
            );
        }
    }

    #[test]
    fn long_keys_are_alike_wherever_they_stand() {
        for length in CHUNK..40 {
            let key = vec![b'k'; length];
            let (one, other) = (KeyFingerprint::of(&key, 7), KeyFingerprint::of(&key, 123_456));
            assert!(one.is_like(other) && one.filter_bit() == other.filter_bit());
            assert_eq!((one.start(), other.start()), (Some(7), Some(123_456)));
            assert!(!one.is_like(KeyFingerprint::of(&key[1..], 7)));
        }
    }
}
