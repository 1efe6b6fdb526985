//! What the annotations of a pod and of its service account say.

use crate::identity::azure::error::bad_annotation;
use crate::identity::azure::settings::TokenEndpoint;
use crate::identity::azure_keys::{EXPIRATION, SKIP_CONTAINERS, is_binding};
use crate::identity::provider::InjectionError;
use crate::identity::service_account::ServiceAccount;
use crate::pod::Pod;
use crate::text::{Printable, PrintableKey, printable};

/// How long a token lasts if nobody says, in seconds.
const USUAL_SECONDS: i64 = 3600;
/// The bounds of azure-workload-identity: Kubernetes itself takes 600 and more.
const LEAST_SECONDS: i64 = 3600;
const MOST_SECONDS: i64 = 86_400;
/// Longest name of a container in a warning.
const LONGEST_NAME: usize = 28;

/// How long a token lasts, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expiration(pub(super) i64);

impl Expiration {
    /// As the pod says, or else its service account; an empty text says nothing.
    pub(super) fn of(
        pod: &Pod<'_>,
        account: &ServiceAccount,
        (namespace, name): (&str, &str),
    ) -> Result<Self, InjectionError> {
        let of_pod = pod.metadata.annotation(EXPIRATION).map(|value| (value, true));
        let of_account = account.annotation(EXPIRATION).map(|value| (value, false));
        let Some((value, is_of_pod)) =
            [of_pod, of_account].into_iter().flatten().find(|(value, _)| !value.is_empty())
        else {
            return Ok(Self(USUAL_SECONDS));
        };
        // Numbers are read as Go reads them: a sign and leading zeros, but no blank, unit or fraction.
        match value.parse::<i64>() {
            Ok(seconds) if (LEAST_SECONDS..=MOST_SECONDS).contains(&seconds) => Ok(Self(seconds)),
            _ => {
                let legal = format!("a whole number of seconds between {LEAST_SECONDS} and {MOST_SECONDS}");
                let holder = if is_of_pod {
                    "pod".to_owned()
                } else {
                    format!("service account {}/{}", Printable(namespace), PrintableKey(name))
                };
                Err(bad_annotation(EXPIRATION, &holder, value, &legal))
            }
        }
    }
}

/// Whether a pod is bound to the token endpoint of the cluster.
pub(super) fn is_bound(pod: &Pod<'_>, endpoint: &TokenEndpoint) -> bool {
    let mut annotations = pod.metadata.annotations.iter();
    let value = annotations.find(|(key, _)| is_binding(key, &endpoint.annotation_suffix));
    value.is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"))
}

/// The containers that are left alone: names between semicolons.
#[derive(Debug, Clone, Copy)]
pub(super) struct SkippedContainers<'p>(&'p str);

impl<'p> SkippedContainers<'p> {
    pub(super) fn of(pod: &'p Pod<'_>) -> Self {
        Self(pod.metadata.annotation(SKIP_CONTAINERS).unwrap_or_default())
    }

    fn names(self) -> impl Iterator<Item = &'p str> {
        self.0.split(';').map(str::trim).filter(|name| !name.is_empty())
    }

    pub(super) fn has(self, container: &str) -> bool {
        !self.0.is_empty() && self.names().any(|name| name == container)
    }

    /// Names no container of the pod: a container that was meant gets the identity all the same. `added` are the names of
    /// those that the pod will have besides.
    pub(super) fn warning(self, pod: &Pod<'_>, added: &[&str]) -> Option<String> {
        let is_container = |name: &str| {
            let spec = &pod.spec;
            added.contains(&name)
                || spec.init_containers.iter().chain(&spec.containers).any(|container| container.name == name)
        };
        let mut unknown = self.names().filter(|name| !is_container(name));
        let first = unknown.next()?;
        let more = match unknown.count() {
            0 => String::new(),
            more => format!(" (+{more})"),
        };
        let why = if first.contains(',') { "names stand between semicolons" } else { "no such container" };
        Some(format!("podgate: {SKIP_CONTAINERS} names {}{more}: {why}", printable(first, LONGEST_NAME)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;

    fn pod(annotations: &str) -> String {
        format!(
            r#"{{"metadata":{{"annotations":{annotations}}},"spec":{{"containers":[{{"name":"main"}}],"initContainers":[{{"name":"prep"}}]}}}}"#
        )
    }

    #[test]
    fn seconds_are_read_as_go_reads_them() {
        for (value, expected) in [
            ("", Some(7200)),
            ("3600", Some(3600)),
            ("86400", Some(86_400)),
            ("+7200", Some(7200)),
            ("00003600", Some(3600)),
            ("3599", None),
            ("86401", None),
            ("-3600", None),
            ("9223372036854775808", None),
            (" 3600", None),
            ("3600\\n", None),
            ("3600s", None),
            ("3_600", None),
            ("0xE10", None),
            ("1e4", None),
            ("3600.0", None),
            ("\u{0663}\u{0666}\u{0660}\u{0660}", None),
            ("+", None),
        ] {
            let text = pod(&format!(r#"{{"{EXPIRATION}":"{value}"}}"#));
            let pod = Pod::read(&mut Reader::over(&text)).expect("a pod");
            let account = ServiceAccount::new([(EXPIRATION, "7200")], []);
            let found = Expiration::of(&pod, &account, ("team", "trainer")).map(|found| found.0);
            assert_eq!(found.as_ref().ok().copied(), expected, "{value}");
            if let Err(error) = found {
                let shown = error.to_string();
                assert!(
                    error.code == 400 && shown.contains("of the pod") && shown.contains("86400"),
                    "{shown}"
                );
            }
        }
        let pod = Pod::default();
        let account = ServiceAccount::new([(EXPIRATION, "1")], []);
        assert!(
            Expiration::of(&pod, &account, ("team", "trainer"))
                .expect_err("1")
                .to_string()
                .contains("of the service account team/trainer")
        );
    }

    #[test]
    fn containers_are_skipped_by_their_exact_name() {
        for (value, is_skipped, warning) in [
            ("", false, None),
            (" ; ", false, None),
            ("main", true, None),
            ("prep;\\tmain\\n", true, None),
            ("Main", false, Some("names Main: no such container")),
            ("mian;x;main", true, Some("names mian (+1): no such container")),
            ("main,prep", false, Some("names main,prep: names stand between semicolons")),
            ("azwi-proxy", false, None),
        ] {
            let text = pod(&format!(r#"{{"{SKIP_CONTAINERS}":"{value}"}}"#));
            let pod = Pod::read(&mut Reader::over(&text)).expect("a pod");
            let skipped = SkippedContainers::of(&pod);
            assert_eq!(skipped.has("main"), is_skipped, "{value}");
            let found = skipped.warning(&pod, &["azwi-proxy"]);
            assert_eq!(found, warning.map(|text| format!("podgate: {SKIP_CONTAINERS} {text}")), "{value}");
        }
        let text = pod(&format!(r#"{{"{SKIP_CONTAINERS}":"{}"}}"#, "x,".repeat(200)));
        let pod = Pod::read(&mut Reader::over(&text)).expect("a pod");
        assert!(SkippedContainers::of(&pod).warning(&pod, &[]).expect("a warning").len() <= 120);
    }
}
