//! The names that a certificate must be valid for: those of the Service.

/// The Service that webhooks are reached through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookService {
    names: [String; 2],
}

impl WebhookService {
    /// The Service of this name and namespace.
    #[must_use]
    pub fn new(name: &str, namespace: &str) -> Self {
        let short = format!("{name}.{namespace}.svc");
        Self { names: [short.clone(), format!("{short}.cluster.local")] }
    }

    /// The name that API servers ask for.
    #[must_use]
    pub fn name(&self) -> &str {
        let [name, _] = &self.names;
        name
    }

    /// Every name that a leaf is valid for.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
}
