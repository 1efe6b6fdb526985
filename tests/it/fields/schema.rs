//! Every field of a pod, asked of `k8s_openapi` itself: its types are generated from Kubernetes' API, and say the names
//! of their fields to whatever they are read from.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize as _, forward_to_deserialize_any};

/// What a field holds. An object's own fields are fields, too; a list of objects counts as they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Value,
    Map,
    Object,
}

/// Fields by their paths, as `spec.volumes[*].nfs.server`.
pub(super) type Fields = BTreeMap<String, Holds>;

/// Every field of a pod in the newest API.
pub(super) fn fields_of_pod() -> Fields {
    let mut fields = Fields::new();
    Pod::deserialize(Probe { path: String::new(), fields: &mut fields }).unwrap();
    fields
}

/// Stands for a pod in which every field is set, and notes down which were asked for.
struct Probe<'f> {
    path: String,
    fields: &'f mut Fields,
}

impl Probe<'_> {
    fn note(&mut self, holds: Holds) {
        let field = self.path.trim_end_matches("[*]");
        self.fields.insert(field.to_owned(), holds);
    }

    /// A text that the types read: a pod says what it is, and some texts are times.
    fn text(&self) -> &'static str {
        match self.path.as_str() {
            "apiVersion" => "v1",
            "kind" => "Pod",
            _ => "1970-01-01T00:00:00Z",
        }
    }
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text())
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(false)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i32(0)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let item = Self { path: format!("{}[*]", self.path), fields: self.fields };
        visitor.visit_seq(OneItem(Some(item)))
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.note(Holds::Map);
        let value = format!("{}[*]", self.path);
        visitor.visit_map(Members { rest: vec![("key", value)], fields: self.fields })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut separator = ".";
        if self.path.is_empty() {
            separator = "";
        } else {
            self.note(Holds::Object);
        }
        let path = |name: &str| format!("{}{separator}{name}", self.path);
        let rest: Vec<_> = names.iter().map(|name| (*name, path(name))).collect();
        for (_, path) in &rest {
            self.fields.insert(path.clone(), Holds::Value);
        }
        visitor.visit_map(Members { rest, fields: self.fields })
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct enum
        identifier ignored_any
    }
}

/// A list with one item.
struct OneItem<'f>(Option<Probe<'f>>);

impl<'de> SeqAccess<'de> for OneItem<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.0.take().map(|item| seed.deserialize(item)).transpose()
    }
}

/// An object with all its members, each with its path; the last one comes first.
struct Members<'f> {
    rest: Vec<(&'static str, String)>,
    fields: &'f mut Fields,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let name = self.rest.last().map(|(name, _)| StrDeserializer::new(name));
        name.map(|name| seed.deserialize(name)).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let (_, path) = self.rest.pop().unwrap();
        seed.deserialize(Probe { path, fields: &mut *self.fields })
    }
}
