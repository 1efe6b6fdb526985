//! How reviews are classed by their size, for the memory that they take and the time that they are given.

/// What each connection may hold without a reservation: most reviews are shorter. With 2048 connections it makes
/// 32 MiB.
pub(super) const FREE_BYTES: usize = 16 * 1024;

/// The longest ordinary review. Hardly any pod that is not meant to be large makes a longer one.
pub(super) const ORDINARY_BYTES: usize = 256 * 1024;
