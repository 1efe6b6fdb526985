//! The exceptions that RBAC lets a pod's service account use: asked for only where a pod would be refused without one.

use std::sync::Arc;

use crate::admission::cluster_view::ClusterView;
use crate::controls::Grants;
use crate::evaluate::{Context, grants_needed};
use crate::pod::Pod;
use crate::policy::{Lookup, SecurityPolicy};

/// What RBAC says of the exceptions that matter for a pod.
#[derive(Debug, Default)]
pub(super) struct PodGrants {
    granted: Vec<Arc<str>>,
    /// Why nothing is known.
    unknown: Option<String>,
}

impl PodGrants {
    /// What RBAC says of the exceptions that would keep a pod from being refused.
    ///
    /// # Errors
    /// What has to be looked up to tell.
    pub(super) fn of<'s: 'p, 'p>(
        policies: impl Iterator<Item = &'s SecurityPolicy>,
        pod: &'p Pod<'p>,
        context: Context<'p>,
        view: ClusterView<'_>,
    ) -> Result<Self, Lookup> {
        let needed = grants_needed(policies, pod, context);
        if needed.is_empty() {
            return Ok(Self::default());
        }
        let account = context.origin.account_of(pod);
        Ok(match view.grants(context.origin.namespace, account, needed)? {
            Ok(granted) => Self { granted, unknown: None },
            Err(error) => Self { granted: Vec::new(), unknown: Some(error.to_string()) },
        })
    }

    pub(super) fn told(&self) -> Grants<'_> {
        match &self.unknown {
            Some(why) => Grants::Unknown(why),
            None => Grants::Known(&self.granted),
        }
    }
}
