//! A strict JSON reader that borrows: one pass, no tree, no copy of a string without escapes.
//!
//! A review is hostile input on the way to a security decision, so this reader refuses what others ignore: a repeated key
//! in an object that is read, and everywhere a lone surrogate, a depth over [`MAX_SKIPPED_DEPTH`], more than
//! [`MAX_ELEMENTS`] members and items. `serde_json` cannot do that, and a scan before it would cost more than the reading;
//! a test holds the two to the same answer on everything else.
//!
//! The caller pulls: [`Reader::object`] and [`Reader::array`] call back for each member or item,
//! and the callback must read the value, if only with [`Reader::skip`]. An absent thing may be
//! written `null` everywhere, as Kubernetes reads it.

mod collections;
mod error;
mod fingerprint;
mod keys;
mod limits;
mod members;
mod names;
mod part;
mod quote_block;
mod quote_index;
mod quotes;
mod reader;
mod scan;
mod seen_keys;
mod skip;
mod string;
#[cfg(test)]
mod tests;
mod values;
mod write;

pub use error::{ErrorKind, JsonError, Result};
pub use limits::{MAX_DEPTH, MAX_ELEMENTS, MAX_KEPT, MAX_SKIPPED_DEPTH, MAX_STRING};
pub(crate) use members::members;
pub use names::Names;
pub use reader::Reader;
pub(crate) use write::{write_escaped, write_string};
