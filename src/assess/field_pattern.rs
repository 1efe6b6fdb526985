//! Whether a control looks at a field: the fields of its documentation, which have `{a,b}` for either and `[*]` for each.

use crate::path::Step;

/// How a path lies to a field that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// The field is in what the path leads to.
    Above,
    /// It is the field, or an item of its list.
    At,
    /// It is in the field.
    Below,
    /// They have nothing to do with each other.
    Apart,
}

/// How a path lies to a field as controls document it.
pub(super) fn relation(field: &str, path: &[Step<'_>]) -> Relation {
    let mut steps = path.iter();
    for part in parts(field) {
        let Some(step) = steps.next() else { return Relation::Above };
        let fits = match (part, step) {
            (Part::Each, Step::Index(_)) => true,
            (Part::Key(names), Step::Key(key)) => is_named(names, key),
            _ => false,
        };
        if !fits {
            return Relation::Apart;
        }
    }
    match steps.as_slice() {
        [] | [Step::Index(_)] => Relation::At,
        _ => Relation::Below,
    }
}

#[derive(Debug, Clone, Copy)]
enum Part<'f> {
    Key(&'f str),
    Each,
}

fn parts(field: &str) -> impl Iterator<Item = Part<'_>> {
    // A key in brackets has dots of its own.
    let (dotted, bracketed) = match field.split_once('[') {
        Some((before, rest)) if !rest.starts_with('*') => (before, Some(rest.trim_end_matches(']'))),
        _ => (field, None),
    };
    let of_part = |part| {
        let name = str::trim_end_matches(part, "[*]");
        [Some(Part::Key(name)), (name.len() < part.len()).then_some(Part::Each)].into_iter().flatten()
    };
    dotted.split('.').flat_map(of_part).chain(bracketed.map(Part::Key))
}

fn is_named(names: &str, key: &str) -> bool {
    let names = names.trim_start_matches('{').trim_end_matches('}');
    names.split(',').any(|name| match name.split_once(['*', '<']) {
        Some((start, _)) => key.starts_with(start),
        None => key == name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Path;

    #[test]
    fn a_path_is_related_to_the_fields_around_it() {
        let container = Path::from_dotted("spec.initContainers").index(3);
        let security = container.clone().key("securityContext");
        let drop = security.clone().key("capabilities").key("drop");
        let field = "spec.{containers,initContainers}[*].securityContext.capabilities.drop";
        let volume = Path::from_dotted("spec.volumes").index(0);
        let annotation = Path::from_dotted("metadata.annotations").key("a.b/c");
        for (field, path, expected) in [
            (field, &drop, Relation::At),
            (field, &drop.clone().index(1), Relation::At),
            (field, &drop.clone().index(1).key("x"), Relation::Below),
            (field, &security, Relation::Above),
            (field, &container, Relation::Above),
            (field, &Path::root(), Relation::Above),
            (field, &security.clone().key("privileged"), Relation::Apart),
            (field, &Path::from_dotted("spec.containers.a"), Relation::Apart),
            ("spec.volumes[*]", &volume, Relation::At),
            ("spec.volumes[*]", &volume.clone().key("name"), Relation::Below),
            ("metadata.annotations[a.b/*]", &annotation, Relation::At),
            ("metadata.annotations[d.b/*]", &annotation, Relation::Apart),
        ] {
            assert_eq!(relation(field, path), expected, "{field} {path}");
        }
    }
}
