//! The kinds that are known, in one order: Kubernetes' own, those of the table, and those of a user.

use crate::text::nearest;
use crate::workload::{Carries, Kind, Kinds, Part, Shape, WORKLOADS, Workload};

/// The kinds that are known, by group and kind.
#[derive(Debug)]
pub struct ListedKinds {
    pub(super) kinds: Vec<ListedKind>,
}

/// A kind that is known.
#[derive(Debug)]
pub(super) struct ListedKind {
    /// Empty for the core group.
    pub(super) group: &'static str,
    /// Empty for all that no other row names.
    pub(super) versions: Vec<&'static str>,
    pub(super) kind: &'static str,
    pub(super) carries: ListedCarries,
    pub(super) places: Vec<ListedPlace>,
    pub(super) source: KindSource,
}

/// Where a kind has a pod.
#[derive(Debug)]
pub(super) struct ListedPlace {
    /// Empty for the object itself.
    pub(super) path: String,
    pub(super) shape: Shape,
    /// What follows where a field is absent; `None` where the operator's own rules say.
    pub(super) part: Option<Part>,
}

/// How the pods of a kind are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListedCarries {
    Templates,
    Adapter,
    Opaque,
    Nothing,
}

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KindSource {
    /// It is Kubernetes' own.
    Kubernetes,
    /// The table of custom resources.
    Table,
    /// A file.
    File,
}

impl ListedKinds {
    /// Kubernetes' own kinds, and these.
    #[must_use]
    pub fn new(kinds: &Kinds) -> Self {
        let mut listed: Vec<ListedKind> = WORKLOADS.iter().flat_map(of_workload).collect();
        listed.extend(kinds.added().iter().map(|row| of_row(row, KindSource::File)));
        listed.extend(Kinds::default().iter().map(|row| of_row(row, KindSource::Table)));
        listed.sort_by_key(|listed| (listed.group, listed.kind, listed.versions.clone()));
        Self { kinds: listed }
    }

    /// Those in whose group or kind one of these texts is, in whatever case.
    ///
    /// # Errors
    /// A text that is in none, as a sentence.
    pub fn retain(&mut self, texts: &[String]) -> Result<(), String> {
        let lower: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
        for (text, lower) in texts.iter().zip(&lower) {
            if !self.kinds.iter().any(|listed| listed.has(lower)) {
                return Err(self.not_found(text));
            }
        }
        self.kinds.retain(|listed| lower.is_empty() || lower.iter().any(|text| listed.has(text)));
        Ok(())
    }

    fn not_found(&self, text: &str) -> String {
        let names = self.kinds.iter().flat_map(|listed| [listed.kind, listed.group]);
        let meant = nearest(text, names).map_or(String::new(), |name| format!(", did you mean {name}?"));
        format!("no kind or group that is known has {text:?} in its name{meant}")
    }
}

impl ListedKind {
    fn has(&self, lower: &str) -> bool {
        [self.group, self.kind].iter().any(|name| name.to_lowercase().contains(lower))
    }
}

/// One for each group that Kubernetes has had the kind in.
fn of_workload(workload: &'static Workload) -> Vec<ListedKind> {
    let mut listed: Vec<ListedKind> = Vec::new();
    for api_version in workload.api_versions() {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        if let Some(known) = listed.iter_mut().find(|known| known.group == group) {
            known.versions.push(version);
            continue;
        }
        let path = workload.template_steps().to_string();
        let place = ListedPlace { path, shape: Shape::PodTemplate, part: Some(Part::Whole) };
        listed.push(ListedKind {
            group,
            versions: vec![version],
            kind: workload.kind,
            carries: ListedCarries::Templates,
            places: vec![place],
            source: KindSource::Kubernetes,
        });
    }
    listed
}

fn of_row(row: &Kind, source: KindSource) -> ListedKind {
    let carries = match row.carries {
        Carries::Templates(_) => ListedCarries::Templates,
        Carries::Adapter(_) => ListedCarries::Adapter,
        Carries::Opaque => ListedCarries::Opaque,
        Carries::Nothing => ListedCarries::Nothing,
    };
    ListedKind {
        group: row.group,
        versions: row.versions.to_vec(),
        kind: row.kind,
        carries,
        places: places(row),
        source,
    }
}

fn places(row: &Kind) -> Vec<ListedPlace> {
    let part_of = |path: &str| match row.carries {
        Carries::Templates(patterns) => {
            patterns.iter().find(|pattern| pattern.pattern == path).map(|pattern| pattern.part)
        }
        Carries::Adapter(_) | Carries::Opaque | Carries::Nothing => None,
    };
    row.places()
        .map(|(path, shape)| ListedPlace { path: path.to_owned(), shape, part: part_of(path) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::KindFiles;

    #[test]
    fn kinds_are_in_order_and_all_there() {
        let kinds = Kinds::default();
        let listed = ListedKinds::new(&kinds);
        let names: Vec<_> =
            listed.kinds.iter().map(|one| (one.group, one.kind, one.versions.clone())).collect();
        assert!(names.is_sorted());
        let mut distinct = names.clone();
        distinct.dedup();
        assert_eq!(distinct.len(), names.len(), "a row twice");
        let own = listed.kinds.iter().filter(|one| one.source == KindSource::Kubernetes).count();
        assert!(own >= WORKLOADS.len(), "{own}");
        assert_eq!(names.len() - own, kinds.iter().count());
    }

    #[test]
    fn a_filter_keeps_what_has_its_text() {
        let narrowed = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            let mut listed = ListedKinds::new(&Kinds::default());
            listed.retain(&texts)?;
            Ok::<_, String>(listed.kinds.iter().map(|one| one.kind).collect::<Vec<_>>())
        };
        assert_eq!(narrowed(&["xgboostj"]).unwrap(), ["XGBoostJob"]);
        assert_eq!(narrowed(&["TFJob", "xgboostjob"]).unwrap(), ["TFJob", "XGBoostJob"]);
        assert!(narrowed(&["ray.io"]).unwrap().contains(&"RayCluster"));
        assert!(narrowed(&[]).unwrap().len() > 100);
        let unknown = narrowed(&["PyTorchJbo"]).unwrap_err();
        assert!(unknown.ends_with("did you mean PyTorchJob?"), "{unknown}");
    }

    #[test]
    fn what_a_file_adds_is_listed_as_that() {
        let mut files = KindFiles::default();
        files.read(
            "a.yaml",
            "{apiVersion: podgate.dev/v1alpha1, kind: KindTable, spec: {kinds: [{group: example.com, kind: Run, \
             templates: [{path: spec.template, shape: podTemplate}]}]}}",
        );
        let listed = ListedKinds::new(&files.finish().expect("in order"));
        let added = listed.kinds.iter().find(|one| one.kind == "Run").expect("it is listed");
        assert_eq!((added.source, added.places.len()), (KindSource::File, 1));
    }
}
