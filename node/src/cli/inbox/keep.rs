//! Keeps what has come before anybody is told that it was opened.

use std::sync::Arc;

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
        row: Value,
        confirm: ConfirmArg,
    ) -> Result<Finished, Failure> {
        let place = Arc::clone(&self);
        let (item, mut row) = on_disk(move || place.write(item, row)).await?;
        if confirm == ConfirmArg::None {
            let held = Some(item);
            return Ok(Finished { number, row, held });
        }
        let id = item.id();
        // Of what nobody has read no more is stated than that it is here. Spec: DCF-25.
        let (stage, state) = match self.reads(&item.opened.content_type) {
            true => (v1::Stage::Opened, "opened"),
            false => (v1::Stage::Delivered, "delivered"),
        };
        let mut stated = None;
        match item.confirm(stage, "").await {
            // Its recall came while it was read here, and says more.
            Err(ConfirmError::Refused(WireCode::Recalled)) => row["state"] = RECALLED.into(),
            proven => {
                let what = format_args!("{id} is kept, but the sender could not be told");
                stated = Some(proven.or_fail(what)?);
                row["state"] = state.into();
            }
        }
        let row = on_disk(move || self.write_note(id, row, stated.as_ref())).await?;
        let held = None;
        Ok(Finished { number, row, held })
    }

    /// All of it, also what is known of it: what is stated takes it off the inbox, and without that nothing
    /// here would list it.
    fn write(&self, item: InboxItem, mut row: Value) -> Result<(InboxItem, Value), Failure> {
        let extension = extension(&item.opened.content_type);
        let content = self.inbox.join(format!("{}.{extension}", item.id()));
        files::replace(&content, &item.opened.data)?;
        // Sealed as it came: what passes it on, or shows it as evidence, needs no more.
        let sealed = self.envelope(&item.id().to_string());
        files::replace(&sealed, &item.envelope.encode_to_vec())?;
        if !self.reads(&item.opened.content_type) {
            unread::mark(self, item.id())?;
        }
        row["file"] = json!(content);
        row["receipt"] = json!(member::keep_receipt(&self.receipts, &item.receipt)?);
        self.note(item.id(), &row)?;
        Ok((item, row))
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
