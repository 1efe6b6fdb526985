//! The rules of a SecurityPolicy: the controls that it turns on, and what follows from a violation of each.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::Value;

use crate::controls::{Check, CheckFn, CheckedPod, Configured, Control, Parameters, Standard};
use crate::finding::{Edit, Finding, Obstacles, Sink, Subject};
use crate::json::Reader;
use crate::pod::Pod;
use crate::policy::actions::{Actions, Mode, Relaxation};
use crate::policy::carried_over::report_new;
use crate::policy::exception::{Exception, Standing};

/// Controls that a policy turns on together, from one source.
#[derive(Debug)]
pub struct Rule {
    /// Where its controls come from.
    pub source: RuleSource,
    /// What follows from a violation, unless a control says otherwise.
    pub actions: Actions,
    /// Its controls, in the order of the registry. Policies that turn on the same share them.
    pub controls: Arc<[Arc<ActiveControl>]>,
}

/// Where the controls of a rule come from.
#[derive(Debug)]
pub enum RuleSource {
    /// A level and version of the Pod Security Standards.
    Standard(Standard),
    /// The `controls` of the policy.
    Extended,
}

/// A control as policies have turned it on: what every one of them does that has turned it on so.
#[derive(Debug, Clone)]
pub struct ActiveControl {
    /// The control.
    pub control: &'static Control,
    /// What follows from a violation. At least one action is on.
    pub actions: Actions,
    /// What would follow if the policy's mode were `Enforce`.
    pub enforced: Actions,
    /// The policy's own message, in place of our help.
    pub message: Option<Arc<str>>,
    /// Whether its policy has podgate itself make those of its fixes that are [defaults](crate::finding::Safety::Default).
    pub fills_in: bool,
    /// Whether it may refuse a volume for a token of the pod's service account, whatever its audience and life.
    pub may_refuse_token: bool,
    /// The exceptions of its policy that are about it.
    exceptions: Vec<Arc<Exception>>,
    check: ActiveCheck,
    /// Whether it is not filled in for a container that asks for user 0.
    leaves_root_alone: bool,
}

#[derive(Debug, Clone)]
enum ActiveCheck {
    Standard(CheckFn),
    Extended {
        check: Arc<dyn Check>,
        /// The parameters in JSON, which takes little memory and says whether two checks are the same.
        parameters: Box<str>,
    },
}

impl Rule {
    /// The rule of a standard in a policy of this mode, with some of its controls relaxed by their ids; what is absent may be
    /// filled in.
    ///
    /// Where a control is relaxed that replaces one of the baseline level, the latter holds as it would at baseline:
    /// relaxing what restricted asks for beyond it must not open the baseline.
    #[must_use]
    pub fn of_standard(
        standard: Standard,
        actions: Actions,
        (mode, fills_in): (Mode, bool),
        relaxed: &BTreeMap<&'static str, Relaxation>,
    ) -> Self {
        let mut controls = Vec::new();
        for (control, check) in standard.controls_with_replaced(|control| relaxed.contains_key(control.id)) {
            let enforced = match relaxed.get(control.id) {
                None => actions,
                Some(relaxation) => match relaxation.mode() {
                    Some(mode) => mode.downgrade(actions),
                    None => continue,
                },
            };
            let active = ActiveControl {
                control,
                actions: mode.downgrade(enforced),
                enforced,
                message: None,
                fills_in,
                may_refuse_token: false,
                exceptions: Vec::new(),
                check: ActiveCheck::Standard(check),
                leaves_root_alone: control.id == "runAsNonRoot" && relaxed.contains_key("runAsUser"),
            };
            controls.push(Arc::new(active.tried()));
        }
        let controls = controls.into();
        Self { source: RuleSource::Standard(standard), actions: mode.downgrade(actions), controls }
    }

    /// Its controls.
    pub fn controls(&self) -> impl Iterator<Item = &ActiveControl> {
        self.controls.iter().map(AsRef::as_ref)
    }

    /// Gives each control those of its policy's exceptions that are about it. Such a control is no longer one that others have.
    pub(super) fn except(&mut self, exceptions: &[Arc<Exception>]) {
        if exceptions.is_empty() {
            return;
        }
        let excepted = |active: &Arc<ActiveControl>| {
            let is_about = |exception: &&Arc<Exception>| exception.controls.contains(&active.control);
            let exceptions: Vec<_> = exceptions.iter().filter(is_about).cloned().collect();
            if exceptions.is_empty() {
                Arc::clone(active)
            } else {
                Arc::new(ActiveControl { exceptions, ..ActiveControl::clone(active) })
            }
        };
        self.controls = self.controls.iter().map(excepted).collect();
    }
}

/// `runAsNonRoot` is filled in beside user 0, since `runAsUser` refuses that user anyway. Where a policy relaxes `runAsUser`, such
/// a pod would be admitted and not start: it is filled in once that user is gone, if another policy asks for that.
fn leave_root_alone<'p>(pod: &Pod<'_>, finding: Finding<'p>) -> Finding<'p> {
    let container = finding.subject.container().and_then(|at| pod.container(at));
    let is_root = container.is_some_and(|container| pod.user_of(container) == Some(0));
    if is_root { finding.filled_in_without(Obstacles::ROOT_USER) } else { finding }
}

impl ActiveControl {
    /// An extended control with a mode of its own, if it has one, in a policy of this mode.
    #[must_use]
    pub fn extended(
        control: &'static Control,
        configured: Configured,
        own_mode: Option<Mode>,
        mode: Mode,
        message: Option<Arc<str>>,
    ) -> Self {
        let enforced = own_mode.unwrap_or_default().downgrade(Actions::ALL);
        let actions = mode.downgrade(enforced);
        let fills_in = fills_in(&configured.parameters);
        let Configured { check, parameters } = configured;
        let check = ActiveCheck::Extended { check, parameters: parameters.to_string().into() };
        let active = Self {
            control,
            actions,
            enforced,
            message,
            fills_in,
            may_refuse_token: false,
            exceptions: Vec::new(),
            check,
            leaves_root_alone: false,
        };
        active.tried()
    }

    /// The same once it has been tried what it makes of a token's volume, so that not every pod that is given one needs to be
    /// judged again: those that it accepts are told apart by what it allows, and it allows nothing like this by accident.
    fn tried(mut self) -> Self {
        const TOKEN: &str = r#"{"spec":{"volumes":[{"name":"token","projected":{"sources":[{"serviceAccountToken":
            {"path":"token","audience":"nobody.invalid","expirationSeconds":4294967296}}]}}]}}"#;
        let mut refuses = false;
        match Pod::read(&mut Reader::over(TOKEN)) {
            Ok(pod) => self.check(CheckedPod::new(&pod), &mut |finding| {
                refuses |= matches!(finding.subject, Subject::Volume(..));
            }),
            Err(_) => refuses = true,
        }
        self.may_refuse_token = refuses;
        self
    }

    /// The same with other consequences.
    pub(super) fn with_actions(&self, actions: Actions) -> Self {
        Self { actions, ..self.clone() }
    }

    /// Whether it fills in what a pod would otherwise be refused for.
    #[must_use]
    pub fn is_filling_in(&self) -> bool {
        self.fills_in && self.actions.deny
    }

    /// Whether it would if its policy, which is only tried out, were enforced.
    #[must_use]
    pub fn would_fill_in(&self) -> bool {
        self.fills_in && self.enforced.deny && !self.actions.deny
    }

    /// Looks at a pod, and reports each violation that no exception lets be; of an update, those of an extended control that
    /// the pod did not have before.
    pub fn check<'p>(&'p self, checked: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        if self.exceptions.is_empty() {
            return self.check_all(checked, sink);
        }
        self.check_all(checked, &mut |finding| {
            if self.exception_to(checked, &finding).is_none() {
                sink(finding);
            }
        });
    }

    /// Reports what exceptions let be, each with the first of them that does.
    pub fn check_excepted<'p>(
        &'p self,
        checked: CheckedPod<'p>,
        mut report: impl FnMut(Finding<'p>, &'p Exception),
    ) {
        if self.exceptions.is_empty() {
            return;
        }
        self.check_all(checked, &mut |finding| {
            if let Some(exception) = self.exception_to(checked, &finding) {
                report(finding, exception);
            }
        });
    }

    /// Calls back with the exceptions that are about a violation which none of them lets be, each time with why it does not.
    pub fn check_failed_exceptions<'p>(
        &'p self,
        checked: CheckedPod<'p>,
        mut report: impl FnMut(&'p Exception, Standing<'p>),
    ) {
        if self.exceptions.is_empty() {
            return;
        }
        self.check(checked, &mut |finding| {
            let covering =
                self.exceptions.iter().filter(|exception| exception.covers(checked, self.control, &finding));
            covering.for_each(|exception| report(exception, exception.standing(checked)));
        });
    }

    /// The exceptions that may let a finding be: whether they hold depends on what is not known.
    pub fn exceptions_in_doubt<'p>(
        &'p self,
        checked: CheckedPod<'p>,
        finding: &Finding<'p>,
    ) -> impl Iterator<Item = &'p Exception> {
        let in_doubt = move |exception: &&Exception| {
            exception.standing(checked).is_in_doubt() && exception.covers(checked, self.control, finding)
        };
        self.exceptions.iter().map(AsRef::as_ref).filter(in_doubt)
    }

    /// Whether any exception is about it.
    #[must_use]
    pub fn has_exceptions(&self) -> bool {
        !self.exceptions.is_empty()
    }

    /// The first exception that lets a finding be.
    fn exception_to(&self, checked: CheckedPod<'_>, finding: &Finding<'_>) -> Option<&Exception> {
        let mut holding = self.exceptions.iter().filter(|exception| {
            exception.standing(checked) == Standing::Holds && exception.covers(checked, self.control, finding)
        });
        holding.next().map(AsRef::as_ref)
    }

    fn check_all<'p>(&'p self, checked: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let pod = checked.pod;
        match &self.check {
            ActiveCheck::Standard(check) if self.leaves_root_alone => {
                check(pod, &mut |finding| sink(leave_root_alone(pod, finding)));
            }
            ActiveCheck::Standard(check) => check(pod, sink),
            ActiveCheck::Extended { check, .. } => report_new(check.as_ref(), checked, sink),
        }
    }

    /// Reports what has to be changed besides, where its fixes are made for these parts of a pod.
    pub fn besides<'p>(
        &'p self,
        pod: &'p Pod<'p>,
        filled: &mut dyn Iterator<Item = Subject<'p>>,
        edit: &mut dyn FnMut(Edit<'p>),
    ) {
        match &self.check {
            ActiveCheck::Standard(_) => {}
            ActiveCheck::Extended { check, .. } => check.besides(pod, filled, edit),
        }
    }

    /// The annotations of a pod's Namespace that it goes by.
    #[must_use]
    pub fn namespace_annotations(&self) -> &'static [&'static str] {
        match &self.check {
            ActiveCheck::Standard(_) => &[],
            ActiveCheck::Extended { check, .. } => check.namespace_annotations(),
        }
    }

    /// Whether it lets some users do what it refuses others.
    pub(super) fn has_writers(&self) -> bool {
        self.parameters().is_some_and(|parameters| parameters.get("writers").is_some())
    }

    /// Its parameters as they were understood; `None` for a control of the standard.
    #[must_use]
    pub fn parameters(&self) -> Option<Value> {
        match &self.check {
            ActiveCheck::Standard(_) => None,
            ActiveCheck::Extended { parameters, .. } => serde_json::from_str(parameters).ok(),
        }
    }
}

impl PartialEq for ActiveControl {
    fn eq(&self, other: &Self) -> bool {
        let is_same_check = match (&self.check, &other.check) {
            // One control has several checks only where the standard has changed it: each is a function of its own.
            (ActiveCheck::Standard(one), ActiveCheck::Standard(other)) => std::ptr::fn_addr_eq(*one, *other),
            (
                ActiveCheck::Extended { parameters: one, .. },
                ActiveCheck::Extended { parameters: other, .. },
            ) => one == other,
            (ActiveCheck::Standard(_), ActiveCheck::Extended { .. })
            | (ActiveCheck::Extended { .. }, ActiveCheck::Standard(_)) => false,
        };
        let Self {
            control,
            actions,
            enforced,
            message,
            fills_in,
            may_refuse_token,
            exceptions,
            leaves_root_alone,
            check: _,
        } = self;
        is_same_check
            // Each is of one policy alone.
            && exceptions.iter().map(Arc::as_ptr).eq(other.exceptions.iter().map(Arc::as_ptr))
            && *control == other.control
            && *actions == other.actions
            && *enforced == other.enforced
            && *message == other.message
            && *fills_in == other.fills_in
            && *may_refuse_token == other.may_refuse_token
            && *leaves_root_alone == other.leaves_root_alone
    }
}

impl Eq for ActiveControl {}

impl Hash for ActiveControl {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.control.number.hash(state);
        self.message.hash(state);
        match &self.check {
            ActiveCheck::Standard(_) => {}
            ActiveCheck::Extended { parameters, .. } => parameters.hash(state),
        }
    }
}

/// Whether the parameters of an extended control ask for its defaults.
fn fills_in(parameters: &Value) -> bool {
    Parameters::FILLING_IN.iter().filter_map(|name| parameters.get(name)).any(|value| match value {
        Value::Bool(is_on) => *is_on,
        Value::Null => false,
        Value::Array(values) => !values.is_empty(),
        Value::Number(_) | Value::String(_) | Value::Object(_) => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_control_fills_in_by_its_own_parameters() {
        for (parameters, expected) in [
            (json!({}), false),
            (json!({"fillIn": false, "default": null, "defaultAdd": [], "allowed": ["x"]}), false),
            (json!({"fillIn": true}), true),
            (json!({"default": "RuntimeDefault"}), true),
            (json!({"default": {"level": "s0"}}), true),
            (json!({"defaultAdd": ["CHOWN"]}), true),
        ] {
            assert_eq!(fills_in(&parameters), expected, "{parameters}");
        }
    }
}
