//! The parameters of a control, from their JSON Schema: names, types, defaults and meanings.

use schemars::SchemaGenerator;
use serde_json::{Map, Value};

use crate::controls::Parameters;
use crate::text::either;

/// A parameter, or a field of one: `allowed[*].prefix`.
pub(super) struct Parameter {
    pub(super) name: String,
    /// What it holds: `a list of text`.
    pub(super) holds: String,
    /// What is meant where it is left out; `required` if it must not be.
    pub(super) default: String,
    /// What it means.
    pub(super) about: String,
}

/// The parameters of a control with the fields of each, in the order of their schema.
pub(super) fn parameters_of(parameters: &Parameters) -> Vec<Parameter> {
    let mut generator = SchemaGenerator::default();
    let schema = (parameters.schema)(&mut generator).to_value();
    let mut walk = Walk { definitions: generator.definitions(), rows: Vec::new() };
    walk.object(&schema, "");
    walk.rows
}

/// The parameters with each of which podgate fills in what is absent.
pub(super) fn filling_in(parameters: &Parameters) -> Vec<&'static str> {
    let known = parameters_of(parameters);
    let is_known = |name: &&str| known.iter().any(|parameter| parameter.name == *name);
    Parameters::FILLING_IN.into_iter().filter(is_known).collect()
}

struct Walk<'d> {
    definitions: &'d Map<String, Value>,
    rows: Vec<Parameter>,
}

impl<'d> Walk<'d> {
    fn object<'s>(&mut self, schema: &'s Value, before: &str)
    where
        'd: 's,
    {
        let required = schema.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let holds = self.resolve(property);
            let path = format!("{before}{name}");
            let default = match property.get("default") {
                _ if required.iter().any(|required| required == name) => "required".to_owned(),
                None | Some(Value::Null) => "none".to_owned(),
                Some(default) => default.to_string(),
            };
            let about = property.get("description").or_else(|| holds.get("description"));
            let about = about.and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
            self.rows.push(Parameter { name: path.clone(), holds: self.words(holds), default, about });
            let items = holds.get("items").map(|items| self.resolve(items));
            match items {
                Some(items) => self.object(items, &format!("{path}[*].")),
                None => self.object(holds, &format!("{path}.")),
            }
        }
    }

    /// The schema that is meant, behind references and beside `null`.
    fn resolve<'s>(&self, schema: &'s Value) -> &'s Value
    where
        'd: 's,
    {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.rsplit('/').next());
        if let Some(definition) = target.and_then(|name| self.definitions.get(name)) {
            return self.resolve(definition);
        }
        let is_null = |choice: &&Value| choice.get("type").is_some_and(|kind| kind == "null");
        let choices = schema.get("anyOf").and_then(Value::as_array);
        match choices.and_then(|choices| choices.iter().find(|choice| !is_null(choice))) {
            Some(choice) => self.resolve(choice),
            None => schema,
        }
    }

    fn words(&self, schema: &Value) -> String {
        if let Some(words) = words(schema) {
            return either(&words);
        }
        let of_types = |kind: &Value| match kind.as_str() {
            Some("array") => match schema.get("items") {
                Some(items) => format!("a list of {}", self.plural(self.resolve(items))),
                None => "a list".to_owned(),
            },
            Some("boolean") => "true or false".to_owned(),
            Some("integer") => "a whole number".to_owned(),
            Some("object") if schema.get("properties").is_some() => "an object".to_owned(),
            Some("object") => "values by name".to_owned(),
            Some("string") => "text".to_owned(),
            _ => String::new(),
        };
        match schema.get("type") {
            Some(Value::Array(kinds)) => {
                kinds.iter().filter(|kind| **kind != "null").map(of_types).collect::<Vec<_>>().join(" or ")
            }
            Some(kind) => of_types(kind),
            None => String::new(),
        }
    }

    fn plural(&self, items: &Value) -> String {
        match items.get("type").and_then(Value::as_str) {
            Some("object") => "objects".to_owned(),
            Some("integer") => "whole numbers".to_owned(),
            _ => self.words(items),
        }
    }
}

/// The words that it can be, if it can be no other text.
fn words(schema: &Value) -> Option<Vec<&str>> {
    let listed = schema.get("enum").and_then(Value::as_array);
    if let Some(listed) = listed {
        return Some(listed.iter().filter_map(Value::as_str).collect());
    }
    // Words with a description each.
    let one_of = schema.get("oneOf").and_then(Value::as_array)?;
    let words = one_of.iter().flat_map(|choice| {
        let listed = choice.get("enum").and_then(Value::as_array).into_iter().flatten();
        listed.chain(choice.get("const")).filter_map(Value::as_str)
    });
    Some(words.collect())
}
