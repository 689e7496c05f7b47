//! Governance, members, cards, roster: the steps that organisations take once.

use std::net::UdpSocket;

use frex_proto::error::WireCode;
use serde_json::Value;

use super::{FEDERATION, PARTIES, Stage};
use crate::cli::failure::{Failure, OrCode};

/// Makes the federation; gives the ports of the nodes.
pub fn federation(stage: &mut Stage) -> Result<Vec<u16>, Failure> {
    stage.expect(0, &["federation", "init", "--name", FEDERATION, "--keys", "3", "--threshold", "2", "governance"])?;
    let ports = free_ports(PARTIES.len())?;
    let mut cards = Vec::new();
    for (party, port) in PARTIES.iter().zip(&ports) {
        let dir = Stage::member_dir(party);
        let listen = format!("127.0.0.1:{port}");
        let who = ["init", "--member", party.id, "--name", party.name, "--country", party.country];
        let made: Value = stage.expect(
            0,
            &[&who[..], &["--role", party.role, "--federation", FEDERATION, "--listen", &listen, &dir]].concat(),
        )?;
        cards.push(made["card"].as_str().unwrap_or_default().to_owned());
    }
    stage.done("init", "4 members in 4 countries have keys of their own: one reports, three receive");

    let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
    let make = ["roster", "make", "--root", "governance/root.frex", "--key", "governance/holder-1/roster.key"];
    // One holder's signature is not enough (exit 3: done in part); another one adds the second.
    stage.expect(3, &[&make[..], &cards, &["--out", "roster.frex"]].concat())?;
    let sign = ["roster", "sign", "roster.frex", "--root", "governance/root.frex"];
    stage.expect(0, &[&sign[..], &["--key", "governance/holder-3/roster.key"]].concat())?;
    let copied = std::fs::copy(stage.dir.join("governance/root.frex"), stage.dir.join("root.frex"));
    copied.map_err(|error| Failure::file("copy", &stage.dir.join("governance/root.frex"), &error))?;
    for party in &PARTIES {
        stage.expect(0, &["roster", "install", "roster.frex", "--root", "root.frex", &Stage::member_dir(party)])?;
    }
    stage.done("roster", "2 of 3 governance keys signed the roster; every member judged and installed it");
    Ok(ports)
}

/// Ports that were free a moment ago, each another: all are held until all are drawn.
fn free_ports(count: usize) -> Result<Vec<u16>, Failure> {
    let what = "no free UDP port on 127.0.0.1";
    let sockets = (0..count).map(|_| UdpSocket::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>();
    sockets
        .or_code(WireCode::Files, what)?
        .iter()
        .map(|socket| Ok(socket.local_addr().or_code(WireCode::Files, what)?.port()))
        .collect()
}
