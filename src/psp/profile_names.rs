//! The annotations of a PodSecurityPolicy that name profiles of seccomp and of AppArmor.

use std::collections::BTreeMap;

use crate::path::Path;
use crate::policy::PlacedFaults;
use crate::psp::written::ANY;
use crate::text::quoted;

/// What the two annotations of a kind of profile say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ProfileNames {
    /// `allowedProfileNames`; `None` where it is absent.
    pub(super) allowed: Option<Vec<ProfileName>>,
    /// `defaultProfileName`.
    pub(super) default: Option<ProfileName>,
}

/// A profile as annotations name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProfileName {
    /// `*`: every one.
    Any,
    /// The empty text.
    Nothing,
    /// `runtime/default`, and of seccomp `docker/default`.
    RuntimeDefault,
    /// `unconfined`.
    Unconfined,
    /// `localhost/NAME`.
    Localhost(String),
}

const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR: &str = "apparmor.security.beta.kubernetes.io/";
const ALLOWED: &str = "allowedProfileNames";
const DEFAULT: &str = "defaultProfileName";

pub(super) fn of_seccomp(
    annotations: &BTreeMap<String, String>,
    faults: &mut PlacedFaults<'_>,
) -> ProfileNames {
    read(SECCOMP, annotations, faults)
}

pub(super) fn of_app_armor(
    annotations: &BTreeMap<String, String>,
    faults: &mut PlacedFaults<'_>,
) -> ProfileNames {
    read(APP_ARMOR, annotations, faults)
}

fn read(
    prefix: &'static str,
    annotations: &BTreeMap<String, String>,
    faults: &mut PlacedFaults<'_>,
) -> ProfileNames {
    let mut names = ProfileNames::default();
    for (key, value) in annotations {
        let Some(name) = key.strip_prefix(prefix) else { continue };
        let at = Path::root().key("metadata").key("annotations").key(key.clone());
        let mut profile = |text: &str| {
            named(prefix, text).or_else(|| {
                let message = format!(
                    "{} is no profile: write runtime/default, unconfined or localhost/NAME, without white space",
                    quoted(text)
                );
                faults.fault(&at, message);
                None
            })
        };
        match name {
            ALLOWED if value.is_empty() => names.allowed = Some(vec![ProfileName::Nothing]),
            ALLOWED => {
                // Of AppArmor the API server took an empty item, which allows nothing that has a name.
                let items = value.split(',').filter(|item| prefix == SECCOMP || !item.is_empty());
                names.allowed = Some(items.filter_map(profile).collect());
            }
            DEFAULT if value.is_empty() => {}
            DEFAULT if value == ANY => faults.fault(&at, "* is no profile that could be filled in: name one"),
            DEFAULT => names.default = profile(value),
            _ => faults.fault(
                &at,
                format!("a PodSecurityPolicy knows {prefix}{ALLOWED} and {prefix}{DEFAULT} alone"),
            ),
        }
    }
    names
}

/// A profile by its name in annotations. An empty one is none but as the whole of the list.
fn named(prefix: &str, text: &str) -> Option<ProfileName> {
    let is_of_seccomp = prefix == SECCOMP;
    match text {
        ANY if is_of_seccomp => Some(ProfileName::Any),
        "runtime/default" => Some(ProfileName::RuntimeDefault),
        "docker/default" if is_of_seccomp => Some(ProfileName::RuntimeDefault),
        "unconfined" => Some(ProfileName::Unconfined),
        _ => text.strip_prefix("localhost/").map(|name| ProfileName::Localhost(name.to_owned())),
    }
}
