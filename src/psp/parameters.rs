//! Parameters of controls, as what a PodSecurityPolicy says is put together to them.

use serde_json::{Value, json};

/// Gives an object a member.
pub(super) fn set(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(key.to_owned(), value);
    }
}

/// The items, each once, in their order.
pub(super) fn distinct<'s>(items: impl IntoIterator<Item = &'s str>) -> Vec<&'s str> {
    let mut distinct = Vec::new();
    for item in items {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    distinct
}

/// The same numbers in ranges that do not overlap. The first stays as it is, since its least number is what is filled in.
pub(super) fn disjoint(ranges: impl IntoIterator<Item = (i64, i64)>) -> Vec<(i64, i64)> {
    let mut result: Vec<(i64, i64)> = Vec::new();
    for range in ranges {
        let mut rest = vec![range];
        for (min, max) in &result {
            let cut = |(from, to): (i64, i64)| {
                let before = (from, to.min(min.saturating_sub(1)));
                let behind = (from.max(max.saturating_add(1)), to);
                [before, behind].into_iter().filter(|(from, to)| from <= to)
            };
            rest = rest.into_iter().flat_map(cut).collect();
        }
        result.extend(rest);
    }
    result
}

/// Ranges as parameters have them.
pub(super) fn as_ranges(ranges: &[(i64, i64)]) -> Value {
    ranges.iter().map(|(min, max)| json!({ "min": min, "max": max })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_taken_apart_without_moving_the_first() {
        for (given, expected) in [
            (vec![], vec![]),
            (vec![(5, 9)], vec![(5, 9)]),
            (vec![(5, 9), (1, 20)], vec![(5, 9), (1, 4), (10, 20)]),
            (vec![(5, 9), (6, 7)], vec![(5, 9)]),
            (vec![(5, 9), (9, 10), (1, 10)], vec![(5, 9), (10, 10), (1, 4)]),
            (vec![(0, i64::MAX), (3, 4)], vec![(0, i64::MAX)]),
        ] {
            assert_eq!(disjoint(given.clone()), expected, "{given:?}");
        }
    }
}
