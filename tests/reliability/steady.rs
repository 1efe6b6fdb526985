//! Promises 7 and 8: steady load, and as much as two shared cores bear.

use std::time::Duration;

use crate::process::memory;
use crate::report::{Figure, Report, number};
use crate::{Run, Site};

/// The reviews come at their times, whatever has become of those before them.
pub(crate) fn steady(run: Run) -> Report {
    let (rate, time) = (run.pick(60, 1000), run.seconds(10, 600));
    let site = Site::start();
    site.warm_up();
    let mut tally = site.clients.open_loop(rate, time);
    tally.explain();
    let memory = memory(site.replica.id(), "VmHWM:");
    site.end();
    Report {
        number: 7,
        name: "steady",
        how: format!("open loop, {rate} reviews of 10 KB a second for {} s", time.as_secs()),
        figures: vec![
            Figure::count("answered", tally.right()),
            Figure::none("errors", tally.errors()),
            Figure::none("shed or late", tally.shed + tally.late),
            Figure::of("p50", tally.millis(500), "ms").at_most(2.0).if_long(),
            Figure::of("p99", tally.millis(990), "ms").at_most(10.0).if_long(),
            Figure::of("p99.9", tally.millis(999), "ms").at_most(30.0).if_long(),
            Figure::of("longest", tally.millis(1000), "ms"),
            Figure::of("p99 of the clients' own delay", tally.millis_late(990), "ms"),
            Figure::of("peak memory", memory, "MiB"),
        ],
    }
}

/// Each caller calls again as soon as it is answered.
pub(crate) fn saturation(run: Run) -> Report {
    const CALLERS: usize = 48;
    let time = run.seconds(5, 60);
    let site = Site::start();
    site.warm_up();
    let mut tally = site.clients.closed_loop(CALLERS, time);
    tally.explain();
    let memory = memory(site.replica.id(), "VmHWM:");
    site.end();
    Report {
        number: 8,
        name: "saturation",
        how: format!("closed loop, {CALLERS} callers for {} s", time.as_secs()),
        figures: vec![
            Figure::of("answered", per_second(tally.right(), time), "/s").at_least(4000.0).if_long(),
            Figure::none("errors", tally.errors()),
            Figure::none("shed or late", tally.shed + tally.late),
            Figure::of("p50", tally.millis(500), "ms"),
            Figure::of("p99", tally.millis(990), "ms"),
            Figure::of("longest", tally.millis(1000), "ms"),
            Figure::of("peak memory", memory, "MiB"),
        ],
    }
}

pub(crate) fn per_second(count: usize, time: Duration) -> f64 {
    number(count) / time.as_secs_f64()
}
