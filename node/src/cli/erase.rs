//! `frex erase` and `frex hold`: their words. What each does is in the file of its name.

use std::{collections::BTreeSet, path::PathBuf};

use clap::{Args, Subcommand};
use frex_client::{client::EraseOrder, keys::MemberHome, near};
use frex_proto::{
    erasure::{self, GROUNDS},
    error::WireCode,
    id::MessageId,
};

use super::{failure::Failure, messages, output};

pub mod again;
pub mod hold;
pub mod list;
pub mod local;
pub mod message;
mod serving;
mod stopped;

/// `frex erase`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct EraseArgs {
    /// What else to do about erasures
    #[command(subcommand)]
    pub action: Option<EraseAction>,
    /// Which message, and why
    #[command(flatten)]
    pub which: Option<Ordered>,
    /// The folder that `frex init` made
    // Not one of the words about a message: from the environment it is there for every verb.
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// How much of it
    #[command(flatten)]
    pub how: EraseHow,
}

/// `frex erase …`.
#[derive(Debug, Subcommand)]
pub enum EraseAction {
    /// List what was erased, by whose order and on which ground
    Ls(EraseListArgs),
    /// Write the list by which erasures are done again after a restore: ids and codes, no content
    Export(EraseListArgs),
    /// Erase what such a list names and is here again
    Again(EraseAgainArgs),
}

/// How much of a message is erased.
#[derive(Debug, Args)]
pub struct EraseHow {
    /// Erase only what this folder keeps, and nothing at the node
    #[arg(long)]
    pub local: bool,
    /// Leave the receipts in the folder: they prove that it was sent, and hold none of its content
    #[arg(long)]
    pub keep_receipts: bool,
    /// Do it; without, the plan is printed and nothing happens
    #[arg(long)]
    pub confirm: bool,
}

/// A message, and why something becomes of it.
#[derive(Debug, Args)]
pub struct Ordered {
    /// Message id, or its beginning if it is kept here
    #[arg(value_name = "MESSAGE")]
    pub message: String,
    /// Why, as a code: court-order, data-subject, exonerated, withdrawn …
    #[arg(long, value_name = "CODE")]
    pub ground: String,
    /// By which order or rule, as a code: a file number, a paragraph
    #[arg(long, value_name = "CODE")]
    pub authority: String,
    /// Whose message it is, if nothing is kept of it here; for the member that runs the node
    #[arg(long, value_name = "MEMBER")]
    pub sender: Option<String>,
}

/// `frex erase ls` and `frex erase export`.
#[derive(Debug, Args)]
pub struct EraseListArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex erase again`.
#[derive(Debug, Args)]
pub struct EraseAgainArgs {
    /// What `frex erase export` wrote
    pub file: PathBuf,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex hold …`.
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Keep a message: it is not erased, whoever orders it and however old it is
    Set(HoldSetArgs),
    /// End the hold by one order, named by its ground and authority; others stay
    Release(HoldReleaseArgs),
    /// List what is held, by whose order and on which ground
    Ls(EraseListArgs),
}

/// `frex hold set`.
#[derive(Debug, Args)]
pub struct HoldSetArgs {
    /// Which message, and why
    #[command(flatten)]
    pub which: Ordered,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// By order of a court: it is kept also if the suspicion proves to be unfounded
    #[arg(long)]
    pub court: bool,
}

/// `frex hold release`.
#[derive(Debug, Args)]
pub struct HoldReleaseArgs {
    /// Which message, and by which order it is held
    #[command(flatten)]
    pub which: Ordered,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

impl Ordered {
    /// What the node is to be told, once the codes are codes and the message is found.
    ///
    /// # Errors
    /// The failure says which is wrong.
    pub fn order(&self, home: &MemberHome) -> Result<EraseOrder, Failure> {
        let codes = erasure::check(&self.ground, &self.authority);
        codes.map_err(|error| wrong(error.to_string()))?;
        let message = messages::message_id(home, &self.message)?;
        let sender = match &self.sender {
            Some(sender) => Some(sender.clone()),
            None => sender_of(home, message)?,
        };
        Ok(EraseOrder {
            message,
            sender,
            ground: self.ground.clone(),
            authority: self.authority.clone(),
        })
    }

    /// As [`Ordered::order`], of what is ordered now: a ground that is nearly a registered one is mistyped.
    /// What was ordered before under another is named as it was.
    ///
    /// # Errors
    /// The failure says which is wrong.
    pub fn new_order(&self, home: &MemberHome) -> Result<EraseOrder, Failure> {
        let known = grounds();
        if let Some(meant) = near::meant(&self.ground, &known) {
            return Err(wrong(format!(
                "{} is no registered ground: {meant} is meant",
                self.ground
            )));
        }
        let order = self.order(home)?;
        if !known.contains(&self.ground.as_str()) {
            output::message(format_args!(
                "note: {} is no registered ground, and stands as it is in the log; those are {}",
                self.ground,
                known.join(", ")
            ));
        }
        Ok(order)
    }
}

fn grounds() -> Vec<&'static str> {
    GROUNDS.iter().map(|(code, _)| *code).collect()
}

/// A code that cannot be, or is another's.
fn wrong(what: String) -> Failure {
    Failure::new(WireCode::BadInput, what).advise(format!(
        "Grounds are: {}. Put no name and nothing of the case into a code: it stands in logs",
        grounds().join(", ")
    ))
}

/// Who sent what is kept of a message; none: this member, or nothing is kept.
fn sender_of(home: &MemberHome, message: MessageId) -> Result<Option<String>, Failure> {
    let own = &home.settings().member;
    let mut senders = BTreeSet::new();
    for (direction, about) in messages::of_message(home, message)? {
        let from = match direction {
            messages::RECEIVED => about["from"].as_str(),
            _ => Some(own.as_str()),
        };
        senders.extend(from.map(str::to_owned));
    }
    if senders.len() > 1 {
        let names: Vec<String> = senders.iter().map(|one| output::clean(one)).collect();
        let what = format!("more than one member sent a message {message}");
        return Err(Failure::new(WireCode::BadInput, what)
            .cause(names.join(", "))
            .advise("Say whose is meant: --sender MEMBER"));
    }
    Ok(senders.pop_first().filter(|sender| sender != own))
}
