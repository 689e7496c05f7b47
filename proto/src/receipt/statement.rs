//! Reading and writing statements under one set of rules. Spec: RCP-2.

use bytes::Bytes;
use prost::Message as _;

use super::{Erasure, Statement, StatementError};
use crate::{
    erasure,
    error::WireCode,
    id::{self, EnvelopeId, MessageId},
    limits,
    roster::RosterRef,
    v1::{self, Event},
};

impl Statement {
    /// A statement of an event by a node, about nothing yet.
    #[must_use]
    pub fn new(event: Event, node: &str) -> Self {
        Self {
            event,
            node: node.to_owned(),
            envelope_id: None,
            message_id: None,
            sender: String::new(),
            recipients: Vec::new(),
            code: 0,
            other_envelope_id: None,
            member_statement: Bytes::new(),
            roster: None,
            checkpoints: Vec::new(),
            ended_log: Bytes::new(),
            seen_log: Bytes::new(),
            erasure: None,
        }
    }

    /// Reads a statement and judges that its fields are those of its event. Spec: RCP-2.
    ///
    /// # Errors
    /// [`StatementError`] by what is wrong.
    pub fn parse(bytes: &Bytes) -> Result<Self, StatementError> {
        if bytes.len() > limits::STATEMENT_BYTES_MAX {
            return Err(StatementError::TooLarge);
        }
        let wire = v1::Statement::decode(bytes.clone()).map_err(|_| StatementError::Malformed)?;
        let statement = Self {
            erasure: erasure_of(&wire),
            event: Event::try_from(wire.event).map_err(|_| StatementError::Event)?,
            envelope_id: optional(&wire.envelope_id, EnvelopeId::from_slice)?,
            message_id: optional(&wire.message_id, MessageId::from_slice)?,
            sender: wire.sender,
            recipients: wire.recipients,
            node: wire.node,
            code: wire.code,
            other_envelope_id: optional(&wire.other_envelope_id, EnvelopeId::from_slice)?,
            member_statement: wire.member_statement,
            roster: roster_ref(wire.roster_version, &wire.roster_sha256)?,
            checkpoints: wire.checkpoints,
            ended_log: wire.ended_log,
            seen_log: wire.seen_log,
        };
        statement.judge()?;
        Ok(statement)
    }

    /// Writes a statement. Its bytes are final: they are committed to and kept as they are.
    ///
    /// # Errors
    /// [`StatementError`] for a statement that no reader would take.
    pub fn encode(&self) -> Result<Bytes, StatementError> {
        self.judge()?;
        let wire = v1::Statement {
            event: self.event.into(),
            envelope_id: bytes_of(self.envelope_id.as_ref()),
            message_id: bytes_of(self.message_id.as_ref()),
            sender: self.sender.clone(),
            recipients: self.recipients.clone(),
            node: self.node.clone(),
            code: self.code,
            other_envelope_id: bytes_of(self.other_envelope_id.as_ref()),
            member_statement: self.member_statement.clone(),
            roster_version: self.roster.map_or(0, |roster| roster.version),
            roster_sha256: self
                .roster
                .map_or_else(Bytes::new, |roster| Bytes::copy_from_slice(&roster.sha256)),
            checkpoints: self.checkpoints.clone(),
            ended_log: self.ended_log.clone(),
            seen_log: self.seen_log.clone(),
            ..self
                .erasure
                .as_ref()
                .map_or_else(Default::default, wire_erasure)
        };
        let bytes = wire.encode_to_vec();
        if bytes.len() > limits::STATEMENT_BYTES_MAX {
            return Err(StatementError::TooLarge);
        }
        Ok(Bytes::from(bytes))
    }

    /// The code of a rejection.
    #[must_use]
    pub fn wire_code(&self) -> Option<WireCode> {
        (self.code != 0).then(|| WireCode::from_number(self.code))
    }

    /// In the order in which the failures are named. Spec: RCP-2.
    fn judge(&self) -> Result<(), StatementError> {
        if self.event == Event::Unspecified {
            return Err(StatementError::Event);
        }
        self.judge_ids()?;
        self.judge_recipients()?;
        self.judge_code()?;
        self.judge_fields()?;
        self.judge_checkpoints()?;
        self.judge_erasure()
    }

    fn judge_ids(&self) -> Result<(), StatementError> {
        id::check_name(&self.node).map_err(|_| StatementError::Id)?;
        if !self.sender.is_empty() {
            id::check_name(&self.sender).map_err(|_| StatementError::Id)?;
        }
        let (envelope, message, sender) = match self.event {
            Event::Submitted | Event::Accepted => (true, true, true),
            Event::Rejected => (true, true, false),
            Event::Stage | Event::Forwarded | Event::Erased => (true, false, false),
            _ => (false, false, false),
        };
        let missing = (envelope && self.envelope_id.is_none())
            || (message && self.message_id.is_none())
            || (sender && self.sender.is_empty());
        (!missing).then_some(()).ok_or(StatementError::Id)
    }

    fn judge_recipients(&self) -> Result<(), StatementError> {
        let named = matches!(self.event, Event::Submitted | Event::Accepted);
        let fits = usize::from(named)..=limits::RECIPIENTS_MAX;
        let distinct = |(position, name): (usize, &String)| {
            id::check_name(name).is_ok() && !self.recipients[..position].contains(name)
        };
        let good = fits.contains(&self.recipients.len())
            && self.recipients.iter().enumerate().all(distinct);
        good.then_some(()).ok_or(StatementError::Recipients)
    }

    fn judge_code(&self) -> Result<(), StatementError> {
        let rejected = self.event == Event::Rejected;
        let fits = rejected == (self.code != 0);
        fits.then_some(()).ok_or(StatementError::Code)
    }

    fn judge_fields(&self) -> Result<(), StatementError> {
        let reuse = self.code == WireCode::IdReuse as u32;
        let fits = reuse == self.other_envelope_id.is_some()
            && (self.event == Event::Stage) != self.member_statement.is_empty()
            && (self.event == Event::TrustChange) == self.roster.is_some();
        fits.then_some(()).ok_or(StatementError::Field)
    }

    fn judge_checkpoints(&self) -> Result<(), StatementError> {
        let (checkpoints, log_before) = match self.event {
            Event::PeerSeen => (1, 0),
            Event::ForkEvidence => (2, 0),
            Event::Operator => (0, limits::SEEN_CHECKPOINT_BYTES_MAX),
            _ => (0, 0),
        };
        let fits = |note: &Bytes| (1..=limits::SEEN_CHECKPOINT_BYTES_MAX).contains(&note.len());
        let before = [&self.ended_log, &self.seen_log];
        let good = self.checkpoints.len() == checkpoints
            && self.checkpoints.iter().all(fits)
            && before.iter().all(|note| note.len() <= log_before);
        good.then_some(()).ok_or(StatementError::Field)
    }

    fn judge_erasure(&self) -> Result<(), StatementError> {
        let Some(erasure) = &self.erasure else {
            let missing = self.event == Event::Erased;
            return (!missing).then_some(()).ok_or(StatementError::Field);
        };
        let by = &erasure.ordered_by;
        if !by.is_empty() {
            id::check_name(by).map_err(|_| StatementError::Id)?;
        }
        let fits = erasure.entries.len() <= limits::ERASED_ENTRIES_MAX
            && erasure.entries.is_sorted_by(|one, next| one < next)
            && erasure::check(&erasure.ground, &erasure.authority).is_ok();
        (fits && self.event == Event::Erased)
            .then_some(())
            .ok_or(StatementError::Field)
    }
}

fn optional<T>(
    bytes: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, id::IdError>,
) -> Result<Option<T>, StatementError> {
    let id = (!bytes.is_empty()).then(|| read(bytes)).transpose();
    id.map_err(|_| StatementError::Id)
}

fn roster_ref(version: u64, sha256: &[u8]) -> Result<Option<RosterRef>, StatementError> {
    match (version, sha256.try_into()) {
        (0, _) if sha256.is_empty() => Ok(None),
        (1.., Ok(sha256)) => Ok(Some(RosterRef { version, sha256 })),
        _ => Err(StatementError::Field),
    }
}

/// Where one of its fields stands, it is judged as a whole.
fn erasure_of(wire: &v1::Statement) -> Option<Erasure> {
    let absent = wire.ground.is_empty()
        && wire.authority.is_empty()
        && wire.erased.is_empty()
        && wire.ordered_by.is_empty();
    (!absent).then(|| Erasure {
        ground: wire.ground.clone(),
        authority: wire.authority.clone(),
        entries: wire.erased.clone(),
        ordered_by: wire.ordered_by.clone(),
    })
}

fn wire_erasure(erasure: &Erasure) -> v1::Statement {
    v1::Statement {
        ground: erasure.ground.clone(),
        authority: erasure.authority.clone(),
        erased: erasure.entries.clone(),
        ordered_by: erasure.ordered_by.clone(),
        ..v1::Statement::default()
    }
}

fn bytes_of(id: Option<&impl AsRef<[u8]>>) -> Bytes {
    id.map_or_else(Bytes::new, |id| Bytes::copy_from_slice(id.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROSTER: RosterRef = RosterRef {
        version: 2,
        sha256: [4; 32],
    };

    fn accepted() -> Statement {
        Statement {
            envelope_id: Some(EnvelopeId([1; 32])),
            message_id: Some(MessageId([2; 16])),
            sender: "hotline.a".to_owned(),
            recipients: vec!["police.b".to_owned(), "police.c".to_owned()],
            ..Statement::new(Event::Accepted, "node-b")
        }
    }

    fn seen(event: Event, count: usize) -> Statement {
        Statement {
            checkpoints: vec![Bytes::from_static(b"a note"); count],
            ..Statement::new(event, "node-b")
        }
    }

    fn erased() -> Statement {
        Statement {
            envelope_id: Some(EnvelopeId([1; 32])),
            erasure: Some(Erasure {
                ground: "court-order".to_owned(),
                authority: "LU:2024/12".to_owned(),
                entries: vec![3, 9, u64::MAX],
                ordered_by: "police.b".to_owned(),
            }),
            ..Statement::new(Event::Erased, "node-b")
        }
    }

    // ERA-3, LIM-95: an erasure says why and what, in its order, and no other event does.
    #[test]
    fn an_erasure_that_does_not_say_why_is_refused() {
        type Change = fn(&mut Erasure);
        let changes: [Change; 7] = [
            |e| e.ground.clear(),
            |e| e.ground = "A person".to_owned(),
            |e| e.authority.clear(),
            |e| e.authority = "by word".to_owned(),
            |e| e.entries = vec![4, 4],
            |e| e.entries = vec![5, 4],
            |e| e.entries = (0..513).collect(),
        ];
        for change in changes {
            let mut statement = erased();
            change(statement.erasure.as_mut().expect("it was just set"));
            assert_eq!(statement.encode(), Err(StatementError::Field));
        }
        let mut statement = erased();
        statement.erasure.as_mut().expect("set").ordered_by = "A B".to_owned();
        assert_eq!(statement.encode(), Err(StatementError::Id));
        statement.erasure = None;
        assert_eq!(statement.encode(), Err(StatementError::Field));
        let other = Statement {
            erasure: erased().erasure,
            ..accepted()
        };
        assert_eq!(other.encode(), Err(StatementError::Field));
        let most = Statement {
            erasure: Some(Erasure {
                entries: (u64::MAX - 512..u64::MAX).collect(),
                ..erased().erasure.expect("set")
            }),
            ..erased()
        };
        assert_eq!(Statement::parse(&most.encode().expect("within")), Ok(most));
    }

    // RCP-2
    #[test]
    fn statements_of_every_event_read_back() {
        let about = |event| Statement {
            envelope_id: Some(EnvelopeId([1; 32])),
            ..Statement::new(event, "node-b")
        };
        let submitted = Statement {
            event: Event::Submitted,
            ..accepted()
        };
        let rejected = Statement {
            code: WireCode::Expired as u32,
            message_id: Some(MessageId([2; 16])),
            ..about(Event::Rejected)
        };
        let reused = Statement {
            code: WireCode::IdReuse as u32,
            other_envelope_id: Some(EnvelopeId([3; 32])),
            ..rejected.clone()
        };
        let staged = Statement {
            member_statement: Bytes::from_static(b"signed"),
            ..about(Event::Stage)
        };
        let trusted = Statement {
            roster: Some(ROSTER),
            ..Statement::new(Event::TrustChange, "node-b")
        };
        assert_eq!(reused.wire_code(), Some(WireCode::IdReuse));
        for statement in [
            submitted,
            accepted(),
            rejected,
            reused,
            staged,
            about(Event::Forwarded),
            erased(),
            trusted,
            seen(Event::PeerSeen, 1),
            Statement::new(Event::Operator, "node-b"),
            Statement {
                ended_log: Bytes::from_static(b"a note"),
                seen_log: Bytes::from_static(b"another"),
                ..Statement::new(Event::Operator, "node-b")
            },
            seen(Event::ForkEvidence, 2),
        ] {
            let bytes = statement.encode().expect("within the rules");
            assert_eq!(Statement::parse(&bytes), Ok(statement));
        }
    }

    // RCP-2: the same rules hold for what is written and for what is read.
    #[test]
    fn a_statement_with_fields_that_do_not_fit_is_refused_by_its_reason() {
        type Change = fn(&mut Statement);
        let cases: [(Change, StatementError); 17] = [
            (|s| s.event = Event::Unspecified, StatementError::Event),
            (|s| s.node.clear(), StatementError::Id),
            (|s| s.node.push('/'), StatementError::Id),
            (|s| s.sender.clear(), StatementError::Id),
            (|s| s.sender.push('A'), StatementError::Id),
            (|s| s.envelope_id = None, StatementError::Id),
            (|s| s.message_id = None, StatementError::Id),
            (|s| s.recipients.clear(), StatementError::Recipients),
            (|s| s.recipients[0].clear(), StatementError::Recipients),
            (
                |s| s.recipients[0] = s.recipients[1].clone(),
                StatementError::Recipients,
            ),
            (
                |s| s.recipients = (0..65).map(|i| format!("m{i}")).collect(),
                StatementError::Recipients,
            ),
            (|s| s.code = 4002, StatementError::Code),
            (
                |s| s.other_envelope_id = Some(EnvelopeId([3; 32])),
                StatementError::Field,
            ),
            (
                |s| s.member_statement = Bytes::from_static(b"x"),
                StatementError::Field,
            ),
            (|s| s.roster = Some(ROSTER), StatementError::Field),
            (
                |s| s.ended_log = Bytes::from_static(b"x"),
                StatementError::Field,
            ),
            (
                |s| s.seen_log = Bytes::from_static(b"x"),
                StatementError::Field,
            ),
        ];
        for (change, error) in cases {
            let mut statement = accepted();
            change(&mut statement);
            assert_eq!(statement.encode(), Err(error), "{statement:?}");
        }
        let mut rejected = accepted();
        rejected.event = Event::Rejected;
        assert_eq!(rejected.encode(), Err(StatementError::Code));
        rejected.code = WireCode::IdReuse as u32;
        assert_eq!(rejected.encode(), Err(StatementError::Field));
        let without = Statement::new(Event::TrustChange, "node-b");
        assert_eq!(without.encode(), Err(StatementError::Field));
        let mut staged = accepted();
        staged.event = Event::Stage;
        assert_eq!(staged.encode(), Err(StatementError::Field));
        staged.member_statement = Bytes::from(vec![1; limits::STATEMENT_BYTES_MAX]);
        assert_eq!(staged.encode(), Err(StatementError::TooLarge));
    }

    // RCP-2, LIM-82: of another log one checkpoint is seen, and two contradict each other.
    #[test]
    fn a_statement_has_as_many_checkpoints_as_its_event_says() {
        for (event, right) in [
            (Event::PeerSeen, 1),
            (Event::ForkEvidence, 2),
            (Event::Operator, 0),
        ] {
            for count in 0..4 {
                let judged = seen(event, count).encode().map(drop);
                let wanted = (count == right).then_some(()).ok_or(StatementError::Field);
                assert_eq!(judged, wanted, "{event:?} {count}");
            }
        }
        let with = |length: usize| {
            let mut statement = seen(Event::ForkEvidence, 2);
            statement.checkpoints[1] = vec![b'x'; length].into();
            statement.encode().map(drop)
        };
        assert_eq!(with(0), Err(StatementError::Field));
        assert_eq!(with(limits::SEEN_CHECKPOINT_BYTES_MAX), Ok(()));
        let over = with(limits::SEEN_CHECKPOINT_BYTES_MAX + 1);
        assert_eq!(over, Err(StatementError::Field));
        let begins = |length: usize| {
            let statement = Statement {
                seen_log: vec![b'x'; length].into(),
                ..Statement::new(Event::Operator, "node-b")
            };
            statement.encode().map(drop)
        };
        assert_eq!(begins(limits::SEEN_CHECKPOINT_BYTES_MAX), Ok(()));
        let over = begins(limits::SEEN_CHECKPOINT_BYTES_MAX + 1);
        assert_eq!(over, Err(StatementError::Field));
    }

    // RCP-2, LIM-20
    #[test]
    fn bytes_that_are_no_statement_are_refused_by_their_reason() {
        let parse = |bytes: Vec<u8>| Statement::parse(&Bytes::from(bytes)).map(|_| ());
        let large = vec![0; limits::STATEMENT_BYTES_MAX + 1];
        assert_eq!(parse(large), Err(StatementError::TooLarge));
        assert_eq!(parse(vec![0xff]), Err(StatementError::Malformed));
        assert_eq!(parse(Vec::new()), Err(StatementError::Event));
        let with = |change: fn(&mut v1::Statement)| {
            let bytes = accepted().encode().expect("within the rules");
            let mut wire = v1::Statement::decode(bytes).expect("own output");
            change(&mut wire);
            parse(wire.encode_to_vec())
        };
        assert_eq!(with(|w| w.event = 11), Err(StatementError::Event));
        let short = with(|w| w.envelope_id.truncate(31));
        assert_eq!(short, Err(StatementError::Id));
        let short = with(|w| w.message_id.truncate(15));
        assert_eq!(short, Err(StatementError::Id));
        assert_eq!(WireCode::from(StatementError::Id), WireCode::Malformed);
    }
}
