//! The exit codes of the program.

/// Nothing to report.
pub(crate) const ALL_WELL: u8 = 0;
/// Something was refused.
pub(crate) const REFUSED: u8 = 1;
/// Something is not as a test expects it.
pub(crate) const NOT_AS_EXPECTED: u8 = 1;
/// Wrong usage or configuration.
pub(crate) const UNUSABLE: u8 = 2;
/// Something could not be read.
pub(crate) const UNREAD: u8 = 3;
