//! A roster that people are asked to sign: judged like one in force, but for the signatures.

use bytes::Bytes;
use prost::Message;

use super::{Roster, RosterError, TrustAnchor, judge::Quorum};
use crate::{label::Hash, v1};

/// What a roster would say if its quorum signed it. Nobody is trusted because of it.
#[derive(Debug, Clone)]
pub struct Proposal {
    contents: Roster,
    signed: v1::Signed,
}

impl Proposal {
    /// Judges a proposal's file: everything of [`Roster::judge`] but the quorum. Spec: ROS-29.
    ///
    /// # Errors
    /// [`RosterError`] with what the finished roster would be refused for.
    pub fn judge(bundle: &[u8], anchor: &TrustAnchor, now_ms: u64) -> Result<Self, RosterError> {
        let contents = Roster::judge_signed(bundle, anchor, now_ms, Quorum::Waived)?;
        let malformed = |_| super::Part::Roster.fault(super::Fault::Malformed);
        let bundle = v1::RosterBundle::decode(bundle).map_err(malformed)?;
        let signed = v1::Signed::decode(bundle.roster).map_err(malformed)?;
        Ok(Self { contents, signed })
    }

    /// What it would say.
    #[must_use]
    pub fn contents(&self) -> &Roster {
        &self.contents
    }

    /// What is to be signed.
    #[must_use]
    pub fn signed(&self) -> &v1::Signed {
        &self.signed
    }

    /// SHA-256 of what is to be signed: people compare its fingerprint.
    #[must_use]
    pub fn sha256(&self) -> &Hash {
        self.contents.sha256()
    }

    /// The file with `roster`, the collected signatures, in place of the unsigned one.
    #[must_use]
    pub fn completed(&self, roster: &v1::Signed) -> Bytes {
        let bundle = v1::RosterBundle::decode(self.contents.bytes().clone())
            .expect("a judged bundle has been decoded before");
        let bundle = v1::RosterBundle {
            roster: roster.encode_to_vec().into(),
            ..bundle
        };
        bundle.encode_to_vec().into()
    }
}
