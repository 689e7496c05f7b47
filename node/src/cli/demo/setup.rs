//! Governance, members, cards, roster: the steps that organisations take once.

use std::net::UdpSocket;

use frex_proto::error::WireCode;

use super::{FEDERATION, PARTIES, Party, Stage};
use crate::cli::failure::{Failure, OrCode};

const ROOT: &str = "governance/root.frex";

/// Makes the federation; gives the ports of the nodes.
pub fn federation(stage: &mut Stage) -> Result<Vec<u16>, Failure> {
    let threshold = ["--keys", "3", "--threshold", "2", "governance"];
    let init = ["federation", "init", "--name", FEDERATION];
    stage.expect(0, &[&init[..], &threshold].concat())?;
    let ports = free_ports(PARTIES.len())?;
    let mut cards = Vec::new();
    for (party, port) in PARTIES.iter().zip(&ports) {
        cards.push(member(stage, party, *port)?);
    }
    stage.done(
        "init",
        "4 members in 4 countries have keys of their own: one reports, three receive",
    );
    roster(stage, &cards)?;
    stage.done(
        "roster",
        "2 of 3 governance keys signed the roster; every member judged and installed it",
    );
    Ok(ports)
}

/// Makes a member with its node; gives its card.
fn member(stage: &Stage, party: &Party, port: u16) -> Result<String, Failure> {
    let listen = format!("127.0.0.1:{port}");
    let dir = Stage::member_dir(party);
    let who = ["init", "--member", party.id, "--name", party.name];
    let what = ["--country", party.country, "--role", party.role];
    let place = ["--federation", FEDERATION, "--listen", &listen, &dir];
    let made = stage.expect(0, &[&who[..], &what, &place].concat())?;
    Ok(made["card"].as_str().unwrap_or_default().to_owned())
}

/// Signs the roster by two holders, one after the other, and installs it everywhere.
fn roster(stage: &Stage, cards: &[String]) -> Result<(), Failure> {
    let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
    let file = ["roster.proposal", "--root", ROOT];
    let out = ["--out", "roster.proposal", "--root", ROOT];
    let witnesses = PARTIES[1..]
        .iter()
        .map(|party| format!("node.{}", party.id));
    let witnesses = witnesses.collect::<Vec<_>>().join(",");
    let witnesses = ["--witnesses", &witnesses, "--quorum", "2"];
    stage.expect(
        0,
        &[&["roster", "propose"][..], &out, &witnesses, &cards].concat(),
    )?;
    let mut signatures = Vec::new();
    // One holder's signature is not enough: done in part.
    for (holder, exit) in [("holder-1", 3), ("holder-3", 0)] {
        let key = format!("governance/{holder}/roster.key");
        let signature = format!("{holder}.sig");
        let sign = ["--key", &key, "--out", &signature];
        stage.expect(0, &[&["roster", "sign"][..], &file, &sign].concat())?;
        signatures.push(signature);
        let signatures: Vec<&str> = signatures.iter().map(String::as_str).collect();
        let combine = [&["roster", "combine"][..], &file, &signatures].concat();
        stage.expect(exit, &[&combine[..], &["--out", "roster.frex"]].concat())?;
    }
    let root = stage.dir.join("root.frex");
    std::fs::copy(stage.dir.join(ROOT), &root)
        .map_err(|error| Failure::file("write", &root, &error))?;
    for party in &PARTIES {
        let dir = Stage::member_dir(party);
        let install = ["roster", "install", "roster.frex", "--root", "root.frex"];
        stage.expect(0, &[&install[..], &[&dir]].concat())?;
    }
    Ok(())
}

/// Ports that were free a moment ago, each another: all are held until all are drawn.
fn free_ports(count: usize) -> Result<Vec<u16>, Failure> {
    let what = "no free UDP port on 127.0.0.1";
    let sockets = (0..count)
        .map(|_| UdpSocket::bind("127.0.0.1:0"))
        .collect::<Result<Vec<_>, _>>();
    sockets
        .or_code(WireCode::Files, what)?
        .iter()
        .map(|socket| Ok(socket.local_addr().or_code(WireCode::Files, what)?.port()))
        .collect()
}
