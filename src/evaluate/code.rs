//! The code of a refusal: which controls were violated, short enough to read out on the phone.
//!
//! Not a hash: every control has a number that never changes, the numbers are the bits of an integer,
//! and the integer is written in base 32. The same violations always give the same code, and the code
//! alone names the controls, to `podgate explain` and to anyone who searches a log.
//!
//! The integer has 64 bits. The numbers from 64 on follow after a dash, each as two digits that count from 64, so that a
//! code stays short however many controls there are, and an old code keeps its meaning.

use std::collections::BTreeSet;

use crate::controls::{CONTROLS, Control};

/// What every code begins with.
pub const CODE_PREFIX: &str = "PG-";
/// Crockford's alphabet: no letter that could be mistaken for a digit.
pub const CODE_DIGITS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LEAST_DIGITS: usize = 4;
/// How many numbers are bits of the integer.
const BITS: u16 = 64;

/// The code of a set of controls: `PG-7F3K`.
pub fn code(controls: impl IntoIterator<Item = &'static Control>) -> String {
    write(controls.into_iter().map(|control| control.number))
}

/// The controls of a code; `None` if it is not a code. Letters may be of either case.
#[must_use]
pub fn controls_of(code: &str) -> Option<Vec<&'static Control>> {
    let of_number = |number: u16| CONTROLS.iter().find(|control| control.number == number).copied();
    let controls: Option<Vec<_>> = read(code)?.into_iter().map(of_number).collect();
    controls.filter(|controls| !controls.is_empty())
}

fn write(numbers: impl Iterator<Item = u16>) -> String {
    let (mut bits, mut others) = (0u64, BTreeSet::new());
    for number in numbers {
        match number.checked_sub(BITS) {
            None => bits |= 1 << number,
            Some(_) => drop(others.insert(number)),
        }
    }
    let digits = (u64::BITS - bits.leading_zeros()).div_ceil(5).max(LEAST_DIGITS as u32);
    let mut code = String::with_capacity(CODE_PREFIX.len() + digits as usize);
    code.push_str(CODE_PREFIX);
    code.extend((0..digits).rev().map(|at| digit(bits >> (5 * at) & 31)));
    if !others.is_empty() {
        code.push('-');
    }
    for number in others.into_iter().map(|number| u64::from(number - BITS)) {
        code.extend([digit(number / 32), digit(number % 32)]);
    }
    code
}

/// The numbers of a code, in order.
fn read(code: &str) -> Option<Vec<u16>> {
    let upper = code.to_ascii_uppercase();
    let rest = upper.strip_prefix(CODE_PREFIX)?;
    let (digits, pairs) = rest.split_once('-').map_or((rest, None), |(digits, pairs)| (digits, Some(pairs)));
    if digits.len() < LEAST_DIGITS || pairs.is_some_and(str::is_empty) {
        return None;
    }
    let mut bits = 0u64;
    for digit in digits.bytes() {
        bits = bits.checked_mul(32)? | value(digit)?;
    }
    let mut numbers: Vec<u16> = (0..BITS).filter(|number| bits >> number & 1 == 1).collect();
    for pair in pairs.unwrap_or_default().as_bytes().chunks(2) {
        let [high, low] = *pair else { return None };
        numbers.push(BITS + u16::try_from(value(high)? * 32 + value(low)?).ok()?);
    }
    Some(numbers)
}

fn digit(value: u64) -> char {
    usize::try_from(value)
        .ok()
        .and_then(|value| CODE_DIGITS.as_bytes().get(value))
        .copied()
        .map_or('0', char::from)
}

fn value(digit: u8) -> Option<u64> {
    CODE_DIGITS.bytes().zip(0..).find(|(known, _)| *known == digit).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_tells_its_controls() {
        for controls in [&CONTROLS[..1], &CONTROLS[3..9], CONTROLS] {
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

    #[test]
    fn numbers_past_the_first_form_have_pairs_of_their_own() {
        for (numbers, expected) in [
            (vec![0], "PG-0001"),
            (vec![63], "PG-8000000000000"),
            (vec![64], "PG-0000-00"),
            (vec![0, 19, 64, 97, 1087], "PG-G001-0011ZZ"),
        ] {
            assert_eq!(write(numbers.iter().copied()), expected);
            assert_eq!(read(expected).as_deref(), Some(numbers.as_slice()), "{expected}");
        }
        for not_a_code in ["PG-0001-", "PG-0001-0", "PG-0001-0U", "PG-0001-00-00", "PG--00"] {
            assert_eq!(read(not_a_code), None, "{not_a_code}");
        }
    }
}
