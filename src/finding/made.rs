//! An edit made in an object: for pods of our own, which nobody has to be sent a patch for.

use serde_json::{Map, Value};

use crate::finding::edit::{Edit, EditOp};
use crate::path::Step;

impl Edit<'_> {
    /// Makes it in an object, with what leads to it. What cannot be there is not made.
    pub fn make_in(&self, object: &mut Value) {
        let path = self.whole_path();
        let Some((last, parents)) = path.split_last() else { return };
        let Some(parent) = parents.iter().try_fold(object, |at, step| member(at, step)) else { return };
        if self.op == EditOp::Remove {
            match (parent, last) {
                (Value::Object(members), Step::Key(key)) => drop(members.remove(key.as_ref())),
                (Value::Array(items), Step::Index(index)) if *index < items.len() => {
                    drop(items.remove(*index));
                }
                _ => {}
            }
            return;
        }
        let Some(field) = member(parent, last) else { return };
        let items: Vec<Value> = match &self.op {
            EditOp::Set(value) => return *field = value.into(),
            EditOp::Append(items) => {
                items.iter().filter_map(|item| serde_json::from_str(item).ok()).collect()
            }
            EditOp::Prepend(value) => vec![value.into()],
            EditOp::Remove => return,
        };
        match (field, &self.op) {
            (Value::Array(list), EditOp::Prepend(_)) => drop(list.splice(0..0, items)),
            (Value::Array(list), _) => list.extend(items),
            (field, _) => *field = items.into(),
        }
    }
}

/// The value at a step, which is made where there is none: `null` until it is set.
fn member<'v>(at: &'v mut Value, step: &Step<'_>) -> Option<&'v mut Value> {
    if at.is_null() {
        *at = Value::Object(Map::new());
    }
    match step {
        Step::Key(key) => Some(at.as_object_mut()?.entry(key.as_ref()).or_insert(Value::Null)),
        Step::Index(index) => at.as_array_mut()?.get_mut(*index),
    }
}
