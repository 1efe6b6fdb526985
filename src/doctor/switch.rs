//! The switch: whether one is in force, or at fault, and whether podgate could read one.

use jiff::Timestamp;

use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::{Installation, REINSTALL};
use crate::doctor::policies::PoliciesInForce;
use crate::policy::{PolicySwitch, SWITCH_CONFIG_MAP, SwitchState};

pub(super) fn check(
    installation: &Installation,
    policies: Option<&PoliciesInForce<'_>>,
    findings: &mut Vec<Diagnosis>,
) {
    let names = &installation.names;
    if installation.rights.watches_switch == Ok(false) {
        let found = "podgate may not get, list and watch the ConfigMap podgate-switch: in an emergency it could not be \
                     switched, and its webhooks would have to be deleted";
        let role = names.own("Role", SWITCH_CONFIG_MAP);
        findings.push(Diagnosis::warning(HealthCheck::SwitchRights, role).because(found).fix(REINSTALL));
    }
    let Ok(Some(config_map)) = &installation.switch else { return };
    let object = names.own("ConfigMap", SWITCH_CONFIG_MAP);
    let end = names.kubectl(&format!("delete configmap/{SWITCH_CONFIG_MAP}"));
    let data = config_map.data.clone().unwrap_or_default();
    let has_binary = config_map.binary_data.as_ref().is_some_and(|binary| !binary.is_empty());
    let read = PolicySwitch::of_config_map(&names.namespace, &data, has_binary);
    let state = match (read, policies) {
        (Err(faults), _) => SwitchState::Faulty(faults),
        (Ok(switch), Some(policies)) => {
            let Ok(now) = Timestamp::try_from(installation.now) else { return };
            SwitchState::of(Ok(Some(switch)), policies.as_ref(), now, false)
        }
        // What policies there are is not known, and told elsewhere.
        (Ok(_), None) => return,
    };
    findings.push(match state {
        SwitchState::Off => return,
        SwitchState::InForce(switch) => Diagnosis::warning(HealthCheck::Switch, object)
            .because(format!(
                "in force until {}, by {} ({}): the policies {} refuse, warn of and fill in nothing",
                switch.end(),
                switch.owner,
                switch.reason,
                switch.names_text(),
            ))
            .fix(format!("{end} # once it is not needed; it ends by itself")),
        SwitchState::Ended(switch) => Diagnosis::info(HealthCheck::Switch, object)
            .because(format!("has ended at {}: its policies hold again", switch.end()))
            .fix(end),
        SwitchState::Faulty(faults) => {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Diagnosis::error(HealthCheck::Switch, object)
                .field("data")
                .because(format!("not in force, and its policies stay enforced: {}", faults.join("; ")))
                .fix(format!("{end} # and create it again, see docs/install.md#break-glass"))
        }
    });
}
