//! Where the fields of a template stand in its object, and in the text.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

use smallvec::SmallVec;

use crate::path::{Path, Step};
use crate::workload::references::{References, Referent};
use crate::yaml::{Node, Span};

/// Where the fields of a template stand in its object.
#[derive(Debug)]
pub enum Places<'d> {
    /// All under the path of the template, as in a pod.
    Template(Path<'d>),
    /// All of its `spec` under a path.
    Spec(Path<'d>),
    /// At several places, from which it was put together.
    Merged(Merged<'d>),
    /// In another object, or partly in others.
    Elsewhere(Box<Elsewhere<'d>>),
}

/// The places of a template that is in another object, or to which others have added values.
#[derive(Debug)]
pub struct Elsewhere<'d> {
    /// The places without what others have added: in the other object, if it is in one.
    own: Places<'d>,
    /// The object that it is in, if that is another one.
    home: Option<&'d Referent>,
    /// The objects that values may come from.
    references: &'d References,
}

/// The places of a template that was put together from several.
///
/// A value keeps its place in the text when it is copied, and no two values of an object have the same. So the place of a
/// value tells its path.
#[derive(Debug)]
pub struct Merged<'d> {
    object: &'d Node,
    /// The objects that parts of it may come from.
    references: &'d References,
    /// The path to the object, if it stands in another.
    outer: Path<'d>,
    /// The path of the template.
    base: Path<'d>,
    /// Where a field of the pod would stand that is absent.
    absent: Vec<(Path<'static>, Path<'d>)>,
    by_place: Rc<PlaceIndex<'d>>,
}

/// The paths of all values of an object by their places in the text: made when a finding asks for one, and once for all
/// templates of the object. What an alias stands for is written once, and may be meant at several paths.
pub(super) type PlaceIndex<'d> = OnceCell<HashMap<(usize, usize), SmallVec<[Path<'d>; 1]>>>;

/// A field of a template.
#[derive(Debug)]
pub struct Place<'d> {
    /// Its path in the object, or in the one that it comes from.
    pub field: String,
    /// The object that it comes from, if it is another one.
    pub referent: Option<&'d Referent>,
    /// Where it is written, or what it is missing from.
    pub span: Span,
    /// The alias that puts it there.
    pub alias: Option<Span>,
}

impl<'d> Places<'d> {
    /// Those of a template that was put together from parts of an object.
    pub(super) fn merged(object: &'d Node, references: &'d References, base: Path<'d>) -> Self {
        let (outer, absent, by_place) = (Path::root(), Vec::new(), Rc::default());
        Self::Merged(Merged { object, references, outer, base, absent, by_place })
    }

    /// Those of a template that is in another object, or to which others have added values.
    pub(super) fn elsewhere(self, home: Option<&'d Referent>, references: &'d References) -> Self {
        Self::Elsewhere(Box::new(Elsewhere { own: self, home, references }))
    }

    /// Shares the index of its object with other templates of it.
    pub(super) fn share(&mut self, object: &Node, index: &Rc<PlaceIndex<'d>>) {
        match self {
            Self::Merged(merged) if std::ptr::eq(merged.object, object) => merged.by_place = Rc::clone(index),
            Self::Elsewhere(elsewhere) => elsewhere.own.share(object, index),
            Self::Template(_) | Self::Spec(_) | Self::Merged(_) => {}
        }
    }

    /// Says where a field of the pod, and all in it, would stand that is absent.
    pub(super) fn would_be(&mut self, field: Path<'static>, path: Path<'d>) {
        if let Self::Merged(merged) = self {
            merged.absent.push((field, path));
        }
    }

    /// Where a field of the pod stands.
    #[must_use]
    pub fn locate(&self, pod: &Node, path: &Path<'_>) -> Place<'d> {
        let located = pod.locate(path);
        let place = |field: &Path<'_>, referent| Place {
            field: field.to_string(),
            referent,
            span: located.span,
            alias: located.alias,
        };
        match self {
            Self::Template(base) => place(&base.join(path), None),
            Self::Spec(base) => place(&base.join(under_spec(path)), None),
            Self::Merged(merged) => {
                let referent = merged.references.of_source(located.span.source());
                place(&merged.field(pod, path), referent)
            }
            Self::Elsewhere(elsewhere) => elsewhere.locate(pod, path),
        }
    }

    pub(super) fn within(self, outer: &Path<'d>) -> Self {
        match self {
            Self::Template(base) => Self::Template(outer.join(&base)),
            Self::Spec(base) => Self::Spec(outer.join(&base)),
            Self::Merged(merged) => Self::Merged(Merged { outer: outer.join(&merged.outer), ..merged }),
            Self::Elsewhere(elsewhere) => elsewhere.within(outer),
        }
    }

    /// The same, borrowing nothing. Of what was put together only the path of the template is kept.
    pub(super) fn into_owned<'o>(self) -> Places<'o> {
        match self {
            Self::Template(base) => Places::Template(base.into_owned()),
            Self::Spec(base) => Places::Spec(base.into_owned()),
            Self::Merged(merged) => Places::Spec(merged.outer.join(&merged.base).into_owned()),
            Self::Elsewhere(elsewhere) => elsewhere.own.into_owned(),
        }
    }
}

/// The path from the spec of a pod on.
fn under_spec<'s, 'a>(path: &'s Path<'a>) -> &'s [Step<'a>] {
    match path.steps() {
        [Step::Key(first), rest @ ..] if first == "spec" => rest,
        steps => steps,
    }
}

impl<'d> Elsewhere<'d> {
    fn locate(&self, pod: &Node, path: &Path<'_>) -> Place<'d> {
        let place = self.own.locate(pod, path);
        if place.referent.is_some() {
            return place;
        }
        match self.references.of_source(place.span.source()) {
            Some(referent) if !self.home.is_some_and(|home| std::ptr::eq(home, referent)) => {
                let field = field_in(referent, pod, path).unwrap_or_else(|| path.clone().into_owned());
                Place { field: field.to_string(), referent: Some(referent), ..place }
            }
            _ => Place { referent: self.home, ..place },
        }
    }

    /// What is in another object stays there.
    fn within(self, outer: &Path<'d>) -> Places<'d> {
        let own = if self.home.is_some() { self.own } else { self.own.within(outer) };
        own.elsewhere(self.home, self.references)
    }
}

/// The path, in the object that it comes from, of a field of a pod.
fn field_in(referent: &Referent, pod: &Node, path: &Path<'_>) -> Option<Path<'static>> {
    (0..=nearest_known(pod, path)).rev().find_map(|kept| {
        let node = pod.locate(path.get(..kept).unwrap_or_default()).node;
        let place = path_of(&referent.node, node.span)?;
        Some(place.join(path.get(kept..).unwrap_or_default()).into_owned())
    })
}

impl<'d> Merged<'d> {
    /// The path of a field of the pod in the object.
    fn field<'p>(&self, pod: &Node, path: &Path<'p>) -> Path<'p>
    where
        'd: 'p,
    {
        let known = nearest_known(pod, path);
        let would_be = self.absent.iter().filter(|(field, _)| field.len() > known);
        if let Some((field, place)) =
            would_be.filter(|(field, _)| path.starts_with(field)).max_by_key(|(field, _)| field.len())
        {
            let rest = path.get(field.len()..).unwrap_or_default();
            return self.outer.join(place).join(rest);
        }
        let mut kept = known;
        loop {
            let node = pod.locate(path.get(..kept).unwrap_or_default()).node;
            let rest = path.get(kept..).unwrap_or_default();
            if let Some(referent) = self.references.of_source(node.span.source())
                && let Some(place) = path_of(&referent.node, node.span)
            {
                return place.join(rest);
            }
            if let Some(places) = self.by_place().get(&(node.span.start, node.span.end)) {
                let place = places.iter().find(|place| place.starts_with(&self.base)).or(places.first());
                return place.map(|place| self.outer.join(place).join(rest)).unwrap_or_default();
            }
            if kept == 0 {
                return self.outer.join(&self.base).join(under_spec(path));
            }
            kept -= 1;
        }
    }

    fn by_place(&self) -> &HashMap<(usize, usize), SmallVec<[Path<'d>; 1]>> {
        self.by_place.get_or_init(|| {
            let mut places: HashMap<(usize, usize), SmallVec<[Path<'d>; 1]>> = HashMap::new();
            self.object.for_each(&mut Path::root(), &mut |path, node| {
                places.entry((node.span.start, node.span.end)).or_default().push(path.clone());
            });
            places
        })
    }
}

/// The path of what stands at a place of an object.
fn path_of<'d>(object: &'d Node, span: Span) -> Option<Path<'d>> {
    let mut found = None;
    object.for_each(&mut Path::root(), &mut |path, node| {
        if node.span == span && found.is_none() {
            found = Some(path.clone());
        }
    });
    found
}

/// How many steps of a path exist.
fn nearest_known(pod: &Node, path: &Path<'_>) -> usize {
    (0..=path.len())
        .rev()
        .find(|kept| pod.locate(path.get(..*kept).unwrap_or_default()).exact)
        .unwrap_or_default()
}
