//! Peers ask for the roster, or offer one.

use std::sync::Arc;

use frex_client::transport::{FrameReader, FrameWriter};
use frex_proto::v1;

use super::Refused;
use crate::shared::Shared;

pub(super) async fn tell(
    shared: &Arc<Shared>,
    request: &v1::GetRoster,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    tokio::select! {
        biased;
        () = shared.stopped() => Ok(()),
        told = shared.membership.tell(request, writer) => Ok(told?),
    }
}

pub(super) async fn hear(
    shared: &Arc<Shared>,
    request: &v1::OfferRoster,
    reader: &mut FrameReader,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    Ok(shared.membership.hear(request, reader, writer).await?)
}
