//! Names of images, as container runtimes read them: `nginx` is `docker.io/library/nginx:latest`.

use crate::controls::text;
use crate::controls::written::written;
use crate::finding::{Finding, Fix, Found, Subject};
use crate::json::{Reader, Result, members};
use crate::pod::{Pod, Volume, VolumeSource};

/// The registry of a name that begins with none.
const DOCKER_HUB: &str = "docker.io";
/// Another name of it.
const OLD_DOCKER_HUB: &str = "index.docker.io";
/// The folder there of images whose name has none.
const OFFICIAL: &str = "library";
/// Longest tag.
const LONGEST_TAG: usize = 128;

/// The parts of the name of an image in a registry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ImageName<'i> {
    /// The registry, with its port if it has one: `docker.io`.
    host: &'i str,
    /// The path there, without the `library` that is left out of names.
    path: &'i str,
    /// The tag, if it is written.
    pub(super) tag: Option<&'i str>,
    /// Whether there is a digest.
    pub(super) has_digest: bool,
}

impl<'i> ImageName<'i> {
    /// Reads the name of an image. `None` for what no runtime takes for the name of one in a registry: the id of an image that
    /// a node has already is none.
    pub(super) fn parse(text: &'i str) -> Option<Self> {
        if is_digest(text) {
            return None;
        }
        let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
        let (host, rest) = match name.split_once('/') {
            Some((host, rest)) if is_host(host) => (host, rest),
            _ => (DOCKER_HUB, name),
        };
        let (path, tag) = rest.split_once(':').map_or((rest, None), |(path, tag)| (path, Some(tag)));
        let is_sound = is_sound_host(host)
            && path.split('/').all(is_component)
            && !(path.len() == SHA_256 && is_hex(path))
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest);
        let host = if host == OLD_DOCKER_HUB { DOCKER_HUB } else { host };
        is_sound.then_some(Self { host, path, tag, has_digest: digest.is_some() })
    }

    /// Whether it is in this registry or below this path of it: `registry.example.com/team`.
    pub(super) fn is_below(&self, place: &str) -> bool {
        let (host, path) = place.split_once('/').unwrap_or((place, ""));
        let official = (self.host == DOCKER_HUB && !self.path.contains('/')).then_some(OFFICIAL);
        let mut own = official.into_iter().chain(self.path.split('/'));
        self.host.eq_ignore_ascii_case(host)
            && path.split('/').filter(|name| !name.is_empty()).all(|name| own.next() == Some(name))
    }
}

/// Whether the first part of a name is a registry: as no folder does, it has a dot, a port or a capital letter.
fn is_host(text: &str) -> bool {
    text == "localhost" || text.contains(['.', ':']) || text.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_sound_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte))
}

/// Letters, digits, and separators between them; so neither empty nor `..`.
fn is_component(text: &str) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(is_plain)
        && bytes.last().is_some_and(is_plain)
        && bytes.iter().all(|byte| is_plain(byte) || b"._-".contains(byte))
        && !text.contains("..")
}

/// Whether an image can have this tag.
pub(super) fn is_tag(text: &str) -> bool {
    text.len() <= LONGEST_TAG
        && !text.starts_with(['.', '-'])
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// How many digits the digest of an image has: of SHA-256, and of SHA-512.
const SHA_256: usize = 64;
const SHA_512: usize = 128;

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, digits)| {
        let length = if algorithm == "sha256" { SHA_256 } else { SHA_512 };
        ["sha256", "sha512"].contains(&algorithm) && digits.len() == length && is_hex(digits)
    })
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What is wrong with a registry, or a path in one, of a policy.
pub(super) fn fault_of_place(place: &str) -> Option<String> {
    let (host, path) = place.split_once('/').map_or((place, None), |(host, path)| (host, Some(path)));
    let fault = if place.contains("://") {
        "is no URL: write it without https://"
    } else if place.contains('*') {
        "is no pattern: registry.example.com/team covers everything below it"
    } else if place.ends_with('/') {
        "write it without the / at its end: everything below it is covered"
    } else if place.contains('@') || path.unwrap_or_default().contains(':') {
        "write it without a tag or digest: imageTags and imageDigests look at those"
    } else if host == OLD_DOCKER_HUB {
        "write docker.io: that is how runtimes call it"
    } else if !is_host(host) {
        "must begin with the host of a registry: docker.io/library/nginx"
    } else if !is_sound_host(host) || !path.is_none_or(|path| path.split('/').all(is_component)) {
        "is no registry and no path in one: write it as registry.example.com/team"
    } else {
        return None;
    };
    Some(fault.to_owned())
}

/// A finding of an image that is not allowed. What is no name of an image at all is told so.
pub(super) fn not_allowed<'p>(
    (subject, path): (Subject<'p>, &'static str),
    image: &'p str,
    fix: Fix<'p>,
) -> Finding<'p> {
    let found = if image.is_empty() { Found::Absent } else { Found::Text(image) };
    let is_named = image.is_empty() || ImageName::parse(image).is_some();
    let help = if is_named {
        ""
    } else {
        "this is no name of an image in a registry, as registry.example.com/app:1.0"
    };
    Finding::new(subject, path, found, fix).help(help)
}

/// The path of the image in a container, and in a volume.
const OF_CONTAINER: &str = "image";
const OF_VOLUME: &str = "image.reference";

/// Calls back with each image that a pod names: those of its containers, of every kind, and of its `image` volumes. It comes
/// with whose it is and with its field; an absent one is empty.
pub(super) fn for_each_image<'p>(pod: &'p Pod<'p>, mut each: impl FnMut(Subject<'p>, &'static str, &'p str)) {
    for (index, volume) in pod.spec.volumes.iter().enumerate() {
        if volume.has(VolumeSource::IMAGE) {
            // No image has a name that JSON needs an escape for, nor one like this.
            let reference = reference_of(volume).unwrap_or("not readable");
            each(Subject::Volume(index, &volume.name), OF_VOLUME, reference);
        }
    }
    for (at, container) in pod.containers() {
        each(Subject::Container(at), OF_CONTAINER, &container.image);
    }
}

fn reference_of<'p>(volume: &'p Volume<'p>) -> Result<&'p str> {
    let mut reference = "";
    let reader = &mut Reader::over_part(volume.source(VolumeSource::IMAGE)?).refusing_misspelt_case();
    members!(reader, {
        "reference" => reference = written(reader.skip()?),
    })?;
    Ok(reference)
}

/// `container "a" and volume "v" must use ...`: findings about images in words.
pub(super) fn detail(findings: &[Finding<'_>], what: &str) -> String {
    let images = text::quoted(text::sorted_set(text::found_texts(findings)));
    let volumes = text::volume_names(findings);
    let mut users = text::setters(findings);
    if !volumes.is_empty() {
        users.push(format!("{} {}", text::plural("volume", volumes.len()), text::quoted(volumes)));
    }
    let found = if images.is_empty() { String::new() } else { format!(", not {images}") };
    format!("{} must use {what}{found}", users.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn names_are_read_as_runtimes_read_them() {
        for (text, host, path, tag) in [
            ("nginx", "docker.io", "nginx", None),
            ("nginx:1.27", "docker.io", "nginx", Some("1.27")),
            ("team/app", "docker.io", "team/app", None),
            ("docker.io/nginx", "docker.io", "nginx", None),
            ("index.docker.io/team/app", "docker.io", "team/app", None),
            ("localhost/app", "localhost", "app", None),
            ("localhost:5000/app:v1", "localhost:5000", "app", Some("v1")),
            (
                "registry.example.com/a/b__c/d-e.f:latest",
                "registry.example.com",
                "a/b__c/d-e.f",
                Some("latest"),
            ),
            ("Registry/app", "Registry", "app", None),
            ("[2001:db8::1]:5000/app", "[2001:db8::1]:5000", "app", None),
            ("a.b", "docker.io", "a.b", None),
        ] {
            let expected = ImageName { host, path, tag, has_digest: false };
            assert_eq!(ImageName::parse(text), Some(expected), "{text}");
            let expected = ImageName { host, path, tag, has_digest: true };
            assert_eq!(ImageName::parse(&format!("{text}@{DIGEST}")), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_no_runtime_pulls_is_none() {
        let hex = DIGEST.trim_start_matches("sha256:");
        for text in [
            "",
            " nginx",
            "nginx ",
            "Nginx",
            "${image}",
            "a//b",
            "a/../b",
            "registry.example.com/",
            "registry.example.com/a/..",
            "registry.example.com/a..b",
            "/a",
            "nginx:",
            "nginx:a b",
            "nginx:1:2",
            "nginx@",
            "nginx@sha256:abc",
            "nginx@md5:0123",
            "https://registry.example.com/a",
            "not readable",
            hex,
            DIGEST,
        ] {
            assert_eq!(ImageName::parse(text), None, "{text:?}");
        }
        assert_eq!(ImageName::parse(&format!("nginx:{}", "a".repeat(129))), None);
    }

    #[test]
    fn places_are_compared_path_by_path() {
        for (image, place, is_below) in [
            ("registry.example.com/team/app:1", "registry.example.com/team", true),
            ("registry.example.com/team", "registry.example.com/team", true),
            ("REGISTRY.example.com/team/app", "registry.example.com", true),
            ("registry.example.com/team-evil/app", "registry.example.com/team", false),
            ("registry.example.com.evil.io/team/app", "registry.example.com", false),
            ("registry.example.com:5000/team/app", "registry.example.com", false),
            ("registry.example.com/app", "registry.example.com/team", false),
            ("evil.io/registry.example.com/team/app", "registry.example.com/team", false),
            ("nginx", "docker.io", true),
            ("nginx", "docker.io/library", true),
            ("nginx", "docker.io/library/nginx", true),
            ("nginx", "docker.io/nginx", false),
            ("team/app", "docker.io/library", false),
            ("team/app", "docker.io/team", true),
            ("registry.example.com/app", "docker.io", false),
        ] {
            let name = ImageName::parse(image).expect(image);
            assert_eq!(name.is_below(place), is_below, "{image} below {place}");
        }
    }

    #[test]
    fn a_place_is_a_host_and_a_path() {
        for place in ["docker.io", "localhost", "localhost:5000/a", "registry.example.com/team/b"] {
            assert_eq!(fault_of_place(place), None, "{place}");
        }
        for (place, fault) in [
            ("nginx", "must begin with the host"),
            ("library/nginx", "must begin with the host"),
            ("https://registry.example.com", "without https://"),
            ("registry.example.com/*", "is no pattern"),
            ("registry.example.com/", "without the /"),
            ("registry.example.com/a:1", "without a tag"),
            ("registry.example.com/a@sha256:x", "without a tag"),
            ("index.docker.io/a", "write docker.io"),
            ("registry.example.com/a/../b", "is no registry"),
            ("registry.example.com/Team", "is no registry"),
        ] {
            assert!(fault_of_place(place).is_some_and(|found| found.contains(fault)), "{place}");
        }
    }
}
