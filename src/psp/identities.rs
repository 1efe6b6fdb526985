//! What a PodSecurityPolicy said of users, groups and SELinux labels.

use serde_json::{Map, Value, json};

use crate::psp::draft::Draft;
use crate::psp::parameters::{as_ranges, disjoint, set};
use crate::psp::report::Outcome;
use crate::psp::written::{GroupRule, LabelRule, UserRule, WrittenGroup, WrittenRange, WrittenSpec};

/// The largest id that the API server takes.
const LARGEST_ID: i64 = i32::MAX as i64;

const USERS: &str = "runAsUserRanges";
const NO_RANGES: &str = "has no ranges, with which the API server admitted no pod";
const NO_OPTIONS: &str = "has no seLinuxOptions, without which the API server admitted no pod";
const ANY_ID: &str = "RunAsAny needs no control";

pub(super) fn translate(spec: &WrittenSpec, draft: &mut Draft) {
    of_user(spec, draft);
    match &spec.run_as_group {
        Some(group) => of_group("runAsGroup", "runAsGroupRanges", group, draft),
        None => draft.unrestricted("runAsGroup", "is not said, and needs no control"),
    }
    of_group("fsGroup", "fsGroupRanges", &spec.fs_group, draft);
    of_group("supplementalGroups", "supplementalGroupRanges", &spec.supplemental_groups, draft);
    of_label(spec, draft);
}

/// The ranges without what no id can be and without what comes twice.
fn usable(ranges: &[WrittenRange]) -> Vec<(i64, i64)> {
    let possible = ranges.iter().map(|range| (range.min, range.max.min(LARGEST_ID)));
    disjoint(possible.filter(|(min, max)| min <= max))
}

fn of_user(spec: &WrittenSpec, draft: &mut Draft) {
    let field = "runAsUser";
    match spec.run_as_user.rule {
        UserRule::RunAsAny => draft.unrestricted(field, ANY_ID),
        UserRule::MustRunAsNonRoot => draft.carry(field, "nonRootUsers", json!({ "fillIn": true })),
        UserRule::MustRunAs => {
            let ranges = usable(&spec.run_as_user.ranges);
            let mut parameters = json!({ "ranges": as_ranges(&ranges) });
            let Some((first, _)) = ranges.first() else {
                return draft.admit_none(field, Outcome::CarriedOver, &format!("runAsUser {NO_RANGES}"));
            };
            let has_default = ranges.iter().any(|(_, max)| *max > 0);
            if has_default {
                set(&mut parameters, "default", json!("Lowest"));
            }
            draft.carry(field, USERS, parameters);
            match (first, has_default) {
                (0, true) => {
                    draft.stricter(field, USERS, "0 is allowed, but the lowest id above it is filled in")
                }
                (0, false) => {
                    draft.stricter(field, USERS, "0 is allowed, but not filled in: a container has to say it")
                }
                _ => {}
            }
        }
    }
}

fn of_group(field: &'static str, id: &'static str, group: &WrittenGroup, draft: &mut Draft) {
    let ranges = usable(&group.ranges);
    let mut parameters = json!({ "ranges": as_ranges(&ranges) });
    match group.rule {
        GroupRule::RunAsAny => return draft.unrestricted(field, ANY_ID),
        GroupRule::MayRunAs | GroupRule::MustRunAs if ranges.is_empty() => {
            return draft.admit_none(field, Outcome::CarriedOver, &format!("{field} {NO_RANGES}"));
        }
        GroupRule::MayRunAs => set(&mut parameters, "required", json!(false)),
        GroupRule::MustRunAs => set(&mut parameters, "default", json!("Lowest")),
    }
    draft.carry(field, id, parameters);
}

fn of_label(spec: &WrittenSpec, draft: &mut Draft) {
    let (field, id) = ("seLinux", "seLinuxLabels");
    let label = match (spec.se_linux.rule, &spec.se_linux.se_linux_options) {
        (LabelRule::RunAsAny, _) => return draft.unrestricted(field, ANY_ID),
        (LabelRule::MustRunAs, None) => {
            return draft.admit_none(field, Outcome::CarriedOver, &format!("seLinux {NO_OPTIONS}"));
        }
        (LabelRule::MustRunAs, Some(label)) => label,
    };
    let parts = [
        ("types", "type", &label.r#type),
        ("users", "user", &label.user),
        ("roles", "role", &label.role),
        ("levels", "level", &label.level),
    ];
    let is_label = |value: &str| {
        !value.contains('*') && !value.chars().any(|one| one.is_whitespace() || one.is_control())
    };
    if let Some((_, part, value)) = parts.iter().find(|(_, _, value)| !is_label(value)) {
        let text = format!("{value:?} is no {part} of a label, and was required");
        return draft.admit_none(field, Outcome::Stricter, &text);
    }
    let is_set = |(_, _, value): &&(&str, &str, &String)| !value.is_empty();
    let mut parameters = json!({});
    for (list, _, value) in &parts {
        let allowed: Vec<&String> = Some(*value).into_iter().filter(|value| !value.is_empty()).collect();
        set(&mut parameters, list, json!(allowed));
    }
    let default: Map<String, Value> =
        parts.iter().filter(is_set).map(|(_, part, value)| ((*part).to_owned(), json!(value))).collect();
    if !default.is_empty() {
        set(&mut parameters, "default", default.into());
        set(&mut parameters, "wholeDefault", json!(true));
    }
    draft.carry(field, id, parameters);
}
