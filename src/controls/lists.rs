//! What may be wrong with a list in the parameters of a control.

use crate::controls::ParameterError;
use crate::finding::FieldPath;

/// A fault for each item that something is said of.
pub(super) fn faults<T>(
    field: &'static str,
    items: &[T],
    fault: impl Fn(&T) -> Option<String>,
) -> Vec<ParameterError> {
    let at = |index| FieldPath::from(field).index(index);
    let said = items.iter().enumerate().filter_map(|(index, item)| Some((index, fault(item)?)));
    said.map(|(index, message)| ParameterError::at(at(index), message)).collect()
}

/// A fault for each item that is there before.
pub(super) fn repeated<T: PartialEq>(field: &'static str, items: &[T]) -> Vec<ParameterError> {
    let is_before = |index: usize, item: &T| items.iter().take(index).any(|before| before == item);
    let again = items.iter().enumerate().filter(|(index, item)| is_before(*index, item));
    let at = |index| FieldPath::from(field).index(index);
    again.map(|(index, _)| ParameterError::at(at(index), "is listed twice: keep one of the two")).collect()
}
