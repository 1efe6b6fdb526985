//! The refusal of a review that nobody has judged.

use crate::admission::answer::Response;
use crate::admission::decision::{Decision, Webhook};
use crate::admission::error::ReviewError;
use crate::admission::outcome::{one_line, refuse_unjudged};
use crate::admission::reply::{Answer, Unanswerable};
use crate::admission::request::{Envelope, ReadMode};
use crate::json::Reader;

/// Refuses a review that could not be read whole (too large, too slow), or whose judging failed: the
/// uid is taken from the part that is there. `code` is the HTTP-like status inside the answer.
///
/// # Errors
/// [`Unanswerable`] when the part holds no uid.
pub fn refuse<'b>(
    webhook: Webhook,
    partial: &'b [u8],
    code: u16,
    message: &str,
) -> Result<Answer<'b>, Unanswerable> {
    let mut envelope = Envelope::default();
    // Whatever is wrong further on, the review is refused for the reason that was given.
    let _ = envelope.read(Reader::of_valid_part(partial), ReadMode::Plain);
    let Some(uid) = envelope.uid().cloned() else {
        return Err(Unanswerable { message: one_line(message) });
    };
    let mut decision = Decision::new(webhook, uid.clone(), &envelope.request);
    let mut response = Response::refusing(&uid);
    refuse_unjudged(&ReviewError { code, message: message.to_owned() }, &mut response, &mut decision);
    Ok(Answer { body: response.to_bytes(), decision })
}
