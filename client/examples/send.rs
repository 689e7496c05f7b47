//! Seals a file to members of the federation, submits it and prints what becomes of it.
//!
//! Make a federation to try it on, start its nodes, each in a terminal of its own, and send from
//! one of its members:
//!
//! ```text
//! frex demo --keep DIR
//! frex run DIR/members/platform.ie/node
//! frex run DIR/members/hotline.fr/node
//! cargo run -p frex-client --example send -- \
//!     DIR/members/platform.ie/member client/schema/report.v1.example.json hotline.fr
//! ```
//!
//! A `.json` file is checked as a report first and refused with every mistake in it.

use std::{env, fs, path::Path, time::Duration};

use anyhow::{Context, bail};
use frex_client::{
    client::{Client, ClientConfig, News},
    keys::MemberHome,
    report::Report,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [dir, file, to @ ..] = arguments.as_slice() else {
        bail!("usage: send MEMBER-DIR FILE MEMBER...");
    };
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let data = fs::read(file).with_context(|| format!("cannot read {file}"))?;

    let home = MemberHome::open(Path::new(dir))?;
    let client = Client::connect(ClientConfig::of_home(&home)?).await?;
    let draft = client.draft(&to);
    let draft = if file.ends_with(".json") {
        Report::parse(&data)?;
        draft.report(data)
    } else {
        draft.content("application/octet-stream", data)
    };
    let draft = client.finish(draft)?;
    println!("message {}", draft.message_id);
    let envelope = client.seal(&draft)?;
    let mut submission = client
        .submit(vec![envelope], Duration::from_secs(10))
        .await?;
    while let Some(event) = submission.next().await {
        match event.news {
            News::Submitted(receipt) => {
                println!(
                    "{} SUBMITTED, entry #{}",
                    receipt.node(),
                    receipt.verified.index
                );
            }
            News::Accepted {
                node,
                members,
                receipt,
            } => {
                let index = receipt.verified.index;
                println!("{node} ACCEPTED for {}, entry #{index}", members.join(", "));
            }
            News::Rejected { node, code, .. } => println!("{node} REJECTED: {code}"),
            News::Stage { member, stage, .. } => println!("{member} {}", stage.as_str_name()),
            News::Undeliverable { node, code } => {
                let node = node.as_deref().unwrap_or("a node");
                println!("{node} UNDELIVERABLE: {code}");
            }
            News::Refused { code } => println!("REFUSED: {code}"),
            News::Unproven(unproven) => {
                let node = unproven.node.as_deref().unwrap_or("somebody");
                println!("a receipt of {node} does not hold: {}", unproven.error);
            }
            News::Unanswered { code } => println!("no answer, send it again: {code}"),
            other => println!("{other:?}"),
        }
    }
    client.close().await;
    Ok(())
}
