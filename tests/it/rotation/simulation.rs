//! Replicas, API servers and whoever tampers with them, in simulated time.
//!
//! One thread polls the looks of all replicas by turns, in an order that a seed decides, and between any two
//! polls asks whether every API server would accept what every replica serves.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use podgate::certificates::{
    Clocks, NextLook, RotationEvent, RotationObserver, RotationSettings, RotationStatus, SecretChange,
    SelfManagedCertificate, ServerCertificate, TlsVersion, WebhookService,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::sync::Mutex as AsyncMutex;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::world::{Reach, World};

const SERVICE: &str = "podgate.podgate-system.svc";

/// What a replica has told, and what it serves.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) served: Option<ServerCertificate>,
    /// A number that no other certificate that is served has had.
    loads: u64,
    pub(crate) status: RotationStatus,
    pub(crate) events: Vec<RotationEvent>,
}

pub(crate) struct Ear(pub(crate) Arc<Mutex<Told>>);

impl RotationObserver for Ear {
    fn event(&self, event: &RotationEvent) {
        self.0.lock().unwrap().events.push(event.clone());
    }

    fn status(&self, status: &RotationStatus) {
        self.0.lock().unwrap().status = status.clone();
    }
}

static LOADS: AtomicU64 = AtomicU64::new(1);

type Look = Pin<Box<dyn Future<Output = NextLook>>>;

pub(crate) struct Replica {
    managed: Arc<AsyncMutex<SelfManagedCertificate<Reach>>>,
    look: Option<Look>,
    pub(crate) told: Arc<Mutex<Told>>,
    /// How far its clock is off, in seconds.
    pub(crate) skew: i64,
    due: Duration,
    idle: Option<Duration>,
}

/// What may happen to a replica in the middle of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InjectedFault {
    /// The process dies, and another one starts.
    Crash,
    /// The look takes too long, and is given up.
    GiveUp,
}

pub(crate) struct Simulation {
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) replicas: Vec<Replica>,
    look_every: Duration,
    base: Instant,
    /// Until when API servers may refuse: since somebody exchanged a bundle. `None` when it is not yet right.
    excused: Option<Duration>,
    /// What was checked last, and was well: versions, loads, and the minute.
    checked: Option<([u64; 4], Vec<u64>, u64)>,
    pub(crate) polls: usize,
    pub(crate) checks: usize,
    pub(crate) promotions: usize,
    /// At which poll, counted from the start, what happens to the replica that is polled.
    pub(crate) fault: Option<(usize, InjectedFault)>,
    /// One of how many polls is hit by a fault.
    pub(crate) one_blow_in: Option<usize>,
    pub(crate) faults: usize,
}

impl Simulation {
    /// Nothing is installed, and this many replicas start.
    pub(crate) fn new(seed: u64, replicas: usize, look_every: Duration) -> Self {
        let world = Arc::new(Mutex::new(World::new(seed)));
        let mut simulation = Self {
            world,
            replicas: Vec::new(),
            look_every,
            base: Instant::now(),
            excused: None,
            checked: None,
            polls: 0,
            checks: 0,
            promotions: 0,
            fault: None,
            one_blow_in: None,
            faults: 0,
        };
        for index in 0..replicas {
            let replica = simulation.start(index, 0);
            simulation.replicas.push(replica);
        }
        simulation
    }

    fn start(&self, index: usize, skew: i64) -> Replica {
        let told = Arc::new(Mutex::new(Told::default()));
        let served = Arc::clone(&told);
        let settings =
            RotationSettings::new(WebhookService::new("podgate", "podgate-system"), TlsVersion::V1_3);
        let reach = Reach { world: Arc::clone(&self.world), replica: index };
        let managed = SelfManagedCertificate::new(reach, settings, Ear(Arc::clone(&told)), move |loaded| {
            let mut told = served.lock().unwrap();
            told.loads = LOADS.fetch_add(1, Ordering::Relaxed);
            told.served = Some(loaded);
        });
        let due = self.world.lock().unwrap().now;
        let managed = Arc::new(AsyncMutex::new(managed));
        Replica { managed, look: None, told, skew, due, idle: None }
    }

    pub(crate) fn crash(&mut self, index: usize) {
        self.count_promotions(index);
        self.replicas[index] = self.start(index, self.replicas[index].skew);
    }

    fn count_promotions(&mut self, index: usize) {
        let mut told = self.replicas[index].told.lock().unwrap();
        let is_promotion =
            |event: &&RotationEvent| matches!(event, RotationEvent::Changed(SecretChange::Promote));
        self.promotions += told.events.iter().filter(is_promotion).count();
        told.events.clear();
    }

    /// Somebody has exchanged a bundle: API servers may refuse until it is mended and the mended one seen.
    pub(crate) fn excuse(&mut self) {
        self.excused = None;
    }

    /// Runs for this long, without jumps.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now() + time;
        while self.now() < end {
            self.turn(end);
        }
    }

    /// Runs until nobody has anything to do for the next hour, and then jumps to the next time somebody has,
    /// or to this much later. Whether it is due.
    pub(crate) fn rest(&mut self, at_most: Duration) -> bool {
        // Everybody looks once more at what the last step has changed.
        self.run(self.look_every * 2);
        let hour = Duration::from_secs(3600);
        for _ in 0..1_000_000 {
            let is_quiet = self
                .replicas
                .iter()
                .all(|replica| replica.look.is_none() && replica.idle.is_some_and(|idle| idle > hour))
                && self.world.lock().unwrap().next_sight().is_none();
            let leads = self.replicas.iter().any(|replica| replica.told.lock().unwrap().status.leads);
            if is_quiet && leads {
                let idle = self.replicas.iter().filter_map(|replica| replica.idle).min().unwrap();
                let target = self.now() + idle.min(at_most);
                self.world.lock().unwrap().now = target;
                for replica in &mut self.replicas {
                    replica.due = target;
                }
                self.check();
                return idle < at_most;
            }
            self.turn(Duration::MAX);
        }
        panic!("the replicas never come to rest");
    }

    /// One poll of one replica, or the time passes until there is one.
    fn turn(&mut self, end: Duration) {
        let now = self.now();
        let is_ready = |replica: &Replica| replica.look.is_some() || replica.due <= now;
        let ready: Vec<usize> =
            (0..self.replicas.len()).filter(|index| is_ready(&self.replicas[*index])).collect();
        if ready.is_empty() {
            let next = self.replicas.iter().map(|replica| replica.due).min().unwrap();
            let next = self.world.lock().unwrap().next_sight().map_or(next, |sight| sight.min(next));
            self.world.lock().unwrap().now = next.min(end);
        } else {
            let index = ready[self.world.lock().unwrap().numbers.below(ready.len())];
            self.poll(index);
            let mut world = self.world.lock().unwrap();
            let pause = world.numbers.up_to(Duration::from_millis(50));
            world.now += pause;
        }
        self.check();
    }

    fn poll(&mut self, index: usize) {
        self.polls += 1;
        let moment = self.moment(index);
        let replica = &mut self.replicas[index];
        let look = replica.look.get_or_insert_with(|| {
            let managed = Arc::clone(&replica.managed);
            Box::pin(async move { managed.lock().await.look(moment).await })
        });
        let polled = look.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let mut world = self.world.lock().unwrap();
        if let Poll::Ready(pause) = polled {
            replica.look = None;
            replica.idle = None;
            replica.due = world.now
                + match pause {
                    NextLook::Again => Duration::from_millis(100),
                    NextLook::Retry(pause) => pause,
                    NextLook::Idle(due) => {
                        replica.idle = Some(due);
                        due.min(self.look_every) - world.numbers.up_to(self.look_every.min(due) / 4)
                    }
                };
        }
        let is_hit = self.one_blow_in.is_some_and(|count| world.numbers.one_in(count));
        let fault = if world.numbers.one_in(2) { InjectedFault::Crash } else { InjectedFault::GiveUp };
        drop(world);
        let planned = self.fault.filter(|(at, _)| *at == self.polls).map(|(_, fault)| fault);
        if let Some(fault) = planned.or(is_hit.then_some(fault)) {
            self.faults += 1;
            match fault {
                InjectedFault::Crash => self.crash(index),
                InjectedFault::GiveUp => self.replicas[index].look = None,
            }
        }
        self.count_promotions(index);
    }

    fn moment(&self, index: usize) -> Clocks {
        let world = self.world.lock().unwrap();
        let skew = self.replicas[index].skew;
        let by = Duration::from_secs(skew.unsigned_abs());
        let wall = if skew < 0 { world.wall() - by } else { world.wall() + by };
        Clocks { wall, steady: self.base + world.now }
    }

    pub(crate) fn now(&self) -> Duration {
        self.world.lock().unwrap().now
    }

    /// Every API server accepts what every replica serves, through every webhook entry.
    fn check(&mut self) {
        let (versions, now, wall) = {
            let world = self.world.lock().unwrap();
            (world.versions(), world.now, world.wall())
        };
        if self.excused.is_none() {
            let published = self.world.lock().unwrap().published();
            if !self.is_anything_served() || !self.refused(&published, wall).is_empty() {
                return;
            }
            self.excused = Some(self.world.lock().unwrap().all_seen());
        }
        if self.excused.is_some_and(|until| now <= until) {
            return;
        }
        self.checks += 1;
        let minute = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 60;
        let loads = self.replicas.iter().map(|it| it.told.lock().unwrap().loads).collect();
        let state = (versions, loads, minute);
        if self.checked.as_ref() == Some(&state) {
            return;
        }
        let trusted = self.world.lock().unwrap().trusted();
        let refused = self.refused(&trusted, wall);
        assert!(refused.is_empty(), "{:?} after {} polls: refused: {refused:?}", now, self.polls);
        self.checked = Some(state);
    }

    fn is_anything_served(&self) -> bool {
        self.replicas.iter().any(|replica| replica.told.lock().unwrap().served.is_some())
    }

    /// The replicas and entries that do not go together.
    fn refused(&self, bundles: &[Vec<u8>], wall: SystemTime) -> Vec<(usize, usize)> {
        let mut refused = Vec::new();
        for (index, replica) in self.replicas.iter().enumerate() {
            let told = replica.told.lock().unwrap();
            let Some(served) = &told.served else { continue };
            let refusing =
                bundles.iter().enumerate().filter(|(_, bundle)| !accepts(bundle, &served.chain()[0], wall));
            refused.extend(refusing.map(|(entry, _)| (index, entry)));
        }
        refused
    }

    /// Everybody serves what everybody accepts, everything is published, and nothing is wrong.
    pub(crate) fn assert_settled(&self) {
        for (index, replica) in self.replicas.iter().enumerate() {
            let told = replica.told.lock().unwrap();
            let RotationStatus { servable, out_of_sync, problem, .. } = &told.status;
            let at = self.now();
            assert_eq!(*servable, Ok(()), "replica {index} at {at:?}: {:?}", told.status);
            assert!(out_of_sync.is_empty(), "replica {index} at {at:?}: {out_of_sync:?}");
            assert_eq!(*problem, None, "replica {index} at {at:?}");
        }
        assert!(self.excused.is_some(), "the bundles are right at {:?}", self.now());
        let leaves: Vec<_> = (0..self.replicas.len()).map(|index| self.served(index)).collect();
        assert!(leaves.windows(2).all(|pair| pair[0] == pair[1]), "all serve the same");
    }

    /// What a replica serves.
    pub(crate) fn served(&self, index: usize) -> Option<CertificateDer<'static>> {
        let told = self.replicas[index].told.lock().unwrap();
        told.served.as_ref().map(|loaded| loaded.chain()[0].clone())
    }
}

/// Whether an API server that trusts this bundle accepts this certificate: by another way than podgate's own.
fn accepts(bundle: &[u8], leaf: &CertificateDer<'_>, wall: SystemTime) -> bool {
    let seconds = i64::try_from(wall.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let mut roots = RootCertStore::empty();
    for der in CertificateDer::pem_slice_iter(bundle).flatten() {
        let Ok((_, root)) = X509Certificate::from_der(&der) else { continue };
        let validity = root.validity();
        if validity.not_before.timestamp() <= seconds && seconds <= validity.not_after.timestamp() {
            roots.add(der.clone()).unwrap();
        }
    }
    if roots.is_empty() {
        return false;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let name = ServerName::try_from(SERVICE).unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds.try_into().unwrap()));
    verifier.verify_server_cert(leaf, &[], &name, &[], at).is_ok()
}
