//! What a verdict says of exceptions: which were used, which end soon, and which do not hold though they are about a refusal.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::Date;

use crate::evaluate::disposition::Disposition;
use crate::evaluate::excepted::{Excepted, ExceptionInDoubt};
use crate::evaluate::message::LONGEST_WARNING;
use crate::evaluate::verdict::{Judged, Verdict};
use crate::policy::{Actions, EXCEPTION_GROUP, EXCEPTION_RESOURCE, Exception, Standing, USE_EXCEPTION};
use crate::text::{Printable, PrintableKey, counted, cut};

/// Most exceptions that a refusal names: a policy may have a thousand.
const MOST_NAMED: usize = 4;

impl<'p> Verdict<'p> {
    /// The exceptions that let something be, each once, with the controls that it was broken in.
    #[must_use]
    pub fn used_exceptions(&self) -> Vec<(&'p Exception, Vec<&'static str>)> {
        let mut used: Vec<(&'p Exception, Vec<&'static str>)> = Vec::new();
        for Excepted { exception, active, .. } in &self.excepted {
            let id = active.control.id;
            match used.iter_mut().find(|(known, _)| std::ptr::eq(*known, *exception)) {
                Some((_, controls)) if controls.contains(&id) => {}
                Some((_, controls)) => controls.push(id),
                None => used.push((exception, vec![id])),
            }
        }
        used
    }

    /// The names of the exceptions that let something be, or may: whether they hold is not known.
    #[must_use]
    pub fn exceptions_in_play(&self) -> BTreeSet<Arc<str>> {
        let used = self.excepted.iter().map(|excepted| excepted.exception);
        let in_doubt = self.judged().filter(|judged| judged.active.has_exceptions());
        let in_doubt =
            in_doubt.flat_map(|judged| judged.active.exceptions_in_doubt(self.checked, judged.finding));
        used.chain(in_doubt).map(|exception| Arc::clone(&exception.name)).collect()
    }

    /// What is found that an exception may let be: whether it holds is not known.
    #[must_use]
    pub fn exceptions_in_doubt(&self) -> Vec<ExceptionInDoubt<'p>> {
        let mut in_doubt = Vec::new();
        for judged in self.judged().filter(|judged| judged.active.has_exceptions()) {
            if let Some(exception) = judged.active.exceptions_in_doubt(self.checked, judged.finding).next() {
                let (control, path) = (judged.control(), judged.finding.whole_path());
                let standing = exception.standing(self.checked);
                in_doubt.push(ExceptionInDoubt { control, path, exception, standing });
            }
        }
        in_doubt
    }

    /// The findings that exceptions let be, as others are judged.
    pub fn judged_excepted(&self) -> impl Iterator<Item = (Judged<'_, 'p>, &'p Exception)> {
        self.excepted.iter().map(|Excepted { policy, active, exception, finding }| {
            (Judged { policy, active, finding, disposition: Disposition::Excepted }, *exception)
        })
    }

    /// A warning for each exception that lets something be and ends soon.
    #[must_use]
    pub fn ending_warnings(&self) -> Vec<String> {
        let Some(today) = self.checked.origin.today else { return Vec::new() };
        // Who is told nothing of what is found is told nothing of what spares him that.
        let is_told = |excepted: &&Excepted<'_>| excepted.active.actions.deny || excepted.active.actions.warn;
        let mut warnings: Vec<String> = Vec::new();
        for excepted in self.excepted.iter().filter(is_told) {
            let warning = ending_warning(excepted.exception, today);
            warnings.extend(warning.filter(|warning| !warnings.contains(warning)));
        }
        warnings
    }

    /// A warning for each exception that is about what a pod is, or would be, refused for, and does not hold.
    pub(super) fn failed_warnings(&self) -> Vec<String> {
        let is_told = |actions: Actions| actions.deny || actions.warn;
        let failed = self.failed(is_told);
        let account = PrintableKey(self.checked.origin.account_of(self.checked.pod)).to_string();
        let why_not = |(exception, standing): &(&Exception, Standing<'_>)| {
            let Exception { name, owner, expires, .. } = exception;
            let text = match standing {
                Standing::Holds => return None,
                Standing::Ended => format!("exception {name} ended on {expires}: ask {owner}"),
                Standing::Undated => format!("whether exception {name} holds is not known without a date"),
                Standing::NotGranted => {
                    format!(
                        "exception {name} is for accounts that may use it, {account} may not: ask {owner}"
                    )
                }
                Standing::GrantUnknown(_) => {
                    format!("exception {name} may hold: whether {account} may use it is not known")
                }
                Standing::ControllerUnknown => {
                    format!("exception {name} may hold: which controller makes the pods is not known")
                }
            };
            Some(cut(format!("podgate: {text}"), LONGEST_WARNING))
        };
        failed.iter().take(MOST_NAMED).filter_map(why_not).collect()
    }

    /// A line for each exception that is about what the pod is refused for, and does not hold.
    #[must_use]
    pub fn failed_exceptions(&self) -> Vec<String> {
        let failed = self.failed(|actions| actions.deny);
        let more = failed.len().saturating_sub(MOST_NAMED);
        let named = failed.iter().take(MOST_NAMED);
        let mut lines: Vec<String> =
            named.filter_map(|(exception, standing)| self.why_not(exception, *standing)).collect();
        if more > 0 {
            lines.push(format!("{} besides would allow some of it", counted(more, "exception")));
        }
        lines
    }

    /// The exceptions that are about what remains of controls with such actions, and do not hold, with why.
    fn failed(&self, is_meant: impl Fn(Actions) -> bool) -> Vec<(&'p Exception, Standing<'p>)> {
        let mut failed: Vec<(&'p Exception, Standing<'p>)> = Vec::new();
        let meant =
            self.controls().filter(|(_, control)| is_meant(control.active.actions) && control.remains());
        for (_, control) in meant {
            control.active.check_failed_exceptions(self.checked, |exception, standing| {
                if !failed.iter().any(|(known, _)| std::ptr::eq(*known, exception)) {
                    failed.push((exception, standing));
                }
            });
        }
        // What has ended was in use; what is not granted may be meant for others.
        failed.sort_by_key(|(_, standing)| *standing == Standing::NotGranted);
        failed
    }

    fn why_not(&self, exception: &Exception, standing: Standing<'_>) -> Option<String> {
        let Exception { name, owner, expires, .. } = exception;
        let origin = self.checked.origin;
        let account = PrintableKey(origin.account_of(self.checked.pod));
        let namespace = Printable(origin.namespace);
        match standing {
            Standing::Holds => None,
            Standing::Ended => Some(format!(
                "the exception {name} allowed some of it until {expires} and has ended: ask {owner}"
            )),
            Standing::Undated => {
                Some(format!("whether the exception {name} holds is not known without a date"))
            }
            Standing::NotGranted => Some(format!(
                "the exception {name} would allow some of it if the service account {account} had the verb {USE_EXCEPTION} on \
                 {EXCEPTION_RESOURCE}.{EXCEPTION_GROUP}/{name} in the namespace {namespace}: whoever manages Roles there can \
                 grant it, or ask {owner}"
            )),
            Standing::GrantUnknown(why) => Some(format!(
                "whether the service account {account} may {USE_EXCEPTION} the exception {name} could not be told ({why}): try \
                 again, or ask {owner}"
            )),
            Standing::ControllerUnknown => Some(format!(
                "whether the exception {name} is for it is not known before its controller makes it: ask {owner}"
            )),
        }
    }
}

/// What is said of an exception that ends soon.
fn ending_warning(exception: &Exception, today: Date) -> Option<String> {
    let days = exception.days_left(today)?;
    let when = match days {
        0 => "today".to_owned(),
        days => format!("in {}", counted(usize::try_from(days).unwrap_or_default(), "day")),
    };
    let Exception { name, policy, owner, expires, .. } = exception;
    let text = format!("podgate: \"{policy}\": exception {name} ends {when} ({expires}): ask {owner}");
    Some(cut(text, LONGEST_WARNING))
}
