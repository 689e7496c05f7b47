//! `frex stats sum …`: totals of several members, of which none shows its own figures. What members tell
//! each other goes as any message does, sealed and with receipts. Spec: STA-29 to STA-37.

use std::path::{Path, PathBuf};

use frex_client::{
    casework::statistics::{
        self, Axis, OTHER, Round, SumError, sum as sums,
        view::{HIDDEN, figure},
        wire::{AxisValues, Row, SumOpening, SumRound},
    },
    environment::{Clock, Random},
    keys::MemberHome,
};
use frex_proto::{error::WireCode, limits, roster::Roster};
use prost::Message as _;
use rand_core::Rng;
use serde_json::{Value, json};

use super::{
    AuditArgs, OpenArgs, RoundArgs, TotalArgs, facts, print::named, roster as trusted, store,
};
use crate::cli::{
    KindArg, LaneArg, SendArgs,
    casework::desk::content_path,
    failure::{Done, Failure, OrCode, OrFail},
    files, member,
    messages::{self, RECEIVED},
    output,
    route::How,
    send,
    time::Span,
};

/// Below the folder of a round: what opens this member's figures to an auditor.
const OPENING: &str = "opening";
/// This member's share of its own figures, which nobody else gets.
const OWN_SHARE: &str = "own.share";
const OWN_PARTIAL: &str = "own.partial";
/// The round itself, by which others are judged.
const ROUND: &str = "round";

/// Begins a round.
pub fn open(args: &OpenArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let roster = member::roster(&home)?;
    let definition = statistics::definition(&args.definition, None);
    let definition = definition.or_fail("nothing can be added up")?;
    let months = args.period.0.months().or_fail("the period is none")?;
    let mut axes = vec![AxisValues {
        axis: Axis::Month.name().to_owned(),
        values: months.iter().map(ToString::to_string).collect(),
    }];
    for by in &args.by {
        axes.push(axis(by)?);
    }
    let mut members = args.with.clone();
    members.sort();
    members.dedup();
    can_take_part(&members, &roster)?;
    is_over(args)?;
    let mut nonce = [0; 16];
    Random::System.rng().fill_bytes(&mut nonce);
    let said = SumRound {
        federation: roster.federation().to_owned(),
        initiator: home.settings().member.clone(),
        members: members.clone(),
        definition_id: definition.id.clone(),
        definition_version: definition.version,
        definition_sha256: bytes::Bytes::copy_from_slice(&definition.sha256),
        first_month: args.period.0.first.to_string(),
        last_month: args.period.0.last.to_string(),
        zone: args.zone.clone(),
        threshold: args.threshold,
        axes,
        nonce: bytes::Bytes::copy_from_slice(&nonce),
        closes_ms: args.closes.after(Clock::System.now_ms()),
    };
    let round = Round::open(said, &member::keys(&home)?.identity);
    let round = round.or_fail("the round cannot be begun").map_err(|failure| {
        failure.advise("At least three members, each once; axes as AXIS=VALUE,VALUE: frex stats sum open --help")
    })?;
    files::write_new(&args.out, &round.to_bytes())?;
    let id = hex::encode(round.id);
    if json {
        output::document(
            json!({ "round": id, "members": members, "file": args.out, "cells": round.cells().len() }),
        );
    } else {
        let own = &home.settings().member;
        let others = members.iter().filter(|member| *member != own);
        let others: Vec<&str> = others.map(String::as_str).collect();
        output::data(format_args!("round {id}"));
        output::message(format_args!(
            "note: send it to who takes part: frex send {} --from {} --kind statistics --content-type {} --to {}",
            args.out.display(),
            args.dir.display(),
            statistics::CONTENT_TYPE,
            others.join(" ")
        ));
    }
    Ok(0)
}

/// Whether these members can add up: of two, each could compute the other's figures.
fn can_take_part(members: &[String], roster: &Roster) -> Result<(), Failure> {
    if !(limits::SUM_MEMBERS_MIN..=limits::RECIPIENTS_MAX).contains(&members.len()) {
        let what = format!(
            "a round is of {} to {} members, and these are {}",
            limits::SUM_MEMBERS_MIN,
            limits::RECIPIENTS_MAX,
            members.len()
        );
        let failure = Failure::new(WireCode::BadInput, what);
        return Err(match members.len() < limits::SUM_MEMBERS_MIN {
            true => failure
                .cause("from the total of two each could compute the other's figures")
                .advise("Name each once, the own member too: --with MEMBER MEMBER MEMBER"),
            false => failure.advise("Add up in several rounds, no member in two of them"),
        });
    }
    for name in members {
        match roster.member(name) {
            None => {
                let what = format!("the roster lists no member {name}");
                return Err(Failure::new(WireCode::UnknownRecipient, what));
            }
            Some(member) if !member.is_live() => {
                let what = format!("{name} is suspended or revoked and cannot take part");
                return Err(Failure::new(WireCode::Revoked, what)
                    .advise(format!("Nothing was begun; leave {name} out of --with")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Whether every month of the round has ended: else nobody could split its figures.
fn is_over(args: &OpenArgs) -> Result<(), Failure> {
    let ends = args.period.0.last.next().begins_ms(&args.zone);
    let ends = ends.or_fail("nothing can be counted in that zone")?;
    if ends <= Clock::System.now_ms() {
        return Ok(());
    }
    let what = format!("{} is not over yet", args.period.0.last);
    Err(Failure::new(WireCode::BadInput, what)
        .advise("Name whole months that are over: --period 2026-01..2026-03"))
}

/// An axis as it is given: what is not named is counted together.
fn axis(by: &str) -> Result<AxisValues, Failure> {
    let wrong = || {
        Failure::new(
            WireCode::BadInput,
            format!("{by:?} names no axis and values"),
        )
        .advise("As in: --by country=ES,FR,IE  --by outcome=arrest,shelved")
    };
    let (name, values) = by.split_once('=').ok_or_else(wrong)?;
    let axis = Axis::of_name(name).filter(|axis| *axis != Axis::Month);
    let mut values: Vec<String> = values.split(',').map(str::to_owned).collect();
    if axis.is_none()
        || values
            .iter()
            .any(|value| value.is_empty() || value == OTHER)
    {
        return Err(wrong());
    }
    values.push(OTHER.to_owned());
    Ok(AxisValues {
        axis: name.to_owned(),
        values,
    })
}

/// What one member does in a round.
struct Part {
    home: MemberHome,
    roster: Roster,
    round: Round,
    folder: PathBuf,
}

impl Part {
    fn of(round: &Path, dir: &Path) -> Result<Self, Failure> {
        let home = member::open(dir)?;
        let roster = member::roster(&home)?;
        let bytes = files::read(round, limits::STATISTICS_BYTES_MAX)?;
        let read = Round::read(&bytes, &roster);
        let round = read.or_fail(format_args!("{} is no round of a sum", round.display()))?;
        let folder = store::round(&home, &hex::encode(round.id))?;
        files::replace(&folder.join(ROUND), &bytes)?;
        Ok(Self {
            home,
            roster,
            round,
            folder,
        })
    }

    /// Nobody else has figures in it.
    fn takes_part(&self) -> Result<(), Failure> {
        let members = &self.round.said.members;
        if members.iter().any(|member| member == self.member()) {
            return Ok(());
        }
        let what = format!("{} takes no part in this round", self.member());
        Err(Failure::new(WireCode::BadInput, what)
            .cause(format!("it is of {}", members.join(", ")))
            .advise("Give the folder of one of these members"))
    }

    fn member(&self) -> &str {
        &self.home.settings().member
    }

    fn others(&self) -> Vec<String> {
        let members = self.round.said.members.iter();
        members
            .filter(|member| *member != self.member())
            .cloned()
            .collect()
    }

    fn still_open(&self) -> Result<(), Failure> {
        if self.round.said.closes_ms > Clock::System.now_ms() {
            return Ok(());
        }
        Err(
            Failure::new(WireCode::SumVoid, "the time of this round is over")
                .advise("Begin another round: frex stats sum open --help"),
        )
    }

    /// Two rounds of the same months by other members differ by one member's figures. Spec: STA-37.
    fn only_round(&self) -> Result<(), Failure> {
        let rounds = self.folder.parent().unwrap_or(&self.folder);
        let failed = |error: std::io::Error| Failure::file("list", rounds, &error);
        for entry in std::fs::read_dir(rounds).map_err(failed)? {
            let folder = entry.map_err(failed)?.path();
            if folder == self.folder || !folder.join(OWN_PARTIAL).exists() {
                continue;
            }
            let bytes = files::read(&folder.join(ROUND), limits::STATISTICS_BYTES_MAX)?;
            let other =
                Round::read(&bytes, &self.roster).or_fail("a round that is kept is damaged")?;
            let (own, of) = (self.round.period(), other.period());
            let (own, of) = (
                own.or_fail("the round names no months")?,
                of.or_fail("a round that is kept is damaged")?,
            );
            if other.said.definition_id == self.round.said.definition_id && own.overlaps(&of) {
                let what = format!("this member took part in a round of {of} before");
                return Err(Failure::new(WireCode::Discloses, what)
                    .cause("two rounds of the same months differ by the figures of whoever is in one of them alone")
                    .advise("Take the totals of that round, or count other months"));
            }
        }
        Ok(())
    }

    /// What came for this round and what this member made itself, as `judge` takes it.
    fn parts<T>(
        &self,
        own: &str,
        what: &str,
        judge: impl Fn(&[u8]) -> Result<T, SumError>,
    ) -> Result<Vec<T>, Failure> {
        let mut contents = self.came()?;
        let own = self.folder.join(own);
        if own.exists() {
            contents.push(files::read(&own, limits::CONTENT_BYTES_MAX)?);
        }
        let mut parts = Vec::new();
        for bytes in contents {
            match judge(&bytes) {
                Ok(part) => parts.push(part),
                // Of another round, or of another kind.
                Err(SumError::OtherRound | SumError::Statistics(_)) => {}
                Err(error) => return Err(Failure::of(error, what)),
            }
        }
        Ok(parts)
    }

    /// The contents of messages about figures that came to this member.
    fn came(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut came = Vec::new();
        for (direction, about) in messages::all(&self.home)? {
            if direction != RECEIVED || about["content_type"] != statistics::CONTENT_TYPE {
                continue;
            }
            let path = content_path(&self.home, &about);
            if path.is_file() {
                came.push(files::read(&path, limits::CONTENT_BYTES_MAX)?);
            }
        }
        Ok(came)
    }
}

/// Splits this member's figures and sends each other member its share. Said twice, it sends the same
/// shares: two sets of them would let others compute the difference.
pub fn share(args: &RoundArgs, json: bool) -> Done {
    let part = Part::of(&args.round, &args.dir)?;
    part.takes_part()?;
    part.still_open()?;
    if !part.folder.join(OPENING).exists() {
        split(&part)?;
    }
    let send = || -> Done {
        let mut worst = 0;
        for member in part.others() {
            let file = part.folder.join(format!("{member}.share"));
            let once = format!("sum-{}-share-{member}", hex::encode(part.round.id));
            worst = worst.max(send_to(&file, vec![member], args, once, json)?);
        }
        Ok(worst)
    };
    if !json {
        return send();
    }
    let (worst, sent) = output::parts(send);
    let worst = worst?;
    output::document(json!({ "round": hex::encode(part.round.id), "sent": sent }));
    Ok(worst)
}

fn split(part: &Part) -> Result<(), Failure> {
    let said = &part.round.said;
    let period = part.round.period().or_fail("the round names no months")?;
    let definition = statistics::definition(&said.definition_id, Some(said.definition_version));
    let definition = definition.or_fail("the round counts what is not known here")?;
    let now_ms = Clock::System.now_ms();
    let ends = period
        .last
        .next()
        .begins_ms(&said.zone)
        .or_fail("the round names no time zone")?;
    if ends > now_ms {
        return Err(Failure::new(
            WireCode::Discloses,
            "a month of the round is not over yet",
        ));
    }
    let counted = facts::of(&part.home, &part.roster, definition, now_ms)?;
    let range = counted.range(&period, &said.zone)?;
    let figures =
        sums::input(&part.round, &counted.facts).or_fail("the figures cannot be counted")?;
    let keys = member::keys(&part.home)?;
    let who = (part.member(), &keys.identity);
    let mut rng = Random::System.rng();
    let shares = sums::share(&part.round, who, &figures, &range, &mut rng);
    let shares = shares.or_fail("the figures cannot be split")?;
    for (member, message) in &shares.messages {
        let name = match member == part.member() {
            true => OWN_SHARE.to_owned(),
            false => format!("{member}.share"),
        };
        files::replace(&part.folder.join(name), message)?;
    }
    // Last: with it the shares are complete, and are not made anew.
    files::replace(&part.folder.join(OPENING), &shares.opening.encode_to_vec())
}

/// Adds up what came and sends the sum to every other member.
pub fn add(args: &RoundArgs, json: bool) -> Done {
    let part = Part::of(&args.round, &args.dir)?;
    part.takes_part()?;
    part.still_open()?;
    let partial = part.folder.join(OWN_PARTIAL);
    if !partial.exists() {
        part.only_round()?;
        let taken = part.parts(OWN_SHARE, "a share that came is not taken", |bytes| {
            sums::take(bytes, &part.round, part.member(), &part.roster)
        })?;
        let keys = member::keys(&part.home)?;
        let sum = sums::add(&part.round, (part.member(), &keys.identity), &taken);
        files::replace(&partial, &sum.or_fail("the round is not complete here")?)?;
    }
    let once = format!("sum-{}-partial", hex::encode(part.round.id));
    send_to(&partial, part.others(), args, once, json)
}

/// Sends a file as every message is sent, once however often it is said.
fn send_to(file: &Path, to: Vec<String>, args: &RoundArgs, once: String, json: bool) -> Done {
    let words = SendArgs {
        file: file.to_owned(),
        to,
        from: args.dir.clone(),
        kind: KindArg::Statistics,
        lane: LaneArg::Normal,
        content_type: Some(statistics::CONTENT_TYPE.to_owned()),
        expires: None,
        reply_by: None,
        in_reply_to: None,
        case: None,
        place: 0,
        attach: Vec::new(),
        message: None,
        once: Some(once),
        wait: Span(args.wait.0),
        how: How::default(),
    };
    send::send(&words, json)
}

/// Adds up the sums that came.
pub fn total(args: &TotalArgs, json: bool) -> Done {
    let part = Part::of(&args.round, &args.dir)?;
    let partials = part.parts(OWN_PARTIAL, "a sum that came is not taken", |bytes| {
        sums::read_partial(bytes, &part.round, &part.roster)
    })?;
    let totals = sums::combine(&part.round, &partials).or_fail("the round says nothing")?;
    let id = hex::encode(part.round.id);
    let said = &part.round.said;
    if json {
        let row = |row: &Row| -> Value {
            let (by, value) = named(row);
            let reports = row.reports.map_or_else(|| HIDDEN.into(), Value::from);
            json!({ "by": by, "value": value, "reports": reports })
        };
        let rows: Vec<Value> = totals.rows.iter().map(row).collect();
        output::document(json!({
            "round": id, "members": said.members, "definition": said.definition_id,
            "first_month": said.first_month, "last_month": said.last_month, "zone": said.zone,
            "threshold": said.threshold, "rows": rows,
        }));
        return Ok(0);
    }
    output::data(format_args!("round {id}, of {}", said.members.join(", ")));
    let mut table = output::table(&["BY", "VALUE", "REPORTS"]);
    for row in &totals.rows {
        let (by, value) = named(row);
        table.add_row([by.to_owned(), output::clean(value), figure(row.reports)]);
    }
    output::print_table(&table);
    Ok(0)
}

/// Shows one member's part to somebody who is trusted with its figures.
pub fn audit(args: &AuditArgs, json: bool) -> Done {
    let roster = trusted(&args.trust)?;
    let bytes = files::read(&args.round, limits::STATISTICS_BYTES_MAX)?;
    let round = Round::read(&bytes, &roster).or_fail("this is no round of a sum")?;
    let opening = files::read(&args.opening, limits::CONTENT_BYTES_MAX)?;
    let opening = SumOpening::decode(&opening[..])
        .or_code(WireCode::BadStatistics, "this opens no part of a round")?;
    let audited = sums::audit(&opening, &round, &roster);
    let (member, figures) = audited.or_fail("the part does not hold")?;
    let cells = round.cells();
    let named = cells.iter().map(|cell| match cell {
        None => "total".to_owned(),
        Some((axis, value)) => format!("{}={value}", axis.name()),
    });
    let rows: Vec<(String, u64)> = named.zip(figures).collect();
    if json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(cell, reports)| json!({ "cell": cell, "reports": reports }))
            .collect();
        output::document(json!({ "verified": true, "member": member, "figures": rows }));
        return Ok(0);
    }
    output::data(format_args!(
        "{member}: its shares add up to what it committed to"
    ));
    for (cell, reports) in rows {
        output::data(format_args!("  {:<40} {reports}", output::clean(&cell)));
    }
    output::message(
        "note: these are its figures as they are, small ones too: they are for who was trusted with them",
    );
    output::data(output::good("VERIFIED"));
    Ok(0)
}
