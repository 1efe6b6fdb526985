//! The limits of a text. What exceeds one is refused, even where nobody reads it.

/// Deepest nesting of what is read. Real pods reach 14; Go's encoder has no limit, but our stack has.
pub const MAX_DEPTH: usize = 64;
/// Deepest nesting of what is skipped: Go's own.
pub const MAX_SKIPPED_DEPTH: usize = 10_000;
/// Most members and items in one text. A review of 8 MiB as an API server writes it holds fewer.
pub const MAX_ELEMENTS: usize = 200_000;
/// Longest string, in bytes. etcd takes no object over 1.5 MiB.
pub const MAX_STRING: usize = 1 << 20;

/// Most items of lists that are kept of one text: an item takes more memory than text, so their sum is bounded. A real pod
/// has some hundreds: labels, volumes, ports of its node.
pub const MAX_KEPT: usize = 4096;
