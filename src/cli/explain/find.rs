//! From what somebody typed or pasted to the controls that are meant: the id of a control or its beginning, a level, the code
//! of a refusal as it was printed, or a field of a pod in any of the ways to write one.

use crate::cli::explain::field::{fields_of, meets, segments};
use crate::controls::{CONTROLS, Control, Level};
use crate::evaluate::{CODE_DIGITS, CODE_PREFIX, controls_of};
use crate::text::{nearest, quoted};

/// Letters that codes do not have, and the digit that each is mistaken for.
const MISTAKEN: [(char, char); 3] = [('I', '1'), ('L', '1'), ('O', '0')];

/// Takes off what stands around a name or a code where it was copied from: `[code PG-7F3K]`, a sentence, a URL.
pub(super) fn bare(text: &str) -> &str {
    let is_around = |character: char| "[](){}<>\"'`,;: \t\n".contains(character);
    let text = text.rsplit_once('#').map_or(text, |(_, fragment)| fragment);
    let text = text.trim_start_matches(is_around).trim_end_matches('.').trim();
    let text = text.strip_prefix("code ").unwrap_or(text).trim_start();
    // The brackets of `containers[0]` belong to the field.
    let is_open = text.matches('[').count() > text.matches(']').count();
    let end = |character: char| is_around(character) && !(character == ']' && text.contains('[') && !is_open);
    text.trim_end_matches(end)
}

/// Whether a word only introduces the code behind it: `[code PG-7F3K]` without quotes is two words.
pub(super) fn introduces_code(text: &str) -> bool {
    bare(text).eq_ignore_ascii_case("code")
}

/// The controls that a name, a code or a field stands for, or why there are none.
pub(super) fn find(text: &str) -> Result<Vec<&'static Control>, String> {
    let name = bare(text);
    if let Some(control) = CONTROLS.iter().find(|control| control.id.eq_ignore_ascii_case(name)) {
        return Ok(vec![control]);
    }
    if name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("PG")) && is_code_like(name) {
        return of_code(name);
    }
    if let Some(level) = Level::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name)) {
        return Ok(of_level(level));
    }
    let found = of_field(name);
    if found.is_empty() { Err(unknown(name)) } else { Ok(found) }
}

/// Whether a text that begins as a code goes on as one: `PG-`, or a digit soon.
fn is_code_like(name: &str) -> bool {
    let rest = name.get(2..).unwrap_or_default();
    rest.is_empty()
        || rest.starts_with(['-', '_', ' ', '\u{2010}', '\u{2011}', '\u{2013}'])
        || rest.contains(|character: char| character.is_ascii_digit())
}

/// The controls of a code, or what is wrong with it.
fn of_code(code: &str) -> Result<Vec<&'static Control>, String> {
    if let Some(controls) = controls_of(code) {
        return Ok(controls);
    }
    let rest = code.get(2..).unwrap_or_default();
    let digits: String =
        rest.trim_start_matches(|character: char| !character.is_ascii_alphanumeric()).to_uppercase();
    let corrected: String = digits
        .chars()
        .map(|digit| MISTAKEN.iter().find(|(wrong, _)| *wrong == digit).map_or(digit, |(_, right)| *right))
        .collect();
    let meant = format!("{CODE_PREFIX}{corrected}");
    let why = if controls_of(&meant).is_some() {
        format!("did you mean {meant}?")
    } else if let Some(wrong) = corrected.chars().find(|digit| *digit != '-' && !CODE_DIGITS.contains(*digit))
    {
        format!(
            "a code is {CODE_PREFIX} and digits of {CODE_DIGITS}, and {} is none of them",
            quoted(&wrong.to_string())
        )
    } else if corrected.len() < 4 {
        format!("a code is {CODE_PREFIX} and at least four digits")
    } else if corrected.chars().all(|digit| digit == '0') {
        "it names no control".to_owned()
    } else {
        format!(
            "podgate {} has no control for one of its digits: see that it is copied whole, and from no newer podgate",
            env!("CARGO_PKG_VERSION")
        )
    };
    Err(format!("no such code: {}: {why}", quoted(code)))
}

/// The controls that a level of the standard has, those of the level below it included.
fn of_level(level: Level) -> Vec<&'static Control> {
    CONTROLS.iter().copied().filter(|control| control.level().is_some_and(|of| of <= level)).collect()
}

/// The controls whose id begins with a name, or that look at a field: at one that is named whole, or else at one of whose
/// keys the beginning is given.
fn of_field(name: &str) -> Vec<&'static Control> {
    let wanted = segments(name);
    if wanted.is_empty() {
        return Vec::new();
    }
    let start = name.to_ascii_lowercase();
    let matching = |is_whole: bool| -> Vec<&'static Control> {
        let of_fields = |control: &Control| {
            let is_met = |field: &&str| fields_of(field).iter().any(|field| meets(field, &wanted, is_whole));
            // The key of an annotation has dots of its own.
            let is_key = |field: &&str| !is_whole && field.to_ascii_lowercase().contains(&start);
            control.doc.fields.iter().any(|field| is_met(field) || is_key(field))
        };
        let is_start = |control: &Control| control.id.to_ascii_lowercase().starts_with(&start);
        CONTROLS.iter().copied().filter(|control| is_start(control) || of_fields(control)).collect()
    };
    let whole = matching(true);
    if whole.is_empty() { matching(false) } else { whole }
}

/// Why nothing has the name, and what is near to it.
fn unknown(name: &str) -> String {
    let meant = format!("{CODE_PREFIX}{}", name.to_uppercase());
    if name.contains(|character: char| character.is_ascii_digit()) && controls_of(&meant).is_some() {
        return format!(
            "no control, field or code is named {}, did you mean the code {meant}?",
            quoted(name)
        );
    }
    let keys: Vec<String> = CONTROLS
        .iter()
        .flat_map(|control| control.doc.fields.iter().flat_map(|field| fields_of(field)))
        .filter_map(|field| field.last().cloned())
        .collect();
    let ids = CONTROLS.iter().map(|control| control.id);
    let near = nearest(name, ids.chain(keys.iter().map(String::as_str)));
    let near = near.map_or(";".to_owned(), |near| format!(", did you mean {near}?"));
    format!(
        "no control, field that one looks at, or code is named {}{near} podgate explain lists the controls",
        quoted(name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<&'static str> {
        find(text).map(|controls| controls.iter().map(|control| control.id).collect()).unwrap_or_default()
    }

    #[test]
    fn fields_are_found_however_they_are_written() {
        for (text, expected) in [
            ("hostIPC", &["hostIPC"][..]),
            ("spec.hostIPC", &["hostNamespaces", "hostIPC"]),
            ("HOSTIPC", &["hostIPC"]),
            ("spec.template.spec.hostIPC", &["hostNamespaces", "hostIPC"]),
            ("seccompProfile", &["seccompProfile_baseline", "seccompProfile_restricted", "seccompProfiles"]),
            (
                "securityContext.seccompProfile.type",
                &["seccompProfile_baseline", "seccompProfile_restricted", "seccompProfiles"],
            ),
            ("capabilities.drop", &["capabilities_restricted", "capabilities"]),
            ("capabilities.add", &["capabilities_baseline", "capabilities_restricted", "capabilities"]),
            ("spec.containers[*].securityContext.privileged", &["privileged", "privilegedContainers"]),
            ("spec.initContainers[2].securityContext.privileged", &["privileged", "privilegedContainers"]),
            ("/spec/containers/0/securityContext/privileged", &["privileged", "privilegedContainers"]),
            ("containers[0].securityContext.privileged", &["privileged", "privilegedContainers"]),
            (".spec.hostPID", &["hostNamespaces", "hostPID"]),
            ("hostPath", &["hostPathVolumes", "hostPaths"]),
            (
                "spec.volumes[0].hostPath.path",
                &["hostPathVolumes", "restrictedVolumes", "hostPaths", "volumeTypes"],
            ),
            ("container.apparmor.security.beta.kubernetes.io", &["appArmorProfile", "appArmorProfiles"]),
            ("fsGroup", &["fsGroupRanges"]),
            ("securityContext.fsGroup", &["fsGroupRanges"]),
            ("spec.containers[0].image", &["imageDigests", "imageRegistries", "imageTags"]),
            ("readOnlyRootFilesystem", &["readOnlyRootFilesystem"]),
            ("sysctls", &["sysctls"]),
            ("seLinuxOptions.user", &["seLinuxOptions", "seLinuxLabels"]),
            ("nothing-like-it", &[]),
            ("", &[]),
            ("[]", &[]),
        ] {
            assert_eq!(ids(text), expected, "{text}");
        }
        assert!(ids("seccomp").contains(&"seccompProfile_baseline"));
        assert!(ids("restricted").len() > ids("baseline").len() && !ids("baseline").is_empty());
    }

    #[test]
    fn codes_are_read_as_they_are_printed() {
        for text in [
            "PG-0001",
            "pg-0001",
            "[code PG-0001]",
            "PG-0001]",
            "[PG-0001]",
            "PG-0001.",
            "`PG-0001`",
            "code PG-0001",
            "https://example.com/pods#PG-0001",
            "\"PG-0001\"",
        ] {
            assert_eq!(
                ids(text),
                [CONTROLS.iter().find(|control| control.number == 0).unwrap().id],
                "{text}"
            );
        }
        assert!(introduces_code("[code") && introduces_code("code") && !introduces_code("codes"));
    }

    #[test]
    fn what_is_wrong_with_a_code_is_told() {
        for (text, expected) in [
            ("PG-OOO1", "did you mean PG-0001?"),
            ("PG0001", "did you mean PG-0001?"),
            ("PG 0001", "did you mean PG-0001?"),
            ("PG-00U1", "\"U\" is none of them"),
            ("PG-1", "at least four digits"),
            ("PG-", "at least four digits"),
            ("PG-0000", "it names no control"),
            ("PG-Z000000000000", "has no control for one of its digits"),
            ("PG-00\n1", "\"\\u{a}\" is none of them"),
        ] {
            let error = find(text).unwrap_err();
            assert!(error.starts_with("no such code: ") && error.contains(expected), "{text}: {error}");
        }
        assert!(find("0001").unwrap_err().contains("did you mean the code PG-0001?"));
        assert!(find("runAsNonRot").unwrap_err().contains("did you mean runAsNonRoot?"));
        assert!(find("hostIPCs").unwrap_err().contains("did you mean hostIPC?"));
    }
}
