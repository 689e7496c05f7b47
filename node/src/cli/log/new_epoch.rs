//! `frex log new-epoch`: what cannot go on begins anew, and says after what. Spec: BAK-14 to BAK-20.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use frex_client::environment::Clock;
use frex_proto::{
    error::WireCode,
    log::{ANY_TIME_MS, Checkpoint, LogVerifier, checkpoint, witness},
    roster::Roster,
    v1,
};
use prost::Message;
use serde_json::json;

use crate::{
    anew::{self, Next},
    cli::{
        card,
        failure::{Done, Failure, OrFail},
        files, output,
        time::rfc3339,
    },
    disk::RealDisk,
    home::{CONFIG_FILE, DirLock, JOURNAL_DIR, NodeHome},
    journal::{self, JournalError},
    ledger::records::{self, Record},
};

/// `frex log new-epoch`.
#[derive(Debug, Args)]
pub struct NewEpochArgs {
    /// The folder that `frex init` made; its node does not run
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Do what the plan says
    #[arg(long)]
    pub confirm: bool,
}

/// The log as it is here and as others have seen it.
struct Found {
    node: String,
    roster: Roster,
    /// Entries here that others have seen too, as far as it can be shown.
    kept: u64,
    /// Entries here of the log in force.
    size: u64,
    here: Option<Checkpoint>,
    seen: Option<(Checkpoint, Bytes)>,
}

/// Shows what is lost; with `--confirm` writes the card by which the governance lists the next log.
pub fn new_epoch(args: &NewEpochArgs, json: bool) -> Done {
    let now_ms = Clock::System.now_ms();
    let home = files::home(&args.dir, "node", CONFIG_FILE)?;
    let _lock = DirLock::take(&home).or_fail("the log does not begin anew")?;
    let found = look(&home, now_ms)?;
    let listed = found.listed()?;
    let epoch = listed.log_epoch.saturating_add(1);
    let known = Next::read(&RealDisk, &home)
        .map_err(|error| Failure::file("read", &home.join(anew::NEXT_FILE), &error))?;
    if known
        .as_ref()
        .is_some_and(|next| next.epoch == listed.log_epoch)
        && found.kept == 0
    {
        return Ok(listed_already(args, &listed, json));
    }
    // A card of its own: one of `frex key rotate` may wait beside it.
    let path = args
        .dir
        .join(format!("{}.log-{epoch}.card", listed.operator));
    let next = found.next(known, epoch, now_ms);
    let card = found.card(listed, &next, now_ms)?;
    if args.confirm {
        next.write(&RealDisk, &home)
            .map_err(|error| Failure::file("write", &home.join(anew::NEXT_FILE), &error))?;
        files::replace(&path, &card)?;
    }
    report(args, &found, &next, &path, json);
    Ok(0)
}

impl Found {
    fn listed(&self) -> Result<v1::Node, Failure> {
        self.roster.node_entry(&self.node).ok_or_else(|| {
            let what = format!("the roster does not list {}", self.node);
            Failure::new(WireCode::NotTrusted, what)
        })
    }

    /// What was asked for before stays: the same card, should it have been handed over.
    fn next(&self, before: Option<Next>, epoch: u32, now_ms: u64) -> Next {
        let seen = self.seen.as_ref().map_or(&b""[..], |(_, note)| note);
        let seen = String::from_utf8_lossy(seen).into_owned();
        let same =
            |before: &Next| (before.epoch, before.kept, &before.seen) == (epoch, self.kept, &seen);
        before.filter(same).unwrap_or(Next {
            epoch,
            ended_ms: now_ms,
            kept: self.kept,
            seen,
        })
    }

    /// The member's entry and document as they are, and the node's with one more log that has ended.
    fn card(&self, listed: v1::Node, next: &Next, now_ms: u64) -> Result<Bytes, Failure> {
        let mut ended_logs = listed.ended_logs.clone();
        ended_logs.push(v1::EndedLog {
            not_after_ms: next.ended_ms,
            kept: next.kept,
        });
        let node = v1::Node {
            log_epoch: next.epoch,
            ended_logs,
            ..listed
        };
        card::of_node(&self.roster, node, now_ms)
    }
}

/// Reads the journal to its end, and what others have shown.
fn look(home: &Path, now_ms: u64) -> Result<Found, Failure> {
    let config = NodeHome::config(home).or_fail("cannot read the node's settings")?;
    let roster = NodeHome::held_roster(home, now_ms).or_fail("the roster cannot be used")?;
    let log = roster
        .log_verifier(&config.node)
        .ok_or_else(|| Failure::new(WireCode::NotTrusted, "the roster does not list this node"))?;
    let seen = seen(home, &log)?;
    let shown = seen.as_ref().map(|(seen, _)| seen.size);
    let heads = heads(home, &log.origin, shown.unwrap_or(0))?;
    let newest = heads.newest;
    let here = newest.and_then(|note| Checkpoint::of_note(&note).ok());
    let own = here.as_ref().filter(|here| here.origin == log.origin);
    let size = own.map_or(0, |here| here.size);
    let base = base(home, &log)?;
    Ok(Found {
        kept: shown.map_or(size, |shown| kept(size, shown, base, heads.cosigned)),
        size,
        here,
        seen,
        node: config.node,
        roster,
    })
}

/// How many of the `size` entries here others have seen too, if they have seen `shown` entries that do not lead to
/// these. What was restored is of both histories. Else what is here may be the beginning of what they saw, if that
/// is longer; if it is not, there are two histories, which part behind the largest head before that of which
/// witnesses have seen that it is of this one, and nobody can tell how far behind. Spec: BAK-22.
fn kept(size: u64, shown: u64, base: Option<u64>, cosigned: u64) -> u64 {
    match base.filter(|base| *base < shown) {
        Some(base) => base.min(size),
        None if shown > size => size,
        None => cosigned,
    }
}

/// What the journal holds of heads.
#[derive(Default)]
struct Heads {
    newest: Option<Bytes>,
    /// Size of the largest that enough witnesses have cosigned, of those that are asked for; 0: none.
    cosigned: u64,
}

/// The last head that the journal holds, and the largest final one of the log `origin` of less than `below` entries.
fn heads(home: &Path, origin: &str, below: u64) -> Result<Heads, Failure> {
    let folder = home.join(JOURNAL_DIR);
    let mut heads = Heads::default();
    let bar = output::progress("reading the journal");
    let read = journal::read_through(
        &RealDisk,
        &folder,
        &mut |replayed| {
            if replayed.kind == records::CHECKPOINT {
                heads.newest = Some(Bytes::copy_from_slice(replayed.bytes));
            } else if replayed.kind == records::COSIGNED {
                let size = cosigned(replayed.bytes, origin).filter(|size| *size < below);
                heads.cosigned = heads.cosigned.max(size.unwrap_or(0));
            }
            Ok(())
        },
        &mut |done, total| output::advance(&bar, done, total),
    );
    bar.finish_and_clear();
    match read {
        // A journal that was never begun, or is lost altogether.
        Err(JournalError::Damaged {
            segment: 1,
            offset: 0,
        }) if !journal::segment_path(&folder, 1).exists() => Ok(Heads::default()),
        other => {
            other.or_fail("the journal does not read back")?;
            Ok(heads)
        }
    }
}

/// The size of the final head that a record keeps, if it is one of the log `origin`.
fn cosigned(record: &[u8], origin: &str) -> Option<u64> {
    let seen = Record::decode(record).ok()?.seen?;
    let head = Checkpoint::of_note(&seen.checkpoint).ok()?;
    (head.origin == origin).then_some(head.size)
}

/// How many entries the log in force had when this directory was restored.
fn base(home: &Path, log: &LogVerifier) -> Result<Option<u64>, Failure> {
    let note = anew::restored_at(&RealDisk, home)
        .map_err(|error| Failure::file("read", &home.join(anew::BASE_FILE), &error))?;
    Ok(note.and_then(|note| {
        let head = checkpoint::parse_and_verify(&note, log, ANY_TIME_MS).ok()?;
        Some(head.size)
    }))
}

/// What others have seen of the log in force, with its own signature alone; it was kept when the node
/// did not start.
fn seen(home: &Path, log: &LogVerifier) -> Result<Option<(Checkpoint, Bytes)>, Failure> {
    let note = anew::seen(&RealDisk, home)
        .map_err(|error| Failure::file("read", &home.join(anew::SEEN_FILE), &error))?;
    Ok(note.and_then(|note| {
        let head = checkpoint::parse_and_verify(&note, log, ANY_TIME_MS).ok()?;
        Some((head, witness::bare(&note, log).ok()?))
    }))
}

fn report(args: &NewEpochArgs, found: &Found, next: &Next, card: &Path, json: bool) {
    let seen = found.seen.as_ref().map(|(seen, _)| seen.size);
    let lost = seen.map(|seen| seen.saturating_sub(found.kept));
    if json {
        return output::document(json!({
            "node": found.node, "confirmed": args.confirm, "epoch": next.epoch, "kept": found.kept, "size": found.size,
            "here": found.here.as_ref().map(|here| &here.origin), "seen": seen, "lost": lost,
            "ended": rfc3339(next.ended_ms), "card": args.confirm.then_some(card),
        }));
    }
    output::data(format_args!(
        "log          {} of {} ends; number {} begins empty",
        next.epoch - 1,
        found.node,
        next.epoch
    ));
    output::data(format_args!("kept         {} entries", found.kept));
    if found.size > found.kept {
        output::data(format_args!(
            "here         {} entries, which are not what others have seen: no more than those that are kept can be shown to be the same; receipts of the others are called lost too",
            found.size
        ));
    }
    match (seen, lost) {
        (Some(seen), Some(lost)) => output::data(format_args!(
            "lost         {lost} entries: others have seen {seen}; {} and later are not here",
            found.kept
        )),
        _ => output::data(
            "lost         not known: nobody has shown more than is here; a start asks the witnesses",
        ),
    }
    output::data(
        "Receipts of the log that ends still verify. Whoever holds one of a lost entry sees it as lost in frex receipt ls and files the report anew; those who file here, and whoever waits for what they sent, must be told.",
    );
    if !args.confirm {
        output::data("Nothing was changed. To do it:");
        output::data(format_args!(
            "  frex log new-epoch {} --confirm",
            args.dir.display()
        ));
        return;
    }
    hand_over(args, found, card);
}

fn hand_over(args: &NewEpochArgs, found: &Found, card: &Path) {
    let (dir, card) = (args.dir.display(), card.display());
    output::data(format_args!("card         {card}"));
    output::data(format_args!(
        "Hand it to the governance of {} and tell them why. They:",
        found.roster.federation()
    ));
    output::data(format_args!(
        "  frex roster propose {card} --root root.frex --previous roster.frex --out next.proposal"
    ));
    output::data("Until then the node does not start. Next, when you have their roster:");
    output::data(format_args!("  frex roster install roster.frex {dir}"));
    output::data(format_args!("  frex run {dir}"));
}

/// The governance has done its part.
fn listed_already(args: &NewEpochArgs, listed: &v1::Node, json: bool) -> u8 {
    let dir = args.dir.display();
    if json {
        output::document(json!({ "node": listed.id, "epoch": listed.log_epoch, "listed": true }));
        return 0;
    }
    output::data(format_args!(
        "listed       log {} of {}; it begins when the node starts:",
        listed.log_epoch, listed.id
    ));
    output::data(format_args!("  frex run {dir}"));
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    // BAK-22: of two histories that is kept which both can be shown to have.
    #[test]
    fn of_two_histories_what_both_have_is_kept() {
        for (size, shown, base, cosigned, due) in [
            // Older than what others saw, and nothing else.
            (107, 109, None, 105, 107),
            (107, 109, Some(107), 105, 107),
            // It has signed on behind what was restored: whether more or less than the other.
            (109, 109, Some(108), 0, 108),
            (120, 109, Some(108), 108, 108),
            (108, 109, Some(107), 105, 107),
            // A copy that was made by hand.
            (109, 109, None, 107, 107),
            (120, 109, None, 0, 0),
            // What was restored parted from the other history before.
            (110, 109, Some(110), 105, 105),
        ] {
            assert_eq!(kept(size, shown, base, cosigned), due, "{size} {shown}");
        }
    }
}
