//! Keeps what has come before anybody is told that it was opened.

use std::{path::PathBuf, sync::Arc};

use frex_client::{
    casework::model,
    client::{ConfirmError, InboxItem, ProvenReceipt},
};
use frex_proto::{error::WireCode, id::EnvelopeId, v1};
use prost::Message;
use serde_json::{Value, json};
use tokio::task;

use super::{Finished, Place, RECALLED, unread};
use crate::cli::{
    ConfirmArg,
    failure::{Failure, OrCode, OrFail},
    files, member,
};

impl Place {
    /// Keeps content, envelope and receipt, then tells the sender unless it is not to be told.
    pub(super) async fn keep(
        self: Arc<Self>,
        number: usize,
        item: InboxItem,
        mut row: Value,
        confirm: ConfirmArg,
    ) -> Result<Finished, Failure> {
        let place = Arc::clone(&self);
        let (item, content, receipt) = on_disk(move || place.write(item)).await?;
        row["file"] = json!(content);
        row["receipt"] = json!(receipt);
        let id = item.id();
        let mut held = None;
        let mut stated = None;
        let reads = self.reads(&item.opened.content_type);
        match confirm {
            ConfirmArg::None => held = Some(item),
            // Nobody has read it: no more is stated than that it is here. Spec: DCF-25.
            ConfirmArg::Opened if !reads => match item.confirm(v1::Stage::Delivered, "").await {
                Err(ConfirmError::Refused(WireCode::Recalled)) => row["state"] = RECALLED.into(),
                proven => {
                    let what = format_args!("{id} is kept, but the sender could not be told");
                    stated = Some(proven.or_fail(what)?);
                    row["state"] = "delivered".into();
                }
            },
            ConfirmArg::Opened => match item.confirm(v1::Stage::Opened, "").await {
                // Its recall came while it was read here, and says more.
                Err(ConfirmError::Refused(WireCode::Recalled)) => row["state"] = RECALLED.into(),
                proven => {
                    let what = format_args!("{id} is kept, but the sender could not be told");
                    stated = Some(proven.or_fail(what)?);
                    row["state"] = "opened".into();
                }
            },
        }
        let row = on_disk(move || self.write_note(id, row, stated.as_ref())).await?;
        Ok(Finished { number, row, held })
    }

    fn write(&self, item: InboxItem) -> Result<(InboxItem, PathBuf, PathBuf), Failure> {
        let extension = extension(&item.opened.content_type);
        let content = self.inbox.join(format!("{}.{extension}", item.id()));
        files::replace(&content, &item.opened.data)?;
        // Sealed as it came: what passes it on, or shows it as evidence, needs no more.
        let sealed = self.envelope(&item.id().to_string());
        files::replace(&sealed, &item.envelope.encode_to_vec())?;
        if !self.reads(&item.opened.content_type) {
            unread::mark(self, item.id())?;
        }
        let receipt = member::keep_receipt(&self.receipts, &item.receipt)?;
        Ok((item, content, receipt))
    }

    fn write_note(
        &self,
        id: EnvelopeId,
        mut row: Value,
        stated: Option<&ProvenReceipt>,
    ) -> Result<Value, Failure> {
        if let Some(stated) = stated {
            row["stage_receipt"] = json!(member::keep_receipt(&self.receipts, stated)?);
        }
        self.note(id, &row)?;
        Ok(row)
    }
}

/// Does what waits for the disk where nothing else waits for it.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = task::spawn_blocking(work).await;
    done.or_code(WireCode::Files, "a report cannot be kept")?
}

fn extension(content_type: &str) -> &'static str {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim_end();
    match essence {
        model::CONTENT_TYPE => "frexreport",
        json if json.ends_with("json") => "json",
        _ => "bin",
    }
}
