//! The switch in force: read from a ConfigMap or a file, put over the policies, and taken off when it ends.
//!
//! The reviewer is made anew from the texts of the policies whenever these, the switch, or what the clock makes of it change, all
//! under one lock, so that neither a reload nor the switch can bring back what the other has replaced.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::admission::Reviewer;
use crate::cli::sources::Sources;
use crate::cluster::ConfigMapContent;
use crate::policy::{LONGEST_SWITCH_TEXT, PolicyError, PolicySwitch, SwitchState};
use crate::server::Metrics;
use crate::text::joined;

/// How often a file is looked at, and the clock while there is a switch: what an operator waits for is at most two seconds.
const STEP: Duration = Duration::from_secs(1);
/// How often a switch is told of as long as it is there.
const REMINDER: SignedDuration = SignedDuration::from_secs(60);
/// In effect never.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

/// The reviewer in force, which can be exchanged at any time.
pub(super) type SharedReviewer = Arc<ArcSwap<Reviewer>>;

/// A switch as it was read, or what is wrong with it; nothing where there is none.
pub(super) type ReadSwitch = Result<Option<PolicySwitch>, Vec<PolicyError>>;

/// The policies that are served, with the switch over them.
pub(super) struct SwitchedPolicies {
    served: Mutex<Served>,
    review: SharedReviewer,
    metrics: Arc<Metrics>,
    /// Whether a cluster keeps the snapshot of the reviewer current.
    is_live: bool,
}

struct Served {
    sources: Sources,
    read: ReadSwitch,
    state: SwitchState,
    /// When the switch was told of last.
    told: Option<Timestamp>,
}

impl SwitchedPolicies {
    /// The policies of the reviewer that is served, without a switch.
    pub(super) fn new(
        sources: Sources,
        review: SharedReviewer,
        metrics: Arc<Metrics>,
        is_live: bool,
    ) -> Self {
        let served = Served { sources, read: Ok(None), state: SwitchState::Off, told: None };
        Self { served: Mutex::new(served), review, metrics, is_live }
    }

    /// Puts other policies in force, under the same switch, and returns what is served then. To be called where it may block.
    ///
    /// # Errors
    /// What is wrong with them. Those in force stay.
    pub(super) fn put_sources(&self, sources: Sources, now: Timestamp) -> Result<Arc<Reviewer>> {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut served.sources, sources);
        if let Err(error) = self.renew(&mut served, now) {
            served.sources = before;
            return Err(error);
        }
        // Whatever it now is, it is told.
        served.told = None;
        Ok(self.review.load_full())
    }

    /// Puts a switch in force, or what the clock makes of the known one. Returns whether there is one for the clock to look at
    /// again. To be called where it may block.
    pub(super) fn put_switch(&self, read: &ReadSwitch, now: Timestamp) -> bool {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let has_changed = is_other(&served.read, read);
        let has_ended = matches!(&served.state, SwitchState::InForce(switch) if switch.until <= now);
        if has_changed || has_ended {
            served.read.clone_from(read);
            served.told = None;
            if let Err(error) = self.renew(&mut served, now) {
                // They were in order when they were put in force.
                tracing::error!(target: SWITCH, error = format!("{error:#}"), "the policies could not be switched");
            }
        }
        // A clock that was set back must not silence it.
        let is_due = |told: Timestamp| now.duration_since(told).abs() >= REMINDER;
        if served.told.is_none_or(is_due) && is_to_be_told(&served.state, has_changed || has_ended) {
            served.told = Some(now);
            tell(&served.state);
        }
        !matches!(served.state, SwitchState::Off | SwitchState::Ended(_))
    }

    /// Makes the reviewer by the sources and what is to be done about the switch now.
    fn renew(&self, served: &mut Served, now: Timestamp) -> Result<()> {
        let is_in_force = matches!((&served.state, &served.read), (SwitchState::InForce(known), Ok(Some(read))) if known == read);
        let mut state = SwitchState::Off;
        let mut switched: Vec<Arc<str>> = Vec::new();
        let reviewer = served.sources.reviewer_by(|policies| {
            state = SwitchState::of(served.read.clone(), &policies, now, is_in_force);
            let SwitchState::InForce(switch) = &state else { return policies };
            let names = policies.security.iter().map(|policy| &policy.name);
            switched = names.filter(|name| switch.has(name)).cloned().collect();
            policies.switched(switch)
        })?;
        self.publish(&reviewer);
        let until = match &state {
            SwitchState::InForce(switch) => Some(switch.until.into()),
            SwitchState::Off | SwitchState::Ended(_) | SwitchState::Faulty(_) => None,
        };
        self.metrics.switched(switched.iter().map(AsRef::as_ref), until);
        self.metrics.switch_faulty(matches!(state, SwitchState::Faulty(_)));
        served.state = state;
        Ok(())
    }

    fn publish(&self, reviewer: &Reviewer) {
        if self.is_live {
            // Resolved before it is put in force, and once more if the cluster has changed meanwhile.
            let ready = reviewer.with_snapshot(Arc::clone(self.review.load().snapshot()));
            self.review.rcu(|current| ready.with_snapshot(Arc::clone(current.snapshot())));
        } else {
            self.review.store(Arc::new(reviewer.clone()));
        }
    }

    /// Follows a switch as it is read, and the clock, for ever.
    pub(super) async fn follow(
        self: Arc<Self>,
        mut read: watch::Receiver<ReadSwitch>,
        now: impl Fn() -> Timestamp,
    ) {
        let mut has_switch = false;
        loop {
            let pause = if has_switch { STEP } else { NEVER };
            tokio::select! {
                changed = read.changed() => if changed.is_err() {
                    // Nobody reads it any more: what was read last holds until its end.
                    sleep(STEP).await;
                },
                () = sleep(pause) => {}
            }
            let (policies, seen, at) = (Arc::clone(&self), read.borrow_and_update().clone(), now());
            // One that could not be looked at is looked at again.
            has_switch = spawn_blocking(move || policies.put_switch(&seen, at)).await.unwrap_or(true);
        }
    }
}

/// The target of lines about the switch, which are never left out: there is one a minute.
const SWITCH: &str = "podgate::switch";

/// Whether there is anything to say of a switch; of one that is not there only when that is new.
fn is_to_be_told(state: &SwitchState, is_new: bool) -> bool {
    match state {
        SwitchState::InForce(_) | SwitchState::Faulty(_) => true,
        SwitchState::Off | SwitchState::Ended(_) => is_new,
    }
}

fn tell(state: &SwitchState) {
    match state {
        SwitchState::Off => {
            tracing::warn!(target: SWITCH, "there is no switch any more: policies hold as they are written")
        }
        SwitchState::InForce(switch) => tracing::error!(
            target: SWITCH,
            policies = switch.names_text(),
            until = switch.end(),
            reason = switch.reason,
            owner = switch.owner,
            file = switch.file,
            "policies are switched to Audit: they refuse, warn of and fill in nothing"
        ),
        SwitchState::Ended(switch) => tracing::warn!(
            target: SWITCH,
            policies = switch.names_text(),
            until = switch.end(),
            file = switch.file,
            "the switch has ended: policies hold as they are written"
        ),
        SwitchState::Faulty(faults) => tracing::error!(
            target: SWITCH,
            error = %joined(faults.iter(), "; "),
            "the switch is not in force: policies hold as they are written"
        ),
    }
}

/// Passes on what was read, if it is new.
pub(super) fn send(read: &watch::Sender<ReadSwitch>, new: ReadSwitch) {
    read.send_if_modified(|known| {
        let is_new = is_other(known, &new);
        *known = new;
        is_new
    });
}

/// Whether a switch was read that differs from the known one.
fn is_other(known: &ReadSwitch, read: &ReadSwitch) -> bool {
    match (known, read) {
        (Ok(None), Ok(None)) => false,
        (Ok(Some(known)), Ok(Some(read))) => known != read,
        (Err(known), Err(read)) => known != read,
        (Ok(_), Ok(_) | Err(_)) | (Err(_), Ok(_)) => true,
    }
}

/// What a ConfigMap of this namespace says.
pub(super) fn read_config_map(namespace: &str, content: Option<&ConfigMapContent>) -> ReadSwitch {
    let Some(ConfigMapContent { data, has_binary }) = content else { return Ok(None) };
    PolicySwitch::of_config_map(namespace, data, *has_binary).map(Some)
}

/// Reads a file again and again; without one there is no switch.
pub(super) async fn follow_file(path: PathBuf, read: watch::Sender<ReadSwitch>) {
    let mut ticks = interval(STEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let path = path.clone();
        let Ok(new) = spawn_blocking(move || read_file(&path)).await else { continue };
        send(&read, new);
    }
}

fn read_file(path: &Path) -> ReadSwitch {
    let name = path.display().to_string();
    match read_bounded(path) {
        Ok(text) => PolicySwitch::read(&name, &text).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(vec![PolicyError {
            file: name,
            line: 1,
            column: 1,
            message: format!("cannot be read: {error}"),
        }]),
    }
}

/// As much of a file as a switch may be long, and a byte more. What is no file (a device, a pipe) might never end, or never begin.
fn read_bounded(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    let most = u64::try_from(LONGEST_SWITCH_TEXT).unwrap_or(u64::MAX).saturating_add(1);
    fs::File::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {

    use clap::Parser;
    use tempfile::TempDir;
    use tokio::time::Instant;

    use super::*;
    use crate::admission::Webhook;
    use crate::cli::sources::SourceArgs;
    use crate::policy::{Answers, LookupError};

    const POLICY: &str = "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {name: p}\n\
                          spec: {match: {namespaces: [team]}, standard: {enforce: baseline}}\n";
    const REVIEW: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u",
        "operation":"CREATE","namespace":"team","resource":{"group":"","version":"v1","resource":"pods"},
        "kind":{"group":"","version":"v1","kind":"Pod"},"object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},
        "spec":{"hostPID":true,"containers":[{"name":"c","image":"i"}]}}}}"#;

    #[derive(clap::Parser)]
    struct Args {
        #[command(flatten)]
        sources: SourceArgs,
    }

    struct World {
        folder: TempDir,
        policies: Arc<SwitchedPolicies>,
        start: Instant,
    }

    fn switch(policies: &str, until: &str) -> ReadSwitch {
        PolicySwitch::read("s", &format!("policies: {policies}\nuntil: {until}\nreason: r\nowner: o\n"))
            .map(Some)
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("p.yaml"), POLICY).unwrap();
            let sources = Self::sources(&folder);
            let review = Arc::new(ArcSwap::from_pointee(sources.reviewer().unwrap()));
            let metrics = Arc::new(Metrics::new().unwrap());
            let policies = Arc::new(SwitchedPolicies::new(sources, review, metrics, false));
            Self { folder, policies, start: Instant::now() }
        }

        fn sources(folder: &TempDir) -> Sources {
            let path = folder.path().to_str().unwrap();
            Args::parse_from(["podgate", "--policy", path]).sources.read().unwrap()
        }

        /// The time of the clock that is handed in: it begins at 1970, and goes with tokio's.
        fn now(start: Instant) -> Timestamp {
            at(start.elapsed().as_secs())
        }

        /// The code of the answer to a pod that the policy refuses, and the audit annotation of the switch.
        fn answer(&self) -> (u16, Option<String>) {
            let reviewer = self.policies.review.load();
            let answer = reviewer
                .answer(Webhook::Validate, REVIEW.as_bytes(), Answers::default(), |_| {
                    Err(LookupError::Failed)
                })
                .unwrap();
            let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            let note = body.pointer("/response/auditAnnotations/switch").and_then(serde_json::Value::as_str);
            (answer.decision.code, note.map(ToOwned::to_owned))
        }

        fn metric(&self, series: &str) -> Option<String> {
            let text = self.policies.metrics.render().unwrap();
            text.lines().find_map(|line| line.strip_prefix(series)).map(|value| value.trim().to_owned())
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap()
    }

    fn note(until: &str) -> Option<String> {
        Some(format!("p is switched to Audit until {until}: r"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_switch_holds_until_its_end_by_the_clock_that_is_handed_in() {
        let world = World::new();
        let (sender, receiver) = watch::channel(Ok(None));
        let start = world.start;
        let task = tokio::spawn(Arc::clone(&world.policies).follow(receiver, move || World::now(start)));
        sleep(Duration::from_secs(5)).await;
        assert_eq!(world.answer(), (403, None));
        sender.send(switch("'*'", "1970-01-01T00:01:40Z")).unwrap();
        sleep(STEP).await;
        assert_eq!(world.answer(), (200, note("1970-01-01T00:01:40Z")));
        assert_eq!(world.metric("podgate_switch_active{policy=\"p\"}").as_deref(), Some("1"));
        assert_eq!(world.metric("podgate_switch_end_timestamp_seconds").as_deref(), Some("100"));
        sleep(Duration::from_secs(93)).await;
        assert_eq!(world.answer(), (200, note("1970-01-01T00:01:40Z")));
        sleep(Duration::from_secs(2)).await;
        assert_eq!(world.answer(), (403, None));
        assert_eq!(world.metric("podgate_switch_active{policy=\"p\"}"), None);
        assert_eq!(world.metric("podgate_switch_end_timestamp_seconds").as_deref(), Some("0"));
        // The same again, with a later end; then it is taken away.
        sender.send(switch("[p]", "1970-01-02T00:00:00Z")).unwrap();
        sleep(STEP).await;
        assert_eq!(world.answer().0, 200);
        sender.send(Ok(None)).unwrap();
        sleep(STEP).await;
        assert_eq!(world.answer(), (403, None));
        // What nobody reads any more ends all the same.
        sender.send(switch("[p]", "1970-01-01T00:02:30Z")).unwrap();
        sleep(STEP).await;
        assert_eq!(world.answer().0, 200);
        drop(sender);
        sleep(Duration::from_secs(60)).await;
        assert_eq!(world.answer(), (403, None));
        task.abort();
    }

    #[test]
    fn a_faulty_switch_leaves_its_policies_enforced() {
        let world = World::new();
        for (faulty, now) in [
            (switch("[q]", "1970-01-02T00:00:00Z"), 0),
            (switch("[p, q]", "1970-01-02T00:00:00Z"), 0),
            (switch("'*'", "1970-02-02T00:00:00Z"), 0),
            (switch("'*'", "soon"), 0),
            (PolicySwitch::read("s", "policies: '*'\nreason: r\nowner: o\n").map(Some), 0),
        ] {
            world.policies.put_switch(&switch("[p]", "1970-01-02T00:00:00Z"), at(now));
            assert_eq!(world.answer().0, 200);
            world.policies.put_switch(&faulty, at(now));
            assert_eq!(world.answer(), (403, None), "{faulty:?}");
            assert_eq!(world.metric("podgate_switch_faulty").as_deref(), Some("1"), "{faulty:?}");
        }
        world.policies.put_switch(&switch("'*'", "1970-01-02T00:00:00Z"), at(90_000));
        assert_eq!(world.answer(), (403, None));
        assert_eq!(world.metric("podgate_switch_faulty").as_deref(), Some("0"));
    }

    /// Policies that are read again stay switched, and faulty ones change nothing.
    #[test]
    fn a_reload_keeps_the_switch() {
        let world = World::new();
        world.policies.put_switch(&switch("[p]", "1970-01-02T00:00:00Z"), Timestamp::UNIX_EPOCH);
        let put = |text: &str| {
            fs::write(world.folder.path().join("p.yaml"), text).unwrap();
            world.policies.put_sources(World::sources(&world.folder), Timestamp::UNIX_EPOCH).is_ok()
        };
        assert!(put(&POLICY.replace("baseline", "restricted")));
        assert_eq!(world.answer(), (200, note("1970-01-02T00:00:00Z")));
        assert!(!put(&POLICY.replace("baseline", "strict")));
        assert_eq!(world.answer(), (200, note("1970-01-02T00:00:00Z")));
        world.policies.put_switch(&Ok(None), Timestamp::UNIX_EPOCH);
        assert_eq!(world.answer(), (403, None));
        world.policies.put_switch(&switch("[p]", "1970-01-02T00:00:00Z"), Timestamp::UNIX_EPOCH);
        assert_eq!(world.answer().0, 200);
        // It no longer names a policy that is there.
        assert!(put(&POLICY.replace("name: p", "name: r")));
        assert_eq!(world.answer(), (403, None));
    }

    /// Whoever takes a policy away in an incident does not bring back another one.
    #[test]
    fn a_switch_in_force_outlives_one_of_its_policies() {
        let world = World::new();
        let put = |text: &str| {
            fs::write(world.folder.path().join("p.yaml"), text).unwrap();
            world.policies.put_sources(World::sources(&world.folder), Timestamp::UNIX_EPOCH).unwrap();
        };
        let other = POLICY.replace("name: p", "name: q").replace("[team]", "[other]");
        let both = switch("[p, q]", "1970-01-02T00:00:00Z");
        put(&[POLICY, "---\n", &other].concat());
        world.policies.put_switch(&both, Timestamp::UNIX_EPOCH);
        assert_eq!(world.answer().0, 200);
        put(POLICY);
        assert_eq!(world.answer(), (200, note("1970-01-02T00:00:00Z")));
        assert_eq!(world.metric("podgate_switch_faulty").as_deref(), Some("0"));
        // Who writes one anew names what is there.
        world.policies.put_switch(&Ok(None), Timestamp::UNIX_EPOCH);
        world.policies.put_switch(&both, Timestamp::UNIX_EPOCH);
        assert_eq!(world.answer(), (403, None));
    }

    #[test]
    fn what_is_no_file_or_too_long_is_a_fault_and_is_not_read_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let fault = |path: &Path| read_file(path).unwrap_err()[0].message.clone();
        assert_eq!(fault(folder.path()), "cannot be read: it is no regular file");
        assert_eq!(fault(Path::new("/dev/zero")), "cannot be read: it is no regular file");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert_eq!(fault(&path), "cannot be read: it is no regular file");
        fs::remove_file(&path).unwrap();
        // A file of a terabyte that takes no room.
        fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(fault(&path), "a switch is shorter than 16 KiB");
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_followed_and_none_is_no_switch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("switch.yaml");
        let (sender, mut receiver) = watch::channel(Ok(None));
        let task = tokio::spawn(follow_file(path.clone(), sender));
        let words = |read: &ReadSwitch| match read {
            Ok(None) => "none".to_owned(),
            Ok(Some(switch)) => switch.end(),
            Err(faults) => faults.first().map(ToString::to_string).unwrap_or_default(),
        };
        fs::write(&path, "policies: '*'\nuntil: 2027-03-31T18:00:00Z\nreason: r\nowner: o\n").unwrap();
        receiver.changed().await.unwrap();
        assert_eq!(words(&receiver.borrow_and_update()), "2027-03-31T18:00:00Z");
        fs::write(&path, [0xff]).unwrap();
        receiver.changed().await.unwrap();
        let unread = words(&receiver.borrow_and_update());
        assert!(unread.contains("switch.yaml:1:1: cannot be read: "), "{unread}");
        fs::remove_file(&path).unwrap();
        receiver.changed().await.unwrap();
        assert_eq!(words(&receiver.borrow_and_update()), "none");
        task.abort();
    }
}
