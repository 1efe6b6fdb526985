//! Exceptions that want a look: those that end, those that another makes needless, and those that nobody uses.

use std::sync::Arc;

use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::cli::policy::check::log::ReadLog;
use crate::cli::policy::check::objects::UsedByObjects;
use crate::policy::{Exception, ExceptionPlaces, PolicySet};
use crate::text::quoted;

/// Most other exceptions that are named of one.
const MOST_NAMED: usize = 4;

/// The exceptions of all policies, and the day on which they are looked at.
pub(super) struct ExceptionCheck {
    exceptions: Vec<Arc<Exception>>,
    places: ExceptionPlaces,
    today: Date,
}

impl ExceptionCheck {
    pub(super) fn new(policies: &PolicySet, places: ExceptionPlaces, today: Date) -> Self {
        let exceptions = policies.security.iter().flat_map(|policy| policy.exceptions.iter().cloned());
        Self { exceptions: exceptions.collect(), places, today }
    }

    pub(super) fn today(&self) -> Date {
        self.today
    }

    /// The names of all, each with that of its policy.
    pub(super) fn names(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let names = |exception: &Arc<Exception>| (Arc::clone(&exception.name), Arc::clone(&exception.policy));
        self.exceptions.iter().map(names).collect()
    }

    /// What is to be said of them by themselves, in the order in which they are written.
    pub(super) fn of_policies(&self, policies: &PolicySet) -> Vec<String> {
        let mut warnings = Vec::new();
        for policy in &policies.security {
            for (index, exception) in policy.exceptions.iter().enumerate() {
                warnings.extend(self.ending(exception));
                let idle = exception.controls.iter().filter(|control| !policy.refuses_by(control));
                warnings.extend(idle.map(|control| {
                    let text = format!(
                        "names {}, for which this policy refuses no pod: all that it spares them is a warning or a note",
                        control.id
                    );
                    self.warning(exception, &text)
                }));
                let earlier = policy.exceptions.get(..index).unwrap_or_default();
                warnings.extend(self.beside_others(exception, earlier));
            }
        }
        warnings
    }

    /// What no pod of some objects uses, and what RBAC grants to nobody there.
    pub(super) fn by_objects(&self, seen: &UsedByObjects) -> Vec<String> {
        let mut warnings = Vec::new();
        for exception in self.in_force() {
            if seen.pods > 0 && !seen.used.contains(&exception.name) {
                let text =
                    format!("is used by no pod among the objects: take it out, or ask {}", exception.owner);
                warnings.push(self.warning(exception, &text));
            }
            if !exception.is_granted_by_rbac {
                continue;
            }
            let text = match seen.grants_to_anybody(&exception.name) {
                Some(true) => continue,
                Some(false) => "is granted to no service account by the Roles and bindings among the objects",
                None => {
                    "may be granted to nobody: not all Roles and bindings that would tell are among the objects"
                }
            };
            warnings.push(self.warning(exception, text));
        }
        warnings
    }

    /// What no line of a log names.
    pub(super) fn by_log(&self, log: &ReadLog) -> Vec<String> {
        let Some(span) = log.span() else { return vec![NO_REVIEW.to_owned()] };
        let unnamed = self.in_force().filter(|exception| !log.names(&exception.name));
        let warnings = unnamed.map(|exception| {
            let text = format!("is named by none of {span}: take it out, or ask {}", exception.owner);
            self.warning(exception, &text)
        });
        warnings.collect()
    }

    fn in_force(&self) -> impl Iterator<Item = &Exception> {
        self.exceptions.iter().map(AsRef::as_ref).filter(|exception| exception.expires >= self.today)
    }

    fn ending(&self, exception: &Exception) -> Option<String> {
        let Exception { expires, owner, .. } = exception;
        let text = if *expires < self.today {
            format!("has ended ({expires}): take it out, or ask {owner} whether it is to go on")
        } else if *expires <= self.today.saturating_add(1.month()) {
            format!("ends within a month ({expires}): ask {owner} whether it is to go on")
        } else {
            return None;
        };
        Some(self.warning(exception, &text))
    }

    /// What those that come before it in its policy make of it. Ended ones make nothing of others.
    fn beside_others(&self, exception: &Exception, earlier: &[Arc<Exception>]) -> Option<String> {
        if exception.expires < self.today {
            return None;
        }
        let earlier = || earlier.iter().filter(|earlier| earlier.expires >= self.today);
        if let Some(wider) = earlier().find(|earlier| earlier.shadows(exception)) {
            let text = format!("is shadowed: all that it covers is covered by {} before it", wider.name);
            return Some(self.warning(exception, &text));
        }
        let mut named: Vec<&str> = Vec::new();
        let mut more = 0;
        for other in earlier().filter(|earlier| earlier.overlaps(exception)) {
            if named.len() < MOST_NAMED { named.push(&other.name) } else { more += 1 }
        }
        let besides = if more > 0 { format!(" and {more} more") } else { String::new() };
        let text =
            format!("overlaps: some of what it covers is covered by {}{besides} as well", named.join(", "));
        (!named.is_empty()).then(|| self.warning(exception, &text))
    }

    fn warning(&self, exception: &Exception, text: &str) -> String {
        let Exception { name, policy, .. } = exception;
        let place = self.places.get(name).map(|place| format!("{place}: ")).unwrap_or_default();
        format!("{place}warning: exception {name} of {} {text}", quoted(policy))
    }
}

/// Of a log without reviews.
const NO_REVIEW: &str = "warning: the log holds no review, so that it cannot be told which exceptions are used: podgate serve \
                         writes them with --log-format json, unless --log-reviews is none or --log-level above info";
