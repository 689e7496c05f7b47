//! Another node relays what its member stated about an envelope that a member served here sent.

use std::sync::Arc;

use frex_client::transport::FrameWriter;
use frex_proto::{
    error::WireCode, id::EnvelopeId, label, log::Checkpoint, receipt, roster::Roster, sign, v1,
};
use prost::Message;

use super::{Refused, not_signed, put_outcome};
use crate::{
    ledger::{Entry, PeerReceiptEntry, records, sequencer},
    shared::Shared,
};

pub(super) async fn serve(
    shared: &Arc<Shared>,
    peer: &str,
    request: v1::Relay,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    let receipt = request.receipt.ok_or(WireCode::Malformed)?;
    let (entry, id) = judge(&shared.roster(), &shared.id, peer, &receipt)?;
    known(shared, entry.message, id)?;
    if let Ok(head) = Checkpoint::of_note(&receipt.checkpoint) {
        // The receipt holds, and with it the signature of its head.
        shared.heads.signed(peer, &head, &receipt.checkpoint);
        shared.heads.pass(peer, &head, &receipt.checkpoint);
    }
    let outcome = shared.ledger.record(Entry::PeerReceipt(entry)).await;
    put_outcome(writer, 0, outcome);
    Ok(())
}

/// The receipt proves that the peer logged it; the statement inside proves who said it, about
/// which envelope.
fn judge(
    roster: &Roster,
    own: &str,
    peer: &str,
    wire: &v1::Receipt,
) -> Result<(PeerReceiptEntry, EnvelopeId), Refused> {
    let log = roster.log_verifier_for(peer, &wire.checkpoint);
    let log = log.ok_or(WireCode::NotTrusted)?;
    let verified = receipt::verify(wire, &log, None).map_err(WireCode::from)?;
    let statement = verified.statement;
    if statement.event != v1::Event::Stage {
        return Err(Refused(WireCode::Malformed));
    }
    if roster
        .member(&statement.sender)
        .is_none_or(|sender| sender.home_node != own)
    {
        return Err(Refused(WireCode::UnknownRecipient));
    }
    let signed =
        v1::Signed::decode(statement.member_statement.clone()).map_err(|_| WireCode::Malformed)?;
    let member = statement.recipients.first().ok_or(WireCode::Malformed)?;
    if roster
        .member(member)
        .is_none_or(|member| member.home_node != peer)
    {
        return Err(Refused(WireCode::WrongSender));
    }
    // What was good when it was logged stays so, whatever has followed the key since.
    let keys = roster.sender_keys(member, verified.time_ms);
    let said = sign::verify(&signed, label::TYPE_STAGE, &keys, 1).map_err(not_signed)?;
    let said = v1::StageStatement::decode(said.payload).map_err(|_| WireCode::Malformed)?;
    let id = statement.envelope_id.ok_or(WireCode::Malformed)?;
    let matches = said.member == *member
        && said.federation == roster.federation()
        && said.envelope_id.as_ref() == id.0
        && said.stage() != v1::Stage::Unspecified;
    if !matches {
        return Err(Refused(WireCode::BadEnvelope));
    }
    let message = records::message_of_statement(&statement).map_err(|_| WireCode::Malformed)?;
    let entry = PeerReceiptEntry {
        message,
        node: peer.to_owned(),
        detail: sequencer::stage_detail(member, said.stage()),
        receipt: wire.encode_to_vec().into(),
        refusal: None,
        outbox_key: None,
    };
    Ok((entry, id))
}

/// Nobody can make this node keep statements about envelopes it never sent.
fn known(
    shared: &Shared,
    message: crate::ledger::MessageKey,
    id: EnvelopeId,
) -> Result<(), Refused> {
    match shared.ledger.was_sent(message, id) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refused(WireCode::NotFound)),
        Err(_) => Err(Refused(WireCode::StorageFailed)),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use frex_proto::{
        id::MessageId,
        keys::SigningKey,
        log::{self, Checkpoint, Frontier, Leaf, checkpoint},
        receipt::Statement,
        roster::{TrustAnchor, build},
    };

    use super::*;

    const NOW: u64 = 1_900_000_000_000;
    const DAY: u64 = 24 * 60 * 60 * 1000;
    const ID: EnvelopeId = EnvelopeId([3; 32]);

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    /// Members `a` and `b` with a node each; the identity key of `b` ended a day ago.
    fn roster() -> Roster {
        let root = build::root(&build::RootDraft {
            federation: "f",
            version: 1,
            expires_ms: NOW + 90 * DAY,
            root_keys: &[key(1).verifying_key()],
            root_threshold: 1,
            roster_keys: &[key(2).verifying_key()],
            roster_threshold: 1,
        });
        let mut listed = build::first_roster(&root, NOW, NOW + 90 * DAY);
        for (id, home, seed) in [("a", "node-a", 10), ("b", "node-b", 20)] {
            let card = build::card(&build::CardDraft {
                federation: "f",
                id,
                name: id,
                role: v1::Role::Hotline,
                country: "NO",
                home_node: home,
                identity: &key(seed),
                client_tls: &[key(seed + 1).verifying_key()],
                sealing: &[],
                node: Some(build::NodeDraft {
                    id: home,
                    log_key: &key(seed + 2).verifying_key(),
                    witness_key: None,
                    tls_keys: &[key(seed + 3).verifying_key()],
                    addresses: &[],
                }),
                issued_ms: NOW,
                expires_ms: NOW + 90 * DAY,
            });
            build::list_card(&mut listed, &card.unwrap());
        }
        listed.members[1].identity_keys[0].not_after_ms = NOW - DAY;
        let root = build::sign_root(&root, &[&key(1)]).unwrap();
        let signed = build::sign_roster(&listed, &[&key(2)]).unwrap();
        let anchor = TrustAnchor::of_root(&root).unwrap();
        Roster::judge(
            &build::bundle(&root, &signed, Vec::new(), None),
            &anchor,
            NOW,
        )
        .unwrap()
    }

    /// What the node of `b` logged at `time_ms` that `b` said.
    fn logged(time_ms: u64) -> v1::Receipt {
        let said = v1::StageStatement {
            envelope_id: Bytes::copy_from_slice(&ID.0),
            federation: "f".to_owned(),
            member: "b".to_owned(),
            stage: v1::Stage::Opened.into(),
            time_ms,
            outcome: String::new(),
        };
        let said = sign::sign(label::TYPE_STAGE, said.encode_to_vec().into(), &[&key(20)]);
        let statement = Statement {
            envelope_id: Some(ID),
            message_id: Some(MessageId([5; 16])),
            sender: "a".to_owned(),
            recipients: vec!["b".to_owned()],
            member_statement: said.unwrap().encode_to_vec().into(),
            ..Statement::new(v1::Event::Stage, "node-b")
        };
        let statement = statement.encode().unwrap();
        let leaf = Leaf::build(v1::Event::Stage, time_ms, &[9; 32], &statement);
        let mut tree = Frontier::default();
        tree.append(leaf.hash());
        let head = Checkpoint {
            origin: log::origin("f", "node-b", 1),
            size: tree.size(),
            root: tree.root(),
        };
        let note = checkpoint::sign(&head, &key(22)).unwrap();
        receipt::build(statement, &[9; 32], &leaf, 0, &[], note)
    }

    // DEL-27, RCP-15: what a member signed is judged by its keys at the time of the log, as long
    // as it may have waited; what was logged after the key's end says nothing.
    #[test]
    fn a_statement_outlives_the_key_that_signed_it() {
        let judged = |time_ms| judge(&roster(), "node-a", "node-b", &logged(time_ms));
        let (entry, id) = judged(NOW - 2 * DAY).expect("good when it was logged");
        assert_eq!((entry.node.as_str(), id), ("node-b", ID));
        let late = judged(NOW - DAY).err().map(|Refused(code)| code);
        assert_eq!(late, Some(WireCode::BadSignature));
    }
}
