//! Secrets that a pod uses and its new service account does not list, where that account lets its pods use no others: the API
//! server will refuse the pod in words that its author cannot place.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::identity::ENFORCE_MOUNTABLE_SECRETS;
use crate::json::{Reader, Result, members};
use crate::mutate::identity::warning::warning;
use crate::text::printable;

/// Most secrets that are named.
const MOST_NAMED: usize = 4;
/// Longest name of a secret in a warning: the last part of a longer one tells nobody anything.
const LONGEST_NAME: usize = 40;

/// The names of secrets that are not listed, as many as are named.
struct Unlisted<'t, 'm> {
    names: BTreeSet<Cow<'t, str>>,
    mountable: &'m [Box<str>],
}

/// A warning for each secret, given the pod as its JSON text, the names that the account lists, and the pull secrets that the
/// pod keeps beside those of the account.
///
/// # Errors
/// When a part of the pod is of the wrong type.
pub(super) fn mountable_secret_warnings(
    text: &str,
    mountable: &[Box<str>],
    (kept, pull_secrets): (&[String], &[Box<str>]),
) -> Result<Vec<String>> {
    let mut unlisted = Unlisted { names: BTreeSet::new(), mountable };
    unlisted.read(&mut Reader::over(text))?;
    for name in kept.iter().filter(|name| !pull_secrets.iter().any(|listed| **listed == ***name)) {
        unlisted.names.insert(name.clone().into());
    }
    let named = unlisted.names.iter().take(MOST_NAMED).map(|name| {
        let name = printable(name, LONGEST_NAME);
        warning(&format!("{ENFORCE_MOUNTABLE_SECRETS}: the new service account does not list {name}"))
    });
    Ok(named.collect())
}

impl<'t> Unlisted<'t, '_> {
    fn add(&mut self, name: Cow<'t, str>) {
        let is_listed = self.mountable.iter().any(|listed| **listed == *name);
        if !name.is_empty() && !is_listed && self.names.len() < MOST_NAMED {
            self.names.insert(name);
        }
    }

    /// Reads what the API server looks at: the secrets of volumes and of variables.
    fn read(&mut self, reader: &mut Reader<'t>) -> Result<bool> {
        members!(reader, {
            "spec" => members!(reader, {
                "volumes" => reader.array(|reader, _| self.read_volume(reader).map(drop))?,
                "initContainers" => reader.array(|reader, _| self.read_container(reader).map(drop))?,
                "containers" => reader.array(|reader, _| self.read_container(reader).map(drop))?,
            })
            .map(drop)?,
        })
    }

    fn read_volume(&mut self, reader: &mut Reader<'t>) -> Result<bool> {
        members!(reader, {
            "secret" => members!(reader, { "secretName" => self.add(reader.string()?) }).map(drop)?,
        })
    }

    fn read_container(&mut self, reader: &mut Reader<'t>) -> Result<bool> {
        members!(reader, {
            "envFrom" => reader.array(|reader, _| {
                members!(reader, {
                    "secretRef" => members!(reader, { "name" => self.add(reader.string()?) }).map(drop)?,
                })
                .map(drop)
            })?,
            "env" => reader.array(|reader, _| {
                members!(reader, {
                    "valueFrom" => members!(reader, {
                        "secretKeyRef" => members!(reader, { "name" => self.add(reader.string()?) }).map(drop)?,
                    })
                    .map(drop)?,
                })
                .map(drop)
            })?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_are_not_listed_are_named_once_and_not_all() {
        let pod = r#"{"metadata":{"name":"p"},"spec":{"volumes":[{"name":"a","secret":{"secretName":"s1"}},{"name":"b","emptyDir":{}},
            {"name":"c","secret":{"secretName":"listed"}}],"initContainers":[null],"containers":[{"env":[{"name":"X","value":"v"},
            {"name":"Y","valueFrom":{"secretKeyRef":{"name":"s2","key":"k"}}},
            {"name":"Z","valueFrom":{"secretKeyRef":{"name":"s1","key":"k"}}}]}]}}"#;
        let told = mountable_secret_warnings(pod, &["listed".into()], (&[], &[])).unwrap();
        let expected = ["s1", "s2"].map(|name| {
            format!("podgate: kubernetes.io/enforce-mountable-secrets: the new service account does not list {name}")
        });
        assert_eq!(told, expected);
        let volumes: Vec<String> =
            (0..9).map(|number| format!(r#"{{"secret":{{"secretName":"s{number}"}}}}"#)).collect();
        let pod = format!(r#"{{"spec":{{"volumes":[{}]}}}}"#, volumes.join(","));
        assert_eq!(mountable_secret_warnings(&pod, &[], (&[], &[])).unwrap().len(), MOST_NAMED);
        assert!(mountable_secret_warnings(r#"{"spec":{"volumes":{}}}"#, &[], (&[], &[])).is_err());
    }
}
