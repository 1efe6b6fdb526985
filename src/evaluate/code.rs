//! The code of a refusal: which controls were broken, short enough to read out on the phone.
//!
//! Not a hash: every control has a number that never changes, the numbers are the bits of a whole,
//! and the whole is written in base 32. The same faults always give the same code, and the code
//! alone tells which controls it was, to `podgate explain` and to whoever searches a log.

use crate::controls::{ALL, Control};

const PREFIX: &str = "PG-";
/// Crockford's alphabet: no letter that is mistaken for a digit.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LEAST_DIGITS: usize = 4;

/// The code of a set of controls: `PG-7F3K`.
pub fn code(controls: impl IntoIterator<Item = &'static Control>) -> String {
    let mut bits = controls.into_iter().fold(0u64, |bits, control| bits | 1 << control.number);
    let mut digits = Vec::new();
    while bits != 0 || digits.len() < LEAST_DIGITS {
        digits.push(DIGITS.get((bits % 32) as usize).copied().map_or('0', char::from));
        bits /= 32;
    }
    digits.iter().rev().fold(PREFIX.to_owned(), |mut code, digit| {
        code.push(*digit);
        code
    })
}

/// The controls of a code; `None` if it is none. Letters may be of either case.
#[must_use]
pub fn controls_of(code: &str) -> Option<Vec<&'static Control>> {
    let upper = code.to_ascii_uppercase();
    let digits = upper.strip_prefix(PREFIX).filter(|digits| digits.len() >= LEAST_DIGITS)?;
    let mut bits = 0u64;
    for digit in digits.bytes() {
        let value = DIGITS.iter().position(|known| *known == digit)?;
        bits = bits.checked_mul(32)? | value as u64;
    }
    let of_bit = |number: u32| ALL.into_iter().find(|control| u32::from(control.number) == number);
    let numbers = (0..u64::BITS).filter(|number| bits >> number & 1 == 1);
    let controls: Option<Vec<_>> = numbers.map(of_bit).collect();
    controls.filter(|controls| !controls.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_tells_its_controls() {
        for controls in [&ALL[..1], &ALL[3..9], &ALL[..]] {
            let code = code(controls.iter().copied());
            let mut ids: Vec<_> =
                controls_of(&code).expect("a code of ours").iter().map(|control| control.id).collect();
            ids.sort_unstable();
            let mut expected: Vec<_> = controls.iter().map(|control| control.id).collect();
            expected.sort_unstable();
            assert_eq!(ids, expected, "{code}");
            assert_eq!(
                controls_of(&code.to_lowercase()).map(|controls| controls.len()),
                Some(expected.len())
            );
        }
    }

    #[test]
    fn codes_are_short_and_stable() {
        let named = |id| Control::named(id).expect(id);
        assert_eq!(code([named("privileged")]), "PG-0001");
        assert_eq!(code([named("volumeTypes"), named("privileged")]), "PG-G001");
        for not_a_code in ["", "PG-", "PG-0000", "PG-00U0", "GK-0001", "PG-ZZZZZZZZZZZZZZ"] {
            assert!(controls_of(not_a_code).is_none(), "{not_a_code}");
        }
    }
}
