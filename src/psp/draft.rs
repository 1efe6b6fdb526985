//! A policy as it is made of a PodSecurityPolicy: its controls, where each comes from, and what became of each field.

use serde_json::{Map, Value, json};

use crate::psp::report::{Note, Outcome};

/// The controls of one PodSecurityPolicy.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) psp: String,
    pub(super) controls: Vec<DraftControl>,
    pub(super) notes: Vec<Note>,
    /// Why no pod can meet it, if none can.
    pub(super) admits_none: Option<String>,
}

/// A control with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DraftControl {
    pub(super) id: &'static str,
    pub(super) parameters: Value,
    /// The fields that it comes from.
    pub(super) fields: Vec<&'static str>,
}

/// What a policy says that no pod can meet: root is demanded, and refused.
const REFUSING: [(&str, &str); 2] = [("runAsUserRanges", "ranges"), ("nonRootUsers", "")];
/// Longest message of a control.
const LONGEST_MESSAGE: usize = 200;

impl DraftControl {
    /// Whether it fills in what a pod leaves out.
    pub(super) fn fills_in(&self) -> bool {
        ["default", "defaultAdd", "fillIn"].iter().any(|key| self.parameters.get(key).is_some())
    }
}

impl Draft {
    pub(super) fn of(psp: &str) -> Self {
        Self { psp: psp.to_owned(), ..Self::default() }
    }

    /// Adds a control.
    pub(super) fn control(&mut self, id: &'static str, parameters: Value, fields: &[&'static str]) {
        self.controls.push(DraftControl { id, parameters, fields: fields.to_vec() });
    }

    /// Adds a control that says exactly what a field said.
    pub(super) fn carry(&mut self, field: &'static str, id: &'static str, parameters: Value) {
        self.control(id, parameters, &[field]);
        self.note(field, Outcome::CarriedOver, &[id], format!("is now {id}"));
    }

    /// What became of a field that restricted nothing.
    pub(super) fn unrestricted(&mut self, field: &'static str, text: &str) {
        self.note(field, Outcome::CarriedOver, &[], text);
    }

    /// Whether a control of it fills in what a pod leaves out.
    pub(super) fn fills_in(&self, id: &str) -> bool {
        self.controls.iter().any(|control| control.id == id && control.fills_in())
    }

    pub(super) fn note(
        &mut self,
        field: &str,
        outcome: Outcome,
        controls: &[&'static str],
        text: impl Into<String>,
    ) {
        let (psp, field, text) = (self.psp.clone(), field.to_owned(), text.into());
        self.notes.push(Note { psp, field, outcome, controls: controls.to_vec(), text });
    }

    pub(super) fn stricter(&mut self, field: &str, control: &'static str, text: impl Into<String>) {
        self.note(field, Outcome::Stricter, &[control], text);
    }

    /// No pod passes, for what a field says.
    pub(super) fn admit_none(&mut self, field: &'static str, outcome: Outcome, why: &str) {
        self.note(
            field,
            outcome,
            &REFUSING.map(|(id, _)| id),
            format!("{why}, so the policy refuses every pod"),
        );
        self.admits_none.get_or_insert_with(|| why.to_owned());
    }

    /// Replaces the controls by such that no pod can meet, where none is to pass.
    pub(super) fn finish(mut self) -> Self {
        let Some(why) = &self.admits_none else { return self };
        let mut message = format!("from PodSecurityPolicy {}, and no pod can meet it: {why}", self.psp);
        message.truncate(LONGEST_MESSAGE);
        let refusing = REFUSING.map(|(id, ranges)| {
            let mut parameters = Map::from_iter([("message".to_owned(), json!(message))]);
            if !ranges.is_empty() {
                parameters.insert(ranges.to_owned(), json!([{ "min": 0, "max": 0 }]));
            }
            DraftControl { id, parameters: parameters.into(), fields: Vec::new() }
        });
        self.controls = refusing.to_vec();
        self
    }
}
