//! Which kinds carry pods, and where: one table for the webhook and the linter.
//!
//! Everything is keyed on group *and* kind (or resource): `Job` is also Volcano's, and `Service` is also Knative's. A kind
//! is one of Kubernetes' own nine ([`Workload`]), or a custom resource ([`Kind`]). Of the latter the table says with
//! patterns where its templates are or, where no pattern can, an adapter does: it knows how the kind's operator makes pods
//! of what is written, merges it, and says what is missing.
//!
//! [`Object::carried`] takes an object apart into its [`Template`]s. What cannot be said of one is an [`Unresolved`].

mod adapters;
mod assembly;
mod built_in;
mod containers;
mod copy_budget;
mod find;
mod found_in;
mod injected;
mod kind;
mod merge;
mod object;
mod pattern;
mod placeholder;
mod places;
mod pod_defaults;
mod references;
mod referent_kinds;
mod resource;
mod scope;
mod table;
mod taken;
mod template;
mod unresolved;

pub use built_in::{WORKLOADS, Workload, WorkloadObject};
pub use containers::{CONTAINER_LISTS, holders};
pub use copy_budget::CopyBudget;
pub use find::Carried;
pub use found_in::FoundIn;
pub use injected::{InjectedContainer, injected_by_metadata};
pub use kind::{Adapter, Carries, Kind, Kinds, Object, TemplatePattern};
pub use pattern::fault as pattern_fault;
pub use placeholder::has_placeholder;
pub use places::{Place, Places};
pub use pod_defaults::PodDefaults;
pub use references::{References, Referent};
pub use referent_kinds::ReferentKinds;
pub use scope::is_of_cluster;
pub use template::{Part, Shape, Template};
pub use unresolved::{Unresolved, UnresolvedReason};
