//! `frex peer accept` and `frex peer refuse`: a plan first, and the deed only when confirmed.

use std::{
    io::{self, BufRead, IsTerminal, Read},
    path::Path,
    sync::Arc,
};

use frex_client::{environment::Clock, keys::MemberHome};
use frex_proto::{error::WireCode, limits, roster::Roster};
use serde_json::{Value, json};

use super::{
    PeerAcceptArgs, PeerRefuseArgs, Waiting, accept_command, exit_of, fingerprint_of, list,
    not_found, print_plan,
};
use crate::{
    cli::{
        failure::{Done, Failure, OrFail},
        files, fingerprint, member, output, roster,
        time::{Span, rfc3339},
    },
    join::{DecisionRecord, Enclosure, PeerRecord, Peers, Side, State},
};

const ANSWER_BYTES_MAX: u64 = 64;

/// A peer about whom a decision is due.
struct Matter {
    home: MemberHome,
    peers: Peers,
    record: PeerRecord,
    ours: DecisionRecord,
    print: String,
}

/// Trusts a peer whose fingerprint was compared. Spec: JOI-13, JOI-14.
pub fn accept(args: &PeerAcceptArgs, json: bool) -> Done {
    let matter = matter(&args.id, &args.dir, State::Accepted)?;
    let record = &matter.record;
    let theirs = matter
        .peers
        .theirs(record)
        .or_fail("cannot read the peer")?;
    if theirs.state == State::Refused {
        return exit_of(record, &theirs, Span(std::time::Duration::ZERO));
    }
    let plan = plan(&matter, &args.dir);
    if !json {
        list::describe(record, &matter.ours, &theirs, &matter.print, true);
        print_plan(&plan);
    }
    let compared = compare(args, &matter, json)?;
    if !(compared && (args.confirm || args.fingerprint.is_none())) {
        let again = accept_command(&record.member, &args.dir.display().to_string());
        return unchanged(record, &plan, &again, json);
    }
    let mut done = carry_out(&matter, args)?;
    matter
        .peers
        .decide(record, State::Accepted, "", Clock::System.now_ms())
        .or_fail("cannot keep the decision")?;
    let heard = tell(&matter, &args.dir, args.wait, json)?;
    let theirs = heard.unwrap_or(theirs);
    if json {
        done["peer"] = json!(record.member);
        done["confirmed"] = json!(true);
        done["ours"] = json!("accepted");
        done["theirs"] = json!(theirs.state.name());
        output::document(done);
    } else {
        output::data(format_args!("accepted  {}", record.member));
        next(&matter, &theirs, &args.dir);
    }
    exit_of(record, &theirs, args.wait)
}

/// Refuses a peer and tells it why.
pub fn refuse(args: &PeerRefuseArgs, json: bool) -> Done {
    let matter = matter(&args.id, &args.dir, State::Refused)?;
    let record = &matter.record;
    let length = args.reason.trim().len();
    if !(1..=limits::JOIN_REASON_BYTES_MAX).contains(&length) {
        let most = limits::JOIN_REASON_BYTES_MAX;
        return Err(Failure::new(
            WireCode::BadInput,
            format!("a reason has 1 to {most} bytes"),
        )
        .advise("--reason 'the fingerprints differ'"));
    }
    let plan = vec![format!(
        "refuse {}: nothing of it is trusted or listed, and it is told: {}",
        record.member, args.reason
    )];
    if !args.confirm {
        let again = format!(
            "frex peer refuse {} {} --reason … --confirm",
            record.member,
            args.dir.display()
        );
        if !json {
            print_plan(&plan);
        }
        return unchanged(record, &plan, &again, json);
    }
    matter
        .peers
        .decide(
            record,
            State::Refused,
            args.reason.trim(),
            Clock::System.now_ms(),
        )
        .or_fail("cannot keep the decision")?;
    tell(&matter, &args.dir, Span(std::time::Duration::ZERO), json)?;
    if json {
        output::document(json!({
            "peer": record.member, "confirmed": true, "ours": "refused", "reason": args.reason.trim(),
        }));
    } else {
        output::data(format_args!("refused  {}", record.member));
        if record.side == Side::Inviter {
            output::data("They learn it and the reason when they ask, while you wait for them:");
            output::data(format_args!(
                "  frex invite --resume {} {}",
                record.invitation,
                args.dir.display()
            ));
        }
    }
    Ok(0)
}

/// The command with which the governance lists a card.
fn governance_command(card: &Path) -> String {
    format!(
        "frex roster propose --root root.frex --previous roster.frex --out next.proposal {}",
        card.display()
    )
}

fn matter(id: &str, dir: &Path, wanted: State) -> Result<Matter, Failure> {
    let home = member::open(dir)?;
    let peers = Peers::of(home.dir());
    let record = peers.find(id).map_err(|error| not_found(error, id, dir))?;
    let ours = peers.ours(&record).or_fail("cannot read the peer")?;
    // The same decision again finishes what was interrupted; another would take back what the
    // other side may have been told.
    if ours.state != State::Pending && ours.state != wanted {
        let what = format!(
            "{} was {} at {}",
            record.member,
            ours.state.name(),
            rfc3339(ours.at_ms)
        );
        let advice = if ours.state == State::Refused {
            "Invite it again: frex invite"
        } else {
            "Ask the governance to leave it out of the roster, or to revoke it"
        };
        return Err(Failure::new(WireCode::AlreadyExists, what)
            .cause("a decision that the other side may know is not taken back")
            .advise(advice));
    }
    let print = fingerprint_of(&record)?;
    Ok(Matter {
        home,
        peers,
        record,
        ours,
        print,
    })
}

fn plan(matter: &Matter, dir: &Path) -> Vec<String> {
    let member = &matter.record.member;
    match matter.record.side {
        Side::Inviter => vec![
            format!("put its card into {}", card_path(dir, member).display()),
            format!("tell {member} that you accept it, while the invitation is open"),
        ],
        Side::Newcomer => vec![
            format!(
                "pin the root of {} and install the roster that {member} gave",
                matter.record.federation
            ),
            format!("tell {member} that you accept it, while it waits for you"),
        ],
    }
}

/// Where the card of an accepted newcomer lies.
pub(super) fn card_path(dir: &Path, member: &str) -> std::path::PathBuf {
    dir.join("cards").join(format!("{member}.frex"))
}

/// Whether a person has compared the fingerprints. Spec: JOI-14.
fn compare(args: &PeerAcceptArgs, matter: &Matter, json: bool) -> Result<bool, Failure> {
    let member = &matter.record.member;
    let dir = args.dir.display().to_string();
    let Some(typed) = &args.fingerprint else {
        if json || !io::stdin().is_terminal() {
            return match args.confirm {
                false => Ok(false),
                true => Err(Failure::new(
                    WireCode::BadInput,
                    format!("the fingerprint of {member} was not compared"),
                )
                .advise(accept_command(member, &dir))),
            };
        }
        output::message(format_args!(
            "Does {member}, by telephone, read out this fingerprint, and do you accept it? (yes)"
        ));
        let mut answer = String::new();
        let mut line = io::stdin().lock().take(ANSWER_BYTES_MAX);
        line.read_line(&mut answer)
            .map_err(|error| Failure::file("read", Path::new("standard input"), &error))?;
        return Ok(answer.trim() == "yes");
    };
    let same = fingerprint::matches(typed, &matter.print).map_err(|error| {
        Failure::new(
            WireCode::BadInput,
            "this is not what they can have read out",
        )
        .because(&error)
        .advise("Let them read it again, block by block")
    })?;
    if same {
        return Ok(true);
    }
    let own = matter
        .home
        .public_keys()
        .ok()
        .and_then(|keys| keys.identity);
    let own = own.map(|key| fingerprint::of_key(&key));
    if own.is_some_and(|own| fingerprint::matches(typed, &own) == Ok(true)) {
        let what = "this is your own fingerprint";
        return Err(Failure::new(WireCode::NotTrusted, what)
            .cause(format!(
                "{member} must read out theirs, and you read out yours"
            ))
            .advise(accept_command(member, &dir)));
    }
    Err(Failure::new(
        WireCode::NotTrusted,
        format!("this is not the fingerprint of {member}"),
    )
    .cause("another key came by the invitation than the one that was read out")
    .advise(format!(
        "frex peer refuse {member} {dir} --reason 'the fingerprints differ' --confirm"
    )))
}

fn unchanged(record: &PeerRecord, plan: &[String], again: &str, json: bool) -> Done {
    if json {
        output::document(json!({
            "peer": record.member, "confirmed": false, "plan": plan,
        }));
    } else {
        output::data("Nothing was changed. To do it:");
        output::data(format_args!("  {again}"));
    }
    Ok(0)
}

/// What acceptance means on this side.
fn carry_out(matter: &Matter, args: &PeerAcceptArgs) -> Result<Value, Failure> {
    let record = &matter.record;
    if record.side == Side::Newcomer {
        let version = install_if_newer(&args.dir, &matter.home, &matter.peers, record)?;
        return Ok(json!({ "installed": version }));
    }
    let card = matter
        .peers
        .enclosure(&record.member, Enclosure::Card)
        .or_fail("cannot read the card")?
        .ok_or_else(|| Failure::new(WireCode::NotFound, "the card is not kept any more"))?;
    let path = card_path(&args.dir, &record.member);
    files::ensure_folder(&args.dir.join("cards"))?;
    files::replace(&path, &card)?;
    Ok(json!({ "card": path, "next": governance_command(&path) }))
}

/// Puts the roster that came by the invitation in force, unless it or a newer one is; gives its
/// version if it was. Spec: JOI-13.
pub(super) fn install_if_newer(
    dir: &Path,
    home: &MemberHome,
    peers: &Peers,
    record: &PeerRecord,
) -> Result<Option<u64>, Failure> {
    let what = "cannot read the roster that came";
    let path = |enclosure| {
        peers
            .enclosure_path(&record.member, enclosure)
            .or_fail(what)
    };
    let (root, file) = (path(Enclosure::Root)?, path(Enclosure::Roster)?);
    let (_, anchor) = roster::read_root(&root)?;
    let now_ms = Clock::System.now_ms();
    let came = Roster::judge(&roster::read_bundle(&file)?, &anchor, now_ms)
        .map_err(|error| roster::refused(&file, error))?;
    let held = home.roster(now_ms).ok();
    let is_held = held.is_some_and(|held| {
        held.root().sha256 == anchor.root_sha256 && held.version() >= came.version()
    });
    if is_held {
        return Ok(None);
    }
    roster::install::put_in_force(dir, &file, Some(&root)).map(|(_, version)| Some(version))
}

/// Tells the inviting side. What cannot be told now is told when it is asked again.
fn tell(
    matter: &Matter,
    dir: &Path,
    wait: Span,
    json: bool,
) -> Result<Option<DecisionRecord>, Failure> {
    let record = &matter.record;
    if record.side == Side::Inviter {
        return Ok(None);
    }
    let keys = member::keys(&matter.home)?;
    let waiting = Waiting::new(&matter.home, record, Arc::new(keys.identity), wait);
    let runtime = member::runtime()?;
    if wait.as_ms() > 0 {
        return runtime.block_on(waiting.until_decided());
    }
    match runtime.block_on(waiting.ask()) {
        Ok(theirs) => Ok(Some(theirs)),
        Err(error) => {
            if !json {
                output::message(format_args!(
                    "{} could not be told now: {error}",
                    record.member
                ));
                let show = format!("frex peer show {} {} --ask", record.member, dir.display());
                match WireCode::from(error) {
                    WireCode::Expired | WireCode::NotFound => {
                        output::message("Tell them by telephone.");
                    }
                    _ => output::message(format_args!("While they wait for you:\n  {show}")),
                }
            }
            Ok(None)
        }
    }
}

fn next(matter: &Matter, theirs: &DecisionRecord, dir: &Path) {
    let record = &matter.record;
    let own = &matter.home.settings().member;
    match record.side {
        Side::Inviter => {
            let card = card_path(dir, &record.member);
            output::data("Next, by the governance, with its root, its newest roster and its keys:");
            output::data(format_args!("  {}", governance_command(&card)));
            output::data(
                "When its roster is installed here, the newcomer can fetch it while you wait:",
            );
            output::data(format_args!(
                "  frex invite --resume {} {}",
                record.invitation,
                dir.display()
            ));
            if theirs.state == State::Pending {
                output::data("On their machine, if they have not accepted you yet:");
                output::data(format_args!("  {}", accept_command(own, "DIR")));
            }
        }
        Side::Newcomer => {
            output::data(format_args!(
                "{} on their side: {}",
                record.member,
                theirs.state.name()
            ));
            if theirs.state == State::Pending {
                output::data("On their machine:");
                output::data(format_args!("  {}", accept_command(own, "DIR")));
            }
            output::data("Next, when the governance has listed you and they wait again:");
            output::data(format_args!(
                "  frex peer show {} {} --ask",
                record.member,
                dir.display()
            ));
            output::data(format_args!("  frex run {}", dir.display()));
        }
    }
}
