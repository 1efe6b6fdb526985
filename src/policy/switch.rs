//! The switch: SecurityPolicies that are turned to Audit for a while, by an operator who says until when.
//!
//! Read as strictly as policies are. Whatever is wrong with a switch, it is not in force, and its policies stay enforced. The
//! time is handed in.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, Unit};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use crate::path::Path;
use crate::policy::actions::Mode;
use crate::policy::document::{ONE_LINE, is_one_line, path};
use crate::policy::error::PolicyError;
use crate::policy::file::yaml_fault;
use crate::policy::placed::PlacedFaults;
use crate::policy::rule::ActiveControl;
use crate::policy::schema::{self, describe};
use crate::policy::{PolicySet, SecurityPolicy};
use crate::text::{cut, joined, nearest, not_ascii, quoted};
use crate::yaml::{self, Span};

/// The ConfigMap that holds a switch, in podgate's own namespace.
pub const SWITCH_CONFIG_MAP: &str = "podgate-switch";
/// The key of its data.
pub const SWITCH_KEY: &str = "switch";
/// How far ahead the end of a switch may be: over a holiday, and not for ever.
pub const LONGEST_SWITCH: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Longest text of a switch, in bytes.
pub const LONGEST_SWITCH_TEXT: usize = 16 * 1024;
/// Longest note about a policy that is switched.
const LONGEST_NOTE: usize = 400;
/// What stands for every SecurityPolicy.
const EVERY: &str = "*";

/// A switch, as it is written.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenSwitch {
    #[schemars(schema_with = "names_schema")]
    policies: Value,
    #[schemars(length(min = 1))]
    until: String,
    #[schemars(length(min = 1))]
    reason: String,
    #[schemars(length(min = 1))]
    owner: String,
}

fn names_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["array", "string"], "minItems": 1, "items": { "type": "string", "minLength": 1 } })
}

/// A switch that makes sense by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySwitch {
    /// Until when it is in force.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Its file, as it is named in messages.
    pub file: String,
    /// The policies, each with its place; `None` for every SecurityPolicy.
    names: Option<Vec<(String, Span)>>,
    policies_at: Span,
    until_at: Span,
}

/// What is to be done about a switch.
#[derive(Debug, Clone)]
pub enum SwitchState {
    /// There is none.
    Off,
    /// It is in force.
    InForce(PolicySwitch),
    /// Its end has come.
    Ended(PolicySwitch),
    /// It is not in force, for these reasons.
    Faulty(Vec<PolicyError>),
}

impl SwitchState {
    /// What is to be done about what was read of a switch, by these policies and at this time. One that is in force already stays
    /// so when one of its policies is taken away: that must not bring the others back.
    #[must_use]
    pub fn of(
        read: Result<Option<PolicySwitch>, Vec<PolicyError>>,
        policies: &PolicySet,
        now: Timestamp,
        is_in_force: bool,
    ) -> Self {
        match read {
            Err(faults) => Self::Faulty(faults),
            Ok(None) => Self::Off,
            Ok(Some(switch)) => {
                let faults = switch.faults(policies, now, is_in_force);
                if !faults.is_empty() {
                    Self::Faulty(faults)
                } else if switch.until <= now {
                    Self::Ended(switch)
                } else {
                    Self::InForce(switch)
                }
            }
        }
    }
}

impl PolicySwitch {
    /// Reads a switch; faults name `file`.
    ///
    /// # Errors
    /// Everything that is wrong with it, whatever the time and the policies are.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<PolicyError>> {
        let whole = |message: &str| vec![PolicyError::new(file, 1, 1, message)];
        if text.len() > LONGEST_SWITCH_TEXT {
            return Err(whole("a switch is shorter than 16 KiB"));
        }
        let mut documents = yaml::read(text).into_iter();
        let document = match (documents.next(), documents.next()) {
            (Some(Ok(document)), None) => document,
            (Some(Err(fault)), _) | (_, Some(Err(fault))) => {
                return Err(vec![yaml_fault(file, text, &fault)]);
            }
            (None, _) => return Err(whole("holds no switch: it needs policies, until, reason and owner")),
            (Some(Ok(_)), Some(Ok(_))) => return Err(whole("holds more than one document: a switch is one")),
        };
        let mut faults = PlacedFaults::new(file, &document);
        let switch = read_document(file, &document, &mut faults);
        match switch {
            Some(switch) if faults.is_empty() => Ok(switch),
            _ => Err(faults.in_order()),
        }
    }

    /// Reads what a ConfigMap of this namespace holds.
    ///
    /// # Errors
    /// As [`read`](Self::read), and whatever else the ConfigMap holds.
    pub fn of_config_map(
        namespace: &str,
        data: &BTreeMap<String, String>,
        has_binary: bool,
    ) -> Result<Self, Vec<PolicyError>> {
        let file = format!("ConfigMap {namespace}/{SWITCH_CONFIG_MAP}");
        let whole = |message: String| vec![PolicyError::new(&file, 1, 1, message)];
        if has_binary {
            return Err(whole(format!("binaryData is not read: put the switch under data.{SWITCH_KEY}")));
        }
        if let Some(other) = data.keys().find(|key| *key != SWITCH_KEY) {
            return Err(whole(format!("data has the key {}, expected {SWITCH_KEY} alone", quoted(other))));
        }
        let text = data.get(SWITCH_KEY);
        Self::read(&file, text.ok_or_else(|| whole(format!("data has no key {SWITCH_KEY}")))?)
    }

    /// What is wrong with it by these policies and at this time. That its end has come is no fault.
    fn faults(&self, policies: &PolicySet, now: Timestamp, is_in_force: bool) -> Vec<PolicyError> {
        let fault = |at: Span, message: String| PolicyError::new(&self.file, at.line, at.column, message);
        let mut faults = Vec::new();
        if self.until.duration_since(now) > LONGEST_SWITCH {
            let seconds = |time: Timestamp| time.round(Unit::Second).unwrap_or(time);
            let latest = now.checked_add(LONGEST_SWITCH).map(seconds);
            let latest = latest.map_or(String::new(), |latest| format!(", which is {latest} now"));
            let message = format!("until: at most 7 days ahead{latest}, found {}", self.end());
            faults.push(fault(self.until_at, message));
        }
        if policies.pod_security.is_some() {
            let message = "policies: a PodSecurityConfiguration has no mode: change the labels of namespaces";
            faults.push(fault(self.policies_at, message.to_owned()));
        } else if policies.security.is_empty() {
            faults.push(fault(self.policies_at, "policies: there is no SecurityPolicy".to_owned()));
        }
        let known = || policies.security.iter().map(|policy| policy.name.as_ref());
        if is_in_force && known().any(|name| self.has(name)) {
            return faults;
        }
        for (name, at) in self.names.iter().flatten() {
            if known().any(|known| known == name) {
                continue;
            }
            let near = nearest(name, known()).map(|name| format!(", did you mean \"{name}\"?"));
            let message =
                format!("policies: there is no SecurityPolicy {}{}", quoted(name), near.unwrap_or_default());
            faults.push(fault(*at, message));
        }
        faults
    }

    /// Whether it turns this policy.
    #[must_use]
    pub fn has(&self, policy: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.iter().any(|(name, _)| name == policy))
    }

    /// The policies, as `ml-restricted,ml-serving`; `*` for every one.
    #[must_use]
    pub fn names_text(&self) -> String {
        match &self.names {
            None => EVERY.to_owned(),
            Some(names) => joined(names.iter().map(|(name, _)| name), ",").to_string(),
        }
    }

    /// Its end, as `2027-03-31T18:00:00Z`.
    #[must_use]
    pub fn end(&self) -> String {
        self.until.to_string()
    }
}

fn read_document(
    file: &str,
    document: &yaml::Document,
    faults: &mut PlacedFaults<'_>,
) -> Option<PolicySwitch> {
    let mut object: Value = match serde_json::from_slice(&document.root.to_json()) {
        Ok(object) => object,
        Err(error) => {
            faults.fault(&Path::root(), error.to_string());
            return None;
        }
    };
    if !object.is_object() {
        faults.fault(&Path::root(), format!("expected a switch, found {}", describe(&object)));
        return None;
    }
    for mismatch in schema::check(&schema::of::<WrittenSwitch>(), &mut object) {
        faults.mismatch(mismatch);
    }
    let WrittenSwitch { policies, until, reason, owner } = match serde_json::from_value(object) {
        Ok(written) => written,
        Err(error) => {
            faults.fault(&Path::root(), error.to_string());
            return None;
        }
    };
    for (key, text) in [("reason", &reason), ("owner", &owner)] {
        if !is_one_line(text) {
            faults.fault(&path(key), format!("{ONE_LINE}{}", not_ascii(text)));
        }
    }
    let end: Option<Timestamp> = until.parse().ok();
    if end.is_none() {
        let message = format!("expected a time, as 2027-03-31T18:00:00Z, found {}", quoted(&until));
        faults.fault(&path("until"), message);
    }
    let names = names(policies, faults);
    let (policies_at, until_at) = (faults.place(&path("policies")), faults.place(&path("until")));
    Some(PolicySwitch { until: end?, reason, owner, file: file.to_owned(), names, policies_at, until_at })
}

/// The policies that are named; `None` for every one.
fn names(policies: Value, faults: &mut PlacedFaults<'_>) -> Option<Vec<(String, Span)>> {
    let items = match policies {
        Value::String(text) if text == EVERY => return None,
        Value::Array(items) => items,
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            let message = format!("expected \"{EVERY}\" or a list of names, found {}", describe(&other));
            faults.fault(&path("policies"), message);
            return None;
        }
    };
    let mut names: Vec<(String, Span)> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let at = path("policies").index(index);
        let name = item.as_str().unwrap_or_default();
        if name == EVERY {
            faults.fault(&at, format!("every policy is meant by policies: \"{EVERY}\", without a list"));
        } else if names.iter().any(|(known, _)| known == name) {
            faults.fault(&at, "stands in the list already; take one out");
        }
        names.push((name.to_owned(), faults.place(&at)));
    }
    Some(names)
}

impl PolicySet {
    /// The same with the policies of a switch in the mode `Audit`, exactly as if their files said so.
    #[must_use]
    pub fn switched(mut self, switch: &PolicySwitch) -> Self {
        for policy in self.security.iter_mut().filter(|policy| switch.has(&policy.name)) {
            policy.switch(switch);
        }
        self
    }
}

impl SecurityPolicy {
    fn switch(&mut self, switch: &PolicySwitch) {
        let mut is_eased = false;
        for rule in &mut self.rules {
            rule.actions = Mode::Audit.downgrade(rule.actions);
            is_eased |= rule.controls().any(|active| active.actions.deny || active.actions.warn);
            let eased = |active: &ActiveControl| {
                let actions = Mode::Audit.downgrade(active.actions);
                Arc::new(active.with_actions(actions))
            };
            rule.controls = rule.controls().map(eased).collect();
        }
        // Of a policy that is in that mode anyway there is nothing to say.
        let note = || format!("{} is switched to Audit until {}: {}", self.name, switch.end(), switch.reason);
        self.switch = is_eased.then(|| Arc::from(cut(note(), LONGEST_NOTE)));
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::{BUILT_IN, Policies, read_file};

    use super::*;

    const GOOD: &str = "policies: [ml-restricted]\nuntil: 2027-03-31T18:00:00Z\nreason: r\nowner: o\n";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn built_in() -> PolicySet {
        let mut policies = Policies::new(Vec::new());
        read_file("built in", BUILT_IN, &mut policies);
        policies.finish().unwrap()
    }

    /// In a word what is done about a switch, or what is wrong with it.
    fn state(text: &str, now: &str) -> Vec<String> {
        let read = PolicySwitch::read("s.yaml", text).map(Some);
        match SwitchState::of(read, &built_in(), at(now), false) {
            SwitchState::Off => vec!["off".to_owned()],
            SwitchState::InForce(_) => vec!["in force".to_owned()],
            SwitchState::Ended(_) => vec!["ended".to_owned()],
            SwitchState::Faulty(faults) => faults.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_switch_is_in_force_until_its_end_and_not_for_long() {
        for (now, expected) in [
            ("2027-03-31T17:59:59Z", "in force"),
            ("2027-03-31T19:59:59.9+02:00", "in force"),
            ("2027-03-24T18:00:00Z", "in force"),
            ("2027-03-31T18:00:00Z", "ended"),
            ("2028-03-31T18:00:00Z", "ended"),
            (
                "2027-03-24T17:59:59Z",
                "s.yaml:2:8: until: at most 7 days ahead, which is 2027-03-31T17:59:59Z now, found 2027-03-31T18:00:00Z",
            ),
        ] {
            assert_eq!(state(GOOD, now), [expected], "{now}");
            assert_eq!(state(&GOOD.replace("[ml-restricted]", "'*'"), now), [expected], "{now}");
        }
    }

    #[test]
    fn whatever_is_wrong_with_a_switch_is_told_with_its_place() {
        let now = "2027-03-31T12:00:00Z";
        for (text, expected) in [
            ("", &["s.yaml:1:1: holds no switch: it needs policies, until, reason and owner"][..]),
            ("# nothing\n", &["s.yaml:1:1: holds no switch: it needs policies, until, reason and owner"]),
            ("'*'", &["s.yaml:1:1: expected a switch, found \"*\""]),
            (&format!("{GOOD}---\n{GOOD}"), &["s.yaml:1:1: holds more than one document: a switch is one"]),
            (
                &GOOD.replace("until: 2027-03-31T18:00:00Z\n", ""),
                &["s.yaml:1:1: the key \"until\" is missing"],
            ),
            (
                &GOOD.replace("[ml-restricted]", "[ml-restrictd, a, a, '*']"),
                &[
                    "s.yaml:1:29: policies[2]: stands in the list already; take one out",
                    "s.yaml:1:32: policies[3]: every policy is meant by policies: \"*\", without a list",
                ],
            ),
            (
                &GOOD.replace("[ml-restricted]", "[ml-restrictd]"),
                &[
                    "s.yaml:1:12: policies: there is no SecurityPolicy \"ml-restrictd\", did you mean \"ml-restricted\"?",
                ],
            ),
            (&GOOD.replace("[ml-restricted]", "[]"), &["s.yaml:1:1: policies: the list is empty"]),
            (
                &GOOD.replace("[ml-restricted]", "ml-restricted"),
                &["s.yaml:1:11: policies: expected \"*\" or a list of names, found \"ml-restricted\""],
            ),
            (
                &GOOD.replace("18:00:00Z", "18:00:00").replace("reason: r", "reason: \"a\\nb\""),
                &[
                    "s.yaml:2:8: until: expected a time, as 2027-03-31T18:00:00Z, found \"2027-03-31T18:00:00\"",
                    "s.yaml:3:9: reason: must be one line of at most 200 ASCII characters",
                ],
            ),
            (
                &GOOD.replace("2027-03-31T18:00:00Z", "tomorrow"),
                &["s.yaml:2:8: until: expected a time, as 2027-03-31T18:00:00Z, found \"tomorrow\""],
            ),
            (
                &GOOD.replace("owner: o", "owners: o"),
                &[
                    "s.yaml:1:1: the key \"owner\" is missing",
                    "s.yaml:4:1: owners: unknown key \"owners\", did you mean \"owner\"?",
                ],
            ),
            (&"x".repeat(LONGEST_SWITCH_TEXT + 1), &["s.yaml:1:1: a switch is shorter than 16 KiB"]),
        ] {
            assert_eq!(state(text, now), expected, "{text:.200}");
        }
    }

    #[test]
    fn a_config_map_holds_a_switch_and_nothing_else() {
        let data = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let fault = |data: &BTreeMap<String, String>, has_binary| {
            let read = PolicySwitch::of_config_map("ns", data, has_binary);
            read.map(|_| ()).map_err(|faults| faults.first().map(ToString::to_string).unwrap_or_default())
        };
        assert_eq!(fault(&data(&[("switch", GOOD)]), false), Ok(()));
        let file = "ConfigMap ns/podgate-switch";
        for (data, has_binary, expected) in [
            (
                data(&[("switch", GOOD)]),
                true,
                "1:1: binaryData is not read: put the switch under data.switch",
            ),
            (data(&[]), false, "1:1: data has no key switch"),
            (
                data(&[("switch", GOOD), ("x", "")]),
                false,
                "1:1: data has the key \"x\", expected switch alone",
            ),
            (
                data(&[("switch", &GOOD.replace("2027", "x"))]),
                false,
                "2:8: until: expected a time, as 2027-03-31T18:00:00Z, found \"x-03-31T18:00:00Z\"",
            ),
        ] {
            assert_eq!(fault(&data, has_binary), Err(format!("{file}:{expected}")));
        }
    }

    /// Switched is what a policy is whose file says Audit.
    #[test]
    fn a_switched_policy_is_one_in_the_mode_audit() {
        let switch = PolicySwitch::read("s", &GOOD.replace("[ml-restricted]", "'*'")).unwrap();
        for mode in ["Enforce", "Warn", "Audit"] {
            let in_mode = |mode: &str| {
                let mut policies = Policies::new(Vec::new());
                read_file("p", &BUILT_IN.replace("mode: Enforce", &format!("mode: {mode}")), &mut policies);
                policies.finish().unwrap()
            };
            let actions = |set: &PolicySet| -> Vec<_> {
                let rules = set.security.iter().flat_map(|policy| &policy.rules);
                rules
                    .flat_map(|rule| rule.controls.iter().map(|of| (rule.actions, of.actions, of.enforced)))
                    .collect()
            };
            let switched = in_mode(mode).switched(&switch);
            assert_eq!(actions(&switched), actions(&in_mode("Audit")), "{mode}");
            assert!(!switched.security.iter().any(SecurityPolicy::fills_in_defaults), "{mode}");
            let note = switched.security.first().and_then(|policy| policy.switch.as_ref()).map(AsRef::as_ref);
            let expected = "ml-restricted is switched to Audit until 2027-03-31T18:00:00Z: r";
            assert_eq!(note, (mode != "Audit").then_some(expected), "{mode}");
        }
        let other = PolicySwitch { names: Some(Vec::new()), until: Timestamp::UNIX_EPOCH, ..switch };
        let set = built_in().switched(&other);
        assert!(set.security.iter().all(|policy| policy.switch.is_none() && policy.fills_in_defaults()));
    }
}
