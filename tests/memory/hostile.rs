//! Generated reviews: mixes of every list, of any size, from a seed.

use std::fmt::Write as _;

use crate::amplifiers;
use crate::judges::Kind;

/// A generator of numbers that needs nothing: a linear one, of which the high bits are taken.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        self.0 >> 33
    }

    fn below(&mut self, most: u64) -> usize {
        (self.next() % most.max(1)) as usize
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.next().is_multiple_of(count)
    }

    fn one_of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len() as u64)]
    }

    /// A number of items, rarely many: each power of two is as likely as the others.
    fn many(&mut self, most_bits: u64) -> usize {
        let bits = self.below(most_bits + 1) as u64;
        self.below(1 << bits)
    }
}

/// The review of a seed.
pub(crate) fn review(seed: u64, kind: Kind) -> String {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    random.next();
    let budget = 1usize << (12 + random.below(11));
    let mut elements: usize = 190_000 / if kind == Kind::Update { 2 } else { 1 };
    let mut spec = String::new();
    for (name, bits) in [("containers", 9), ("initContainers", 9), ("ephemeralContainers", 9)] {
        if name != "containers" && random.one_in(3) {
            continue;
        }
        let _ = write!(spec, "\"{name}\":[");
        let count = random.many(bits).min(499);
        let shape = random.next();
        for index in 0..count {
            if spec.len() > budget || elements < 300 {
                break;
            }
            let before = spec.len();
            let comma = if index == 0 { "" } else { "," };
            spec.push_str(comma);
            container(&mut spec, &mut Random(shape.wrapping_add(random.next() % 3)), budget / count.max(1));
            elements = elements.saturating_sub((spec.len() - before) / 3);
        }
        spec.push_str("],");
    }
    spec.push_str("\"volumes\":[");
    let volumes = random.many(10);
    list(&mut spec, volumes, budget, |text, index| {
        let source = random.one_of(&["nfs", "hostPath", "emptyDir", "future", "configMap"]);
        let _ = write!(text, r#"{{"name":"v{index}","{source}":{{}}}}"#);
    });
    spec.push_str("],\"securityContext\":{\"sysctls\":[");
    let sysctls = random.many(10);
    list(&mut spec, sysctls, budget, |text, index| {
        let _ = write!(text, r#"{{"name":"s{index}"}}"#);
    });
    spec.push_str("]}");
    let mut metadata = String::from("\"annotations\":{");
    let annotations = random.many(10);
    list(&mut metadata, annotations, budget, |text, index| {
        let _ = write!(text, r#""container.apparmor.security.beta.kubernetes.io/{index}":"x""#);
    });
    metadata.push_str("},\"labels\":{");
    let labels = random.many(10);
    list(&mut metadata, labels, budget, |text, index| {
        let _ = write!(text, r#""{index}":"""#);
    });
    metadata.push_str("},\"managedFields\":");
    unread(&mut metadata, &mut random, budget, elements.min(100_000));
    amplifiers::of(kind, &metadata, &spec, "")
}

fn list(text: &mut String, count: usize, budget: usize, mut item: impl FnMut(&mut String, usize)) {
    let start = text.len();
    for index in 0..count {
        if text.len() - start > budget {
            break;
        }
        if index > 0 {
            text.push(',');
        }
        item(text, index);
    }
}

const NAMES: [&str; 7] = [
    "c",
    "",
    "a-name-of-a-container",
    "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}",
    "\\u0001\\u0001\\u0001\\u0001\\u0001",
    "\u{10ffff}\u{10ffff}",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
];

fn container(text: &mut String, random: &mut Random, budget: usize) {
    let _ = write!(text, "{{\"name\":\"{}{}\"", random.one_of(&NAMES), random.below(1000));
    if random.one_in(3) {
        text.push_str(",\"ports\":[");
        let count = random.many(9);
        list(text, count, budget, |text, index| {
            let _ = write!(text, "{{\"hostPort\":{}}}", index + 1);
        });
        text.push(']');
    }
    if random.one_in(3) {
        let _ = write!(text, ",\"livenessProbe\":{{\"httpGet\":{{\"host\":\"{}\"}}}}", random.one_of(&NAMES));
    }
    if random.one_in(5) {
        text.push('}');
        return;
    }
    text.push_str(",\"securityContext\":{\"runAsUser\":");
    text.push_str(random.one_of(&["0", "1", "null"]));
    for member in [
        r#""privileged":true"#,
        r#""allowPrivilegeEscalation":true"#,
        r#""procMount":"Unmasked""#,
        r#""runAsNonRoot":false"#,
        r#""seccompProfile":{"type":"Unconfined"}"#,
        r#""appArmorProfile":{"type":"Unconfined"}"#,
        r#""seLinuxOptions":{"type":"t","user":"u","role":"r"}"#,
        r#""windowsOptions":{"hostProcess":true}"#,
    ] {
        if random.one_in(2) {
            text.push(',');
            text.push_str(member);
        }
    }
    for name in ["add", "drop"] {
        let _ = write!(text, "{}\"{name}\":[", if name == "add" { ",\"capabilities\":{" } else { "," });
        let count = random.many(10);
        list(text, count, budget, |text, index| {
            let _ = write!(text, "\"{}\"", if index % 2 == 0 { "x" } else { "" });
        });
        text.push(']');
    }
    text.push_str("}}}");
}

/// A value that nobody reads: deep, wide, or of many keys.
fn unread(text: &mut String, random: &mut Random, budget: usize, elements: usize) {
    let count = (budget / 8).min(elements);
    match random.below(5) {
        0 => {
            text.push('{');
            list(text, count, budget, |text, index| {
                let _ = write!(text, "\"{index:x}\":0");
            });
            text.push('}');
        }
        1 => {
            text.push('[');
            list(text, count, budget, |text, _| text.push_str("{}"));
            text.push(']');
        }
        2 => {
            let depth = count.min(9_000);
            let _ = write!(text, "{}0{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        }
        3 => {
            let keys: Vec<String> = (b'a'..=b'y').map(|key| format!("\"{}\":0", char::from(key))).collect();
            let level = format!("{{{},\"z\":", keys.join(","));
            let depth = (budget / level.len()).min(elements / 26).min(9_000);
            let _ = write!(text, "{}0{}", level.repeat(depth), "}".repeat(depth));
        }
        _ => text.push_str("null"),
    }
}
