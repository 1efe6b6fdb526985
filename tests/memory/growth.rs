//! What is kept for each policy and each namespace, once all are known, by the shapes that people have of them; and what
//! reading the policies takes besides.
//!
//! Bytes are those that are asked for, without what an allocator adds.

use std::fs;

use podgate::admission::Reviewer;
use podgate::policy::{Labels, Policies, PolicySet, Snapshot, read_file};

use crate::crowd::{self, SHIPPED, Shipped};
use crate::peak;

/// The bytes that one more policy takes, at most.
const MOST_OF_POLICY: usize = 1024;
/// The bytes that one more namespace takes, at most.
const MOST_OF_NAMESPACE: usize = 256;
/// What reading takes beside what is kept, however many policies there are.
const MOST_OF_READING: usize = 1 << 20;

fn read(files: &[String]) -> PolicySet {
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    for file in files {
        read_file("a policy", file, &mut policies);
    }
    policies.finish().unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// The bytes for each of `more` things: what is kept of all, without what is kept of few.
fn for_each<T>(more: usize, few: impl FnOnce() -> T, all: impl FnOnce() -> T) -> usize {
    let (of_few, _few) = peak::kept(few);
    let (of_all, _all) = peak::kept(all);
    (of_all - of_few).div_ceil(more)
}

/// The most of these figures, which is written where the page takes its figures from.
fn judge(key: &str, figures: &[(String, usize)], limit: usize) {
    let most = figures.iter().map(|(_, bytes)| *bytes).max().unwrap();
    for (what, bytes) in figures {
        eprintln!("{what}: {bytes} bytes for each {key}");
    }
    if let Some(folder) = std::env::var_os("PODGATE_MEMORY_FIGURES") {
        let file = std::path::Path::new(&folder).join(format!("measured-{key}.txt"));
        fs::write(file, format!("memory/{key} {most}\n")).unwrap();
    }
    assert!(most <= limit, "{most} bytes for each {key}, more than {limit}");
}

/// The bytes of one more policy of this shape.
fn of_policy(shipped: Shipped, of: impl Fn(Shipped, usize) -> String) -> usize {
    const MORE: usize = 100;
    let files: Vec<String> = (0..=MORE).map(|index| of(shipped, index)).collect();
    for_each(MORE, || read(&files[..1]), || read(&files))
}

#[test]
fn one_more_policy_takes_little() {
    let alike = SHIPPED.map(|shipped| (shipped.0.to_owned(), of_policy(shipped, crowd::policy)));
    // Each with something that no other has.
    let own = |shipped, index| {
        let driver = format!("driver-{index}.csi.example.com");
        let text = crowd::policy(shipped, index).replace("blob.csi.azure.com", &driver);
        assert!(text.contains(&driver));
        text.replace("spec:\n", &format!("spec:\n  contact: team-{index}@example.com\n"))
    };
    let with_own = SHIPPED.iter().filter(|(_, text)| text.contains("blob.csi.azure.com"));
    let with_own =
        with_own.map(|shipped| (format!("{}, with its own parameters", shipped.0), of_policy(*shipped, own)));
    judge("policy", &alike.into_iter().chain(with_own).collect::<Vec<_>>(), MOST_OF_POLICY);
}

#[test]
fn reading_many_policies_takes_no_more_than_reading_few() {
    let files: Vec<String> =
        (0..140).map(|index| crowd::policy(SHIPPED[index % SHIPPED.len()], index)).collect();
    for count in [SHIPPED.len(), files.len()] {
        let files = &files[..count];
        let (most, _set) = peak::of(|| read(files));
        let (kept, _set) = peak::kept(|| read(files));
        eprintln!("reading {count} policies: {} bytes beside {kept}", most - kept);
        assert!(most - kept <= MOST_OF_READING, "{most} {kept}");
    }
}

fn cluster(labels: &dyn Fn(usize) -> Labels, count: usize) -> Reviewer {
    let mut snapshot = Snapshot::live();
    (0..count).for_each(|index| snapshot.insert(&crowd::namespace(index), labels(index)));
    Reviewer::new(read(&SHIPPED.map(|(_, text)| text.to_owned())), snapshot)
}

#[test]
fn one_more_namespace_takes_little() {
    let shapes: [(&str, &dyn Fn(usize) -> Labels); 2] =
        [("without labels", &|_| Labels::new()), ("with seven", &crowd::labels)];
    let figures = shapes.map(|(shape, labels)| {
        let bytes = for_each(10_000, || cluster(labels, 0), || cluster(labels, 10_000));
        (shape.to_owned(), bytes)
    });
    judge("namespace", &figures, MOST_OF_NAMESPACE);
}
