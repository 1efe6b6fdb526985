//! Every check by its id. `docs/doctor.md` has a section for each.

/// Lists the checks once: the enum, all of them, and their ids.
macro_rules! checks {
    ($($(#[$about:meta])+ $check:ident = $id:literal,)+) => {
        /// Something that may be wrong with an installation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum HealthCheck {
            $($(#[$about])+ $check,)+
        }

        impl HealthCheck {
            /// Every check, in the order of reports.
            pub const ALL: &[Self] = &[$(Self::$check,)+];

            /// Its name for programs and for the documentation. Never changes.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self {
                    $(Self::$check => $id,)+
                }
            }
        }
    };
}

checks! {
    /// Something was not read, so that its checks were not made.
    NotRead = "not-read",
    /// Kubernetes is older than what podgate needs.
    KubernetesVersion = "kubernetes-version",
    /// The clock here and that of the API server differ.
    Clock = "clock",
    /// One of the two webhook configurations is not there.
    ConfigurationMissing = "configuration-missing",
    /// A webhook leads elsewhere than to podgate's Service.
    WebhookTarget = "webhook-target",
    /// Rules that leave out something that must be judged.
    RulesIncomplete = "rules-incomplete",
    /// Updates of metadata are judged and not asked about, or the other way round.
    MetadataUpdates = "metadata-updates",
    /// Rules that name what podgate refuses.
    RulesRefused = "rules-refused",
    /// What happens when podgate gives no answer.
    FailurePolicy = "failure-policy",
    /// Pods can leave themselves out.
    ObjectSelector = "object-selector",
    /// Requests are left out by a condition that podgate does not ship.
    MatchCondition = "match-condition",
    /// Other versions of a resource are not judged.
    MatchPolicy = "match-policy",
    /// `--dry-run=server` fails or is not judged.
    SideEffects = "side-effects",
    /// Whoever creates a pod waits too long for a podgate that is down.
    Timeout = "timeout",
    /// What others add to a pod is not looked at again.
    ReinvocationPolicy = "reinvocation-policy",
    /// Webhooks that need what podgate sets come before it.
    MutatingOrder = "mutating-order",
    /// A policy of Kubernetes' own changes pods before podgate does, and not after it.
    MutatingPolicy = "mutating-policy",
    /// No CA for the API server to trust.
    BundleMissing = "bundle-missing",
    /// Something in the bundle that is no CA certificate.
    BundleUnreadable = "bundle-unreadable",
    /// No CA in the bundle is valid now.
    BundleExpired = "bundle-expired",
    /// The last CA in the bundle ends soon.
    BundleExpiresSoon = "bundle-expires-soon",
    /// The bundle does not vouch for podgate's certificate.
    BundleForeign = "bundle-foreign",
    /// The Secret of the certificate is not there, or has none.
    SecretMissing = "secret-missing",
    /// The certificate is not valid now.
    CertificateExpired = "certificate-expired",
    /// The certificate ends soon.
    CertificateExpiresSoon = "certificate-expires-soon",
    /// The certificate is not for the Service.
    CertificateName = "certificate-name",
    /// Nobody answers where podgate should.
    NotReached = "not-reached",
    /// What is served is not trusted.
    ServedForeign = "served-foreign",
    /// Policies that are not there or cannot be used.
    Policies = "policies",
    /// A switch that turns policies to Audit, or cannot.
    Switch = "switch",
    /// podgate may not read the switch.
    SwitchRights = "switch-rights",
    /// Webhooks that match the cluster's own namespaces or podgate's.
    SelectorTooFar = "selector-too-far",
    /// Webhooks that match no namespace.
    SelectorMatchesNothing = "selector-matches-nothing",
    /// A policy holds in a namespace that no webhook matches.
    NamespaceNotReached = "namespace-not-reached",
    /// A webhook matches a namespace that no policy holds in.
    NamespaceWithoutPolicy = "namespace-without-policy",
    /// Kubernetes' own admission judges pods before podgate does.
    NamespaceEnforced = "namespace-enforced",
    /// Selectors with the terms that AKS adds.
    AksSelectors = "aks-selectors",
    /// A service account that a policy gives to pods is not there.
    IdentityAccount = "identity-account",
    /// It does not say which identity it stands for.
    IdentityClient = "identity-client",
    /// What a federated credential has to name.
    IdentitySubject = "identity-subject",
    /// More service accounts stand for an identity than Azure takes credentials for.
    IdentityCrowded = "identity-crowded",
    /// Rights that only some policies need.
    IdentityRights = "identity-rights",
    /// podgate may not ask what RBAC grants, though policies go by it.
    ExceptionRights = "exception-rights",
    /// An exception has ended, or soon will.
    ExceptionEnds = "exception-ends",
    /// Nothing is seen that puts the token in.
    IdentityWebhook = "identity-webhook",
    /// Two put the token in.
    IdentityInjectors = "identity-injectors",
    /// The Deployment is not there.
    DeploymentMissing = "deployment-missing",
    /// Fewer replicas are ready than are asked for.
    ReplicasNotReady = "replicas-not-ready",
    /// One replica cannot be replaced without a gap.
    ReplicasFew = "replicas-few",
    /// All replicas fall with one node.
    ReplicasTogether = "replicas-together",
    /// Replicas of different images.
    ImagesDiffer = "images-differ",
    /// Nothing keeps all replicas from being drained at once, or nothing lets any be drained.
    DisruptionBudget = "disruption-budget",
    /// The Service is not there.
    ServiceMissing = "service-missing",
    /// The Service does not select the replicas.
    ServiceSelector = "service-selector",
    /// The Service's port is not that of the webhooks or of the replicas.
    ServicePort = "service-port",
    /// The Service leads to no ready replica.
    EndpointsMissing = "endpoints-missing",
    /// The Lease is not there.
    LeaseMissing = "lease-missing",
    /// Nobody holds the Lease.
    LeaseStale = "lease-stale",
    /// A guard against changed labels or objects is not there.
    GuardMissing = "guard-missing",
    /// A guard that is there and does not refuse.
    GuardUnbound = "guard-unbound",
    /// The guard and podgate do not agree on what is guarded.
    GuardLabels = "guard-labels",
    /// Whether pods are judged depends on a label that nobody guards.
    LabelUnguarded = "label-unguarded",
}
