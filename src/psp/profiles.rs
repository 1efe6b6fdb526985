//! What the annotations of a PodSecurityPolicy said of seccomp and AppArmor.

use serde_json::{Value, json};

use crate::psp::draft::Draft;
use crate::psp::parameters::{distinct, set};
use crate::psp::profile_names::{ProfileName, ProfileNames};
use crate::psp::report::Outcome;

const ALL_TYPES: [&str; 3] = ["RuntimeDefault", "Localhost", "Unconfined"];
const RUNTIME_DEFAULT: &str = ALL_TYPES[0];
const LOCALHOST: &str = ALL_TYPES[1];
const UNCONFINED: &str = ALL_TYPES[2];

const SECCOMP_CONTROL: &str = "seccompProfiles";
const APP_ARMOR_CONTROL: &str = "appArmorProfiles";
/// What the report calls the annotations.
const ALLOWED_SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/allowedProfileNames";
const ALLOWED_APP_ARMOR: &str = "apparmor.security.beta.kubernetes.io/allowedProfileNames";

pub(super) fn of_seccomp(names: &ProfileNames, draft: &mut Draft) {
    let (field, id) = (ALLOWED_SECCOMP, SECCOMP_CONTROL);
    let allowed = match (&names.allowed, &names.default) {
        (None, None) => {
            draft.control(id, json!({ "allowed": [RUNTIME_DEFAULT] }), &[field]);
            let text = "is absent, so that no profile could be set, RuntimeDefault included, and no pod could meet the restricted \
                        standard as well: RuntimeDefault is now allowed, and nothing else";
            return draft.note(field, Outcome::Laxer, &[id], text);
        }
        (None, Some(_)) => {
            return draft.admit_none(
                field,
                Outcome::CarriedOver,
                "a default is set that allowedProfileNames does not allow",
            );
        }
        (Some(allowed), _) => allowed,
    };
    if allowed.contains(&ProfileName::Any) {
        return match &names.default {
            None => draft.unrestricted(field, "* allows any profile, and needs no control"),
            Some(default) => fill_in(field, id, json!({ "allowed": ALL_TYPES }), default, draft),
        };
    }
    if allowed == &[ProfileName::Nothing] {
        return match &names.default {
            None => draft.carry(field, id, json!({ "allowed": [] })),
            Some(_) => draft.admit_none(
                field,
                Outcome::CarriedOver,
                "a default is set that allowedProfileNames does not allow",
            ),
        };
    }
    let Some(mut parameters) = listed(field, id, allowed, draft) else { return };
    match names.default.as_ref().filter(|default| allowed.contains(default)) {
        Some(default) => fill_in(field, id, parameters, default, draft),
        None => {
            set(&mut parameters, "required", json!(true));
            set(&mut parameters, "podRequired", json!(true));
            draft.carry(field, id, parameters);
        }
    }
    draft.stricter(
        field,
        id,
        "a profile counts where it is a field; the old annotations are judged and count for nothing",
    );
}

pub(super) fn of_app_armor(names: &ProfileNames, draft: &mut Draft) {
    let (field, id) = (ALLOWED_APP_ARMOR, APP_ARMOR_CONTROL);
    let Some(allowed) = &names.allowed else {
        if let Some(default) = &names.default {
            fill_in(field, id, json!({ "allowed": ALL_TYPES }), default, draft);
        }
        return;
    };
    if allowed.contains(&ProfileName::Nothing) {
        return draft.admit_none(
            field,
            Outcome::CarriedOver,
            "allowedProfileNames of AppArmor is empty, and a profile was required",
        );
    }
    let Some(mut parameters) = listed(field, id, allowed, draft) else { return };
    match names.default.as_ref().filter(|default| allowed.contains(default)) {
        Some(default) => fill_in(field, id, parameters, default, draft),
        None => {
            set(&mut parameters, "required", json!(true));
            draft.carry(field, id, parameters);
        }
    }
    draft.stricter(
        field,
        id,
        "a profile in a field, which came after Kubernetes 1.24, is judged as an annotation is",
    );
    draft.note(
        field,
        Outcome::Laxer,
        &[id],
        "a profile in such a field counts where one is required; PodSecurityPolicy saw the annotation alone",
    );
}

/// The types of a list and the profiles of the node in it; `None` where no profile is left, so that no pod could pass.
fn listed(
    field: &'static str,
    id: &'static str,
    allowed: &[ProfileName],
    draft: &mut Draft,
) -> Option<Value> {
    let (mut types, mut profiles) = (Vec::new(), Vec::new());
    let is_absolute = |profile: &str| id == SECCOMP_CONTROL && profile.starts_with('/');
    for name in allowed {
        match name {
            ProfileName::RuntimeDefault => types.push(RUNTIME_DEFAULT),
            ProfileName::Unconfined => types.push(UNCONFINED),
            ProfileName::Localhost(profile) if is_usable(profile) && !is_absolute(profile) => {
                types.push(LOCALHOST);
                profiles.push(profile.as_str());
            }
            ProfileName::Localhost(profile) => {
                draft.stricter(
                    field,
                    id,
                    format!("{profile:?} is no name of a profile without patterns, and is left out"),
                );
            }
            ProfileName::Any | ProfileName::Nothing => {}
        }
    }
    if types.is_empty() {
        draft.admit_none(
            field,
            Outcome::Stricter,
            "no profile is left that could be set, and one was required",
        );
        return None;
    }
    let mut parameters = json!({ "allowed": distinct(types) });
    if !profiles.is_empty() {
        set(&mut parameters, "localhost", json!(distinct(profiles)));
    }
    Some(parameters)
}

/// Adds the profile that is filled in.
fn fill_in(
    field: &'static str,
    id: &'static str,
    mut parameters: Value,
    default: &ProfileName,
    draft: &mut Draft,
) {
    let kind = match default {
        ProfileName::RuntimeDefault => RUNTIME_DEFAULT,
        ProfileName::Unconfined => UNCONFINED,
        ProfileName::Localhost(profile) if is_usable(profile) => {
            set(&mut parameters, "defaultLocalhost", json!(profile));
            LOCALHOST
        }
        ProfileName::Localhost(_) | ProfileName::Any | ProfileName::Nothing => {
            draft.stricter(
                field,
                id,
                "the default is no profile that can be filled in: a container has to name one",
            );
            set(&mut parameters, "required", json!(true));
            return draft.carry(field, id, parameters);
        }
    };
    set(&mut parameters, "default", json!(kind));
    draft.carry(field, id, parameters);
}

/// Whether our pattern of this name stands for it alone, and it stays in the directory of profiles.
fn is_usable(profile: &str) -> bool {
    !profile.is_empty() && !profile.contains('*') && profile.split('/').all(|name| name != "..")
}
