//! `frex roster propose`: the next roster, planned in words and written for its holders to sign.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use clap::Args;
use frex_client::environment::Clock;
use frex_proto::{
    error::WireCode,
    keys::VerifyingKey,
    limits,
    roster::{Card, DocRef, Proposal, Root, Roster, Timed, TrustAnchor, build},
    v1,
};
use prost::Message;
use serde_json::json;

use super::{
    Judged,
    edit::{self, EditArgs},
    judge_even_expired, read_bundle, read_root, refused, words,
};
use crate::cli::{
    change::{self, Change},
    failure::{Done, Failure, OrCode, OrFail},
    federation::read_root_in_force,
    files, fingerprint, output,
    time::Span,
};

/// `frex roster propose`.
#[derive(Debug, Args)]
pub struct RosterProposeArgs {
    /// The root you have pinned
    #[arg(long, value_name = "FILE")]
    pub root: PathBuf,
    /// The roster in force, which this one follows
    #[arg(long, value_name = "FILE")]
    pub previous: Option<PathBuf>,
    /// A root that follows the one in force, to go over to; repeat for each, in order
    #[arg(long, value_name = "FILE", requires = "previous")]
    pub new_root: Vec<PathBuf>,
    /// What changes
    #[command(flatten)]
    pub edits: EditArgs,
    /// Life of the roster
    #[arg(long, default_value = "365d")]
    pub expires: Span,
    /// How long a log key that a card replaces stays good beside the new one, and what a witness key that
    /// it replaces has cosigned counts
    #[arg(long, value_name = "SPAN", default_value = "7d")]
    pub log_overlap: Span,
    /// Print the plan and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where to write the proposal
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Cards of members to list, or to list anew
    #[arg(value_name = "CARD")]
    pub cards: Vec<PathBuf>,
}

/// What the proposal is made from.
struct Draft {
    held: Option<Judged>,
    roots: Vec<Bytes>,
    roster: v1::Roster,
    docs: BTreeMap<String, Bytes>,
}

/// Plans the next roster and writes it, unsigned.
pub fn propose(args: &RosterProposeArgs, json: bool) -> Done {
    let (root_bytes, anchor) = read_root(&args.root)?;
    let now_ms = Clock::System.now_ms();
    let expires_ms = now_ms.saturating_add(args.expires.as_ms());
    let mut draft = match &args.previous {
        Some(path) => follow(path, &anchor, now_ms, expires_ms)?,
        None => begin(root_bytes, now_ms, expires_ms)?,
    };
    for path in &args.new_root {
        go_over(&mut draft, path)?;
    }
    let mut unchanged = Vec::new();
    for path in &args.cards {
        if !list(&mut draft, path, &anchor, (now_ms, args.log_overlap))? {
            tell_unchanged(path);
            unchanged.push(path);
        }
    }
    edit::apply(&mut draft.roster, &args.edits)?;
    let bundle = bundle(&draft)?;
    let unsound =
        |error| refused(&args.out, error).advise("Mend what is named above; nothing was written");
    let proposal = Proposal::judge(&bundle, &anchor, now_ms).map_err(unsound)?;
    let held = draft.held.as_ref().map(|judged| &judged.roster);
    if let Some(held) = held {
        proposal.contents().succeeds(held).map_err(unsound)?;
    }
    let changes = words::changes(held, proposal.contents());
    if !json {
        super::announce(&proposal, held, &changes);
    }
    if !args.dry_run {
        files::replace(&args.out, &bundle)?;
    }
    report(args, &proposal, (&changes, &unchanged), json);
    Ok(0)
}

fn begin(root: Vec<u8>, now_ms: u64, expires_ms: u64) -> Result<Draft, Failure> {
    let listed = v1::Signed::decode(&root[..])
        .and_then(|signed| v1::Root::decode(signed.payload))
        .or_code(WireCode::BadRoster, "the root does not decode")?;
    Ok(Draft {
        held: None,
        roots: vec![root.into()],
        roster: build::first_roster(&listed, now_ms, expires_ms),
        docs: BTreeMap::new(),
    })
}

/// The roster after the one in `path`, with its roots and its documents by member.
fn follow(
    path: &Path,
    anchor: &TrustAnchor,
    now_ms: u64,
    expires_ms: u64,
) -> Result<Draft, Failure> {
    let bytes = read_bundle(path)?;
    let held = judge_even_expired(&bytes, anchor, None).map_err(|error| refused(path, error))?;
    let bundle = v1::RosterBundle::decode(&bytes[..]).or_code(
        WireCode::BadRoster,
        format_args!("{} is no roster", path.display()),
    )?;
    let member_of = |signed: &Bytes| {
        let signed = v1::Signed::decode(signed.clone()).ok()?;
        Some(v1::MemberDoc::decode(signed.payload).ok()?.member)
    };
    let docs = bundle
        .member_docs
        .into_iter()
        .filter_map(|doc| Some((member_of(&doc)?, doc)));
    let mut roots = bundle.earlier_roots;
    roots.push(bundle.root);
    Ok(Draft {
        roots,
        roster: build::next_roster(&held.roster, now_ms, expires_ms),
        docs: docs.collect(),
        held: Some(held),
    })
}

/// Puts the roster under the root that follows.
fn go_over(draft: &mut Draft, path: &Path) -> Result<(), Failure> {
    let (bytes, _) = read_root_in_force(path)?;
    let last = draft.roots.last().map(|root| Root::parse(root));
    let last = last
        .transpose()
        .or_fail("the root in force does not verify")?;
    if let Some(last) = last {
        let next = last
            .judge_successor(&bytes, Clock::System.now_ms())
            .or_fail(format_args!(
                "{} does not follow the root in force",
                path.display()
            ))?;
        draft.roster.root_version = next.version;
    }
    draft.roots.push(bytes.into());
    Ok(())
}

/// Lists what a card says; whether that is anything else than what is listed.
fn list(
    draft: &mut Draft,
    path: &Path,
    anchor: &TrustAnchor,
    (now_ms, log_overlap): (u64, Span),
) -> Result<bool, Failure> {
    let bytes = files::read(path, limits::SIGNED_BYTES_MAX)?;
    let card = Card::judge(&bytes, &anchor.federation, now_ms).or_fail(format_args!(
        "{} is no card that can be listed",
        path.display()
    ))?;
    let held = draft
        .held
        .as_ref()
        .and_then(|held| held.roster.member(&card.member.id));
    // By the keys that the card lists: a document by one that has ended holds no other back (DIS-3).
    let place = |doc: DocRef| (card.member.is_good_signer(doc.signer, now_ms), doc.version);
    let newest = held.and_then(|member| member.doc);
    if newest.map(place) > card.member.doc.map(place) {
        let what = format!("{} is an old card", path.display());
        return Err(Failure::new(WireCode::BadInput, what)
            .cause("the roster in force has a newer document of this member, by a key that the card lists as good")
            .advise("Ask the member for a card with its newest document, or for one in which the key that signed the other has ended; or leave the card out"));
    }
    if let Some(held) = &draft.held {
        goes_on(path, &card, &held.roster)?;
    }
    let log_key_until_ms = now_ms.saturating_add(log_overlap.as_ms());
    let before = draft.roster.clone();
    build::list_card_until(&mut draft.roster, &card.wire, log_key_until_ms);
    let doc = card.wire.member_doc;
    let former = draft.docs.insert(card.member.id, doc.clone());
    Ok(draft.roster != before || former != Some(doc))
}

/// Refuses a card that was made before the roster in force was known where it was made: its node would go
/// back to a key that was followed by another, and no roster lists one twice. Spec: ROS-40, ROS-63.
fn goes_on(path: &Path, card: &Card, held: &Roster) -> Result<(), Failure> {
    let Some(node) = &card.node else {
        return Ok(());
    };
    let Some(listed) = held.node(&node.id) else {
        return Ok(());
    };
    let is_earlier = |earlier: &[Timed<VerifyingKey>], key: &VerifyingKey| {
        earlier.iter().any(|timed| timed.key == *key)
    };
    let witness = node.witness_key.as_ref();
    let usage = match (
        is_earlier(&listed.earlier_log_keys, &node.log_key.key),
        witness.is_some_and(|key| is_earlier(&listed.earlier_witness_keys, key)),
    ) {
        (true, _) => "log key",
        (false, true) => "witness key",
        (false, false) => return Ok(()),
    };
    let (version, id) = (held.version(), &node.id);
    let what = format!("{} is an old card", path.display());
    Err(Failure::new(WireCode::BadInput, what)
        .cause(format!(
            "it names a {usage} of {id} that another has followed in the roster in force, version {version}: that roster was not known where the card was made"
        ))
        .advise(format!(
            "On the machine of {}: frex roster install FILE DIR with roster version {version}, start the node (frex run DIR), and make the card anew by the command that made it, as in  frex key rotate identity DIR",
            node.operator
        )))
}

/// Says of a card that it changes nothing, before anybody signs in vain.
fn tell_unchanged(path: &Path) {
    let next = path.with_extension("next.card");
    let meant = match next.is_file() {
        true => format!("; is {} meant?", next.display()),
        false => String::new(),
    };
    output::message(format_args!(
        "note: {} changes nothing: what it says is listed already{meant}",
        path.display()
    ));
}

fn bundle(draft: &Draft) -> Result<Bytes, Failure> {
    let (root, earlier) = draft.roots.split_last().ok_or_else(|| {
        Failure::new(
            WireCode::BadRoster,
            "there is no root to put the roster under",
        )
    })?;
    let bundle = v1::RosterBundle {
        root: root.clone(),
        roster: build::sign_roster(&draft.roster, &[]).or_fail("the proposal cannot be written")?,
        member_docs: draft.docs.values().cloned().collect(),
        freshness: Bytes::new(),
        earlier_roots: earlier.to_vec(),
    };
    Ok(bundle.encode_to_vec().into())
}

fn report(
    args: &RosterProposeArgs,
    proposal: &Proposal,
    (changes, unchanged): (&[Change], &[&PathBuf]),
    json: bool,
) {
    let (roster, out) = (proposal.contents(), args.out.display());
    if json {
        return output::document(json!({
            "file": (!args.dry_run).then_some(&args.out), "federation": roster.federation(),
            "version": roster.version(), "fingerprint": fingerprint::of(proposal.sha256()),
            "threshold": roster.root().roster_threshold,
            "changes": changes.iter().map(change::Change::to_json).collect::<Vec<_>>(),
            "unchanged": unchanged,
        }));
    }
    if args.dry_run {
        return output::data("nothing was written: leave --dry-run out to write the proposal");
    }
    output::data(format_args!("wrote        {out}   for its holders to sign"));
    let root = roster.root();
    output::data(format_args!(
        "Next, {} of {} holders, each on their own machine, with this file:",
        root.roster_threshold,
        root.roster_keys.len()
    ));
    output::data(format_args!(
        "  frex roster sign {out} --root {}{} --key DIR/roster.key",
        args.root.display(),
        super::previous_option(args.previous.as_deref())
    ));
}
