//! The linter on files that people have had trouble with, in the folder of `PODGATE_CASES`: nothing is lost.

use podgate::lint::{Input, Options, Report, run};
use podgate::policy::BUILT_IN;

use crate::pods::files;
use crate::policies::policies;
use crate::real_data;

const CASES: &str = "PODGATE_CASES";
/// The files that there are at least.
const LEAST_FILES: usize = 40;

fn lint(input: Input) -> Report {
    run(&[input], Options { policies: policies(BUILT_IN), ..Options::default() })
}

/// The objects that were judged, those of other kinds, and what was not read.
fn counts(report: &Report) -> [usize; 3] {
    let others = report.summary.other_kinds.iter().map(|kind| kind.count).sum();
    [report.objects.len(), others, report.unread.len()]
}

/// Every file is judged, counted or reported as unread, by itself as among the others.
#[test]
fn every_file_is_accounted_for() {
    let Some(folder) = real_data::folder(CASES, "the linter on cases") else { return };
    let all: Vec<_> =
        ["yaml", "yml", "json"].iter().flat_map(|extension| files(&folder, extension)).collect();
    assert!(all.len() >= LEAST_FILES, "only {} files in {}", all.len(), folder.display());
    let mut total = [0; 3];
    for path in &all {
        let report = lint(Input::Path(path.clone()));
        let counts = counts(&report);
        assert!(counts.iter().sum::<usize>() > 0, "{}: {report:?}", path.display());
        assert_eq!(report.summary.files, 1, "{}", path.display());
        assert!(report.unread.iter().all(|unread| !unread.message.is_empty()), "{report:?}");
        total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
    }
    let report = lint(Input::Path(folder));
    assert_eq!((report.summary.files, counts(&report)), (all.len(), total));
}
