//! Judges envelopes: what a member may submit, what another node may deliver.
//!
//! The order of checks is the order of the spec: shape, then who signed it, then whether it is in
//! time and for whom. Only an envelope whose signature holds can earn a signed, logged refusal;
//! anything else is answered without a trace in the log, so strangers cannot make it grow.
//! Spec: DEL-7 to DEL-9, DEL-13 to DEL-16, DEL-28.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use frex_client::transport::RosterHandle;
use frex_proto::{
    attachment::Listed,
    envelope::{self, Carried, EnvelopeError, Parsed, Recipient},
    error::{Retry, WireCode},
    id::EnvelopeId,
    limits::INLINE_BODY_BYTES_MAX,
    roster::{Peer, Roster, SealedTo, Standing},
    sign::BatchCache,
    v1,
};

use crate::{
    ledger::{Admitted, Entry, MessageKey},
    recall,
    suspension::{SuspensionHandle, Suspensions},
};

/// What to do with one envelope.
#[derive(Debug)]
pub enum Verdict {
    /// Record it.
    Record(Box<Entry>),
    /// Answer with this code; nothing is recorded.
    Refuse(WireCode),
}

impl Verdict {
    fn record(entry: Entry) -> Self {
        Self::Record(Box::new(entry))
    }
}

/// An envelope as it came: decoded for judging, encoded for keeping.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Decoded, body included.
    pub envelope: v1::Envelope,
    /// Encoded, body included.
    pub bytes: Bytes,
}

/// Judges for one node, each envelope under the roster of the moment.
#[derive(Clone)]
pub struct Intake {
    /// Who belongs to the federation.
    pub roster: RosterHandle,
    /// This node's id.
    pub node: String,
    /// From whom nothing is taken until they are resumed.
    pub suspensions: SuspensionHandle,
    /// Which attachments are whole here.
    pub is_whole: IsWhole,
}

/// Says whether an attachment is whole here, at a time.
pub type IsWhole = Arc<dyn Fn(Listed, u64) -> bool + Send + Sync>;

/// One judgement, under one roster from beginning to end.
struct Judge<'a> {
    roster: &'a Roster,
    node: &'a str,
    suspended: &'a Suspensions,
    is_whole: &'a IsWhole,
}

impl Intake {
    /// Judges what the client of `member` submits.
    pub fn submission(
        &self,
        arrived: &Arrived,
        member: &str,
        now_ms: u64,
        cache: &mut BatchCache,
    ) -> Verdict {
        let (roster, suspended) = (self.roster.current(), self.suspensions.current());
        let judge = self.judge(&roster, &suspended);
        judge
            .submission(arrived, member, now_ms, cache)
            .unwrap_or_else(|code| {
                refuse(arrived, code, true, |carried| carried.sender() == member)
            })
    }

    /// Judges what the node `peer` delivers.
    pub fn delivery(
        &self,
        arrived: &Arrived,
        peer: &str,
        now_ms: u64,
        cache: &mut BatchCache,
    ) -> Verdict {
        let (roster, suspended) = (self.roster.current(), self.suspensions.current());
        let judge = self.judge(&roster, &suspended);
        judge
            .delivery(arrived, peer, now_ms, cache)
            .unwrap_or_else(|code| {
                refuse(arrived, code, false, |carried| {
                    judge.roster.is_served_by(carried.sender(), peer)
                })
            })
    }

    /// Judges the signed manifest that a peer shows who wants to bring the attachment at this
    /// place of it: what it is, and whose. Spec: ATT-14.
    ///
    /// # Errors
    /// What its envelope would be refused with.
    pub fn attachment(
        &self,
        shown: &v1::Envelope,
        number: u32,
        peer: &Peer,
        now_ms: u64,
    ) -> Result<(Listed, String), WireCode> {
        let (roster, suspended) = (self.roster.current(), self.suspensions.current());
        let judge = self.judge(&roster, &suspended);
        judge.attachment(shown, number, peer, now_ms)
    }

    fn judge<'a>(&'a self, roster: &'a Roster, suspended: &'a Suspensions) -> Judge<'a> {
        Judge {
            roster,
            node: &self.node,
            suspended,
            is_whole: &self.is_whole,
        }
    }
}

impl Judge<'_> {
    fn submission(
        &self,
        arrived: &Arrived,
        member: &str,
        now_ms: u64,
        cache: &mut BatchCache,
    ) -> Result<Verdict, WireCode> {
        if self.roster.standing(now_ms) >= Standing::Unconfirmed {
            return Err(WireCode::RosterStale);
        }
        let carried = self.authentic(arrived, now_ms, cache)?;
        if carried.sender() != member {
            return Err(WireCode::WrongSender);
        }
        carried.check_time(now_ms)?;
        let mut nodes = BTreeSet::new();
        let mut members = Vec::new();
        for (number, recipient) in carried.recipients().iter().enumerate() {
            let home = self.takes(&recipient.member, carried.original())?;
            let number = u32::try_from(number).map_err(|_| WireCode::Malformed)?;
            if !carried.wraps().contains_key(&number) {
                return Err(WireCode::BadEnvelope);
            }
            if home == self.node {
                self.opens(recipient, now_ms)?;
                members.push(recipient.member.clone());
            } else {
                nodes.insert(home.to_owned());
            }
        }
        self.has_attachments(carried.original(), now_ms)?;
        Ok(Verdict::record(Entry::Submit {
            recipients: carried
                .recipients()
                .iter()
                .map(|recipient| recipient.member.clone())
                .collect(),
            admitted: admitted(&carried, arrived.bytes.clone()),
            nodes: nodes.into_iter().collect(),
            members,
        }))
    }

    fn delivery(
        &self,
        arrived: &Arrived,
        peer: &str,
        now_ms: u64,
        cache: &mut BatchCache,
    ) -> Result<Verdict, WireCode> {
        if self.roster.standing(now_ms) >= Standing::Void {
            return Err(WireCode::RosterStale);
        }
        let carried = self.authentic(arrived, now_ms, cache)?;
        let home = self
            .roster
            .member(carried.sender())
            .map(|member| member.home_node.as_str());
        if home != Some(peer) {
            return Err(WireCode::WrongSender);
        }
        let admitted = admitted(&carried, arrived.bytes.clone());
        let (members, retired) = match self.deliverable(&carried, now_ms) {
            Ok(sorted) => sorted,
            // What may pass by itself is tried again; what never will is refused for the record.
            Err(code) if code.info().retry == Retry::Later => return Err(code),
            Err(code) => {
                return Ok(Verdict::record(Entry::Reject {
                    admitted,
                    code,
                    recipients: Vec::new(),
                }));
            }
        };
        Ok(Verdict::record(if members.is_empty() {
            Entry::Reject {
                admitted,
                code: WireCode::KeyRetired,
                recipients: retired,
            }
        } else {
            self.has_attachments(carried.original(), now_ms)?;
            Entry::Deliver {
                admitted,
                members,
                retired,
            }
        }))
    }

    /// Shape, federation, sender and signature: the checks that make an envelope attributable. The
    /// author of what is passed on need not be live any more. Spec: RCL-16.
    fn authentic(
        &self,
        arrived: &Arrived,
        now_ms: u64,
        cache: &mut BatchCache,
    ) -> Result<Carried, WireCode> {
        let carried = self.attributable(&arrived.envelope, now_ms, cache)?;
        envelope::check_body(carried.original(), &arrived.envelope.body)?;
        Ok(carried)
    }

    /// What [`authentic`](Self::authentic) checks, without a body.
    fn attributable(
        &self,
        envelope: &v1::Envelope,
        now_ms: u64,
        cache: &mut BatchCache,
    ) -> Result<Carried, WireCode> {
        let carried = envelope::parse_carried(envelope)?;
        let core = &carried.original().core;
        if core.federation != self.roster.federation() {
            return Err(WireCode::WrongFederation);
        }
        let sender = self
            .roster
            .member(carried.sender())
            .ok_or(WireCode::NotTrusted)?;
        if !sender.is_live() {
            return Err(WireCode::Revoked);
        }
        if self.suspended.holds_member(carried.sender()) {
            return Err(WireCode::PeerSuspended);
        }
        let keys = self.roster.sender_keys(carried.sender(), now_ms);
        let author = self.roster.member(&core.sender);
        let author = author.ok_or(WireCode::NotTrusted)?;
        carried.verify(&keys, &author.identity_keys_at(core.created_ms), cache)?;
        Ok(carried)
    }

    /// Whether somebody may bring an attachment: as its envelope, before it. Spec: ATT-14.
    fn attachment(
        &self,
        shown: &v1::Envelope,
        number: u32,
        peer: &Peer,
        now_ms: u64,
    ) -> Result<(Listed, String), WireCode> {
        let (submitted, worst) = match peer {
            Peer::Client(_) => (true, Standing::Unconfirmed),
            Peer::Node(_) => (false, Standing::Void),
        };
        if self.roster.standing(now_ms) >= worst {
            return Err(WireCode::RosterStale);
        }
        let carried = self.attributable(shown, now_ms, &mut BatchCache::new())?;
        let theirs = match peer {
            Peer::Client(member) => carried.sender() == *member,
            Peer::Node(node) => self.roster.is_served_by(carried.sender(), node),
        };
        if !theirs {
            return Err(WireCode::WrongSender);
        }
        carried.check_time(now_ms)?;
        let mut concerned = submitted;
        for recipient in carried.recipients() {
            let here = self.roster.is_served_by(&recipient.member, self.node);
            if submitted || here {
                self.takes(&recipient.member, carried.original())?;
            }
            concerned |= here;
        }
        if !concerned {
            return Err(WireCode::UnknownRecipient);
        }
        let place = usize::try_from(number).ok();
        let listed = place.and_then(|place| carried.original().attachments.get(place));
        let listed = *listed.ok_or(WireCode::NotFound)?;
        Ok((listed, carried.sender().to_owned()))
    }

    /// Spec: ATT-16.
    fn has_attachments(&self, parsed: &Parsed, now_ms: u64) -> Result<(), WireCode> {
        let mut listed = parsed.attachments.iter();
        if listed.all(|listed| (self.is_whole)(*listed, now_ms)) {
            Ok(())
        } else {
            Err(WireCode::AttachmentMissing)
        }
    }

    /// Who gets it, and who has retired the key that it is sealed to. Spec: DEL-14, DEL-28.
    fn deliverable(
        &self,
        carried: &Carried,
        now_ms: u64,
    ) -> Result<(Vec<String>, Vec<String>), WireCode> {
        carried.check_time(now_ms)?;
        let (mut members, mut retired) = (Vec::new(), Vec::new());
        for (number, recipient) in carried.recipients().iter().enumerate() {
            let number = u32::try_from(number).map_err(|_| WireCode::Malformed)?;
            if !carried.wraps().contains_key(&number) {
                continue;
            }
            if self.takes(&recipient.member, carried.original())? != self.node {
                return Err(WireCode::UnknownRecipient);
            }
            match self.opens(recipient, now_ms) {
                Ok(()) => members.push(recipient.member.clone()),
                // Nobody else is to go without it.
                Err(WireCode::KeyRetired) => retired.push(recipient.member.clone()),
                Err(code) => return Err(code),
            }
        }
        if members.is_empty() && retired.is_empty() {
            Err(WireCode::UnknownRecipient)
        } else {
            Ok((members, retired))
        }
    }

    /// Whether a member served here still holds the secret of the key that it was sealed to.
    /// Spec: DEL-28.
    fn opens(&self, recipient: &Recipient, now_ms: u64) -> Result<(), WireCode> {
        let member = self.roster.member(&recipient.member);
        let member = member.ok_or(WireCode::UnknownRecipient)?;
        match member.sealed_to(recipient.sealing_key_id, now_ms) {
            SealedTo::Opens => Ok(()),
            SealedTo::Retired => Err(WireCode::KeyRetired),
            // The document that lists it may be on its way.
            SealedTo::Unknown => Err(WireCode::KeyUnknown),
        }
    }

    /// The node that serves `member`, if the member is live and takes this kind in this lane, and
    /// attachments if there are any.
    fn takes(&self, member: &str, parsed: &Parsed) -> Result<&str, WireCode> {
        let entry = self
            .roster
            .member(member)
            .ok_or(WireCode::UnknownRecipient)?;
        if !entry.is_live() {
            return Err(WireCode::UnknownRecipient);
        }
        if !entry.accepts(parsed.core.kind, parsed.core.lane) {
            return Err(WireCode::NotAccepted);
        }
        if !parsed.attachments.is_empty() && !entry.attachments {
            return Err(WireCode::AttachmentsRefused);
        }
        Ok(&entry.home_node)
    }
}

/// Refuses an envelope; if it comes `from` where it came from before, only unless it is held: a
/// key, a member or a time that has ended since changes nothing about that. Spec: DEL-17.
fn refuse(
    arrived: &Arrived,
    code: WireCode,
    submitted: bool,
    from: impl FnOnce(&Carried) -> bool,
) -> Verdict {
    let carried = envelope::parse_carried(&arrived.envelope).ok();
    let carried = carried.filter(|carried| code != WireCode::PeerSuspended && from(carried));
    let Some(carried) = carried else {
        return Verdict::Refuse(code);
    };
    let recipients = carried.recipients().iter();
    Verdict::record(Entry::Refuse {
        message: MessageKey::new(carried.sender(), carried.message_id()),
        id: carried.id(),
        recipients: recipients
            .map(|recipient| recipient.member.clone())
            .collect(),
        submitted,
        code,
    })
}

fn admitted(carried: &Carried, envelope: Bytes) -> Admitted {
    let core = &carried.original().core;
    let roots = carried.original().attachments.iter();
    Admitted {
        id: carried.id(),
        message_id: carried.message_id(),
        sender: carried.sender().to_owned(),
        lane: core.lane,
        expires_ms: carried.times().1,
        attachments: roots.map(|listed| listed.root).collect(),
        envelope,
        is_forward: matches!(carried, Carried::Forward(_)),
        recalls: recall::of(core),
    }
}

/// What is read of an envelope before anything of it is verified.
#[derive(Debug, Clone)]
pub struct Heading {
    /// Who sent it, if its signature holds.
    pub sender: String,
    /// Its lane.
    pub lane: v1::Lane,
    /// The message that it is of.
    pub message: MessageKey,
    /// Its identity.
    pub id: EnvelopeId,
    /// Length of the body that follows in a frame of its own. Spec: WIR-5.
    pub body_follows: Option<usize>,
}

impl Heading {
    /// Reads the signed manifest.
    ///
    /// # Errors
    /// It does not parse.
    pub fn of(envelope: &v1::Envelope) -> Result<Self, EnvelopeError> {
        let carried = envelope::parse_carried(envelope)?;
        let Parsed { core, manifest, .. } = carried.original();
        let length = usize::try_from(manifest.body_len).map_err(|_| EnvelopeError::TooLarge)?;
        Ok(Self {
            lane: core.lane,
            message: MessageKey::new(carried.sender(), carried.message_id()),
            id: carried.id(),
            sender: carried.sender().to_owned(),
            body_follows: (length > INLINE_BODY_BYTES_MAX).then_some(length),
        })
    }
}

#[cfg(test)]
mod tests;
