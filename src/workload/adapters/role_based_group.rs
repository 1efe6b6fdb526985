//! RoleBasedGroup: the pods of its roles. A role has its template, or refers to one of the `roleTemplates` of the group and
//! patches it; a role of leaders and workers may patch that once more for either. Templates to which no role refers make no
//! pod.

use crate::path::Path;
use crate::text::printable;
use crate::workload::kind::{Adapter, Object};
use crate::workload::merge::merge;
use crate::workload::pattern::{Match, matches};
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::{Unresolved, UnresolvedReason};
use crate::yaml::{Node, Value};

/// Longest name in a sentence, in characters.
const LONGEST_NAME: usize = 63;
/// The patches for leaders and for workers in v1alpha2, and those of v1alpha1.
const PATCHES: [&str; 2] = ["leaderTemplatePatch", "workerTemplatePatch"];
const OLD_PATCHES: [&str; 2] = ["patchLeaderTemplate", "patchWorkerTemplate"];

/// A group at `spec`.
pub(in crate::workload) const ROLE_BASED_GROUP: Adapter = Adapter {
    find: |object| group(object, "spec"),
    places: &[
        ("spec.roles[].template", Shape::PodTemplate),
        ("spec.roles[].templateRef", Shape::Reference),
        ("spec.roles[].leaderWorkerSet.patchLeaderTemplate", Shape::PodTemplate),
        ("spec.roles[].leaderWorkerSet.patchWorkerTemplate", Shape::PodTemplate),
        ("spec.roles[].components[].template", Shape::PodTemplate),
        ("spec.roles[].standalonePattern.template", Shape::PodTemplate),
        ("spec.roles[].standalonePattern.templateRef", Shape::Reference),
        ("spec.roles[].leaderWorkerPattern.template", Shape::PodTemplate),
        ("spec.roles[].leaderWorkerPattern.templateRef", Shape::Reference),
        ("spec.roles[].leaderWorkerPattern.leaderTemplatePatch", Shape::PodTemplate),
        ("spec.roles[].leaderWorkerPattern.workerTemplatePatch", Shape::PodTemplate),
        ("spec.roles[].customComponentsPattern.components[].template", Shape::PodTemplate),
        ("spec.roles[].engineRuntimes[]", Shape::Patch),
    ],
};

/// Groups made of `spec.template` (v1alpha1) or `spec.groupTemplate.spec` (v1alpha2).
pub(in crate::workload) const ROLE_BASED_GROUP_SET: Adapter = Adapter {
    find: |object| {
        let bases = ["spec.template", "spec.template.spec", "spec.groupTemplate.spec"];
        bases.into_iter().flat_map(|base| group(object, base)).collect()
    },
    places: &[
        ("spec.template.roles[].template", Shape::PodTemplate),
        ("spec.template.roles[].templateRef", Shape::Reference),
        ("spec.template.roles[].components[].template", Shape::PodTemplate),
        ("spec.groupTemplate.spec.roles[].standalonePattern.template", Shape::PodTemplate),
        ("spec.groupTemplate.spec.roles[].leaderWorkerPattern.template", Shape::PodTemplate),
        ("spec.groupTemplate.spec.roles[].customComponentsPattern.components[].template", Shape::PodTemplate),
        ("spec.groupTemplate.spec.roles[].engineRuntimes[]", Shape::Patch),
    ],
};

/// A group, of which roles take their templates.
struct Group<'o, 'd> {
    object: &'o Object<'d>,
    base: &'static str,
}

/// A pod as far as it is put together.
#[derive(Clone)]
struct Draft<'d> {
    path: Path<'d>,
    shape: Shape,
    pod: Option<Node>,
    unresolved: Vec<Unresolved>,
}

fn group<'d>(object: &Object<'d>, base: &'static str) -> Vec<Template<'d>> {
    let group = Group { object, base };
    let of_match = |found| match found {
        Match::Value(path, role) if role.is_object() => group.role(&path, role),
        Match::Value(path, node) | Match::Unreadable(path, node) => {
            vec![object.unreadable(path, node, Shape::PodTemplate, "an object")]
        }
    };
    matches(object.node, &format!("{base}.roles[]")).into_iter().flat_map(of_match).collect()
}

impl<'d> Group<'_, 'd> {
    fn role(&self, path: &Path<'d>, role: &'d Node) -> Vec<Template<'d>> {
        let mut found = Vec::new();
        let of_role = ["template", "templateRef", "templatePatch", "leaderWorkerSet"];
        if of_role.into_iter().any(|key| role.get(key).is_some()) {
            let patches = self.object_in(path, role, "leaderWorkerSet");
            found.extend(self.pods(path, role, patches, OLD_PATCHES));
        }
        for key in ["standalonePattern", "leaderWorkerPattern"] {
            match self.object_in(path, role, key) {
                Some(Ok((path, pattern))) => {
                    found.extend(self.pods(&path, pattern, Some(Ok((path.clone(), pattern))), PATCHES));
                }
                Some(Err(unreadable)) => found.push(unreadable),
                None => {}
            }
        }
        for pattern in ["components[].template", "customComponentsPattern.components[].template"] {
            found.extend(self.components(path, role, pattern));
        }
        if found.is_empty() {
            let text = "no pod template in this role";
            let unresolved = self.object.unresolved(path, UnresolvedReason::Fragment, text);
            found.push(Template::unjudged(path.clone(), Shape::PodTemplate, unresolved));
        }
        found.extend(self.engine_runtimes(path, role));
        found
    }

    /// The object at a key, where there is one; or the template that says that it cannot be read.
    fn object_in(
        &self,
        path: &Path<'d>,
        node: &'d Node,
        key: &'static str,
    ) -> Option<Result<(Path<'d>, &'d Node), Template<'d>>> {
        let value = node.get(key)?;
        let path = path.clone().key(key);
        Some(if value.is_object() {
            Ok((path, value))
        } else {
            Err(self.object.unreadable(path, value, Shape::PodTemplate, "an object"))
        })
    }

    fn components(&self, path: &Path<'d>, role: &'d Node, pattern: &str) -> Vec<Template<'d>> {
        let of_match = |found| match found {
            Match::Value(at, node) => self.object.template_at(path.join(&at), node),
            Match::Unreadable(at, node) => {
                self.object.unreadable(path.join(&at), node, Shape::PodTemplate, "an object or a list")
            }
        };
        matches(role, pattern).into_iter().map(of_match).collect()
    }

    /// The pods of a role: one; or one for leaders and one for workers, where either has a patch.
    fn pods(
        &self,
        path: &Path<'d>,
        source: &'d Node,
        patches: Option<Result<(Path<'d>, &'d Node), Template<'d>>>,
        keys: [&'static str; 2],
    ) -> Vec<Template<'d>> {
        if let Some(none) = self.object.without_room(path, Shape::PodTemplate) {
            return vec![none];
        }
        let base = self.base_of(path, source);
        let (at, patches) = match patches {
            Some(Ok(found)) => found,
            Some(Err(unreadable)) => return vec![self.template(base), unreadable],
            None => return vec![self.template(base)],
        };
        let mut pods: Vec<Draft<'d>> = Vec::new();
        for key in keys {
            let Some(patch) = patches.get(key) else { continue };
            let mut pod = base.clone();
            pod.path = at.clone().key(key);
            if pod.shape == Shape::Reference || pod.pod.is_none() {
                pod.shape = Shape::Patch;
            }
            self.apply(&mut pod, &at.clone().key(key), patch);
            pods.push(pod);
        }
        if pods.len() < keys.len() {
            pods.insert(0, base);
        }
        pods.into_iter().map(|pod| self.template(pod)).collect()
    }

    /// The template that stands in a role or a pattern of it, or to which that refers.
    fn base_of(&self, path: &Path<'d>, source: &'d Node) -> Draft<'d> {
        let of_path = |path| Draft { path, shape: Shape::PodTemplate, pod: None, unresolved: Vec::new() };
        if let Some(template) = source.get("template") {
            let mut pod = of_path(path.clone().key("template"));
            let at = pod.path.clone();
            self.apply(&mut pod, &at, template);
            return pod;
        }
        let Some(reference) = source.get("templateRef") else {
            let mut pod = of_path(path.clone());
            let text = "no pod template in this role";
            pod.unresolved.push(self.object.unresolved(path, UnresolvedReason::Fragment, text));
            return pod;
        };
        let mut pod = of_path(path.clone().key("templateRef"));
        self.refer(&mut pod, reference);
        let patches = [
            (pod.path.clone().key("patch"), reference.get("patch")),
            (path.clone().key("templatePatch"), source.get("templatePatch")),
        ];
        for (at, patch) in patches {
            if let Some(patch) = patch {
                self.apply(&mut pod, &at, patch);
            }
        }
        pod
    }

    /// Takes the template that a role refers to.
    fn refer(&self, pod: &mut Draft<'d>, reference: &'d Node) {
        let name = reference.text_of("name");
        let at = Path::from_dotted(self.base).key("roleTemplates");
        let templates = self.object.get(self.base).and_then(|group| group.get("roleTemplates"));
        let mut named = templates.map(Node::items).unwrap_or_default().iter().enumerate();
        let found = named.find(|(_, item)| item.text_of("name") == name && !name.is_empty());
        if let Some((index, item)) = found
            && let Some(template) = item.get("template")
        {
            return self.apply(pod, &at.index(index).key("template"), template);
        }
        let text = format!("its pod comes from roleTemplate {}", printable(name, LONGEST_NAME));
        let unresolved = self.object.unresolved(&pod.path, UnresolvedReason::Reference, text);
        pod.unresolved.push(unresolved.about("roleTemplate", name));
        pod.shape = Shape::Reference;
    }

    /// Merges what stands at a path.
    fn apply(&self, pod: &mut Draft<'d>, at: &Path<'d>, patch: &'d Node) {
        match (&patch.value, &mut pod.pod) {
            (Value::Mapping(_), Some(known)) => merge(known, patch),
            (Value::Mapping(_), none) => *none = Some(patch.clone()),
            _ => pod.unresolved.extend(self.object.unknown_part(at, patch)),
        }
    }

    fn template(&self, draft: Draft<'d>) -> Template<'d> {
        let Draft { path, shape, pod, unresolved } = draft;
        self.object.as_far_as_written(path, shape, pod, unresolved)
    }

    /// Containers that are merged into those of a profile.
    fn engine_runtimes(&self, path: &Path<'d>, role: &'d Node) -> Vec<Template<'d>> {
        let of_match = |found| match found {
            Match::Value(at, node) if node.is_object() => {
                node.get("containers")?;
                let (path, profile) = (path.join(&at), node.text_of("profileName"));
                let text = format!(
                    "it is merged into the containers of ClusterEngineRuntimeProfile {}",
                    printable(profile, LONGEST_NAME)
                );
                let needed = self.object.unresolved(&path, UnresolvedReason::Reference, text);
                let patch = Template::of_spec(path, Shape::Patch, Part::Overlay, node);
                Some(patch.lacking(needed.about("ClusterEngineRuntimeProfile", profile)))
            }
            Match::Value(at, node) | Match::Unreadable(at, node) => {
                Some(self.object.unreadable(path.join(&at), node, Shape::Patch, "an object"))
            }
        };
        matches(role, "engineRuntimes[]").into_iter().filter_map(of_match).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::{found, pods};

    fn group(spec: &str) -> String {
        format!("{{apiVersion: workloads.x-k8s.io/v1alpha2, kind: RoleBasedGroup, spec: {spec}}}")
    }

    #[test]
    fn templates_are_judged_where_roles_use_them() {
        let pod = "template: {spec: {containers: []}}";
        for (role, expected) in [
            ("template: {}", &["template podTemplate"][..]),
            ("template: '${X}'", &["template podTemplate placeholder,fragment"]),
            ("templateRef: {name: a}, templatePatch: {}", &["templateRef podTemplate"]),
            ("templateRef: {name: b}", &["templateRef reference reference"]),
            ("template: {}, leaderWorkerSet: {size: 2}", &["template podTemplate"]),
            (
                "template: {}, leaderWorkerSet: {patchLeaderTemplate: {}, patchWorkerTemplate: 5}",
                &[
                    "leaderWorkerSet.patchLeaderTemplate podTemplate",
                    "leaderWorkerSet.patchWorkerTemplate podTemplate wrongType,fragment",
                ],
            ),
            ("standalonePattern: {template: {}}", &["standalonePattern.template podTemplate"]),
            ("standalonePattern: '${X}'", &["standalonePattern podTemplate placeholder"]),
            (
                "leaderWorkerPattern: {templateRef: {name: a}, workerTemplatePatch: {}}",
                &[
                    "leaderWorkerPattern.templateRef podTemplate",
                    "leaderWorkerPattern.workerTemplatePatch podTemplate",
                ],
            ),
            (
                "leaderWorkerPattern: {templateRef: {name: b}, leaderTemplatePatch: {}, workerTemplatePatch: {}}",
                &[
                    "leaderWorkerPattern.leaderTemplatePatch patch reference",
                    "leaderWorkerPattern.workerTemplatePatch patch reference",
                ],
            ),
            (
                "customComponentsPattern: {components: [{template: {}}]}, engineRuntimes: [{containers: []}, {}]",
                &[
                    "customComponentsPattern.components[0].template podTemplate",
                    "engineRuntimes[0] patch reference",
                ],
            ),
        ] {
            let text = group(&format!("{{roleTemplates: [{{name: a, {pod}}}], roles: [{{{role}}}]}}"));
            let expected: Vec<String> =
                expected.iter().map(|entry| format!("spec.roles[0].{entry}")).collect();
            assert_eq!(found(&text), expected, "{role}");
        }
        assert_eq!(found(&group("{roles: [{name: a}]}")), ["spec.roles[0] podTemplate fragment"]);
        assert_eq!(found(&group("{roles: '${X}'}")), ["spec.roles podTemplate placeholder"]);
        let set = "{apiVersion: workloads.x-k8s.io/v1alpha2, kind: RoleBasedGroupSet, spec: {groupTemplate: {spec: {roles: \
                   [{template: {}}]}}}}";
        assert_eq!(found(set), ["spec.groupTemplate.spec.roles[0].template podTemplate"]);
    }

    #[test]
    fn patches_are_merged_in_their_order() {
        let text = group(
            "{roleTemplates: [{name: a, template: {spec: {b: 1, c: 1, d: 1}}}], roles: [{leaderWorkerPattern: {templateRef: \
             {name: a, patch: {spec: {c: 2, d: 2}}}, leaderTemplatePatch: {spec: {d: 3}}}}]}",
        );
        let expected = [r#"{"spec":{"b":1,"c":2,"d":2}}"#, r#"{"spec":{"b":1,"c":2,"d":3}}"#];
        assert_eq!(pods(&text), expected);
    }
}
