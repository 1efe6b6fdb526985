//! podgate's own objects in a cluster.

/// The names of podgate's own objects in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnObjects {
    /// The namespace of those that have one.
    pub namespace: String,
    /// The Service that webhooks reach podgate by.
    pub service: String,
    /// The Secret of the certificate.
    pub secret: String,
    /// The Lease of whoever rotates it.
    pub lease: String,
    /// The ValidatingWebhookConfiguration.
    pub validating: String,
    /// The MutatingWebhookConfiguration.
    pub mutating: String,
}
