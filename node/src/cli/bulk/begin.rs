//! Before the first line: the node is there, and every recipient can be sent to.

use std::{pin::pin, time::Duration};

use frex_client::{
    client::{Client, ConnectError},
    environment::Random,
};
use frex_proto::{
    envelope,
    error::{Retry, WireCode},
};
use indicatif::ProgressBar;
use tokio::time::{Instant, sleep};

use super::{Words, said};
use crate::cli::{
    addressed::{unsendable, warn_of_suspended},
    failure::{Failure, OrFail},
    output,
};

/// A node that is slow to answer is waited for without a word.
const SAY_AFTER: Duration = Duration::from_secs(3);
/// What is no report yet: what a recipient needs it to say is judged of each line.
const NO_REPORT: &str = "application/octet-stream";

/// Waits for the home node as it is waited for later, and learns from it who is listed now.
/// Spec: CLI-32.
pub(super) async fn begin(
    client: &Client,
    words: &Words<'_>,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let known = check(client, words).err();
    let (began, mut said) = (Instant::now(), false);
    let with_list = words.args.list.is_some();
    while let Err(error) = hear_news(client, bar, (&mut said, with_list)).await {
        // A newer roster may know better; without one this is all that is known.
        if let Some(failure) = known {
            return Err(failure);
        }
        let most = words.args.patience;
        let over = most.is_some_and(|most| began.elapsed() >= most.0);
        if over || WireCode::from(&error).info().retry != Retry::Later {
            return Err(error).or_fail("nothing was submitted");
        }
    }
    if said {
        bar.suspend(|| output::message(said::GOING_ON));
    }
    check(client, words)?;
    let members = words.args.to.iter().map(String::as_str);
    bar.suspend(|| warn_of_suspended(&words.args.from, members))
}

async fn hear_news(
    client: &Client,
    bar: &ProgressBar,
    (said, with_list): (&mut bool, bool),
) -> Result<(), ConnectError> {
    let mut news = pin!(client.hear_news());
    if !*said {
        tokio::select! {
            heard = &mut news => return heard,
            () = sleep(SAY_AFTER) => {
                *said = true;
                bar.suspend(|| output::message(said::away(with_list)));
            }
        }
    }
    news.await
}

/// What would be wrong with every line of the file is told once.
fn check(client: &Client, words: &Words<'_>) -> Result<(), Failure> {
    let draft = words.draft(client, &words.args.to, &[]);
    let draft = client.finish(draft.content(NO_REPORT, Vec::new()).anyway(true));
    let draft = draft.map_err(|error| unsendable(&error, words.args.to.len()))?;
    let sealed = envelope::seal(&draft, &mut Random::System.rng());
    sealed.map(|_| ()).or_fail("the reports cannot be sealed")
}
