//! What a client id in Azure must be.

/// What SDKs and templates have in place of an id that nobody has filled in.
pub(super) const ALL_ZERO: &str = "00000000-0000-0000-0000-000000000000";

/// Whether a text is a GUID as Azure shows it, in groups of 8, 4, 4, 4 and 12 digits.
pub(super) fn is_guid(text: &str) -> bool {
    let groups = text.split('-').map(str::len);
    groups.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
