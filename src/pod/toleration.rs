//! The tolerations of a pod, read when a rule asks for them: every pod has some, and few rules look at them.

use std::borrow::Cow;

use crate::json::{Reader, Result, members};
use crate::pod::limits::MAX_ITEMS;
use crate::pod::spec::Spec;

/// A toleration.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Toleration<'a> {
    /// Its place in the list.
    pub index: usize,
    /// `key`: that of the taints that it tolerates; empty for those of every key.
    pub key: Cow<'a, str>,
    /// `operator`; empty when absent, which means `Equal`.
    pub operator: Cow<'a, str>,
    /// `value`.
    pub value: Cow<'a, str>,
    /// `effect`; empty for every effect.
    pub effect: Cow<'a, str>,
    /// All of it, as JSON text.
    pub text: &'a str,
}

impl<'a> Spec<'a> {
    /// Calls back with each toleration.
    ///
    /// # Errors
    /// When they are not a list of tolerations, are more than anyone reads, or a name differs from one that is read in case only.
    pub fn for_each_toleration(&self, mut each: impl FnMut(Toleration<'a>)) -> Result<()> {
        if self.tolerations.is_empty() {
            return Ok(());
        }
        Reader::over_part(self.tolerations).refusing_misspelt_case().array(|reader, index| {
            reader.keep(index, MAX_ITEMS, "tolerations")?;
            let mut toleration = Toleration { index, ..Toleration::default() };
            let start = reader.offset();
            members!(reader, {
                "key" => toleration.key = reader.string()?,
                "operator" => toleration.operator = reader.string()?,
                "value" => toleration.value = reader.string()?,
                "effect" => toleration.effect = reader.string()?,
            })?;
            toleration.text = reader.text_since(start).trim_start();
            each(toleration);
            Ok(())
        })
    }
}
