//! `podgate serve --dev`: loopback alone, a namespace to try pods in, and what to try.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Result, bail};

use crate::policy::{Labels, PackedLabels, PolicySet};

/// The namespace that it knows, with the label of the built-in policy.
pub(super) const NAMESPACE: &str = "ml-team-a";

/// Its labels.
pub(super) fn labels() -> Labels {
    BTreeMap::from([("podgate.dev/policy".to_owned(), "ml-restricted".to_owned())])
}

/// A pod with several violations.
const REFUSED: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"try-it","kind":{"version":"v1","kind":"Pod"},"resource":{"version":"v1","resource":"pods"},"name":"train-bert","namespace":"ml-team-a","operation":"CREATE","object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"train-bert"},"spec":{"hostIPC":true,"containers":[{"name":"trainer","image":"pytorch","securityContext":{"runAsUser":0,"capabilities":{"add":["IPC_LOCK"]}}}],"volumes":[{"name":"datasets","hostPath":{"path":"/data"}}]}}}}"#;

/// A pod that lacks what can be filled in.
const REPAIRED: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"try-it","kind":{"version":"v1","kind":"Pod"},"resource":{"version":"v1","resource":"pods"},"name":"lazy","namespace":"ml-team-a","operation":"CREATE","object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"lazy"},"spec":{"containers":[{"name":"trainer","image":"pytorch"}]}}}}"#;

/// Shows the text of a refusal as kubectl would. Every machine with curl has awk.
const TEXT_ALONE: &str =
    r#"awk -F '"message":"|","reason"' '{ gsub(/\\n/, "\n", $2); gsub(/\\"/, "\"", $2); print $2 }'"#;

/// Shows a patch. It is in base64, as the protocol has it.
const PATCH_ALONE: &str = r#"awk -F '"patch":"' '{ sub(/".*/, "", $2); print $2 }' | base64 -d"#;

/// Puts loopback in the place of all addresses, and refuses an address that others reach: who is served by `--dev` is not
/// asked for anything.
pub(super) fn use_loopback(flag: &str, address: &mut SocketAddr) -> Result<()> {
    match address.ip() {
        ip if ip.is_loopback() => {}
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => bail!(
            "--dev serves this machine alone, and {flag} {address} is an address that others reach: leave {flag} out, give \
             it as :{}, or serve without --dev",
            address.port()
        ),
    }
    Ok(())
}

/// Whether any policy holds in the namespace that it knows.
pub(super) fn is_judged(policies: &PolicySet) -> bool {
    let labels = PackedLabels::from(labels());
    policies.pod_security.is_some() || policies.security_for(NAMESPACE, Some(&labels)).next().is_some()
}

/// Prints where it serves, and what to try.
pub(super) fn print_banner(
    address: SocketAddr,
    admin: SocketAddr,
    is_judged: bool,
    output: &mut impl Write,
) -> Result<()> {
    let curl = |path: &str, review: &str| {
        format!("curl -sk https://{address}/{path} -H 'Content-Type: application/json' -d '{review}'")
    };
    writeln!(
        output,
        "podgate serves on https://{address} with a throw-away certificate; health and metrics on http://{admin}.\n\
         Try it. A pod that is refused, and why (without awk, the whole answer):\n\n  \
         {} | {TEXT_ALONE}\n\n\
         A pod that is repaired, and how:\n\n  \
         {} | {PATCH_ALONE}\n",
        curl("validate", REFUSED),
        curl("mutate", REPAIRED),
    )?;
    if !is_judged {
        writeln!(
            output,
            "But none of the policies holds in {NAMESPACE}, the namespace of these pods: both are let be. Let a policy match it, by its \
             name or by the label podgate.dev/policy: ml-restricted.\n"
        )?;
    }
    output.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Policies, read_file};

    #[test]
    fn who_tries_a_policy_of_another_namespace_is_told() {
        for (scope, expected) in [
            ("namespaces: [ml-team-a]", true),
            ("namespaceSelector: {matchLabels: {podgate.dev/policy: ml-restricted}}", true),
            ("namespaces: [other]", false),
        ] {
            let text = format!(
                "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: p}}\n\
                 spec: {{match: {{{scope}}}, standard: {{enforce: baseline}}}}\n"
            );
            let mut policies = Policies::new(Vec::new());
            read_file("p", &text, &mut policies);
            let is_judged = is_judged(&policies.finish().unwrap());
            let mut output = Vec::new();
            let address: SocketAddr = "127.0.0.1:8443".parse().unwrap();
            print_banner(address, address, is_judged, &mut output).unwrap();
            let banner = String::from_utf8(output).unwrap();
            assert_eq!((is_judged, !banner.contains("none of the policies holds")), (expected, expected));
        }
    }

    #[test]
    fn only_loopback_is_served() {
        for (given, expected) in [
            ("0.0.0.0:9443", Some("127.0.0.1:9443")),
            ("[::]:9443", Some("[::1]:9443")),
            ("127.0.0.2:1", Some("127.0.0.2:1")),
            ("[::1]:1", Some("[::1]:1")),
            ("10.0.0.1:9443", None),
            ("[fe80::1]:9443", None),
        ] {
            let mut address = given.parse().unwrap();
            let used = use_loopback("--listen", &mut address);
            match expected {
                Some(expected) => assert_eq!(address.to_string(), expected),
                None => {
                    let error = used.unwrap_err().to_string();
                    assert!(error.contains(&format!("--listen {given} ")), "{error}");
                }
            }
        }
    }
}
