//! What waits in the inbox for keys that are to go.

use std::time::Duration;

use frex_client::client::{Client, FailedItem, Inbox, InboxItem};
use frex_proto::{envelope, id::KeyId, limits, v1};

use crate::cli::{failure::Failure, inbox};

/// Counts items that are sealed to one of these keys, and gives all of them back.
///
/// # Errors
/// The inbox cannot be read.
pub async fn sealed_to(client: &Client, keys: &[KeyId]) -> Result<usize, Failure> {
    let mut waiting = open(client).await?;
    let member = client.member();
    let is_meant = |wire: &v1::Envelope| {
        let carried = envelope::parse_carried(wire).ok();
        let carried = carried.as_ref();
        let ours = carried.and_then(|carried| carried.recipient(member));
        ours.is_some_and(|(_, recipient)| keys.contains(&recipient.sealing_key_id))
    };
    let (mut count, mut opened, mut failed) = (0, Vec::new(), Vec::new());
    while opened.len() + failed.len() < limits::INBOX_CREDIT_MAX as usize
        && let Some(item) = inbox::next_waiting(&mut waiting).await?
    {
        match item {
            Ok(item) => {
                count += usize::from(is_meant(&item.envelope));
                opened.push(item);
            }
            Err(item) => {
                count += usize::from(is_meant(&item.envelope));
                failed.push(item);
            }
        }
    }
    opened.into_iter().for_each(InboxItem::release);
    failed.into_iter().for_each(FailedItem::release);
    Ok(count)
}

/// The inbox as it is now.
///
/// # Errors
/// It cannot be read.
pub async fn open(client: &Client) -> Result<Inbox, Failure> {
    inbox::open(client, limits::INBOX_CREDIT_MAX, Duration::ZERO).await
}

/// A count, with a word where it is only the least.
pub fn counted(count: usize) -> String {
    match count {
        0 => "nothing".to_owned(),
        1 => "1 item".to_owned(),
        count if count >= limits::INBOX_CREDIT_MAX as usize => format!("at least {count} items"),
        count => format!("{count} items"),
    }
}
