//! Receipts as C2SP tlog-proof files, so that other tools verify their inclusion. Spec: RCP-10.

use bytes::Bytes;
use prost::Message as _;

use super::build;
use crate::{
    log::{Leaf, SALT_BYTES, TlogProof, TlogProofError},
    v1,
};

/// Writes a receipt as a proof file. Index, hashes and checkpoint stand in their places;
/// statement, salt and leaf are the extra data, an encoded `Receipt` without the rest.
/// Spec: RCP-10.
///
/// # Errors
/// [`TlogProofError`] for a receipt whose parts no reader would take.
pub fn to_tlog_proof_text(receipt: &v1::Receipt) -> Result<String, TlogProofError> {
    let extra = v1::Receipt {
        statement: receipt.statement.clone(),
        salt: receipt.salt.clone(),
        leaf: receipt.leaf.clone(),
        ..v1::Receipt::default()
    };
    let hash = |hash: &Bytes| hash[..].try_into().map_err(|_| TlogProofError::Hash);
    let proof = TlogProof {
        extra: Some(Bytes::from(extra.encode_to_vec())),
        index: receipt.index,
        hashes: receipt.hashes.iter().map(hash).collect::<Result<_, _>>()?,
        checkpoint: receipt.checkpoint.clone(),
    };
    proof.to_text()
}

/// Reads a receipt from a proof file. It is not believed before [`verify`](super::verify()).
/// Spec: RCP-10.
///
/// # Errors
/// [`TlogProofError`]; [`TlogProofError::Extra`] when the extra data are not exactly statement,
/// salt and leaf.
pub fn from_tlog_proof_text(text: &str) -> Result<v1::Receipt, TlogProofError> {
    let proof = TlogProof::parse(text)?;
    let extra = proof.extra.ok_or(TlogProofError::Extra)?;
    let extra = v1::Receipt::decode(extra).map_err(|_| TlogProofError::Extra)?;
    let more = extra.index != 0 || !extra.hashes.is_empty() || !extra.checkpoint.is_empty();
    let salt: [u8; SALT_BYTES] = extra.salt[..]
        .try_into()
        .map_err(|_| TlogProofError::Extra)?;
    let leaf = Leaf::parse(&extra.leaf).map_err(|_| TlogProofError::Extra)?;
    if more || extra.statement.is_empty() {
        return Err(TlogProofError::Extra);
    }
    let (index, hashes) = (proof.index, &proof.hashes);
    let checkpoint = proof.checkpoint;
    Ok(build(
        extra.statement,
        &salt,
        &leaf,
        index,
        hashes,
        checkpoint,
    ))
}
