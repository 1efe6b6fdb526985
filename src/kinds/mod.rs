//! The kinds that carry pods, for people: the list of them, a platform's own that are added to it, and those that a
//! CustomResourceDefinition suggests to add.
//!
//! What is known of a kind, and how its objects are taken apart, is in [`workload`](crate::workload). Here the table is
//! written ([`ListedKinds`], [`page`]), files of a platform's own rows are read ([`KindFiles`]), and schemas are searched for
//! what rows could be made of ([`Discovery`]).

mod added;
mod discover;
mod file;
mod json;
mod listing;
mod names;
mod page;
mod text;
mod words;
mod written;

use serde_json::Value;

pub use discover::Discovery;
pub use file::KindFiles;
pub use listing::ListedKinds;
pub use page::page;

/// The JSON Schema of such a file, for editors.
#[must_use]
pub fn json_schema() -> Value {
    crate::policy::schema::of::<written::KindTableFile>()
}
