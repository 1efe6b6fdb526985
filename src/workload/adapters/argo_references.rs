//! Argo's references: the templates of another workflow, which run as if they were this one's.

use std::collections::HashSet;

use crate::path::Path;
use crate::workload::adapters::argo_pod::Level;
use crate::workload::adapters::argo_template::own;
use crate::workload::pattern::{Match, matches};
use crate::workload::template::Template;
use crate::yaml::Node;

/// The template of another workflow that a step names, and those that its own steps name there and elsewhere.
pub(super) fn template_elsewhere<'d>(
    level: &Level<'_, 'd>,
    path: &Path<'d>,
    reference: &'d Node,
) -> Vec<Template<'d>> {
    let mut reached = Reached::default();
    if level.follows {
        reached.follow(level, reference);
    } else {
        reached.unknown.push(reference);
    }
    let mut at = 0;
    while let Some((template, spec)) = reached.templates.get(at).copied() {
        at += 1;
        reached.go_on(level, template, spec);
    }
    let pods = reached.templates.iter().flat_map(|(template, _)| own(level, path, template));
    let unknown = reached.unknown.iter().map(|unknown| level.reference(path.clone(), unknown));
    pods.chain(unknown).map(|found| Template { path: path.clone(), ..found }).collect()
}

/// What a reference leads to, each once: workflows may call each other in circles.
#[derive(Default)]
struct Reached<'d> {
    /// Templates, with the spec that they are in.
    templates: Vec<(&'d Node, &'d Node)>,
    /// References to what is not known.
    unknown: Vec<&'d Node>,
    seen: HashSet<(usize, usize)>,
}

impl<'d> Reached<'d> {
    /// Adds the template that a reference names.
    fn follow(&mut self, level: &Level<'_, 'd>, reference: &'d Node) {
        let spec = level.referent(reference);
        let template = spec.and_then(|spec| Some((named(spec, reference.text_of("template"))?, spec)));
        match template {
            Some((template, spec)) => self.add(template, spec),
            None => self.unknown.push(reference),
        }
    }

    fn add(&mut self, template: &'d Node, spec: &'d Node) {
        if self.seen.insert((template.span.start, template.span.end)) {
            self.templates.push((template, spec));
        }
    }

    /// Adds what the steps of a template name.
    fn go_on(&mut self, level: &Level<'_, 'd>, template: &'d Node, spec: &'d Node) {
        let steps = ["steps[][]", "dag.tasks[]"].into_iter().flat_map(|pattern| matches(template, pattern));
        for step in steps {
            let (Match::Value(_, step) | Match::Unreadable(_, step)) = step;
            if let Some(inline) = step.get("inline") {
                self.add(inline, spec);
            }
            if let Some(named) = named(spec, step.text_of("template")) {
                self.add(named, spec);
            }
            if let Some(reference) = step.get("templateRef") {
                self.follow(level, reference);
            }
        }
    }
}

/// The template of a name.
fn named<'d>(spec: &'d Node, name: &str) -> Option<&'d Node> {
    let of_name = |template: &&Node| !name.is_empty() && template.text_of("name") == name;
    spec.items_at("templates").iter().find(of_name)
}

#[cfg(test)]
mod tests {
    use crate::workload::copy_budget::CopyBudget;
    use crate::workload::find::Carried;
    use crate::workload::kind::{Kinds, Object};
    use crate::workload::references::{References, Referent};
    use crate::yaml;

    /// The pods of a workflow, beside two workflow templates that call each other.
    fn pods(spec: &str) -> Vec<String> {
        let mut references = References::default();
        for (name, spec) in [
            (
                "a",
                "{hostPID: true, templates: [{name: m, steps: [[{template: x}, {templateRef: {name: b, template: z}}]]}, {name: x, container: {image: x}}, {name: unused, container: {image: u}}]}",
            ),
            (
                "b",
                "{templates: [{name: z, dag: {tasks: [{inline: {script: {image: z}}}, {templateRef: {name: a, template: m}}, {templateRef: {name: none}}]}}]}",
            ),
        ] {
            let node = yaml::read(&format!("spec: {spec}")).remove(0).expect(spec).root;
            let (api_version, kind) = ("argoproj.io/v1alpha1".to_owned(), "WorkflowTemplate".to_owned());
            let (file, namespace) = ("a.yaml".to_owned(), String::new());
            references.add(Referent { file, api_version, kind, namespace, name: name.to_owned(), node });
        }
        let node = yaml::read(&format!("spec: {spec}")).remove(0).expect(spec).root;
        let kinds = Kinds::default();
        let object = Object {
            node: &node,
            api_version: "argoproj.io/v1alpha1",
            kind: "Workflow",
            kinds: &kinds,
            namespace: "",
            references: &references,
            budget: &CopyBudget::of(usize::MAX),
        };
        let Carried::Templates(templates) = object.carried() else { return Vec::new() };
        let of_template = |template: &crate::workload::Template<'_>| {
            let pod = template.pod.as_ref().and_then(|pod| pod.get("spec"));
            let json = pod.map(|spec| String::from_utf8(spec.to_json()).expect("UTF-8")).unwrap_or_default();
            format!("{} {json}", template.path)
        };
        templates.iter().map(of_template).collect()
    }

    #[test]
    fn the_templates_of_others_are_judged_as_if_they_were_here() {
        for (spec, expected) in [
            (
                "{hostNetwork: true, templates: [{steps: [[{templateRef: {name: a, template: m}}]]}]}",
                &[
                    r#"spec.templates[0].steps[0][0].templateRef {"hostNetwork":true,"containers":[{"image":"x","name":"main"}]}"#,
                    r#"spec.templates[0].steps[0][0].templateRef {"hostNetwork":true,"containers":[{"image":"z","name":"main"}]}"#,
                    r#"spec.templates[0].steps[0][0].templateRef {"hostNetwork":true}"#,
                ][..],
            ),
            (
                "{hostNetwork: true, workflowTemplateRef: {name: b}}",
                &[
                    r#"spec.workflowTemplateRef {"hostNetwork":true,"containers":[{"image":"z","name":"main"}]}"#,
                    r#"spec.workflowTemplateRef {"hostNetwork":true,"containers":[{"image":"x","name":"main"}]}"#,
                    // The circle leads back once.
                    r#"spec.workflowTemplateRef {"hostNetwork":true,"containers":[{"image":"z","name":"main"}]}"#,
                    r#"spec.workflowTemplateRef {"hostNetwork":true}"#,
                ],
            ),
            ("{workflowTemplateRef: {name: none}}", &["spec.workflowTemplateRef "]),
        ] {
            let mut found = pods(spec);
            found.dedup();
            assert_eq!(found, expected, "{spec}");
        }
    }
}
