//! The exceptions of a SecurityPolicy, once they fit their schema: whether they make sense.

use std::sync::Arc;

use jiff::civil::Date;
use serde_json::Value;

use crate::controls::{Control, FoundValue};
use crate::path::Path;
use crate::pod::VolumeSource;
use crate::policy::common::{day, is_kind, is_name};
use crate::policy::document::{DocumentReader, ONE_LINE, is_one_line, path};
use crate::policy::exception::{Condition, ContainerScope, ExceptedValue, Exception};
use crate::policy::rule::Rule;
use crate::policy::written_exception::{GrantedBy, WrittenCondition, WrittenContainers, WrittenException};
use crate::text::{either, not_ascii, quoted};

/// Most exceptions of one policy: each is asked about what pods are found to break.
const MOST_EXCEPTIONS: usize = 1000;

impl DocumentReader<'_> {
    /// The exceptions of a policy of this name with these rules.
    pub(super) fn exceptions(
        &mut self,
        policy: &Arc<str>,
        written: Vec<WrittenException>,
        rules: &[Rule],
    ) -> Vec<Arc<Exception>> {
        if written.len() > MOST_EXCEPTIONS {
            let message = format!(
                "has {} exceptions, and may have {MOST_EXCEPTIONS}: relax the control",
                written.len()
            );
            self.fault(&path("spec.exceptions"), message);
        }
        let mut exceptions: Vec<Arc<Exception>> = Vec::new();
        for (index, written) in written.into_iter().enumerate() {
            let at = path("spec.exceptions").index(index);
            self.check_exception_name(&at, &written.name);
            if let Some(exception) = self.exception(policy, written, &at, rules) {
                self.note_place(&exception.name, &at);
                exceptions.push(Arc::new(exception));
            }
        }
        exceptions
    }

    fn check_exception_name(&mut self, at: &Path<'_>, name: &str) {
        let at = at.clone().key("name");
        if !is_name(name) {
            let message = format!(
                "must be a name of at most 63 lower-case letters, digits, - and .{}",
                not_ascii(name)
            );
            self.fault(&at, message);
        }
        if let Some(place) = self.policies.places.get(name) {
            let message = format!("the exception at {place} has this name; give this one another name");
            self.fault(&at, message);
        }
    }

    fn exception(
        &mut self,
        policy: &Arc<str>,
        written: WrittenException,
        at: &Path<'_>,
        rules: &[Rule],
    ) -> Option<Exception> {
        let WrittenException { name, containers, values, when, reason, owner, expires, .. } = written;
        let controls = self.excepted_controls(&written.controls, at, rules);
        for (field, text) in [("reason", &reason), ("owner", &owner)] {
            if !is_one_line(text) {
                self.fault(&at.clone().key(field), format!("{ONE_LINE}{}", not_ascii(text)));
            }
        }
        self.check_containers(containers.as_ref(), at, &controls);
        let values = self.excepted_values(values.unwrap_or_default(), at, &controls);
        let condition = self.condition(when, at);
        let expires = self.last_day(&expires, at);
        Some(Exception {
            name: name.into(),
            policy: Arc::clone(policy),
            reason,
            owner,
            expires: expires?,
            is_granted_by_rbac: written.granted_by == Some(GrantedBy::Rbac),
            controls,
            containers: containers
                .map(|WrittenContainers { names, images }| ContainerScope { names, images }),
            values,
            condition,
            has_ephemeral: written.ephemeral_containers,
        })
    }

    fn excepted_controls(&mut self, ids: &[String], at: &Path<'_>, rules: &[Rule]) -> Vec<&'static Control> {
        let mut controls: Vec<&'static Control> = Vec::new();
        let of_policy = || rules.iter().flat_map(Rule::controls).map(|active| active.control);
        for (index, id) in ids.iter().enumerate() {
            let at = at.clone().key("controls").index(index);
            let Some(control) = Control::named(id) else { continue };
            if controls.contains(&control) {
                self.fault(&at, "is listed twice: keep one of the two");
            } else if !of_policy().any(|own| own == control) {
                let message = match of_policy().find(|own| own.overrides() == Some(control)) {
                    Some(own) => format!("{} takes its place in this policy: name that one", own.id),
                    None => "this policy does not have this control, and an exception loosens its own policy alone: remove it"
                        .to_owned(),
                };
                self.fault(&at, message);
            }
            controls.push(control);
        }
        controls
    }

    fn check_containers(
        &mut self,
        written: Option<&WrittenContainers>,
        at: &Path<'_>,
        controls: &[&'static Control],
    ) {
        let Some(WrittenContainers { names, images }) = written else { return };
        let at = at.clone().key("containers");
        if names.is_empty() && images.is_empty() {
            self.fault(
                &at,
                "names no container: give names or images, or leave it out to mean all of the pod",
            );
        }
        let is_of_pod =
            |control: &&&Control| !control.doc.fields.iter().any(|field| field.contains("ontainers"));
        if let Some(control) = controls.iter().find(is_of_pod) {
            let message = format!(
                "{} is about the pod, and never about one of its containers: leave this out",
                control.id
            );
            self.fault(&at, message);
        }
    }

    fn excepted_values(
        &mut self,
        written: Vec<Value>,
        at: &Path<'_>,
        controls: &[&'static Control],
    ) -> Vec<ExceptedValue> {
        let mut values = Vec::new();
        for (index, value) in written.into_iter().enumerate() {
            let at = at.clone().key("values").index(index);
            let impossible =
                controls.iter().find(|control| !control.values.iter().any(|kind| is_of(&value, *kind)));
            if let Some(control) = impossible {
                let message =
                    format!("{} is never found to have this value: {}", control.id, legal_values(control));
                self.fault(&at, message);
            } else {
                let is_number = controls.iter().any(|control| control.values.contains(&FoundValue::Integer));
                values.extend(excepted_value(value, is_number));
            }
        }
        values
    }

    fn condition(&mut self, written: WrittenCondition, at: &Path<'_>) -> Condition {
        let WrittenCondition { requests, service_accounts, pod_selector, owner_kinds } = written;
        let at = at.clone().key("when");
        for (index, name) in service_accounts.iter().enumerate().filter(|(_, name)| !is_name(name)) {
            let message = format!("no service account has such a name{}", not_ascii(name));
            self.fault(&at.clone().key("serviceAccounts").index(index), message);
        }
        for (index, kind) in owner_kinds.iter().enumerate().filter(|(_, kind)| !is_kind(kind)) {
            let message = format!("must be a kind, as in ReplicaSet or Job{}", not_ascii(kind));
            self.fault(&at.clone().key("ownerKinds").index(index), message);
        }
        if let Some(selector) = &pod_selector {
            self.check_selector(selector, &at.key("podSelector"), "leave it out to mean every pod");
        }
        Condition { requests, service_accounts, pods: pod_selector, owner_kinds }
    }

    fn last_day(&mut self, text: &str, at: &Path<'_>) -> Option<Date> {
        let date = day(text);
        if date.is_none() {
            let message = format!(
                "must be the last day on which it holds, as in 2027-03-31, found {}{}",
                quoted(text),
                not_ascii(text)
            );
            self.fault(&at.clone().key("expires"), message);
        }
        date
    }
}

/// Whether a written value may be one of a kind.
fn is_of(value: &Value, kind: FoundValue) -> bool {
    match (kind, value) {
        (FoundValue::Bool(wanted), Value::Bool(value)) => wanted == *value,
        (FoundValue::Integer, Value::Number(number)) => number.is_i64(),
        (FoundValue::Integer, Value::String(text)) => range(text).is_some(),
        (FoundValue::Text, Value::String(_)) => true,
        (FoundValue::Capability, Value::String(text)) => text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_*".contains(&byte)),
        (FoundValue::VolumeSource, Value::String(text)) => {
            text.starts_with('/') || VolumeSource::named(text).is_some()
        }
        _ => false,
    }
}

/// What can be named of a control, and how.
fn legal_values(control: &Control) -> String {
    let kinds: Vec<&str> = control.values.iter().map(|kind| kind.in_words()).collect();
    if kinds.is_empty() { "leave values out".to_owned() } else { format!("name {}", either(&kinds)) }
}

fn excepted_value(value: Value, is_number: bool) -> Option<ExceptedValue> {
    match value {
        Value::Bool(value) => Some(ExceptedValue::Bool(value)),
        Value::Number(number) => number.as_i64().map(|number| ExceptedValue::Integers(number, number)),
        Value::String(text) => match range(&text).filter(|_| is_number) {
            Some((least, most)) => Some(ExceptedValue::Integers(least, most)),
            None => Some(ExceptedValue::Text(text.as_str().into())),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `1000-2000`: the first and the last of some numbers from 0 on.
fn range(text: &str) -> Option<(i64, i64)> {
    let (least, most) = text.split_once('-')?;
    let number = |text: &str| text.parse::<u32>().ok().map(i64::from);
    Some((number(least)?, number(most)?)).filter(|(least, most)| least <= most)
}
