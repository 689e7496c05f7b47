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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keys::SigningKey,
        limits,
        log::{Checkpoint, checkpoint},
        v1::Event,
    };

    fn receipt(statement: Bytes) -> v1::Receipt {
        let leaf = Leaf::build(Event::Accepted, 1, &[3; 32], &statement);
        let head = Checkpoint {
            origin: "frex/f.test/n/log/1".to_owned(),
            size: 1,
            root: leaf.hash(),
        };
        let note = checkpoint::sign(&head, &SigningKey::from_seed(&[1; 32])).expect("valid head");
        build(statement, &[3; 32], &leaf, 0, &[], note)
    }

    // RCP-10: the largest statement fits a proof file.
    #[test]
    fn a_receipt_of_the_largest_statement_reads_back() {
        let receipt = receipt(Bytes::from(vec![1; limits::STATEMENT_BYTES_MAX]));
        let text = to_tlog_proof_text(&receipt).expect("valid parts");
        assert_eq!(from_tlog_proof_text(&text), Ok(receipt));
    }

    // RCP-10: the extra data are statement, salt and leaf, and nothing that stands elsewhere.
    #[test]
    fn extra_data_of_another_shape_are_refused() {
        let good = receipt(Bytes::from_static(b"statement"));
        let text = to_tlog_proof_text(&good).expect("valid parts");
        let with = |change: fn(&mut v1::Receipt)| {
            let mut extra = v1::Receipt {
                checkpoint: Bytes::new(),
                ..good.clone()
            };
            change(&mut extra);
            let mut proof = TlogProof::parse(&text).expect("own output");
            proof.extra = Some(Bytes::from(extra.encode_to_vec()));
            from_tlog_proof_text(&proof.to_text().expect("valid parts"))
        };
        assert_eq!(with(|_| ()), Ok(good.clone()));
        let wrong: [fn(&mut v1::Receipt); 6] = [
            |extra| extra.index = 1,
            |extra| extra.hashes.push(Bytes::from_static(&[0; 32])),
            |extra| extra.checkpoint = Bytes::from_static(b"x"),
            |extra| extra.salt.truncate(31),
            |extra| extra.leaf.truncate(47),
            |extra| extra.statement.clear(),
        ];
        for change in wrong {
            assert_eq!(with(change), Err(TlogProofError::Extra));
        }
        let mut bare = TlogProof::parse(&text).expect("own output");
        bare.extra = None;
        let text = bare.to_text().expect("valid parts");
        assert_eq!(from_tlog_proof_text(&text), Err(TlogProofError::Extra));
    }
}
