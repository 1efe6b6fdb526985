//! The driver as it runs in a cluster, on tokio's clock, which tests hold still and wind forward.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use podgate::certificates::{
    Clocks, RotationProblem, RotationSettings, SelfManagedCertificate, TlsVersion, WebhookService,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::simulation::{Ear, Told};
use super::world::{Reach, World};
use super::{DAY, MINUTE, SECOND};

/// Replicas that run by themselves.
struct Cluster {
    world: Arc<Mutex<World>>,
    told: Vec<Arc<Mutex<Told>>>,
    nudges: Vec<Arc<Notify>>,
    tasks: Vec<JoinHandle<()>>,
    /// How much of the time of day tokio's clock has missed.
    suspended: Arc<Mutex<Duration>>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Cluster {
    fn start(replicas: usize) -> Self {
        let mut cluster = Self {
            world: Arc::new(Mutex::new(World::new(1))),
            told: Vec::new(),
            nudges: Vec::new(),
            tasks: Vec::new(),
            suspended: Arc::default(),
        };
        let start = Instant::now();
        for replica in 0..replicas {
            let told = Arc::new(Mutex::new(Told::default()));
            let served = Arc::clone(&told);
            let reach = Reach { world: Arc::clone(&cluster.world), replica };
            let settings =
                RotationSettings::new(WebhookService::new("podgate", "podgate-system"), TlsVersion::V1_3);
            let managed =
                SelfManagedCertificate::new(reach, settings, Ear(Arc::clone(&told)), move |loaded| {
                    served.lock().unwrap().served = Some(loaded);
                });
            let (world, suspended) = (Arc::clone(&cluster.world), Arc::clone(&cluster.suspended));
            let clock = move || {
                let mut world = world.lock().unwrap();
                world.now = start.elapsed() + *suspended.lock().unwrap();
                Clocks { wall: world.wall(), steady: Instant::now().into_std() }
            };
            cluster.told.push(told);
            cluster.nudges.push(managed.nudge());
            cluster.tasks.push(tokio::spawn(managed.run_by(clock)));
        }
        cluster
    }

    /// How long it takes until this is so.
    async fn until(&self, what: impl Fn(&Self) -> bool) -> Duration {
        let start = Instant::now();
        while !what(self) {
            assert!(start.elapsed() < 60 * MINUTE, "it never comes to be");
            sleep(Duration::from_millis(10)).await;
        }
        start.elapsed()
    }

    fn all_well(&self) -> bool {
        self.told.iter().all(|told| {
            let told = told.lock().unwrap();
            told.status.servable.is_ok()
                && told.status.problem.is_none()
                && told.status.out_of_sync.is_empty()
        })
    }

    fn served(&self, replica: usize) -> Option<Vec<u8>> {
        let told = self.told[replica].lock().unwrap();
        told.served.as_ref().map(|loaded| loaded.chain()[0].to_vec())
    }

    fn problem(&self) -> Option<RotationProblem> {
        self.told[0].lock().unwrap().status.problem.clone()
    }

    fn ask_for_rotation(&self) {
        let mut world = self.world.lock().unwrap();
        let mut data = world.secret().unwrap().clone();
        data.insert("rotate".into(), b"yes".to_vec());
        world.set_secret(Some(data));
    }
}

#[tokio::test(start_paused = true)]
async fn installs_and_rotates() {
    let cluster = Cluster::start(2);
    let took = cluster.until(Cluster::all_well).await;
    assert!(took < 6 * SECOND, "{took:?}");
    let (first, both) = (cluster.served(0), [cluster.served(0), cluster.served(1)]);
    assert_eq!(both[0], both[1]);
    cluster.ask_for_rotation();
    let is_new =
        |cluster: &Cluster| (0..2).all(|replica| cluster.served(replica) != first) && cluster.all_well();
    let took = cluster.until(is_new).await;
    assert!(took > 2 * MINUTE && took < 2 * MINUTE + 20 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn looks_when_it_is_told_to() {
    let cluster = Cluster::start(1);
    cluster.until(Cluster::all_well).await;
    let is_begun = |cluster: &Cluster| {
        let world = cluster.world.lock().unwrap();
        world.secret().is_some_and(|data| data.contains_key("next-ca.crt"))
    };
    sleep(SECOND).await;
    cluster.ask_for_rotation();
    cluster.nudges[0].notify_one();
    let took = cluster.until(is_begun).await;
    assert!(took < SECOND / 2, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_says_nothing() {
    let cluster = Cluster::start(1);
    cluster.until(Cluster::all_well).await;
    let served = cluster.served(0);
    cluster.world.lock().unwrap().is_silent = true;
    let took = cluster.until(|cluster| cluster.problem() == Some(RotationProblem::TimedOut)).await;
    assert!(took > 20 * SECOND && took < 30 * SECOND, "{took:?}");
    sleep(30 * MINUTE).await;
    assert_eq!(cluster.served(0), served);
    assert_eq!(cluster.told[0].lock().unwrap().status.servable, Ok(()));
    let told = cluster.told[0].lock().unwrap().events.len();
    assert!(told < 10, "a fault that lasts is told once: {told}");
    cluster.world.lock().unwrap().is_silent = false;
    let took = cluster.until(Cluster::all_well).await;
    assert!(took < 90 * SECOND, "{took:?}");
}

/// A machine that sleeps does not wind tokio's clock forward, and the time of day all the same.
#[tokio::test(start_paused = true)]
async fn after_a_suspend_it_renews_at_once() {
    let cluster = Cluster::start(1);
    cluster.until(Cluster::all_well).await;
    let served = cluster.served(0);
    *cluster.suspended.lock().unwrap() = 25 * DAY;
    let took = cluster.until(|cluster| cluster.served(0) != served).await;
    assert!(took < 6 * SECOND, "{took:?}");
}
