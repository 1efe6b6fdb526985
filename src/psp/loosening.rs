//! How one policy is laxer than another, control by control: what exceptions can say of it, and what they cannot.

use serde_json::Value;

use crate::psp::draft::{Draft, DraftControl};

/// What a laxer policy allows that a stricter one refuses, of one control.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Loosening {
    /// Whatever the control refuses.
    Whole,
    /// What is found with one of these values.
    Values(Vec<Value>),
    /// Something that no exception can say.
    Unsayable,
}

/// The lists of parameters whose items are what a finding finds, and the values of which more is allowed with more items.
const LISTS: [(&str, &str); 9] = [
    ("volumeTypes", "allowed"),
    ("capabilities", "allowed"),
    ("csiDrivers", "allowed"),
    ("flexVolumeDrivers", "allowed"),
    ("runtimeClasses", "allowed"),
    ("procMountTypes", "allowed"),
    ("sysctlNames", "allowed"),
    ("seccompProfiles", "allowed"),
    ("appArmorProfiles", "allowed"),
];
/// The same, of ranges.
const RANGES: [(&str, &str); 5] = [
    ("hostPortRanges", "allowed"),
    ("runAsUserRanges", "ranges"),
    ("runAsGroupRanges", "ranges"),
    ("fsGroupRanges", "ranges"),
    ("supplementalGroupRanges", "ranges"),
];

/// What the second policy allows beyond the first, by control of the first. `None` if it refuses anything that the first allows,
/// or nobody can tell.
pub(super) fn loosenings(strict: &Draft, lax: &Draft) -> Option<Vec<(&'static str, Loosening)>> {
    let find = |draft: &'_ Draft, id| draft.controls.iter().find(|control| control.id == id).cloned();
    if strict.admits_none.is_some() != lax.admits_none.is_some() {
        return strict.admits_none.is_some().then(Vec::new);
    }
    let types = |draft| find(draft, TYPES).map(|control| items(&control, "allowed")).unwrap_or_default();
    let of_strict = types(strict);
    // What only judges volumes of a type that the stricter policy refuses makes the other no stricter.
    let mut judged = Vec::new();
    for control in lax.controls.iter().filter(|control| find(strict, control.id).is_none()) {
        let (_, of_type) = JUDGES_TYPE.into_iter().find(|(id, _)| *id == control.id)?;
        if of_strict.contains(&Value::from(of_type)) {
            return None;
        }
        judged.push((control, of_type));
    }
    let mut loosenings = Vec::new();
    for control in &strict.controls {
        match find(lax, control.id) {
            None => loosenings.push((control.id, Loosening::Whole)),
            Some(other) if other.parameters == control.parameters => {}
            Some(other) => {
                let loosening = of_control(control, &other)?;
                let is_of_types = control.id == TYPES;
                let narrowed = if is_of_types { narrowed(loosening, &judged) } else { loosening };
                loosenings.push((control.id, narrowed));
            }
        }
    }
    let whole_without_judging = loosenings.contains(&(TYPES, Loosening::Whole)) && !judged.is_empty();
    (!whole_without_judging).then_some(loosenings)
}

const TYPES: &str = "volumeTypes";

/// Controls that judge volumes of one type.
const JUDGES_TYPE: [(&str, &str); 3] =
    [("hostPaths", "hostPath"), ("csiDrivers", "csi"), ("flexVolumeDrivers", "flexVolume")];

/// The types of volumes that may be there, without those of which the laxer policy allows some alone. Of paths of the node the
/// paths themselves are listed, where none is read-only.
fn narrowed(loosening: Loosening, judged: &[(&DraftControl, &str)]) -> Loosening {
    let Loosening::Values(mut values) = loosening else { return loosening };
    for (control, of_type) in judged {
        values.retain(|value| value != of_type);
        let paths = if *of_type == "hostPath" { items(control, "allowed") } else { Vec::new() };
        if paths.iter().all(|path| path.get("readOnly").is_none()) {
            for prefix in paths.iter().filter_map(|path| path.get("prefix")?.as_str()) {
                let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
                values.extend([prefix, ""].into_iter().map(|end| {
                    if end.is_empty() { Value::from(format!("{prefix}/*")) } else { Value::from(prefix) }
                }));
            }
        }
    }
    values.retain(|value| value != "");
    if values.is_empty() { Loosening::Unsayable } else { Loosening::Values(values) }
}

/// Whether the laxer policy lets some volumes of a type be that no exception says.
pub(super) fn leaves_out_volumes(strict: &Draft, lax: &Draft) -> bool {
    let has = |draft: &Draft, id: &str| draft.controls.iter().any(|control| control.id == id);
    let is_read_only =
        |control: &DraftControl| items(control, "allowed").iter().any(|path| path.get("readOnly").is_some());
    lax.controls.iter().any(|control| {
        JUDGES_TYPE.iter().any(|(id, _)| *id == control.id)
            && !has(strict, control.id)
            && (control.id != "hostPaths" || is_read_only(control))
    })
}

/// What the second allows beyond the first; `None` if it is not laxer as far as can be told.
fn of_control(strict: &DraftControl, lax: &DraftControl) -> Option<Loosening> {
    let name_of = |lists: &[(&'static str, &'static str)]| {
        lists.iter().find(|(id, _)| *id == strict.id).map(|(_, list)| *list)
    };
    if let Some(list) = name_of(&LISTS) {
        return of_list(strict, lax, list);
    }
    if let Some(list) = name_of(&RANGES) {
        return of_ranges(strict, lax, list);
    }
    if strict.id == "privilegeEscalation" && lax.parameters.get("explicit").is_some() {
        return Some(Loosening::Values(vec![true.into()]));
    }
    None
}

/// The same but for a list of what is allowed.
fn of_list(strict: &DraftControl, lax: &DraftControl, list: &str) -> Option<Loosening> {
    let (few, many) = (items(strict, list), items(lax, list));
    let is_same_else = without(&strict.parameters, &[list, "apiServerToken"])
        == without(&lax.parameters, &[list, "apiServerToken"]);
    let has = |items: &[Value], item: &Value| items.contains(item) || items.contains(&Value::from("*"));
    if !few.iter().all(|item| has(&many, item)) {
        return None;
    }
    let more: Vec<Value> = many.iter().filter(|item| !few.contains(item)).cloned().collect();
    let is_pattern = |item: &Value| item.as_str().is_some_and(|text| text.contains('*'));
    // A pattern of sysctls may let be what the laxer policy forbids.
    let has_other_meaning = strict.id == "sysctlNames"
        && more.iter().any(is_pattern)
        && lax.parameters.get("forbidden").is_some();
    let token_differs = strict.parameters.get("apiServerToken") != lax.parameters.get("apiServerToken");
    match () {
        () if is_same_else && !token_differs && !has_other_meaning && !more.is_empty() => {
            Some(Loosening::Values(more))
        }
        // Only lists of names are compared: whatever else differs may make the other stricter.
        () if is_same_else => Some(Loosening::Unsayable),
        () => None,
    }
}

/// The same but for ranges of what is allowed.
fn of_ranges(strict: &DraftControl, lax: &DraftControl, list: &str) -> Option<Loosening> {
    let ignored = [list, "default", "required"];
    if without(&strict.parameters, &ignored) != without(&lax.parameters, &ignored) {
        return None;
    }
    let required = |control: &DraftControl| control.parameters.get("required") != Some(&Value::Bool(false));
    if required(lax) && !required(strict) {
        return None;
    }
    let (few, many) = (ranges(strict, list), ranges(lax, list));
    let is_within = |(min, max): &(i64, i64)| many.iter().any(|(from, to)| from <= min && max <= to);
    if !few.iter().all(is_within) {
        return None;
    }
    let values = many
        .iter()
        .filter(|range| !few.contains(range))
        .map(|(min, max)| if min == max { Value::from(*min) } else { Value::from(format!("{min}-{max}")) });
    let values: Vec<Value> = values.collect();
    if values.is_empty() { Some(Loosening::Unsayable) } else { Some(Loosening::Values(values)) }
}

fn items(control: &DraftControl, list: &str) -> Vec<Value> {
    control.parameters.get(list).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn ranges(control: &DraftControl, list: &str) -> Vec<(i64, i64)> {
    let number = |range: &Value, key: &str| range.get(key).and_then(Value::as_i64);
    items(control, list)
        .iter()
        .filter_map(|range| Some((number(range, "min")?, number(range, "max")?)))
        .collect()
}

/// Parameters without some of them.
fn without(parameters: &Value, keys: &[&str]) -> Value {
    let mut rest = parameters.clone();
    if let Value::Object(members) = &mut rest {
        members.retain(|key, _| !keys.contains(&key.as_str()));
    }
    rest
}
