//! Rotations of the self-managed certificate: at no moment is a certificate served that an API server refuses.

mod driver;
mod simulation;
mod tampering;
mod world;

use std::time::Duration;

use podgate::certificates::SecretData;

use simulation::{InjectedFault, Simulation};
use tampering::{Tampering, exchange_bundles};
use world::{FAILURES, failure};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Installs and waits until everybody serves.
fn installed(seed: u64, replicas: usize, look_every: Duration) -> Simulation {
    let mut simulation = Simulation::new(seed, replicas, look_every);
    simulation.run(5 * MINUTE);
    simulation.assert_settled();
    simulation
}

/// Somebody edits the Secret.
fn edit(simulation: &Simulation, change: impl FnOnce(&mut SecretData)) {
    let mut world = simulation.world.lock().unwrap();
    let mut data = world.secret().cloned().unwrap_or_default();
    change(&mut data);
    world.set_secret(Some(data));
}

/// Asks for a new CA as the documentation says.
fn ask_for_rotation(simulation: &Simulation) {
    edit(simulation, |data| drop(data.insert("rotate".into(), b"yes".to_vec())));
}

#[test]
fn a_first_installation_serves_at_once() {
    let mut simulation = Simulation::new(1, 3, 5 * SECOND);
    simulation.run(10 * SECOND);
    simulation.assert_settled();
    assert_eq!(simulation.promotions, 1);
}

#[test]
fn years_of_rotations() {
    let mut simulation = installed(2, 2, 20 * SECOND);
    let end = simulation.now() + 14 * 365 * DAY;
    while simulation.now() < end {
        simulation.rest(100 * DAY);
        simulation.run(10 * SECOND);
    }
    simulation.run(5 * MINUTE);
    simulation.assert_settled();
    // The first CA, and one more each eight months.
    assert_eq!(simulation.promotions, 1 + 21);
    assert!(simulation.checks > 5_000, "{}", simulation.checks);
}

#[test]
fn a_rotation_that_is_asked_for() {
    let mut simulation = installed(3, 2, 5 * SECOND);
    let before = simulation.world.lock().unwrap().secret().unwrap().clone();
    ask_for_rotation(&simulation);
    simulation.run(110 * SECOND);
    let during = simulation.world.lock().unwrap().secret().unwrap().clone();
    assert_eq!(during["tls.crt"], before["tls.crt"], "nothing is signed before everybody has seen the CA");
    assert!(!during.contains_key("rotate") && during.contains_key("next-ca.crt"));
    simulation.run(5 * MINUTE);
    simulation.assert_settled();
    let after = simulation.world.lock().unwrap().secret().unwrap().clone();
    assert_eq!(after["ca.crt"], during["next-ca.crt"]);
    assert_eq!(after["old-ca.crt"], before["ca.crt"]);
    assert!(!after.contains_key("next-ca.crt"));
    assert_eq!(simulation.promotions, 2);
    // The old one goes when the last of its leaves is over, and an hour has passed.
    for day in 0..35 {
        simulation.rest(DAY);
        simulation.run(MINUTE);
        let is_kept = simulation.world.lock().unwrap().secret().unwrap().contains_key("old-ca.crt");
        assert_eq!(is_kept, day < 30, "on day {day}");
    }
    simulation.assert_settled();
}

/// From nothing to the end of a rotation, with one fault.
fn one_rotation(seed: u64, replicas: usize, fault: Option<(usize, InjectedFault)>) -> Simulation {
    // Few looks make few crash points, and all of them different.
    let mut simulation = Simulation::new(seed, replicas, 40 * SECOND);
    simulation.fault = fault;
    simulation.run(3 * MINUTE);
    simulation.assert_settled();
    ask_for_rotation(&simulation);
    simulation.run(8 * MINUTE);
    simulation.assert_settled();
    // One that crashes right after a write does not live to tell.
    assert!((1..=2).contains(&simulation.promotions), "{}", simulation.promotions);
    let secret = simulation.world.lock().unwrap().secret().unwrap().clone();
    assert!(secret.contains_key("old-ca.crt") && !secret.contains_key("next-ca.crt"));
    simulation
}

/// Injects one fault per run, at every so many polls; how many there were in all.
fn inject_faults(replicas: usize, fault: InjectedFault, every: usize) -> usize {
    let polls = one_rotation(7, replicas, None).polls;
    let places = (1..=polls).step_by(every);
    places.map(|at| one_rotation(7, replicas, Some((at, fault))).faults).sum()
}

#[test]
fn a_crash_at_every_place_there_is() {
    let faults = inject_faults(1, InjectedFault::Crash, 1);
    assert!(faults > 200, "{faults}");
}

#[test]
fn a_crash_of_one_of_two() {
    let faults = inject_faults(2, InjectedFault::Crash, 6);
    assert!(faults > 50, "{faults}");
}

#[test]
fn a_look_that_is_given_up() {
    let faults = inject_faults(1, InjectedFault::GiveUp, 4);
    assert!(faults > 50, "{faults}");
}

/// The Secret is damaged in every way there is, with replicas that go on and with ones that all start anew.
/// Nothing that is served is ever refused, and in the end all is well.
#[test]
fn a_secret_that_somebody_tampers_with() {
    for (number, tampering) in Tampering::ALL.iter().enumerate() {
        for restarts in [false, true] {
            let mut simulation = installed(100 + number as u64, 2, 15 * SECOND);
            let snapshot = simulation.world.lock().unwrap().secret().unwrap().clone();
            ask_for_rotation(&simulation);
            simulation.run(7 * MINUTE);
            simulation.assert_settled();
            edit(&simulation, |data| tampering.edit(data, &snapshot));
            if *tampering == Tampering::Delete {
                simulation.world.lock().unwrap().set_secret(None);
            }
            if restarts {
                simulation.crash(0);
                simulation.crash(1);
            }
            simulation.run(8 * MINUTE);
            simulation.assert_settled();
        }
    }
}

/// Bundles that somebody else has written are put right, and what is served stays.
#[test]
fn bundles_that_somebody_else_writes() {
    for seed in 0..16 {
        let mut simulation = installed(200 + seed, 2, 5 * SECOND);
        let served = simulation.served(0);
        exchange_bundles(&mut simulation, seed);
        simulation.run(30 * SECOND);
        simulation.assert_settled();
        assert_eq!(simulation.served(0), served, "{seed}");
    }
}

/// An API server that fails for an hour, in every way: nothing changes, and all is well afterwards.
#[test]
fn an_api_server_that_fails() {
    for which in 0..FAILURES {
        let mut simulation = installed(300 + which as u64, 2, 5 * SECOND);
        let served = simulation.served(0);
        let until = simulation.now() + 60 * MINUTE;
        simulation.world.lock().unwrap().failing = Some((until, failure(which)));
        simulation.run(59 * MINUTE);
        assert_eq!(simulation.served(0), served);
        let status = simulation.replicas[0].told.lock().unwrap().status.clone();
        assert_eq!(status.servable, Ok(()), "what was known last is what counts");
        assert!(status.problem.is_some(), "{which}");
        simulation.run(4 * MINUTE);
        simulation.assert_settled();
        assert_eq!(simulation.served(0), served);
    }
}

/// Everything at once, for years: crashes, given-up looks, failing calls, two leaders, clocks that are up to 55
/// minutes off, and Secrets and bundles that others tamper with.
#[test]
fn years_of_everything() {
    let (mut promotions, mut faults, mut checks) = (0, 0, 0);
    // A longer run by hand asks for more.
    let seeds = std::env::var("ROTATION_SEEDS").map_or(3, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        let mut simulation = installed(400 + seed, 3, 15 * SECOND);
        let mut snapshot = simulation.world.lock().unwrap().secret().unwrap().clone();
        for _ in 0..8 {
            ask_for_rotation(&simulation);
            for _ in 0..6 {
                disturb(&mut simulation, &mut snapshot);
                let time = simulation.world.lock().unwrap().numbers.up_to(3 * MINUTE);
                simulation.run(time);
            }
            calm(&mut simulation);
            simulation.run(12 * MINUTE);
            simulation.assert_settled();
            simulation.rest(40 * DAY);
        }
        promotions += simulation.promotions;
        faults += simulation.faults;
        checks += simulation.checks;
    }
    eprintln!("{promotions} rotations, {faults} faults, {checks} checks of what is served");
    assert!(promotions >= 20 && faults >= 200);
}

/// One thing that goes wrong, or several.
fn disturb(simulation: &mut Simulation, snapshot: &mut SecretData) {
    let (what, number, index) = {
        let mut world = simulation.world.lock().unwrap();
        (world.numbers.below(8), world.numbers.next(), world.numbers.below(simulation.replicas.len()))
    };
    match what {
        0 => simulation.one_blow_in = Some(30),
        1 => {
            let tampering = Tampering::ALL[(number % Tampering::ALL.len() as u64) as usize];
            edit(simulation, |data| tampering.edit(data, snapshot));
            if tampering == Tampering::Delete {
                simulation.world.lock().unwrap().set_secret(None);
            }
        }
        2 => exchange_bundles(simulation, number),
        3 => simulation.world.lock().unwrap().one_fails_in = Some(20),
        4 => simulation.world.lock().unwrap().everybody_leads = true,
        5 => {
            for replica in &mut simulation.replicas {
                let skew = simulation.world.lock().unwrap().numbers.below(2 * 55 * 60 + 1);
                replica.skew = i64::try_from(skew).unwrap() - 55 * 60;
            }
        }
        6 => simulation.crash(index),
        _ => {
            if let Some(data) = simulation.world.lock().unwrap().secret() {
                snapshot.clone_from(data);
            }
        }
    }
}

/// Nothing more goes wrong; what has gone wrong stays, and so do the clocks.
fn calm(simulation: &mut Simulation) {
    simulation.one_blow_in = None;
    let mut world = simulation.world.lock().unwrap();
    world.one_fails_in = None;
    world.everybody_leads = false;
}
