//! The counters of Pod Security Admission, as two `/metrics` show them.

use std::collections::BTreeMap;

const FAMILIES: [&str; 3] =
    ["pod_security_errors_total", "pod_security_evaluations_total", "pod_security_exemptions_total"];
/// The subresources that we count by name; others are counted together.
const NAMED: [&str; 3] =
    [r#"subresource="""#, r#"subresource="ephemeralcontainers""#, r#"subresource="resize""#];

/// Every line about the three families: what it says, and its value. Series that differ only in a subresource that
/// we do not count by name are one.
pub(crate) fn counted(metrics: &str) -> BTreeMap<String, u64> {
    let mut lines = BTreeMap::new();
    for line in metrics.lines().filter(|line| FAMILIES.iter().any(|family| line.contains(family))) {
        let (what, value) = match line.rsplit_once(' ') {
            Some((series, value)) if !line.starts_with('#') => (in_common(series), value.parse().unwrap()),
            _ => (line.to_owned(), 1),
        };
        *lines.entry(what).or_default() += value;
    }
    lines
}

fn in_common(series: &str) -> String {
    let Some(at) = series.find("subresource=") else { return series.to_owned() };
    let subresource = &series[at..series.len() - 1];
    if NAMED.contains(&subresource) {
        return series.to_owned();
    }
    format!(r#"{}subresource="unknown"}}"#, &series[..at])
}
