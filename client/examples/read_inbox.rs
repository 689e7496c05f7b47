//! Reads a member's inbox: verifies, opens and prints each message, and states that it was
//! opened. Ends when nothing has come for five seconds.
//!
//! ```text
//! cargo run -p frex-client --example read_inbox -- DIR/members/hotline.fr/member
//! ```

use std::{env, path::Path, time::Duration};

use anyhow::Context;
use frex_client::{
    client::{Client, ClientConfig},
    keys::MemberHome,
    report::{CONTENT_TYPE, Report},
};
use frex_proto::v1::Stage;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let dir = env::args().nth(1).context("usage: read_inbox MEMBER-DIR")?;
    let home = MemberHome::open(Path::new(&dir))?;
    let client = Client::connect(ClientConfig::of_home(&home)?).await?;
    let mut inbox = client.inbox(16, Duration::from_secs(5)).await?;
    while let Some(item) = inbox.next().await {
        let item = match item? {
            Ok(item) => item,
            Err(failed) => {
                println!("not a message: {}", failed.error);
                failed.set_aside().await?;
                continue;
            }
        };
        println!("{} from {}", item.id(), item.sender());
        if let Some(recall) = &item.recall {
            println!("  withdraws message {}: {}", recall.message, recall.reason);
            item.confirm(Stage::Acted, "withdrawn").await?;
            continue;
        }
        if item.opened.content_type == CONTENT_TYPE {
            match Report::parse(&item.opened.data) {
                Ok(report) => println!("  report {}", report.reference),
                Err(errors) => println!("  not a sound report:\n{errors}"),
            }
        } else {
            let length = item.opened.data.len();
            println!("  {length} bytes of {}", item.opened.content_type);
        }
        let receipt = item.confirm(Stage::Opened, "").await?;
        println!(
            "  OPENED, entry #{} at {}",
            receipt.verified.index,
            receipt.node()
        );
    }
    client.close().await;
    Ok(())
}
