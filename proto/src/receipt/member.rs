//! What a receipt says of members: whether its node may say it, and the member's own word inside.
//! Spec: RCP-14, RCP-15, MBR-4.

use prost::Message as _;

use super::{Statement, VerifiedReceipt};
use crate::{
    label,
    roster::Roster,
    sign,
    v1::{self, Event, Stage},
};

impl Stage {
    /// In lower case.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Delivered => "delivered",
            Self::Opened => "opened",
            Self::Acted => "acted",
        }
    }
}

/// Whether the node that states it serves those whom it speaks of: the sender of what it took on,
/// the recipients of what it accepted.
#[must_use]
pub fn may_state(statement: &Statement, roster: &Roster) -> bool {
    let serves = |member: &String| roster.is_served_by(member, &statement.node);
    match statement.event {
        Event::Submitted | Event::Forwarded => serves(&statement.sender),
        Event::Accepted | Event::Stage => statement.recipients.iter().all(serves),
        _ => true,
    }
}

/// The member's statement inside a stage receipt, signed by a key that was good when it was logged;
/// none if it does not hold, or says something else than the receipt.
#[must_use]
pub fn member_word(verified: &VerifiedReceipt, roster: &Roster) -> Option<v1::StageStatement> {
    let statement = &verified.statement;
    let [member] = statement.recipients.as_slice() else {
        return None;
    };
    let keys = roster.member(member)?.identity_keys_at(verified.time_ms);
    let signed = v1::Signed::decode(statement.member_statement.clone()).ok()?;
    let word = sign::verify(&signed, label::TYPE_STAGE, &keys, 1).ok()?;
    let word = v1::StageStatement::decode(word.payload).ok()?;
    let about_this = word.member == *member
        && word.federation == roster.federation()
        && statement
            .envelope_id
            .is_some_and(|id| id.as_ref() == &word.envelope_id[..]);
    let said = match word.stage() {
        Stage::Unspecified => false,
        Stage::Acted => true,
        Stage::Delivered | Stage::Opened => word.outcome.is_empty(),
    };
    (about_this && said).then_some(word)
}
