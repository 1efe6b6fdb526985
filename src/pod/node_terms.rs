//! By which labels and fields of nodes a pod chooses them: read when a rule asks for it.

use std::borrow::Cow;

use crate::json::{Reader, Result, members};
use crate::pod::spec::Spec;

/// A requirement on the labels or fields of a node, in the node affinity.
#[derive(Debug, PartialEq, Eq)]
pub struct NodeTerm<'a> {
    /// Whether nodes must satisfy it; otherwise they are preferred.
    pub is_required: bool,
    /// The place of its term in the list of required or preferred ones.
    pub place: usize,
    /// The list of the term that it is in: `matchExpressions` or `matchFields`.
    pub list: &'static str,
    /// Its place there.
    pub index: usize,
    /// The key of the label, or the name of the field.
    pub key: Cow<'a, str>,
    /// All of it, as JSON text.
    pub text: &'a str,
}

impl<'a> Spec<'a> {
    /// Calls back with the key of each label in `nodeSelector`, and with its value as JSON text.
    ///
    /// # Errors
    /// None that reading the pod did not find.
    pub fn for_each_node_label(&self, mut each: impl FnMut(Cow<'a, str>, &'a str)) -> Result<()> {
        if self.node_selector.is_empty() {
            return Ok(());
        }
        let mut reader = Reader::over_part(self.node_selector);
        reader
            .object(|reader, key| {
                each(key.clone(), reader.skip()?);
                Ok(())
            })
            .map(drop)
    }

    /// Calls back with each requirement of `affinity.nodeAffinity`.
    ///
    /// # Errors
    /// When it cannot be read, or a name differs from one that is read in case only.
    pub fn for_each_node_term(&self, mut each: impl FnMut(NodeTerm<'a>)) -> Result<()> {
        if self.affinity.is_empty() {
            return Ok(());
        }
        let reader = &mut Reader::over_part(self.affinity).refusing_misspelt_case();
        members!(reader, {
            "nodeAffinity" => members!(reader, {
                "requiredDuringSchedulingIgnoredDuringExecution" => members!(reader, {
                    "nodeSelectorTerms" => reader.array(|reader, place| read_term(reader, (true, place), &mut each))?,
                })?,
                "preferredDuringSchedulingIgnoredDuringExecution" => reader.array(|reader, place| {
                    members!(reader, {
                        "preference" => read_term(reader, (false, place), &mut each)?,
                    })
                    .map(drop)
                })?,
            })?,
        })
        .map(drop)
    }
}

fn read_term<'a>(
    reader: &mut Reader<'a>,
    (is_required, place): (bool, usize),
    each: &mut impl FnMut(NodeTerm<'a>),
) -> Result<()> {
    let mut read_list = |reader: &mut Reader<'a>, list| {
        reader.array(|reader, index| {
            let start = reader.offset();
            let mut key = Cow::default();
            members!(reader, { "key" => key = reader.string()? })?;
            each(NodeTerm {
                is_required,
                place,
                list,
                index,
                key,
                text: reader.text_since(start).trim_start(),
            });
            Ok(())
        })
    };
    members!(reader, {
        "matchExpressions" => read_list(reader, "matchExpressions")?,
        "matchFields" => read_list(reader, "matchFields")?,
    })
    .map(drop)
}
