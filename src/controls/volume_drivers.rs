//! Volumes whose source names a driver: those of `csi` and of `flexVolume`.

use crate::controls::written::written;
use crate::controls::{ParameterError, text};
use crate::finding::{Choices, FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::json::{Reader, Result, members};
use crate::pod::{Pod, VolumeSource};

/// What is offered where no driver is allowed.
const CLAIM: Fix<'_> = Fix::one_of(&["persistentVolumeClaim"]);

/// Reports each volume of this source, with this path to its driver, that uses another driver than those `allowed`.
pub(super) fn check_drivers<'p>(
    pod: &'p Pod<'p>,
    (source, path): (VolumeSource, &'static str),
    allowed: &'p [String],
    sink: &mut Sink<'_, 'p>,
) {
    for (index, volume) in pod.spec.volumes.iter().enumerate() {
        if !volume.has(source) {
            continue;
        }
        let driver = volume.source(source).and_then(driver);
        let found = match driver {
            Ok(driver) if allowed.iter().any(|allowed| allowed == driver) => continue,
            Ok("") => Found::Absent,
            Ok(driver) => Found::Text(driver),
            Err(_) => Found::UNREADABLE,
        };
        let fix = if allowed.is_empty() { CLAIM } else { Fix::OneOf(Choices::OfPolicy(allowed)) };
        sink(Finding::new(Subject::Volume(index, &volume.name), path, found, fix));
    }
}

fn driver(source: &str) -> Result<&str> {
    let mut driver = "";
    let reader = &mut Reader::over_part(source).refusing_misspelt_case();
    members!(reader, { "driver" => driver = written(reader.skip()?) })?;
    Ok(driver)
}

/// What is wrong with a list of drivers in a policy.
pub(super) fn faults_of_drivers(allowed: &[String]) -> Vec<ParameterError> {
    let mut faults = Vec::new();
    for (index, driver) in allowed.iter().enumerate() {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./~".contains(&byte);
        let fault = if driver.is_empty() || !driver.bytes().all(is_plain) {
            "is no name of a driver: write it as secrets-store.csi.k8s.io or example.com/lvm; there are no patterns here"
        } else if allowed.iter().take(index).any(|other| other == driver) {
            "is listed twice: keep one of the two"
        } else {
            continue;
        };
        faults.push(ParameterError::at(FieldPath::from("allowed").index(index), fault));
    }
    faults
}

/// `volume "v" uses CSI driver "d" that the policy does not list`
pub(super) fn detail(findings: &[Finding<'_>], kind: &str) -> String {
    let volumes = text::volume_names(findings);
    let drivers = text::sorted_set(text::found_texts(findings));
    let (count, plural) = (volumes.len(), text::plural("volume", volumes.len()));
    let noun = text::plural("driver", drivers.len().max(1));
    let listed = if drivers.is_empty() { String::new() } else { format!(" {}", text::quoted(drivers)) };
    let uses = text::uses(count);
    format!("{plural} {} {uses} {kind} {noun}{listed} that the policy does not list", text::quoted(volumes))
}
