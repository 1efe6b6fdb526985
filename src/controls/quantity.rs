//! Quantities as Kubernetes writes them: `500m`, `64Gi`, `1e3`.
//!
//! Exact, and in billionths, as Kubernetes' own type rounds them. The crates that read quantities round to floating point,
//! or make a value of many allocations of each.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// How many of the smallest parts one is: nothing smaller than a billionth is told apart.
const PARTS: i32 = 9;
/// The largest quantity: what is larger is taken for it.
const LARGEST: i128 = i64::MAX as i128 * 1_000_000_000;

/// A quantity, in billionths.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Quantity(i128);

impl Quantity {
    /// Nothing at all.
    pub(super) const ZERO: Self = Self(0);

    /// Reads a quantity as Kubernetes does: what it holds beyond billionths is rounded away from zero. `None` for a text
    /// that is none, or has more digits than any quantity that an API server writes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let end = unsigned.find(|character: char| !character.is_ascii_digit() && character != '.');
        let (number, suffix) = unsigned.split_at(end.unwrap_or(unsigned.len()));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let digits = whole.bytes().chain(fraction.bytes()).try_fold(0_u128, |value, byte| {
            let digit = char::from(byte).to_digit(10)?;
            value.checked_mul(10)?.checked_add(digit.into())
        })?;
        let (twos, tens) = scale(suffix)?;
        let tens = tens.checked_add(PARTS)?.checked_sub(fraction.len().try_into().ok()?)?;
        let parts = scaled(digits, twos, tens)?;
        let parts = i128::try_from(parts).unwrap_or(LARGEST).min(LARGEST);
        Some(Self(if text.starts_with('-') { -parts } else { parts }))
    }

    /// The sum of two.
    pub(super) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// What a suffix multiplies a number by: a power of two and one of ten.
fn scale(suffix: &str) -> Option<(u32, i32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        _ => (0, suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

/// `digits` times these powers of two and of ten, rounded up. `None` where it has too many digits to be divided exactly.
fn scaled(digits: u128, twos: u32, tens: i32) -> Option<u128> {
    if digits == 0 {
        return Some(0);
    }
    let multiplied = 1_u128.checked_shl(twos).and_then(|power| digits.checked_mul(power));
    let power = 10_u128.checked_pow(tens.unsigned_abs());
    if tens >= 0 {
        let product = multiplied.zip(power).and_then(|(multiplied, power)| multiplied.checked_mul(power));
        return Some(product.unwrap_or(u128::MAX));
    }
    let multiplied = multiplied?;
    Some(power.map_or(1, |power| multiplied.div_ceil(power)))
}

/// A quantity of a policy, as it is written there.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    text: String,
    quantity: Quantity,
}

impl Bound {
    /// As it is written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Its value.
    pub(super) fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// What is wrong with it, if anything is.
    pub(super) fn fault(&self) -> Option<String> {
        match Quantity::parse(&self.text) {
            None => Some(format!("{:?} is no quantity: write it as 500m, 8, 64Gi or 200G", self.text)),
            Some(quantity) if quantity < Quantity::ZERO => Some("must not be negative".to_owned()),
            Some(_) => None,
        }
    }
}

impl Serialize for Bound {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Bound {
    /// One that cannot be read is 0 until its [fault](Bound::fault) is reported.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let quantity = Quantity::parse(&text).unwrap_or_default();
        Ok(Self { text, quantity })
    }
}

impl JsonSchema for Bound {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "minLength": 1 })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: i128 = 1_000_000_000;

    #[test]
    fn every_suffix_is_read() {
        for (text, billionths) in [
            ("0", 0),
            ("1", ONE),
            ("+1", ONE),
            ("-1", -ONE),
            ("007", 7 * ONE),
            ("1.5", 1_500_000_000),
            (".5", 500_000_000),
            ("5.", 5 * ONE),
            ("1n", 1),
            ("1u", 1_000),
            ("500m", 500_000_000),
            ("2k", 2_000 * ONE),
            ("2M", 2_000_000 * ONE),
            ("2G", 2_000_000_000 * ONE),
            ("1T", 1_000_000_000_000 * ONE),
            ("1P", 1_000_000_000_000_000 * ONE),
            ("1E", 1_000_000_000_000_000_000 * ONE),
            ("1Ki", 1 << 10),
            ("1.5Ki", 3 << 9),
            ("1Mi", 1 << 20),
            ("64Gi", 64 << 30),
            ("1Ti", 1 << 40),
            ("1Pi", 1 << 50),
            ("1Ei", 1 << 60),
            ("1e3", 1_000 * ONE),
            ("1E+3", 1_000 * ONE),
            ("12e-1", 1_200_000_000),
            ("0e400", 0),
        ] {
            let expected = if text.ends_with('i') { billionths * ONE } else { billionths };
            assert_eq!(Quantity::parse(text), Some(Quantity(expected)), "{text}");
        }
    }

    #[test]
    fn too_small_is_rounded_up_and_too_large_is_the_largest() {
        for (text, billionths) in [
            ("1e-300", 1),
            ("0.1n", 1),
            ("-0.1n", -1),
            ("0.0000000001", 1),
            ("1.0000000001", ONE + 1),
            ("0.00000000001Ki", 11),
            ("1e300", LARGEST),
            ("-1e300", -LARGEST),
            ("10E", LARGEST),
            ("99999999Ei", LARGEST),
            ("9223372036854775807", LARGEST),
            ("9223372036854775808", LARGEST),
        ] {
            assert_eq!(Quantity::parse(text), Some(Quantity(billionths)), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for text in [
            "",
            "-",
            ".",
            "m",
            "Ki",
            "1 Gi",
            " 1",
            "1 ",
            "1ki",
            "1K",
            "1g",
            "1GB",
            "1Gib",
            "1e",
            "1e3k",
            "1e1.5",
            "1.2.3",
            "--1",
            "+-1",
            "0x10",
            "1,5",
            "Inf",
            "1e99999999999",
            "\u{663}",
            "1\u{2082}",
        ] {
            assert_eq!(Quantity::parse(text), None, "{text:?}");
        }
        assert_eq!(Quantity::parse(&"9".repeat(40)), None, "more digits than anybody writes");
    }

    proptest! {
        /// Whatever is written, two ways to write the same are equal, and the order is that of the numbers.
        #[test]
        fn numbers_are_exact(number in 0_u32.., other in 0_u32..) {
            let read = |text: String| Quantity::parse(&text).expect("a quantity");
            prop_assert_eq!(read(format!("{number}")), read(format!("{number}000m")));
            prop_assert_eq!(read(format!("{number}Ki")), read(format!("{}", u64::from(number) * 1024)));
            prop_assert_eq!(read(format!("{number}m")), read(format!("{number}e-3")));
            prop_assert_eq!(read(format!("{number}")).cmp(&read(format!("{other}"))), number.cmp(&other));
            prop_assert_eq!(read(format!("{number}")).plus(read(format!("-{number}"))), Quantity::ZERO);
        }

        #[test]
        fn no_text_is_too_strange(text in ".{0,40}") {
            let _ = Quantity::parse(&text);
        }
    }
}
