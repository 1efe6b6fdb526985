//! The warning about `runAsNonRoot` that is filled in for an image whose user nobody named: it may not start.

use crate::evaluate::defaults::Defaults;
use crate::evaluate::message::LONGEST_WARNING;
use crate::pod::Pod;
use crate::text::counted;

/// Whether it is the name of a Windows user, and not of the one that the kubelet takes for root.
fn is_no_administrator(user: &str) -> bool {
    !user.is_empty() && !user.eq_ignore_ascii_case("ContainerAdministrator")
}

/// The kubelet starts no container with `runAsNonRoot: true` whose image runs as root, or as a user with a name. So the
/// author of a pod is warned where it is filled in, or would be, for a container whose user nobody named.
#[must_use]
pub fn root_image_warning(pod: &Pod<'_>, defaults: &Defaults<'_>, is_trial: bool) -> Option<String> {
    let (mut containers, mut by) = (0, "");
    for (at, container) in pod.containers() {
        let is_named = if pod.is_for_windows() {
            is_no_administrator(pod.windows_user_of(container))
        } else {
            pod.user_of(container).is_some()
        };
        let filled_in = |field| defaults.policy_that_sets(at, field);
        let is_named = is_named || filled_in("securityContext.runAsUser").is_some();
        if let (Some(policy), false) = (filled_in("securityContext.runAsNonRoot"), is_named) {
            (containers, by) = (containers + 1, policy);
        }
    }
    if containers == 0 {
        return None;
    }
    let advice = if pod.is_for_windows() {
        "set a runAsUserName other than ContainerAdministrator"
    } else {
        "set a runAsUser unless the image's user is a number above 0"
    };
    let fills_in = if is_trial { "would fill in" } else { "fills in" };
    let count = counted(containers, "container");
    let candidates = [
        format!("podgate: \"{by}\" {fills_in} runAsNonRoot: true for {count}: {advice}"),
        format!("podgate: \"{by}\" {fills_in} runAsNonRoot: {advice}"),
    ];
    let last =
        format!("podgate: runAsNonRoot: true {}filled in: {advice}", if is_trial { "would be " } else { "" });
    Some(candidates.into_iter().find(|warning| warning.len() <= LONGEST_WARNING).unwrap_or(last))
}
