//! The reviews that are sent: of 10 KB, most of them of a pod that is allowed, some of one that is not.

const POD: &str = include_str!("../../benches/payloads/one-container.json");
const UID: &str = "8df8f495-4395-4268-a5a4-6285667fe33b";
const BYTES: usize = 10_000;
/// One in so many is of the pod that is to be refused.
const TURNS: usize = 8;

/// A review as it is sent, and what is to come of it.
pub(crate) struct Review {
    pub(crate) uid: String,
    pub(crate) is_allowed: bool,
    pub(crate) text: String,
}

/// What comes before and after the uid, for the pod that is allowed and for the one that is not.
pub(crate) struct Reviews {
    allowed: (String, String),
    refused: (String, String),
}

impl Reviews {
    pub(crate) fn new() -> Self {
        let variables: String = (0..)
            .map(|turn| format!("{{\"name\":\"NCCL_SETTING_{turn}\",\"value\":\"{}\"}},", "x".repeat(40)))
            .scan(POD.len(), |bytes, variable| {
                *bytes += variable.len();
                (*bytes < BYTES).then_some(variable)
            })
            .collect();
        let allowed = POD.replacen("\"env\":[", &format!("\"env\":[{variables}"), 1);
        let refused = allowed.replacen("\"spec\":{", "\"spec\":{\"hostPID\":true,", 1);
        let around_uid = |text: &str| {
            let (before, after) = text.split_once(UID).unwrap();
            (before.to_owned(), after.to_owned())
        };
        assert!(allowed.len() > BYTES * 9 / 10 && refused.len() > allowed.len());
        Self { allowed: around_uid(&allowed), refused: around_uid(&refused) }
    }

    /// The review of a turn, whose uid no other turn has.
    pub(crate) fn of_turn(&self, turn: usize) -> Review {
        let is_allowed = turn % TURNS != TURNS - 1;
        let uid = format!("{turn:036}");
        let (before, after) = if is_allowed { &self.allowed } else { &self.refused };
        Review { text: [before, &*uid, after].concat(), uid, is_allowed }
    }
}
