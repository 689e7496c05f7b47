//! What strangers send to whoever invites, and what whoever answers sends to a newcomer.

use bytes::Bytes;
use frex_proto::join::{self, Applicant, Decision, Invitation};
use frex_tests::federation::FEDERATION;
use zeroize::Zeroizing;

use crate::samples::{self, NOW_MS};

const CHANNEL: [u8; 32] = [12; 32];

pub fn invitation(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let Ok(read) = join::parse(text) else {
        return false;
    };
    let again = join::parse(&join::text(&read)).expect("what was read can be written");
    assert_eq!(again.address, read.address);
    true
}

pub fn join_request(data: &[u8]) -> bool {
    let judged = join::judge_request(data, &sample().terms(), &CHANNEL, NOW_MS);
    let known = judged.as_ref().is_ok_and(|applicant| {
        join::check_listing(applicant, &samples::federation().roster(NOW_MS)).is_ok()
    });
    judged.is_ok() && known
}

pub fn join_answer(data: &[u8]) -> bool {
    let applicant = applicant();
    let judged = join::judge_answer(data, &sample(), &applicant.card_sha256, &CHANNEL, NOW_MS);
    judged.is_ok()
}

/// Well-formed inputs of these targets.
pub fn samples(target: &str) -> Vec<Vec<u8>> {
    match target {
        "invitation" => vec![join::text(&sample()).as_bytes().to_vec()],
        "join_request" => vec![request()],
        "join_answer" => {
            let (federation, decision) = (samples::federation(), Decision::pending(NOW_MS));
            let roster = federation.roster(NOW_MS);
            let host = &federation.member("b").identity;
            let applicant = applicant();
            vec![
                join::welcome(&roster, "b", host, &applicant, &decision, &CHANNEL)
                    .expect("a key in memory signs"),
            ]
        }
        _ => Vec::new(),
    }
}

fn sample() -> Invitation {
    Invitation {
        federation: FEDERATION.to_owned(),
        root_sha256: samples::federation().anchor.root_sha256,
        member: "b".to_owned(),
        address: "frex.example.org:7444".to_owned(),
        listener_key: *samples::author().verifying_key().as_bytes(),
        secret: Zeroizing::new([13; 16]),
        expires_ms: NOW_MS + 1000,
    }
}

fn request() -> Vec<u8> {
    let identity = &samples::federation().member("a").identity;
    let card = Bytes::from(samples::card());
    let decision = Decision::pending(NOW_MS);
    join::request(&sample(), &card, "a", identity, &decision, &CHANNEL)
        .expect("a key in memory signs")
}

fn applicant() -> Applicant {
    join::judge_request(&request(), &sample().terms(), &CHANNEL, NOW_MS).expect("a sound request")
}
