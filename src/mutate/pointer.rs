//! A JSON Pointer (RFC 6901) that grows and shrinks by steps, as it is written into a JSON string.

use crate::finding::Subject;
use crate::json::write_escaped;
use crate::path::write_number;

/// Room for most pointers.
const USUAL_LENGTH: usize = 80;

/// The pointer, with what a JSON string escapes escaped.
#[derive(Debug)]
pub(super) struct JsonPointer(String);

impl JsonPointer {
    /// The pointer to the whole.
    pub(super) fn root() -> Self {
        Self(String::with_capacity(USUAL_LENGTH))
    }

    /// The pointer to a part of a pod.
    pub(super) fn of(subject: Subject<'_>) -> Self {
        let mut pointer = Self::root();
        let (root, item) = subject.place();
        pointer.push_field(root);
        if let Some((list, index)) = item {
            pointer.push_field(list);
            pointer.push_index(Some(index.try_into().unwrap_or(u32::MAX)));
        }
        pointer
    }

    /// Adds a key, and returns what takes it away again.
    pub(super) fn push_key(&mut self, key: &str) -> usize {
        let length = self.0.len();
        self.0.push('/');
        if key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            self.0.push_str(key);
        } else {
            write_escaped(&key.replace('~', "~0").replace('/', "~1"), &mut self.0);
        }
        length
    }

    /// Adds a field whose name is Kubernetes' own: it needs no escapes.
    pub(super) fn push_field(&mut self, name: &str) {
        self.0.push('/');
        self.0.push_str(name);
    }

    /// Adds an index, or `-`.
    pub(super) fn push_index(&mut self, index: Option<u32>) -> usize {
        let length = self.0.len();
        self.0.push('/');
        match index.map(usize::try_from) {
            // A `String` takes every text.
            Some(index) => drop(write_number(&mut self.0, index.unwrap_or(usize::MAX))),
            None => self.0.push('-'),
        }
        length
    }

    /// Takes away what was added since it had this length.
    pub(super) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    /// As it stands between the quotes of a JSON string.
    pub(super) fn as_json(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_escaped_twice() {
        let mut pointer = JsonPointer::root();
        let start = pointer.push_key("metadata");
        pointer.push_key("a.b/c~d\"e\n");
        pointer.push_index(Some(12));
        pointer.push_index(None);
        assert_eq!(pointer.as_json(), r#"/metadata/a.b~1c~0d\"e\n/12/-"#);
        pointer.truncate(start);
        assert_eq!(pointer.as_json(), "");
    }
}
