//! A mapping of a YAML document, with the way to it: whatever is not of the type that is asked for is named by its field
//! and line.

use crate::yaml::{Entry, Node, Value};

/// A field that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {field} is not {wanted}")]
pub(super) struct FieldError {
    line: usize,
    field: String,
    wanted: &'static str,
}

/// A mapping, and the way to it.
pub(super) struct Section<'n> {
    node: &'n Node,
    path: String,
}

impl<'n> Section<'n> {
    /// A whole document.
    pub(super) fn root(node: &'n Node) -> Self {
        Self { node, path: String::new() }
    }

    /// A text; `None` where it is absent, `null` or empty.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, FieldError> {
        let Some(field) = self.field(name)? else { return Ok(None) };
        let Value::String(text) = &field.node.value else { return Err(field.is_not("text")) };
        Ok(Some(text.clone()).filter(|text| !text.is_empty()))
    }

    /// A boolean; `false` where it is absent or `null`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, FieldError> {
        let Some(field) = self.field(name)? else { return Ok(false) };
        let Value::Bool(flag) = &field.node.value else { return Err(field.is_not("true or false")) };
        Ok(*flag)
    }

    /// A mapping; `None` where it is absent or `null`.
    pub(super) fn section(&self, name: &str) -> Result<Option<Self>, FieldError> {
        let field = self.field(name)?;
        if let Some(field) = &field {
            field.entries()?;
        }
        Ok(field)
    }

    /// The mappings of a list; none where it is absent or `null`.
    pub(super) fn list(&self, name: &str) -> Result<Vec<Self>, FieldError> {
        let Some(field) = self.field(name)? else { return Ok(Vec::new()) };
        field.items()
    }

    /// The texts of a list; none where it is absent or `null`.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, FieldError> {
        let text = |item: Self| match &item.node.value {
            Value::String(text) => Ok(text.clone()),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Sequence(_)
            | Value::Mapping(_) => Err(item.is_not("text")),
        };
        self.list(name)?.into_iter().map(text).collect()
    }

    /// Every field of this, each a list of texts.
    pub(super) fn texts_by_name(&self) -> Result<Vec<(String, Vec<String>)>, FieldError> {
        self.entries()?.iter().map(|entry| Ok((entry.key.clone(), self.texts(&entry.key)?))).collect()
    }

    /// A value of any type, as JSON; `None` where it is absent or `null`.
    pub(super) fn json(&self, name: &str) -> Result<Option<Vec<u8>>, FieldError> {
        Ok(self.field(name)?.map(|field| field.node.to_json()))
    }

    /// The error for a field that must be there.
    pub(super) fn missing(&self, name: &str) -> FieldError {
        FieldError { line: self.node.span.line, field: self.path_of(name), wanted: "there" }
    }

    fn field(&self, name: &str) -> Result<Option<Self>, FieldError> {
        let entry = self.entries()?.iter().find(|entry| entry.key == name);
        let entry = entry.filter(|entry| entry.value.value != Value::Null);
        Ok(entry.map(|entry| Self { node: &entry.value, path: self.path_of(name) }))
    }

    fn items(&self) -> Result<Vec<Self>, FieldError> {
        let Value::Sequence(items) = &self.node.value else { return Err(self.is_not("a list")) };
        let item = |(index, node)| Self { node, path: format!("{}[{index}]", self.path) };
        Ok(items.iter().enumerate().map(item).collect())
    }

    fn entries(&self) -> Result<&'n [Entry], FieldError> {
        let Value::Mapping(entries) = &self.node.value else { return Err(self.is_not("a mapping")) };
        Ok(entries)
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn is_not(&self, wanted: &'static str) -> FieldError {
        let field = if self.path.is_empty() { "it".to_owned() } else { self.path.clone() };
        FieldError { line: self.node.span.line, field, wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn what_is_of_another_type_is_named_by_field_and_line() {
        let text = "a: {b: [{c: 7}], d: yes, e: [x, 1]}\nf: null\ng: ''\nh: {i: [j]}";
        let document = yaml::read(text).remove(0).unwrap();
        let root = Section::root(&document.root);
        let a = root.section("a").unwrap().unwrap();
        let error = |error: FieldError| error.to_string();
        let items = a.list("b").unwrap();
        assert_eq!(error(items[0].text("c").unwrap_err()), "line 1: a.b[0].c is not text");
        assert_eq!(error(items[0].missing("x")), "line 1: a.b[0].x is not there");
        assert_eq!(error(a.texts("e").unwrap_err()), "line 1: a.e[1] is not text");
        assert_eq!(error(a.list("d").err().unwrap()), "line 1: a.d is not a list");
        assert_eq!(error(a.section("b").err().unwrap()), "line 1: a.b is not a mapping");
        assert_eq!(error(root.flag("g").unwrap_err()), "line 3: g is not true or false");
        assert!(a.flag("d").unwrap() && !root.flag("f").unwrap());
        assert_eq!(
            [root.text("f").unwrap(), root.text("g").unwrap(), root.text("no").unwrap()],
            [None, None, None]
        );
        let h = root.section("h").unwrap().unwrap();
        assert_eq!(h.texts_by_name().unwrap(), [("i".to_owned(), vec!["j".to_owned()])]);
        assert_eq!(root.json("h").unwrap().unwrap(), br#"{"i":["j"]}"#);
        let list = yaml::read("[a]").remove(0).unwrap();
        assert_eq!(error(Section::root(&list.root).text("a").unwrap_err()), "line 1: it is not a mapping");
    }
}
