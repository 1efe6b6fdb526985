//! What each control beyond the standard costs: the evaluator alone, over a pod that passes all of them, with none of them
//! on, with each alone, and with all.

use podgate::controls::CONTROLS;
use podgate::policy::{Policies, PolicySet, read_file};
use serde_json::{Value, json};

use crate::Result;

/// Parameters of each control with which the pod of [`passing`] passes.
const PARAMETERS: [(&str, &str); 41] = [
    ("appArmorProfiles", "{allowed: [RuntimeDefault]}"),
    ("automountServiceAccountToken", "{}"),
    ("capabilities", "{allowed: [NET_BIND_SERVICE], requiredDrop: [ALL]}"),
    ("csiDrivers", "{allowed: [secrets-store.csi.k8s.io]}"),
    ("emptyDirs", "{sizeLimitRequired: true, maxSize: 100Gi, maxMemorySize: 64Gi}"),
    ("flexVolumeDrivers", "{allowed: []}"),
    ("fsGroupRanges", "{ranges: [{min: 1000, max: 1999}]}"),
    ("gpuVisibility", "{}"),
    ("hostIPC", "{}"),
    ("hostNetwork", "{}"),
    ("hostPID", "{}"),
    ("hostPaths", "{allowed: [{prefix: /mnt/datasets, readOnly: true}]}"),
    ("hostPortRanges", "{allowed: []}"),
    ("hostUsers", "{}"),
    ("imageDigests", "{}"),
    ("imageRegistries", "{allowed: [registry.example.com/ml]}"),
    ("imageTags", "{}"),
    ("nodeName", "{}"),
    ("nodeSelectors", "{reserved: [node-role.kubernetes.io/*]}"),
    ("nonRootUsers", "{}"),
    ("priorityClasses", "{forbidden: [system-*]}"),
    ("privilegeEscalation", "{}"),
    ("privilegedContainers", "{}"),
    ("procMountTypes", "{}"),
    ("projectedSources", "{allowed: [configMap, secret]}"),
    ("readOnlyRootFilesystem", "{}"),
    ("requiredLabels", "{labels: [{key: app}]}"),
    ("requiredResources", "{requests: [cpu, memory], limits: [memory]}"),
    ("reservedAnnotations", "{keys: [hami.io/*]}"),
    ("reservedLabels", "{keys: [kai.scheduler/*]}"),
    ("resourceLimits", "{max: {cpu: 32, memory: 256Gi, nvidia.com/gpu: 8}}"),
    ("runAsGroupRanges", "{ranges: [{min: 1000, max: 1999}]}"),
    ("runAsUserRanges", "{ranges: [{min: 1000, max: 1999}]}"),
    ("runtimeClasses", "{allowed: [gvisor], required: true}"),
    ("schedulers", "{allowed: [default-scheduler]}"),
    ("seLinuxLabels", "{types: [container_t]}"),
    ("seccompProfiles", "{allowed: [RuntimeDefault], required: true}"),
    ("supplementalGroupRanges", "{ranges: [{min: 1000, max: 1999}]}"),
    ("sysctlNames", "{allowed: []}"),
    ("tolerations", "{allowed: [{key: nvidia.com/gpu}]}"),
    ("volumeTypes", "{allowed: [configMap, emptyDir, persistentVolumeClaim]}"),
];

/// The pod of a review, changed so that it passes every control.
pub(crate) fn passing(review: &[u8]) -> Result<Vec<u8>> {
    let mut review: Value = serde_json::from_slice(review)?;
    let pod = &mut review["request"]["object"];
    let spec = &mut pod["spec"];
    let is_token = |name: &Value| name.as_str().is_some_and(|name| name.starts_with("kube-api-access-"));
    let without_token = |list: &mut Value| {
        list.as_array_mut().into_iter().for_each(|items| items.retain(|item| !is_token(&item["name"])));
    };
    without_token(&mut spec["volumes"]);
    spec["automountServiceAccountToken"] = json!(false);
    spec["hostUsers"] = json!(false);
    spec["runtimeClassName"] = json!("gvisor");
    spec["securityContext"]["supplementalGroups"] = json!([1000]);
    spec["securityContext"]["runAsGroup"] = json!(1000);
    for container in spec["containers"].as_array_mut().ok_or("the pod has no containers")? {
        without_token(&mut container["volumeMounts"]);
        let digest = "c0".repeat(32);
        container["image"] = json!(format!("registry.example.com/ml/train:2.7.1@sha256:{digest}"));
    }
    Ok(serde_json::to_vec(pod)?)
}

/// Policies and their names: with no control, with each one, and with all.
pub(crate) fn policies() -> Result<Vec<(String, PolicySet)>> {
    let missing = CONTROLS
        .iter()
        .filter(|control| control.level().is_none())
        .find(|control| PARAMETERS.iter().all(|(id, _)| *id != control.id));
    if let Some(control) = missing {
        return Err(format!("benches/measure/src/controls.rs has no parameters of {}", control.id).into());
    }
    let written = |(id, parameters): &(&str, &str)| format!("{id}: {parameters}");
    let all: Vec<String> = PARAMETERS.iter().map(written).collect();
    let mut policies = vec![("none".to_owned(), policy("")?), ("all".to_owned(), policy(&all.join(", "))?)];
    for control in &PARAMETERS {
        policies.push((control.0.to_owned(), policy(&written(control))?));
    }
    Ok(policies)
}

fn policy(controls: &str) -> Result<PolicySet> {
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    let text = format!(
        "{{apiVersion: podgate.dev/v1alpha1, kind: SecurityPolicy, metadata: {{name: measured}}, \
         spec: {{match: {{namespaces: [ml-team-a]}}, standard: {{enforce: privileged}}, controls: {{{controls}}}}}}}"
    );
    read_file("a policy", &text, &mut policies);
    Ok(policies.finish().map_err(|faults| format!("{faults:?}"))?)
}
