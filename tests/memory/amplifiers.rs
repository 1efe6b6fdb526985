//! Lists of a pod that are written in little text.

use crate::judges::{Kind, NAMESPACE};

/// A list, by what stands before its items, the items (`#` is a number that none other has), and what stands behind them.
pub(crate) struct Amplifier {
    pub(crate) name: &'static str,
    place: Place,
    item: &'static str,
}

/// Where the list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the spec: what comes before and behind it.
    Spec(&'static str, &'static str),
    /// In a container.
    Container(&'static str, &'static str),
    /// It is that of the containers.
    Containers,
    /// In the metadata.
    Metadata(&'static str, &'static str),
    /// In the request.
    Request(&'static str, &'static str),
}

/// In how many containers a list of a container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    One,
    Hundred,
    All,
}

impl Spread {
    pub(crate) const ALL: [Self; 3] = [Self::One, Self::Hundred, Self::All];

    fn containers(self) -> usize {
        match self {
            Self::One => 1,
            Self::Hundred => 100,
            Self::All => 499,
        }
    }
}

/// The most items and members that a review may have, but for those around the list.
const MOST_ELEMENTS: usize = 197_000;

use Place::{Container, Containers, Metadata, Request, Spec};

#[rustfmt::skip]
pub(crate) static AMPLIFIERS: &[Amplifier] = &[
    list("capabilities to add", Container(r#""securityContext":{"capabilities":{"add":["#, "]}}"), r##""C#""##),
    list("equal capabilities to add", Container(r#""securityContext":{"capabilities":{"add":["#, "]}}"), r#""a""#),
    list("empty capabilities to add", Container(r#""securityContext":{"capabilities":{"add":["#, "]}}"), r#""""#),
    list("escaped capabilities to add", Container(r#""securityContext":{"capabilities":{"add":["#, "]}}"), r#""\n""#),
    list("capabilities to drop", Container(r#""securityContext":{"capabilities":{"drop":["#, "]}}"), r#""""#),
    list("sysctls", Spec(r#""securityContext":{"sysctls":["#, "]}"), r##"{"name":"s#"}"##),
    list("empty sysctls", Spec(r#""securityContext":{"sysctls":["#, "]}"), "{}"),
    list("host ports", Container(r#""ports":["#, "]"), r#"{"hostPort":8}"#),
    list("numbered host ports", Container(r#""ports":["#, "]"), r##"{"hostPort":#}"##),
    list("ports", Container(r#""ports":["#, "]"), "{}"),
    list("environment", Container(r#""env":["#, "]"), r#"{"name":"A"}"#),
    list("volumes", Spec(r#""volumes":["#, "]"), "{}"),
    list("volumes of one source", Spec(r#""volumes":["#, "]"), r##"{"name":"#","nfs":{}}"##),
    list("hostPath volumes", Spec(r#""volumes":["#, "]"), r#"{"hostPath":{}}"#),
    list("mounts", Container(r#""volumeMounts":["#, "]"), "{}"),
    list("mounts of the token", Spec(TOKEN_MOUNTS, "]}]"), r#"{"name":"kube-api-access-"}"#),
    list("sources of a volume", Spec(r#""volumes":[{"#, "}]"), r##""#":{}"##),
    list("sources of a projected volume", Spec(r#""volumes":[{"projected":{"sources":["#, "]}}]"), "{}"),
    list("supplemental groups", Spec(r#""securityContext":{"supplementalGroups":["#, "]}"), "1"),
    list("empty containers", Containers, "{}"),
    list("containers that are null", Containers, "null"),
    list("named containers", Containers, r##"{"name":"container-#"}"##),
    list("bad containers", Containers, BAD),
    list("containers with long names", Containers, r##"{"name":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd#"}"##),
    list("AppArmor annotations", Metadata(r#""annotations":{"#, "}"), r##""container.apparmor.security.beta.kubernetes.io/#":"x""##),
    list("seccomp annotations", Metadata(r#""annotations":{"#, "}"), r##""container.seccomp.security.alpha.kubernetes.io/#":"""##),
    list("annotations", Metadata(r#""annotations":{"#, "}"), r##""#":"""##),
    list("escaped annotations", Metadata(r#""annotations":{"#, "}"), r##""\u0061#":"\u0061""##),
    list("labels", Metadata(r#""labels":{"#, "}"), r##""#":"""##),
    list("escaped labels", Metadata(r#""labels":{"#, "}"), r##""\u0061#":"\n""##),
    list("finalizers", Metadata(r#""finalizers":["#, "]"), r#""""#),
    list("owners", Metadata(r#""ownerReferences":["#, "]"), r#"{"controller":true}"#),
    list("keys of an unknown member", Spec(r#""x":{"#, "}"), r##""#":0"##),
    list("escaped keys of an unknown member", Spec(r#""x":{"#, "}"), r##""\u0061#":0"##),
    list("objects of many keys", Spec(r#""x":["#, "]"), MANY_KEYS),
    list("objects of keys that are alike", Spec(r#""x":["#, "]"), ALIKE),
    list("keys of the request", Request("", ""), r##""#":0"##),
    list("groups of a user", Request(r#""userInfo":{"groups":["#, "]}"), r#""""#),
    list("long capability", Container(r#""securityContext":{"capabilities":{"add":[""#, "\"]}}"), ""),
    list("long name of a container", Container(r#""securityContext":{"privileged":true},"name":""#, "\""), ""),
    list("long name", Metadata(r#""name":""#, "\""), ""),
    list("long SELinux type", Spec(r#""securityContext":{"seLinuxOptions":{"type":""#, "\"}}"), ""),
    list("long operation", Request(r#""requestKind":{"kind":""#, "\"}"), ""),
];

/// The API server's own token, up to what mounts it.
const TOKEN_MOUNTS: &str = r#""volumes":[{"name":"kube-api-access-","projected":{"sources":[{"serviceAccountToken":{"path":"token"}},{"configMap":{"name":"kube-root-ca.crt"}},{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"fieldPath":"metadata.namespace"}}]}}]}}],"containers":[{"volumeMounts":["#;

/// A container that breaks every rule that a container can.
const BAD: &str = r##"{"name":"c#","securityContext":{"privileged":true,"procMount":"x","runAsUser":0,"runAsNonRoot":false,"seccompProfile":{"type":"x"},"appArmorProfile":{"type":"x"},"seLinuxOptions":{"type":"x","user":"x","role":"x"},"windowsOptions":{"hostProcess":true},"capabilities":{"add":["x"]}},"ports":[{"hostPort":1}],"livenessProbe":{"httpGet":{"host":"x"}}}"##;

/// An object of more keys than are looked through one by one.
const MANY_KEYS: &str = r#"{"0":0,"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"10":0,"11":0,"12":0,"13":0,"14":0,"15":0,"16":0,"17":0,"18":0,"19":0,"20":0,"21":0,"22":0,"23":0,"24":0,"25":0,"26":0,"27":0,"28":0,"29":0}"#;

/// An object of keys that are told apart by their middle alone, as many as are looked through one by one.
const ALIKE: &str = r#"{"eleven same00sixteen bytes.":0,"eleven same01sixteen bytes.":0,"eleven same02sixteen bytes.":0,"eleven same03sixteen bytes.":0,"eleven same04sixteen bytes.":0,"eleven same05sixteen bytes.":0,"eleven same06sixteen bytes.":0,"eleven same07sixteen bytes.":0,"eleven same08sixteen bytes.":0,"eleven same09sixteen bytes.":0,"eleven same10sixteen bytes.":0,"eleven same11sixteen bytes.":0,"eleven same12sixteen bytes.":0,"eleven same13sixteen bytes.":0,"eleven same14sixteen bytes.":0,"eleven same15sixteen bytes.":0,"eleven same16sixteen bytes.":0,"eleven same17sixteen bytes.":0,"eleven same18sixteen bytes.":0,"eleven same19sixteen bytes.":0,"eleven same20sixteen bytes.":0,"eleven same21sixteen bytes.":0,"eleven same22sixteen bytes.":0}"#;

const fn list(name: &'static str, place: Place, item: &'static str) -> Amplifier {
    Amplifier { name, place, item }
}

impl Amplifier {
    /// In how many containers it can stand.
    pub(crate) fn spreads(&self) -> &'static [Spread] {
        match self.place {
            Container(..) | Containers => &Spread::ALL,
            Spec(..) | Metadata(..) | Request(..) => &[Spread::One],
        }
    }

    /// A review of some such size.
    pub(crate) fn review(&self, kind: Kind, spread: Spread, size: usize) -> String {
        let size = if kind == Kind::Update { size / 2 } else { size };
        let elements = if kind == Kind::Update { MOST_ELEMENTS / 2 } else { MOST_ELEMENTS };
        match self.place {
            Spec(before, behind) => of_spec(kind, &format!("{before}{}{behind}", self.items(size, elements))),
            Container(before, behind) => {
                let count = spread.containers();
                let each = self.items(size / count, elements / count);
                let container = format!("{{{before}{each}{behind}}}");
                of_spec(kind, &format!(r#""containers":[{}]"#, vec![container; count].join(",")))
            }
            Containers => of_spec(kind, &self.containers(size, spread)),
            Metadata(before, behind) => {
                let metadata = format!("{before}{}{behind}", self.items(size, elements));
                of(kind, &metadata, r#""containers":[{}]"#, "")
            }
            Request(before, behind) => {
                let request = format!("{before}{}{behind},", self.items(size, elements));
                of(kind, "", r#""containers":[{}]"#, &request)
            }
        }
    }

    /// Lists of containers of each kind, of such a size or of as many as are taken; what is left of it is an image.
    fn containers(&self, size: usize, spread: Spread) -> String {
        let lists = ["containers", "initContainers", "ephemeralContainers"].iter().take(1 + spread as usize);
        let lists: Vec<String> = lists
            .map(|name| {
                let items: Vec<String> = (0..499)
                    .map(|number| numbered(self.item, number))
                    .take(size / 3 / self.item.len())
                    .collect();
                format!(r#""{name}":[{}]"#, items.join(","))
            })
            .collect();
        let lists = lists.join(",");
        let rest = size.saturating_sub(lists.len()).min(1 << 20);
        format!(r#"{lists},"nodeName":"{}""#, "n".repeat(rest))
    }

    fn items(&self, size: usize, elements: usize) -> String {
        if self.item.is_empty() {
            return "\u{7f}".repeat(size.min(1 << 20));
        }
        // A member or an item, and what is in it.
        let most = elements / (1 + self.item.matches(':').count());
        let mut items = String::with_capacity(size);
        for number in 0..most {
            if items.len() + self.item.len() > size {
                break;
            }
            if number > 0 {
                items.push(',');
            }
            items.push_str(&numbered(self.item, number));
        }
        items
    }
}

fn numbered(item: &str, number: usize) -> String {
    if item.contains('#') { item.replace('#', &format!("{}", number + 1)) } else { item.to_owned() }
}

/// A review of something with this spec.
pub(crate) fn of_spec(kind: Kind, spec: &str) -> String {
    of(kind, "", spec, "")
}

pub(crate) fn of(kind: Kind, metadata: &str, spec: &str, request: &str) -> String {
    let pod = |image: &str| {
        let is_init = spec.contains("\"initContainers\"");
        let init =
            if is_init { String::new() } else { format!(r#""initContainers":[{{"image":"{image}"}}],"#) };
        format!(r#"{{"metadata":{{{metadata}}},"spec":{{{init}{spec}}}}}"#)
    };
    let (operation, group, resource, name, object, old) = match kind {
        Kind::Pod => ("CREATE", "", "pods", "Pod", pod("a"), "null".to_owned()),
        Kind::Update => ("UPDATE", "", "pods", "Pod", pod("a"), pod("b")),
        Kind::Deployment => {
            let object = format!(r#"{{"spec":{{"template":{}}}}}"#, pod("a"));
            ("CREATE", "apps", "deployments", "Deployment", object, "null".to_owned())
        }
        Kind::CronJob => {
            let object = format!(r#"{{"spec":{{"jobTemplate":{{"spec":{{"template":{}}}}}}}}}"#, pod("a"));
            ("CREATE", "batch", "cronjobs", "CronJob", object, "null".to_owned())
        }
    };
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"u","kind":{{"group":"{group}","version":"v1","kind":"{name}"}},"resource":{{"group":"{group}","version":"v1","resource":"{resource}"}},{request}"namespace":"{NAMESPACE}","operation":"{operation}","object":{object},"oldObject":{old}}}}}"#
    )
}
