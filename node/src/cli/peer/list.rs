//! `frex peer ls` and `frex peer show`: who came, when, and what either side decided and why.

use std::sync::Arc;

use frex_client::keys::MemberHome;
use frex_proto::{error::WireCode, roster::Roster};
use serde_json::{Value, json};

use super::{
    PeerListArgs, PeerShowArgs, Waiting, decide, exit_of, fingerprint_of, not_found, suspend,
};
use crate::{
    cli::{
        failure::{Done, Failure, OrFail},
        fingerprint, member, output,
        time::rfc3339,
    },
    join::{DecisionRecord, PeerRecord, Peers, Side, State},
};

/// Lists peers, oldest first.
pub fn list(args: &PeerListArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let peers = Peers::of(home.dir());
    let roster = member::roster(&home).ok();
    let mut rows = Vec::new();
    for record in peers.list().or_fail("cannot read the peers")? {
        let ours = peers.ours(&record).or_fail("cannot read the peer")?;
        let theirs = peers.theirs(&record).or_fail("cannot read the peer")?;
        rows.push(row(&record, &ours, &theirs, roster.as_ref())?);
    }
    let suspended = suspend::suspended(&args.dir)?;
    let suspended: Vec<Value> = suspended
        .iter()
        .map(|(member, said)| {
            json!({ "peer": member, "since": rfc3339(said.since_ms), "reason": said.reason })
        })
        .collect();
    if json {
        output::document(json!({ "peers": rows, "suspended": suspended }));
        return Ok(0);
    }
    let header = [
        "PEER", "COUNTRY", "ROLE", "CAME", "WE", "THEY", "ROSTER", "WHY",
    ];
    let mut table = output::table(&header);
    for row in &rows {
        let text = |value: &Value| output::clean(value.as_str().unwrap_or_default());
        let why = [&row["ours"]["reason"], &row["theirs"]["reason"]].map(text);
        let listed = if row["listed"] == true {
            "listed"
        } else {
            "not yet"
        };
        let facts = ["peer", "country", "role", "since"].map(|field| text(&row[field]));
        let states = [&row["ours"]["state"], &row["theirs"]["state"]].map(text);
        let cells = facts.into_iter().chain(states);
        table.add_row(cells.chain([listed.to_owned(), why.concat()]));
    }
    output::print_table(&table);
    for row in &suspended {
        let [peer, since, reason] = ["peer", "since", "reason"]
            .map(|field| output::clean(row[field].as_str().unwrap_or_default()));
        output::data(format_args!(
            "suspended here since {since}: {peer}, {reason}"
        ));
    }
    Ok(0)
}

/// Shows one peer; with `--ask`, after asking it.
pub fn show(args: &PeerShowArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let peers = Peers::of(home.dir());
    let record = peers
        .find(&args.id)
        .map_err(|error| not_found(error, &args.id, &args.dir))?;
    let keys = member::keys(&home)?;
    let own = fingerprint::of_key(&keys.identity.verifying_key());
    let ours = peers.ours(&record).or_fail("cannot read the peer")?;
    let mut installed = None;
    if args.ask {
        let waiting = Waiting::new(&home, &record, Arc::new(keys.identity), args.wait);
        let runtime = member::runtime()?;
        if args.wait.as_ms() > 0 {
            runtime.block_on(waiting.until_decided())?;
        } else {
            let what = format!("cannot ask {}", record.member);
            let asked = runtime.block_on(waiting.ask());
            asked.map_err(|error| {
                let failure = Failure::of(error, what);
                match failure.code() {
                    WireCode::Unreachable | WireCode::TimedOut => failure.advise(
                        "They must wait for you while you ask: frex invite --resume ID DIR, there",
                    ),
                    _ => failure,
                }
            })?;
        }
        // Whoever gave the first roster gives later ones too, judged under the root pinned then.
        if ours.state == State::Accepted {
            installed = decide::install_if_newer(&args.dir, &home, &peers, &record)?;
        }
    }
    let theirs = peers.theirs(&record).or_fail("cannot read the peer")?;
    report(&home, &record, &ours, &theirs, &own, installed, json)?;
    if args.ask {
        return exit_of(&record, &theirs, args.wait);
    }
    Ok(0)
}

fn report(
    home: &MemberHome,
    record: &PeerRecord,
    ours: &DecisionRecord,
    theirs: &DecisionRecord,
    own: &str,
    installed: Option<u64>,
    json: bool,
) -> Result<(), Failure> {
    if json {
        let mut row = row(record, ours, theirs, member::roster(home).ok().as_ref())?;
        row["own_fingerprint"] = json!(own);
        row["installed"] = json!(installed);
        output::document(row);
        return Ok(());
    }
    describe(record, ours, theirs, &fingerprint_of(record)?, false);
    output::data(format_args!("your fingerprint  {own}"));
    if let Some(version) = installed {
        output::data(format_args!("installed         roster version {version}"));
    }
    Ok(())
}

/// Prints who a peer is and how things stand.
pub fn describe(
    record: &PeerRecord,
    ours: &DecisionRecord,
    theirs: &DecisionRecord,
    print: &str,
    short: bool,
) {
    let name = output::clean(&record.name);
    output::data(format_args!(
        "{}   {name} ({})   {}",
        record.member,
        record.country,
        serde_json::to_value(record.role)
            .ok()
            .and_then(|role| role.as_str().map(str::to_owned))
            .unwrap_or_default()
    ));
    output::data(format_args!("their fingerprint {print}"));
    if short {
        return;
    }
    output::data(format_args!(
        "came              {}",
        rfc3339(record.since_ms)
    ));
    let invited = match record.side {
        Side::Inviter => "you invited it",
        Side::Newcomer => "it invited you",
    };
    output::data(format_args!("how               {invited}"));
    for (title, decision) in [("we", ours), ("they", theirs)] {
        let why = match decision.reason.is_empty() {
            true => String::new(),
            false => format!(": {}", output::clean(&decision.reason)),
        };
        output::data(format_args!(
            "{title:<18}{} since {}{why}",
            decision.state.name(),
            rfc3339(decision.at_ms)
        ));
    }
    output::data(format_args!(
        "last heard        {}",
        rfc3339(theirs.heard_ms)
    ));
}

fn row(
    record: &PeerRecord,
    ours: &DecisionRecord,
    theirs: &DecisionRecord,
    roster: Option<&Roster>,
) -> Result<Value, Failure> {
    let decision = |decision: &DecisionRecord| {
        json!({
            "state": decision.state, "since": rfc3339(decision.at_ms), "reason": decision.reason,
        })
    };
    let listed = roster
        .and_then(|roster| roster.member(&record.member))
        .is_some_and(|member| {
            let mut keys = member.identity_keys.iter();
            keys.any(|timed| hex::encode(timed.key.encoded()) == record.identity)
        });
    Ok(json!({
        "peer": record.member, "name": record.name, "country": record.country,
        "role": record.role, "node": record.node, "side": record.side,
        "federation": record.federation, "fingerprint": fingerprint_of(record)?,
        "invitation": record.invitation, "since": rfc3339(record.since_ms),
        "ours": decision(ours), "theirs": decision(theirs), "listed": listed,
        "heard": rfc3339(theirs.heard_ms), "told": theirs.told,
    }))
}
