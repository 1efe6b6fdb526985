//! A SecurityPolicy, once it fits its schema: whether it makes sense, and the rules that it comes to.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::controls::{CONTROLS, Control, Origin, Standard};
use crate::policy::actions::{Actions, Mode, Relaxation};
use crate::policy::document::{DocumentReader, ONE_LINE, is_one_line, path};
use crate::policy::help_url::help_fault;
use crate::policy::no_pod::{Contradiction, contradictions};
use crate::policy::own_defaults::{OwnRefusal, refused_defaults};
use crate::policy::rule::{ActiveControl, Rule, RuleSource};
use crate::policy::written::{
    ExtendedControl, Object, SecurityContextDefaults, SecuritySpec, Standards, Templates,
};
use crate::policy::{PolicyOrigin, SecurityPolicy};
use crate::text::not_ascii;

impl DocumentReader<'_> {
    /// `is_built_in` says whether it judges as the policy that is compiled in.
    pub(super) fn security(&mut self, object: Object<SecuritySpec>, is_built_in: bool) {
        let Object { metadata, spec, .. } = object;
        let is_taken = self.policies.set.security.iter().any(|policy| *policy.name == *metadata.name);
        self.check_name(&metadata.name, is_taken);
        if let Some(contact) = spec.contact.as_deref().filter(|contact| !is_one_line(contact)) {
            self.fault(&path("spec.contact"), format!("{ONE_LINE}{}", not_ascii(contact)));
        }
        let scope = self.scope(spec.r#match);
        let exemptions = self.exempt(spec.exemptions, scope.as_ref());
        let relaxed = self.relaxed(&spec.standard, spec.mode);
        let has_defaults = spec.defaults.security_context == SecurityContextDefaults::Restricted;
        let (enforce, mut rules) = rules(&spec.standard, &relaxed, (spec.mode, has_defaults));
        rules.extend(self.extended(spec.controls, spec.mode));
        if rules.is_empty() && self.is_in_order() {
            self.fault(&path("spec"), "judges nothing: give it a standard or controls");
        }
        if let Some(help) = spec.help.as_deref()
            && let Some(fault) = help_fault(help)
        {
            self.fault(&path("spec.help"), format!("{fault}{}", not_ascii(help)));
        }
        let name: Arc<str> = metadata.name.into();
        let exceptions = self.exceptions(&name, spec.exceptions, &rules);
        rules.iter_mut().for_each(|rule| rule.except(&exceptions));
        let origin = if is_built_in { PolicyOrigin::BuiltIn } else { PolicyOrigin::File };
        let Some(scope) = scope else { return };
        let policy = SecurityPolicy {
            name,
            contact: spec.contact,
            help: spec.help,
            origin,
            scope,
            enforce,
            rules,
            exceptions,
            refuses_templates: spec.templates == Templates::Enforce,
            exemptions: exemptions.into(),
            switch: None,
        };
        let policy = self.policies.shared.share(policy);
        self.check_consistent(&policy);
        self.policies.set.security.push(policy);
    }

    /// Refuses a policy that fills in what it refuses, or that no pod can satisfy.
    fn check_consistent(&mut self, policy: &SecurityPolicy) {
        let refused = refused_defaults(policy);
        for OwnRefusal { by, text } in &refused {
            let at = match by.origin {
                Origin::Standard { .. } => "spec.defaults.securityContext".to_owned(),
                Origin::Extended { .. } => format!("spec.controls.{}", by.id),
            };
            self.fault(&path(&at), text.clone());
        }
        if !refused.is_empty() || !self.policies.shared.may_contradict(&policy.rules) {
            return;
        }
        let contradictions = contradictions(policy);
        if contradictions.is_empty() {
            self.policies.shared.are_consistent(&policy.rules);
        }
        for Contradiction { at, text } in contradictions {
            self.fault(&path(&format!("spec.controls.{}", at.id)), text);
        }
    }

    /// The controls of the standard that are relaxed.
    fn relaxed(&mut self, standards: &Standards, mode: Mode) -> BTreeMap<&'static str, Relaxation> {
        let mut relaxed = BTreeMap::new();
        for (id, relaxation) in &standards.except {
            let at = format!("spec.standard.except.{id}");
            let is_stricter = relaxation.mode().is_some_and(|of_control| of_control < mode);
            if is_stricter {
                self.fault(
                    &path(&at),
                    format!("{relaxation:?} is stricter than the policy's mode {mode:?}: remove it"),
                );
            }
            let Some(control) = Control::named(id) else { continue };
            relaxed.insert(control.id, *relaxation);
        }
        let is_part = |control: &Control| {
            let mut parts = standards_of(standards).flat_map(|(standard, _)| {
                standard.controls_with_replaced(|control| relaxed.contains_key(control.id))
            });
            parts.any(|(part, _)| part == control)
        };
        let unused: Vec<&Control> =
            relaxed.keys().filter_map(|id| Control::named(id)).filter(|control| !is_part(control)).collect();
        for control in unused {
            let replaces = |other: &&&Control| other.overrides() == Some(control) && is_part(other);
            let message = match CONTROLS.iter().find(replaces) {
                Some(other) => format!("{} takes its place in this policy: relax that one first", other.id),
                None => "no standard of this policy has this control: remove it".to_owned(),
            };
            self.fault(&path(&format!("spec.standard.except.{}", control.id)), message);
        }
        relaxed
    }

    /// The rule of the extended controls, if any is on.
    fn extended(&mut self, controls: BTreeMap<String, ExtendedControl>, mode: Mode) -> Option<Rule> {
        let mut active: Vec<Arc<ActiveControl>> = Vec::new();
        for (id, written) in controls {
            active.extend(self.extended_control(&id, written, mode).map(Arc::new));
        }
        active.sort_by_key(|active| active.control.id);
        let actions = mode.downgrade(Actions::ALL);
        (!active.is_empty()).then_some(Rule {
            source: RuleSource::Extended,
            actions,
            controls: active.into(),
        })
    }

    fn extended_control(&mut self, id: &str, written: ExtendedControl, mode: Mode) -> Option<ActiveControl> {
        let ExtendedControl { mode: own_mode, message, parameters } = written;
        let at = format!("spec.controls.{id}");
        if let Some(of_control) = own_mode.filter(|of_control| *of_control < mode) {
            let message = format!("{of_control:?} is stricter than the policy's mode {mode:?}: remove it");
            self.fault(&path(&format!("{at}.mode")), message);
        }
        if let Some(message) = message.as_deref().filter(|message| !is_one_line(message)) {
            self.fault(&path(&format!("{at}.message")), format!("{ONE_LINE}{}", not_ascii(message)));
        }
        let control = Control::named(id)?;
        let Origin::Extended { parameters: of_kind, .. } = &control.origin else { return None };
        match (of_kind.read)(Value::Object(parameters)) {
            Ok(configured) => {
                let message = message.map(Into::into);
                Some(ActiveControl::extended(control, configured, own_mode, mode, message))
            }
            Err(errors) => {
                for error in errors {
                    let mut path = path(&at);
                    path.extend(error.path.iter().cloned());
                    self.fault(&path, error.message);
                }
                None
            }
        }
    }
}

/// The standards of a policy, each once, with all the actions that it is given for.
fn rules(
    standards: &Standards,
    relaxed: &BTreeMap<&'static str, Relaxation>,
    (mode, fills_in): (Mode, bool),
) -> (Option<Standard>, Vec<Rule>) {
    let mut actions_of: Vec<(Standard, Actions)> = Vec::new();
    for (standard, actions) in standards_of(standards) {
        match actions_of.iter_mut().find(|(same, _)| *same == standard) {
            Some((_, all)) => *all = all.and(actions),
            None => actions_of.push((standard, actions)),
        }
    }
    let rules = actions_of
        .into_iter()
        .map(|(standard, actions)| Rule::of_standard(standard, actions, (mode, fills_in), relaxed))
        .collect();
    (parse(standards.enforce.as_ref()), rules)
}

/// The standard that is given for each action.
fn standards_of(standards: &Standards) -> impl Iterator<Item = (Standard, Actions)> {
    let none = Actions::default();
    [
        (parse(standards.enforce.as_ref()), Actions { deny: true, ..none }),
        (parse(standards.warn.as_ref()), Actions { warn: true, ..none }),
        (parse(standards.audit.as_ref()), Actions { audit: true, ..none }),
    ]
    .into_iter()
    .filter_map(|(standard, actions)| Some((standard?, actions)))
}

/// A standard; `None` also if it is none, which the schema has reported.
fn parse(text: Option<&String>) -> Option<Standard> {
    text.and_then(|text| text.parse().ok())
}
