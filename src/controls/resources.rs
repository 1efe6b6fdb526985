//! What a container, or a pod as a whole, requests and is limited to.

use crate::controls::quantity::Quantity;
use crate::controls::written::written;
use crate::json::{Reader, Result, members};
use crate::text::nearest;

/// Beside a fix of what is no amount at all.
pub(super) const NO_QUANTITY: &str = "this is no quantity, as 500m, 8, 64Gi or 200G";

/// What `resources` say of one resource.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Amounts<'p> {
    /// The request, as it is written.
    pub(super) request: Option<Amount<'p>>,
    /// The limit.
    pub(super) limit: Option<Amount<'p>>,
}

/// An amount of a resource, as a pod has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Amount<'p> {
    /// As it is written.
    pub(super) text: &'p str,
    /// Its value; `None` if it is no quantity.
    pub(super) quantity: Option<Quantity>,
}

impl<'p> Amounts<'p> {
    /// What the JSON text of `resources` says of the resource of this name; an empty text says nothing.
    ///
    /// # Errors
    /// When they are not such an object, or a field differs from one that is read in case only.
    pub(super) fn read(text: &'p str, name: &str) -> Result<Self> {
        let mut amounts = Self::default();
        read(text, |list, key, value| {
            if key == name {
                match list {
                    List::Requests => amounts.request = Some(Amount::of_json(value)),
                    List::Limits => amounts.limit = Some(Amount::of_json(value)),
                }
            }
        })?;
        Ok(amounts)
    }

    /// The request, for which the API server takes the limit where there is none.
    pub(super) fn requested(self) -> Option<Amount<'p>> {
        self.request.or(self.limit)
    }
}

impl<'p> Amount<'p> {
    fn of_json(value: &'p str) -> Self {
        if value == "null" {
            return Self { text: value, quantity: Some(Quantity::ZERO) };
        }
        let text = written(value);
        Self { text, quantity: Quantity::parse(text) }
    }

    /// Whether it is more than nothing. A limit of 0 is none: runtimes take it for no limit at all. So is what is no quantity.
    pub(super) fn is_some(self) -> bool {
        self.quantity.is_some_and(|quantity| quantity > Quantity::ZERO)
    }
}

/// Whether any is requested, or limited, of a resource whose name is meant.
///
/// # Errors
/// As [`Amounts::read`].
pub(crate) fn has_any_of(text: &str, is_meant: impl Fn(&str) -> bool) -> Result<bool> {
    let mut has_any = false;
    read(text, |_, key, value| has_any |= is_meant(key) && Amount::of_json(value).is_some())?;
    Ok(has_any)
}

/// The lists of `resources` that have amounts.
#[derive(Clone, Copy)]
enum List {
    Requests,
    Limits,
}

/// Calls back with each amount: its list, the name of its resource, its JSON text.
fn read<'p>(text: &'p str, mut each: impl FnMut(List, &str, &'p str)) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let reader = &mut Reader::over_part(text).refusing_misspelt_case();
    members!(reader, {
        "requests" => read_list(reader, |key, value| each(List::Requests, key, value))?,
        "limits" => read_list(reader, |key, value| each(List::Limits, key, value))?,
    })
    .map(drop)
}

fn read_list<'p>(reader: &mut Reader<'p>, mut each: impl FnMut(&str, &'p str)) -> Result<()> {
    reader
        .object(|reader, key| {
            each(key, reader.skip()?);
            Ok(())
        })
        .map(drop)
}

/// Whether a resource can be given to a pod as a whole, for its containers to share.
pub(super) fn is_of_pod(name: &str) -> bool {
    ["cpu", "memory"].contains(&name) || name.starts_with("hugepages-")
}

/// Whether a container without a limit of a resource takes what it likes of it. Of the others it gets what it asks for.
pub(super) fn is_taken_without_limit(name: &str) -> bool {
    ["cpu", "memory", "ephemeral-storage"].contains(&name)
}

/// What is wrong with the name of a resource in a policy, if anything is.
pub(super) fn fault_of_name(name: &str) -> Option<String> {
    let is_known = is_taken_without_limit(name) || is_of_pod(name);
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    let has_domain =
        name.split_once('/').is_some_and(|(domain, name)| !domain.is_empty() && !name.is_empty());
    (!(is_known || is_plain && has_domain)).then(|| {
        let what_to_do = match meant(name) {
            Some(meant) => format!(", did you mean {meant}?"),
            None => ": write cpu, memory, ephemeral-storage, hugepages-2Mi, or a name with its domain, as nvidia.com/gpu"
                .to_owned(),
        };
        format!("{name:?} is no resource of a container{what_to_do}")
    })
}

/// The native resource that is nearest to a name. `gpu` is not `cpu`, so of so short a name only another case counts.
fn meant(name: &str) -> Option<&'static str> {
    let is_cpu = name.eq_ignore_ascii_case("cpu");
    if is_cpu { Some("cpu") } else { nearest(name, ["memory", "ephemeral-storage"]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_as_kubernetes_reads_it() {
        for (text, request, limit) in [
            ("", None, None),
            ("null", None, None),
            ("{}", None, None),
            (r#"{"limits":null,"requests":{"memory":"1Gi"}}"#, None, None),
            (r#"{"limits":{"cpu":"2"}}"#, None, Some("2")),
            (r#"{"limits":{"cpu":2},"requests":{"cpu":"500m"}}"#, Some("500m"), Some("2")),
            (r#"{"limits":{"cpu":null},"claims":[{"name":"c"}]}"#, None, Some("null")),
        ] {
            let amounts = Amounts::read(text, "cpu").expect(text);
            let texts = [amounts.request, amounts.limit].map(|amount| amount.map(|amount| amount.text));
            assert_eq!(texts, [request, limit], "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_not_taken_for_none() {
        let amounts = Amounts::read(r#"{"limits":{"cpu":"2 cores"}}"#, "cpu").expect("an object");
        let limit = amounts.limit.expect("a limit");
        assert_eq!((limit.text, limit.quantity, limit.is_some()), ("2 cores", None, false));
        for text in [r#""x""#, "[]", r#"{"limits":[]}"#, r#"{"Limits":{}}"#, r#"{"limits":{"a":1,"a":2}}"#] {
            assert!(Amounts::read(text, "cpu").is_err(), "{text}");
        }
    }

    #[test]
    fn names_of_resources() {
        for name in ["cpu", "memory", "ephemeral-storage", "hugepages-2Mi", "nvidia.com/gpu"] {
            assert_eq!(fault_of_name(name), None, "{name}");
        }
        for name in ["", "CPU", "gpu", "storage", "nvidia.com/", "/gpu", "nvidia.com/*", "a b/c"] {
            assert!(fault_of_name(name).is_some(), "{name}");
        }
    }
}
