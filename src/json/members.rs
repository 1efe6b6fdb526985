//! The macro that reads an object by the names of its members.

/// Reads an object member by member: each named key with its expression; other keys are skipped.
///
/// A macro, so that the names stand once: [`Reader::skip_unknown`] needs them as a list.
macro_rules! members {
    ($reader:ident, { $($name:literal => $read:expr),+ $(,)? }) => {
{
        const KNOWN: &$crate::json::Names<'_> = &$crate::json::Names::new(&[$($name),+]);
        $reader.object_with(KNOWN, |$reader, key| {
            match key.as_ref() {
                $($name => { $read; })+
                _ => $reader.skip_unknown(key, KNOWN)?,
            }
            Ok(())
        })
    }};
}
pub(crate) use members;
