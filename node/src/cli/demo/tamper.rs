//! Forgeries that must be refused: an envelope on the wire, a receipt on disk.

use std::{fs, net::SocketAddr, time::Duration};

use bytes::Bytes;
use frex_client::{
    environment::{Clock, Environment, Random},
    keys::{MemberHome, MemberKeys},
    tls::config::Limits,
    transport::{Endpoint, EndpointConfig, Greeter, RosterHandle, Session, Socket},
};
use frex_proto::{
    envelope::{self, Draft, SignedEnvelope},
    error::WireCode,
    id::MessageId,
    roster::{Peer, Roster},
    v1::{self, answer::Answer as Outcome},
    wire::FrameType,
};
use rand_core::Rng;

use super::{PARTIES, Stage};
use crate::cli::{
    failure::{Failure, OrCode, OrFail},
    member,
};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const LIFE_MS: u64 = 60_000;

/// Hands the platform's node three envelopes, each changed in one bit after signing; each must be
/// refused with the code of what was changed.
pub fn envelope(stage: &mut Stage) -> Result<(), Failure> {
    let home = member::open(&stage.dir.join(Stage::member_dir(&PARTIES[0])))?;
    let keys = member::keys(&home)?;
    let roster = member::roster(&home)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.or_code(WireCode::Files, "cannot start the runtime")?;
    let codes = runtime.block_on(submit_forgeries(&home, &keys, roster))?;
    let due = [
        WireCode::BadEnvelope,
        WireCode::BadSignature,
        WireCode::BadEnvelope,
    ];
    if codes != due {
        let what = "a forged envelope was not refused as it should be";
        return Err(Failure::new(WireCode::BadEnvelope, what)
            .cause(format!("{codes:?} where {due:?} were due")));
    }
    let names: Vec<&str> = codes.iter().map(|code| code.info().name).collect();
    stage.done(
        "forged envelopes",
        &format!(
            "envelopes changed in one bit of body, signature, wrap: refused with {}",
            names.join(", ")
        ),
    );
    Ok(())
}

async fn submit_forgeries(
    home: &MemberHome,
    keys: &MemberKeys,
    roster: Roster,
) -> Result<Vec<WireCode>, Failure> {
    let signed = seal(home, keys, &roster)?;
    let good = signed.to_wire(None);
    let mut body = good.clone();
    body.body = flipped(&body.body);
    let mut signature = good.clone();
    signature.signed = flipped(&signature.signed);
    let mut wrap = good;
    if let Some(first) = wrap.wraps.first_mut() {
        first.wrap = flipped(&first.wrap);
    }
    let session = dial(home, keys, roster).await?;
    let mut codes = Vec::new();
    for forged in [body, signature, wrap] {
        codes.push(submit(&session, &forged).await?);
    }
    session.close(WireCode::ShuttingDown);
    Ok(codes)
}

fn seal(home: &MemberHome, keys: &MemberKeys, roster: &Roster) -> Result<SignedEnvelope, Failure> {
    let (now_ms, settings) = (Clock::System.now_ms(), home.settings());
    let mut rng = Random::System.rng();
    let recipients = PARTIES[1..].iter().filter_map(|party| {
        Some((
            party.id.to_owned(),
            roster.sealing_key(party.id, now_ms)?.clone(),
        ))
    });
    let mut message_id = [0; 16];
    rng.fill_bytes(&mut message_id);
    let draft = Draft {
        federation: settings.federation.clone(),
        sender: settings.member.clone(),
        recipients: recipients.collect(),
        kind: v1::Kind::Report,
        lane: v1::Lane::Normal,
        created_ms: now_ms,
        expires_ms: now_ms + LIFE_MS,
        reply_by_ms: None,
        message_id: MessageId(message_id),
        conversation: None,
        in_reply_to: None,
        content_type: "text/plain".to_owned(),
        data: Bytes::from_static(b"a forgery"),
        attachments: Vec::new(),
    };
    let sealed = envelope::seal(&draft, &mut rng).or_fail("cannot seal the forgery")?;
    envelope::sign_one(sealed, &keys.identity).or_fail("cannot sign the forgery")
}

/// The last byte with its lowest bit turned: of a signed manifest that is the signature.
fn flipped(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    bytes.into()
}

async fn dial(home: &MemberHome, keys: &MemberKeys, roster: Roster) -> Result<Session, Failure> {
    let settings = home.settings();
    let address = roster
        .node(&settings.home_node)
        .and_then(|node| node.addresses.first())
        .and_then(|address| address.parse::<SocketAddr>().ok())
        .ok_or_else(|| Failure::new(WireCode::BadRoster, "the home node has no address"))?;
    let us = Peer::Client(settings.member.clone());
    let greeter = Greeter::new(us, RosterHandle::new(roster), Environment::default());
    let endpoint = Endpoint::bind(EndpointConfig {
        socket: Socket::toward(address),
        identity: keys
            .transport_identity()
            .or_fail("the platform's transport key is no identity")?,
        key_check: greeter.key_check(),
        key_exchange: greeter.key_exchange(),
        limits: Limits::default(),
        listen: false,
        rng_seed: None,
    });
    let endpoint = endpoint.or_fail("cannot open a socket")?;
    endpoint
        .dial(address, &greeter.dialling(&settings.home_node))
        .await
        .or_fail("cannot reach the platform's node")
}

async fn submit(session: &Session, envelope: &v1::Envelope) -> Result<WireCode, Failure> {
    let what = "the platform's node does not answer";
    let submit = v1::Submit {
        envelopes: 1,
        wait_ms: 0,
    };
    let request = v1::Request {
        request: Some(v1::request::Request::Submit(submit)),
    };
    let mut stream = session.request(&request, 0).await.or_fail(what)?;
    stream.writer.put_message(FrameType::Envelope, envelope);
    stream.writer.finish().await.or_fail(what)?;
    let answer: v1::Answer = stream
        .reader
        .message(FrameType::Answer, ANSWER_TIMEOUT)
        .await
        .or_fail(what)?;
    match answer.answer {
        Some(Outcome::Refusal(refusal)) => Ok(WireCode::from_number(refusal.code)),
        _ => Err(Failure::new(
            WireCode::BadEnvelope,
            "a forged envelope was not refused",
        )),
    }
}

/// Changes one character of a copied receipt; verification must fail with exit code 20.
pub fn receipt(stage: &mut Stage) -> Result<(), Failure> {
    let folder = stage.dir.join("receipts");
    let path = super::verify::proof_files(&folder)?
        .into_iter()
        .find(|path| path.to_string_lossy().contains("accepted"))
        .ok_or_else(|| Failure::new(WireCode::NotFound, "there is no receipt to change"))?;
    let text = fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
    let forged = stage.dir.join("forged.tlog-proof");
    for (place, part) in [
        ("extra ", "statement"),
        ("index ", "place in the log"),
        ("\u{2014} ", "log's signature"),
    ] {
        let Some(start) = text.find(place) else {
            return Err(Failure::new(WireCode::BadReceipt, "a receipt lacks a part"));
        };
        let line = text[start..]
            .find('\n')
            .map_or(text.len(), |end| start + end);
        // Well inside the line's last word, clear of padding.
        let target = line - if place == "index " { 1 } else { 12 };
        let mut bytes = text.clone().into_bytes();
        bytes[target] = if bytes[target] == b'7' { b'8' } else { b'7' };
        fs::write(&forged, bytes).map_err(|error| Failure::file("write", &forged, &error))?;
        let args = [
            "receipt",
            "verify",
            "forged.tlog-proof",
            "--roster",
            "roster.frex",
            "--root",
            "root.frex",
        ];
        let report = stage.expect(20, &args)?;
        if report["verified"] != false {
            let what = format!("a receipt with a changed {part} was taken for good");
            return Err(Failure::new(WireCode::BadReceipt, what));
        }
    }
    fs::remove_file(&forged).map_err(|error| Failure::file("remove", &forged, &error))?;
    stage.done(
        "forged receipts",
        "copies with one character changed (statement, index, signature): refused, exit code 20",
    );
    Ok(())
}
