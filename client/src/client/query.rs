//! Questions to the home node, none of whose answers is believed unproved.

use std::time::Duration;

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    id::MessageId,
    label::Hash,
    limits,
    log::{Checkpoint, CheckpointError, LogVerifier, ProofError, checkpoint, proof},
    roster::Finality,
    v1,
    wire::{FrameError, FrameType},
};

use super::{Client, ConnectError, ProvenReceipt, Unproven, UnprovenError};
use crate::transport::{self, TransportError};

/// How long each answer may take.
const ANSWER_WAIT: Duration = Duration::from_secs(20);

/// Why a question has no answer that can be believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// There is no session with the home node.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection broke or the node broke the protocol.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The home node refuses.
    #[error("the home node refuses: {0}")]
    Refused(WireCode),
    /// The roster does not know the home node's log.
    #[error("the roster does not list the home node's log")]
    UnknownLog,
    /// The checkpoint is not signed by the log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The log does not contain what it must. Keep both checkpoints: they may be evidence.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// What would be a final receipt does not hold. Keep both: they may be evidence.
    #[error("the receipt does not hold: {}", .0.error)]
    Unproven(Box<Unproven>),
}

impl From<&QueryError> for WireCode {
    fn from(error: &QueryError) -> Self {
        match error {
            QueryError::Connect(error) => error.into(),
            QueryError::Transport(error) => error.into(),
            QueryError::Refused(code) => *code,
            QueryError::UnknownLog => Self::NotTrusted,
            QueryError::Checkpoint(_) => Self::BadSignature,
            QueryError::Proof(error) => (*error).into(),
            QueryError::Unproven(unproven) => unproven.error.into(),
        }
    }
}

impl From<QueryError> for WireCode {
    fn from(error: QueryError) -> Self {
        Self::from(&error)
    }
}

/// What the home node holds on one message.
#[derive(Debug)]
pub struct History {
    /// Receipts in the order of its log, each verified; those that do not hold say why.
    pub receipts: Vec<Result<ProvenReceipt, Unproven>>,
    /// Each delivery to a recipient's node that was given up.
    pub given_up: Vec<GivenUp>,
}

/// A delivery that the home node gave up, as it says: nothing proves it. Spec: DEL-46.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// To which node; none: to one that the roster does not list.
    pub node: Option<String>,
    /// Why.
    pub code: WireCode,
}

/// A log's head whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// What is signed.
    pub checkpoint: Checkpoint,
    /// The signed note as received: what is kept and shown to others.
    pub note: Bytes,
}

impl Client {
    /// Every receipt that the home node holds on a message that this member sent, in the order
    /// of its log, each verified; those that do not hold say why. Spec: MBR-8.
    ///
    /// # Errors
    /// [`QueryError`]; [`WireCode::NotFound`] inside if the node knows no such message.
    pub async fn receipts(
        &self,
        message: MessageId,
    ) -> Result<Vec<Result<ProvenReceipt, Unproven>>, QueryError> {
        Ok(self.history(message).await?.receipts)
    }

    /// What [`receipts`](Self::receipts) gives, and to which nodes delivery was given up, and why.
    ///
    /// # Errors
    /// As [`receipts`](Self::receipts).
    pub async fn history(&self, message: MessageId) -> Result<History, QueryError> {
        let request = v1::GetReceipts {
            message_id: Bytes::copy_from_slice(message.as_ref()),
        };
        let answers = self.ask(v1::request::Request::GetReceipts(request)).await?;
        let (mut receipts, mut given_up) = (Vec::new(), Vec::new());
        for answer in answers {
            match answer {
                v1::answer::Answer::Receipt(receipt) => {
                    let proven = self.0.verifier.prove(receipt, None);
                    receipts.push(proven.and_then(|proven| self.of_message(proven, message)));
                }
                v1::answer::Answer::GivenUp(told) => given_up.push(self.given_up(told)),
                v1::answer::Answer::Refusal(refusal) => return Err(refused(&refusal)),
                _ => return Err(TransportError::from(FrameError::Malformed).into()),
            }
        }
        Ok(History { receipts, given_up })
    }

    /// What was signed of each envelope of a message that this member sent, as the home node has it:
    /// to be kept only as that of an envelope whose id is known to be the member's own. Spec: EVD-14.
    ///
    /// # Errors
    /// [`QueryError`]; [`WireCode::NotFound`] inside if the node took on no such message.
    pub async fn signed(&self, message: MessageId) -> Result<Vec<Bytes>, QueryError> {
        let request = v1::GetSigned {
            message_id: Bytes::copy_from_slice(message.as_ref()),
        };
        let answers = self.ask(v1::request::Request::GetSigned(request)).await?;
        let mut signed = Vec::new();
        for answer in answers {
            match answer {
                v1::answer::Answer::Shown(shown) => signed.push(shown.signed),
                v1::answer::Answer::Refusal(refusal) => return Err(refused(&refusal)),
                _ => return Err(TransportError::from(FrameError::Malformed).into()),
            }
        }
        Ok(signed)
    }

    /// The newest head of the home node's log, proved to extend `known` if one is given.
    /// Spec: MBR-9.
    ///
    /// # Errors
    /// [`QueryError`]; a failed proof is evidence against the node.
    pub async fn checkpoint(&self, known: Option<&Checkpoint>) -> Result<LogHead, QueryError> {
        let log = self.home_log()?;
        let request = v1::GetCheckpoint {
            consistent_with: known.map_or(0, |known| known.size),
            ..v1::GetCheckpoint::default()
        };
        let answer = self
            .ask_one(v1::request::Request::GetCheckpoint(request))
            .await?;
        let v1::answer::Answer::Checkpoint(answer) = answer else {
            return Err(TransportError::from(FrameError::Malformed).into());
        };
        let head = checkpoint::parse_and_verify(&answer.checkpoint, &log, self.just_now_ms())?;
        if let Some(known) = known {
            let hashes = hashes(&answer.consistency)?;
            proof::verify_consistency(known.size, &known.root, head.size, &head.root, &hashes)?;
        }
        Ok(LogHead {
            checkpoint: head,
            note: answer.checkpoint,
        })
    }

    /// The newest head of the home node's log, proved to hold `leaf` at `index`. Spec: MBR-9.
    ///
    /// # Errors
    /// [`QueryError`]; a failed proof is evidence against the node.
    pub async fn prove_entry(&self, index: u64, leaf: &Hash) -> Result<LogHead, QueryError> {
        let log = self.home_log()?;
        let request = v1::GetProof {
            index,
            ..v1::GetProof::default()
        };
        let answer = self.ask_proof(request).await?;
        let head = checkpoint::parse_and_verify(&answer.checkpoint, &log, self.just_now_ms())?;
        let hashes = hashes(&answer.hashes)?;
        proof::verify_inclusion(leaf, index, head.size, &hashes, &head.root)?;
        Ok(LogHead {
            checkpoint: head,
            note: answer.checkpoint,
        })
    }

    /// The same receipt under the newest head of its log that enough witnesses have cosigned: nobody
    /// can take back any more what it states. Spec: WIT-12.
    ///
    /// # Errors
    /// [`QueryError`]; [`WireCode::NotFound`] inside while there is no such head.
    pub async fn finalize(&self, proven: &ProvenReceipt) -> Result<ProvenReceipt, QueryError> {
        let roster = self.0.roster.current();
        let verified = &proven.verified;
        let request = v1::GetProof {
            index: verified.index,
            node: proven.node().to_owned(),
            witnessed: true,
            ..v1::GetProof::default()
        };
        let answer = self.ask_proof(request).await?;
        let of = |checkpoint: &[u8]| Checkpoint::of_note(checkpoint).map(|head| head.origin);
        if of(&answer.checkpoint)? != verified.checkpoint.origin {
            // The node's log has begun anew since: nobody proves an entry of the one before again.
            return Err(QueryError::Refused(WireCode::NotFound));
        }
        let receipt = v1::Receipt {
            hashes: answer.hashes,
            checkpoint: answer.checkpoint,
            ..proven.receipt.clone()
        };
        let envelope = verified.statement.envelope_id;
        let proven = self.0.verifier.prove(receipt, envelope);
        let proven = proven.map_err(|unproven| QueryError::Unproven(Box::new(unproven)))?;
        match roster.finality(proven.node(), &proven.receipt.checkpoint) {
            Ok(Finality::Final(_)) => Ok(proven),
            Ok(_) => Err(QueryError::Refused(WireCode::NotFound)),
            Err(error) => Err(CheckpointError::from(error).into()),
        }
    }

    async fn ask_proof(&self, request: v1::GetProof) -> Result<v1::Proof, QueryError> {
        let request = v1::request::Request::GetProof(request);
        match self.ask_one(request).await? {
            v1::answer::Answer::Proof(proof) => Ok(proof),
            _ => Err(TransportError::from(FrameError::Malformed).into()),
        }
    }

    /// A time that has passed also by the clock of the node that answers. Spec: LOG-23.
    pub(super) fn just_now_ms(&self) -> u64 {
        let now_ms = self.0.environment.clock.now_ms();
        now_ms.saturating_sub(limits::CLOCK_SKEW_MS_MAX)
    }

    fn home_log(&self) -> Result<LogVerifier, QueryError> {
        let roster = self.0.roster.current();
        let home = roster.home_node(&self.0.member);
        home.and_then(|home| roster.log_verifier(&home.id))
            .ok_or(QueryError::UnknownLog)
    }

    fn of_message(
        &self,
        proven: ProvenReceipt,
        message: MessageId,
    ) -> Result<ProvenReceipt, Unproven> {
        let statement = proven.statement();
        let sender_fits = statement.sender.is_empty() || statement.sender == self.0.member;
        if statement.message_id == Some(message) && sender_fits {
            return Ok(proven);
        }
        Err(Unproven {
            node: Some(proven.node().to_owned()),
            error: UnprovenError::OutOfPlace,
            receipt: Box::new(proven.receipt),
        })
    }

    /// A name that the roster does not list is not repeated.
    pub(super) fn given_up(&self, told: v1::GivenUp) -> GivenUp {
        let listed = self.0.roster.current().node(&told.node).is_some();
        GivenUp {
            node: listed.then_some(told.node),
            code: WireCode::from_number(told.code),
        }
    }

    pub(super) async fn ask_one(
        &self,
        request: v1::request::Request,
    ) -> Result<v1::answer::Answer, QueryError> {
        let answer = self.ask(request).await?.into_iter().next();
        match answer {
            Some(v1::answer::Answer::Refusal(refusal)) => Err(refused(&refusal)),
            Some(answer) => Ok(answer),
            None => Err(TransportError::from(FrameError::Malformed).into()),
        }
    }

    /// Asks once, and once more if the session turns out to be lost. The answers up to Done.
    pub(super) async fn ask(
        &self,
        request: v1::request::Request,
    ) -> Result<Vec<v1::answer::Answer>, QueryError> {
        let request = v1::Request {
            request: Some(request),
        };
        match self.ask_once(&request).await {
            Err(QueryError::Transport(
                TransportError::Lost | TransportError::Closed(WireCode::ShuttingDown),
            )) => self.ask_once(&request).await,
            other => other,
        }
    }

    async fn ask_once(&self, request: &v1::Request) -> Result<Vec<v1::answer::Answer>, QueryError> {
        let session = self.0.link.session(self.0.patience).await?;
        let priority = transport::priority(v1::Lane::Control);
        let transport::Stream { writer, mut reader } = session.request(request, priority).await?;
        writer.finish().await?;
        let mut answers = Vec::new();
        loop {
            let answer: v1::Answer = reader.message(FrameType::Answer, ANSWER_WAIT).await?;
            match answer.answer {
                Some(v1::answer::Answer::Done(_)) => return Ok(answers),
                Some(answer) if answers.len() < ANSWERS_MAX => answers.push(answer),
                _ => return Err(TransportError::from(FrameError::Malformed).into()),
            }
        }
    }
}

/// Answers to one question: more than a message with every recipient and stage has.
const ANSWERS_MAX: usize = 4096;

pub(super) fn refused(refusal: &v1::Refusal) -> QueryError {
    QueryError::Refused(WireCode::from_number(refusal.code))
}

pub(super) fn hashes(wire: &[Bytes]) -> Result<Vec<Hash>, QueryError> {
    let hash = |bytes: &Bytes| Hash::try_from(&bytes[..]);
    wire.iter()
        .map(hash)
        .collect::<Result<_, _>>()
        .map_err(|_| ProofError::TooLong.into())
}
