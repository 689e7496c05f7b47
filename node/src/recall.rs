//! Recalls: what one withdraws, and which deliveries it makes needless. Spec: chapter RCL.

use std::collections::BTreeSet;

use frex_proto::{
    envelope::{self, Core},
    error::WireCode,
    roster::Roster,
    v1,
};
use prost::Message;

use crate::ledger::{Entry, MessageKey, Recalls, query::Ledger, records};

/// What an envelope withdraws, if it is a recall. Only its own sender's messages can be meant.
#[must_use]
pub fn of(core: &Core) -> Option<Box<Recalls>> {
    let (message, envelope) = core.recalls()?;
    Some(Box::new(Recalls {
        message: MessageKey::new(&core.sender, message),
        envelope,
        stops: Vec::new(),
    }))
}

/// Names the deliveries that a submitted recall makes needless: to nodes where the message was
/// withdrawn for everyone whom it was for. Spec: RCL-9.
///
/// # Errors
/// [`WireCode::NotAccepted`] if it withdraws a ping or a recall; index or journal damage.
pub fn find_stops(ledger: &Ledger, roster: &Roster, entry: &mut Entry) -> Result<(), WireCode> {
    let Entry::Submit {
        admitted,
        recipients,
        ..
    } = entry
    else {
        return Ok(());
    };
    let Some(recalls) = &mut admitted.recalls else {
        return Ok(());
    };
    let mut withdrawn: BTreeSet<String> = recipients.iter().cloned().collect();
    let history = ledger.history_at(recalls.message);
    let history = history.map_err(|error| WireCode::from(&error))?;
    for (_, stored) in &history {
        if stored.kind == records::WITHDRAWN {
            withdrawn.extend(stored.record.withdrawn.iter().cloned());
        }
    }
    for (position, stored) in history {
        if stored.kind != records::SENT || stored.record.erased {
            continue;
        }
        let envelope = v1::Envelope::decode(stored.record.envelope);
        let envelope = envelope.map_err(|_| WireCode::JournalDamaged)?;
        let carried = envelope::parse_carried(&envelope).map_err(|_| WireCode::JournalDamaged)?;
        if carried.original().core.kind.is_for_control() {
            return Err(WireCode::NotAccepted);
        }
        for node in &stored.record.nodes {
            let recipients = carried.recipients().iter().map(|one| &one.member);
            let there: Vec<&String> = recipients
                .filter(|member| roster.is_served_by(member, node))
                .collect();
            if !there.is_empty() && there.iter().all(|member| withdrawn.contains(*member)) {
                let key = records::queue_key(node, stored.record.lane, position);
                recalls.stops.push(key.into());
            }
        }
    }
    Ok(())
}
