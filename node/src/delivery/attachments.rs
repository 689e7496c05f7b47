//! Brings what an envelope needs to the node that lacks it, over the session on which that was
//! heard. Spec: ATT-18.

use bytes::Bytes;
use frex_client::{attachment::Put, transport::Session};
use frex_proto::{attachment::Listed, envelope, error::WireCode, v1};
use prost::Message;

use crate::{ledger::LedgerError, shared::Shared};

/// Brings all attachments of an outbox item that the node lacks; tells how many chunks it took.
///
/// # Errors
/// What the node refused with, or what went wrong here.
pub(super) async fn bring(
    shared: &Shared,
    session: &Session,
    key: &Bytes,
) -> Result<u32, WireCode> {
    let (shown, list) = needed(shared, key).map_err(|error| WireCode::from(&error))?;
    let mut brought = 0;
    for (number, listed) in (0..).zip(list) {
        let outgoing = shared.attachments.give(listed, shared.now_ms()).await?;
        let put = Put::begin(session, shown.clone(), number, listed).await;
        let mut put = put.map_err(WireCode::from)?;
        if !put.held().is_whole() {
            put.hashes(outgoing.hashes())
                .await
                .map_err(WireCode::from)?;
        }
        let missing: Vec<u32> = put.held().missing().collect();
        for chunk in missing {
            let sealed = outgoing.chunk(chunk).await?;
            put.chunk(chunk, &sealed).await.map_err(WireCode::from)?;
            brought += 1;
        }
        put.finish().await.map_err(WireCode::from)?;
    }
    Ok(brought)
}

/// The envelope of an outbox item as the node is shown it, and what it lists; nothing of one that
/// is settled.
fn needed(shared: &Shared, key: &Bytes) -> Result<(v1::Envelope, Vec<Listed>), LedgerError> {
    let Some(item) = shared.ledger.outbox_item(key)? else {
        return Ok((v1::Envelope::default(), Vec::new()));
    };
    let record = shared.ledger.read(item.position)?.record;
    if record.erased {
        return Err(LedgerError::Erased);
    }
    let kept = v1::Envelope::decode(record.envelope).map_err(|_| LedgerError::Record)?;
    let carried = envelope::parse_carried(&kept).map_err(|_| LedgerError::Record)?;
    let list = carried.original().attachments.clone();
    Ok((envelope::shown(&kept), list))
}
