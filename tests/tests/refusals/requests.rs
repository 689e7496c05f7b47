//! What peers say on an authenticated connection.

use bytes::Bytes;
use frex_proto::{
    error::WireCode::{self, *},
    limits, v1,
    v1::request::Request,
    wire::FrameType,
};
use prost::Message;

use super::{
    Row,
    envelopes::{self, DAY_MS},
    scene::{
        CENTRE, FORMER, HOME, NARROW, PLATFORM, POLICE, Said, Scene, Who, deliver, frame, message,
        request, submit,
    },
};

pub fn rows() -> Vec<Row> {
    let tables = [
        frames(),
        bodies(),
        envelopes::parts(),
        envelopes::signatures(),
        envelopes::headers(),
        addressees(),
        deliveries(),
        roles(),
        rosters(),
    ];
    tables.into_iter().flatten().collect()
}

pub fn client(name: &'static str, code: WireCode, frames: fn(&Scene) -> Vec<u8>) -> Row {
    Row {
        name,
        who: Who::Client(PLATFORM),
        frames,
        said: Said::Refused(code),
    }
}

fn node(name: &'static str, said: Said, frames: fn(&Scene) -> Vec<u8>) -> Row {
    Row {
        name,
        who: Who::Node(POLICE),
        frames,
        said,
    }
}

fn promise(envelopes: u32) -> Vec<u8> {
    request(Request::Submit(v1::Submit {
        envelopes,
        wait_ms: 0,
    }))
}

/// What is no frame, not the one that is due, or not all of one.
fn frames() -> Vec<Row> {
    vec![
        client("a stream without a word", Malformed, |_| Vec::new()),
        client("an unknown frame type", Malformed, |_| frame(99, b"x")),
        client("an envelope without a request", Malformed, |scene| {
            message(FrameType::Envelope, &scene.good(PLATFORM, &[HOME]))
        }),
        client("a request that does not decode", Malformed, |_| {
            frame(2, &[0xff; 9])
        }),
        client("an empty request", Malformed, |_| frame(2, &[])),
        client("half a header", Malformed, |_| promise(1)[..3].to_vec()),
        client("half a request", Malformed, |_| {
            let frames = promise(1);
            frames[..frames.len() - 1].to_vec()
        }),
        client("an envelope that never comes", Malformed, |_| promise(1)),
        client("the second of two that never comes", Malformed, |scene| {
            let envelope = message(FrameType::Envelope, &scene.good(PLATFORM, &[HOME]));
            [promise(2), envelope].concat()
        }),
        client("half an envelope", Malformed, |scene| {
            let frames = submit(&[scene.good(PLATFORM, &[HOME])]);
            frames[..frames.len() / 2].to_vec()
        }),
        client("an envelope that does not decode", Malformed, |_| {
            [promise(1), frame(3, &[0xff; 99])].concat()
        }),
        client("an empty envelope", Malformed, |_| {
            [promise(1), frame(3, &[])].concat()
        }),
        client("a request over its cap", TooLarge, |_| {
            frame(2, &vec![0; limits::REQUEST_FRAME_BYTES_MAX + 1])
        }),
        client("an envelope over its cap", TooLarge, |_| {
            [
                promise(1),
                frame(3, &vec![0; limits::ENVELOPE_FRAME_BYTES_MAX + 1]),
            ]
            .concat()
        }),
        client("a header that announces 4 GiB", TooLarge, |_| {
            [promise(1), vec![3, 0xff, 0xff, 0xff, 0xff]].concat()
        }),
        client("no envelope at all", TooLarge, |_| promise(0)),
        client("65 envelopes", TooLarge, |scene| {
            submit(&vec![scene.good(PLATFORM, &[HOME]); 65])
        }),
        client("four billion envelopes", TooLarge, |_| promise(u32::MAX)),
    ]
}

/// An envelope whose body travels in a frame of its own, and that body.
fn large(scene: &Scene) -> (v1::Envelope, Bytes) {
    let mut draft = scene.draft(PLATFORM, &[HOME]);
    draft.data = vec![7; 1024 * 1024].into();
    let sealed = scene.sealed(&draft, PLATFORM);
    (sealed.to_wire(None), sealed.body)
}

/// Bodies that are too long, too short, elsewhere or of another envelope.
fn bodies() -> Vec<Row> {
    vec![
        client("a body over its cap", TooLarge, |scene| {
            let body = frame(4, &vec![0; limits::BODY_BYTES_MAX + 1]);
            [submit(&[large(scene).0]), body].concat()
        }),
        client(
            "bodies that together are over the limit",
            TooLarge,
            |scene| {
                let (envelope, body) = large(scene);
                let one = [message(FrameType::Envelope, &envelope), frame(4, &body)].concat();
                [promise(16), one.repeat(16)].concat()
            },
        ),
        client("a large body inside the envelope", Malformed, |scene| {
            let (mut envelope, body) = large(scene);
            envelope.body = body.slice(..100_000);
            submit(&[envelope])
        }),
        client("a large body that never comes", Malformed, |scene| {
            submit(&[large(scene).0])
        }),
        client("an envelope where a body is due", Malformed, |scene| {
            let (envelope, _) = large(scene);
            [
                promise(2),
                message(FrameType::Envelope, &envelope).repeat(2),
            ]
            .concat()
        }),
        client("a large body that is cut", BadEnvelope, |scene| {
            let (envelope, body) = large(scene);
            [submit(&[envelope]), frame(4, &body[1..])].concat()
        }),
        client("a large body of another envelope", BadEnvelope, |scene| {
            [submit(&[large(scene).0]), frame(4, &large(scene).1)].concat()
        }),
        client(
            "a manifest that states a body over the limit",
            TooLarge,
            |scene| {
                submit(&[envelopes::remade(scene, |manifest| {
                    manifest.body_len = limits::BODY_BYTES_MAX as u64 + 1;
                })])
            },
        ),
        client("a manifest that states no body", BadEnvelope, |scene| {
            submit(&[envelopes::remade(scene, |manifest| manifest.body_len = 0)])
        }),
    ]
}

fn offer(bundle_bytes: u64, bodies: &[&[u8]]) -> Vec<u8> {
    let promised = request(Request::OfferRoster(v1::OfferRoster {
        state_sha256: Bytes::from_static(&[1; 32]),
        bundle_bytes,
    }));
    let bodies = bodies.iter().flat_map(|body| frame(4, body));
    promised.into_iter().chain(bodies).collect()
}

// DIS-2, DIS-5, LIM-37
/// Offered rosters that are none, or do not come as they should.
fn rosters() -> Vec<Row> {
    vec![
        client("a roster longer than any", TooLarge, |_| {
            offer(limits::ROSTER_BUNDLE_BYTES_MAX as u64 + 1, &[])
        }),
        client("a roster that never comes", Malformed, |_| offer(9, &[])),
        client("a roster in empty pieces", Malformed, |_| offer(9, &[&[]])),
        client("a roster longer than announced", Malformed, |_| {
            offer(9, &[&[0; 10]])
        }),
        client("a roster in pieces over their cap", TooLarge, |_| {
            let piece = vec![0; limits::ROSTER_CHUNK_BYTES_MAX + 1];
            offer(piece.len() as u64, &[&piece])
        }),
        client("a roster that does not decode", BadRoster, |_| {
            offer(9, &[&[0xff; 9]])
        }),
        client("a roster of nobody", BadRoster, |_| offer(0, &[])),
        node(
            "a roster under another root",
            Said::Refused(BadRoster),
            |scene| {
                let bundle = v1::RosterBundle::decode(scene.federation.bundle.clone());
                let mut bundle = bundle.expect("our own bundle");
                let mut root = v1::Signed::decode(bundle.root).expect("our own root");
                root.signatures.reverse();
                root.signatures.pop();
                bundle.root = root.encode_to_vec().into();
                let bytes = bundle.encode_to_vec();
                offer(bytes.len() as u64, &[&bytes])
            },
        ),
    ]
}

/// Senders and recipients whom the roster does not let through.
fn addressees() -> Vec<Row> {
    vec![
        client("a recipient that nobody knows", UnknownRecipient, |scene| {
            submit(&[scene.good(PLATFORM, &[HOME, "nobody"])])
        }),
        client("a revoked recipient", UnknownRecipient, |scene| {
            submit(&[scene.good(PLATFORM, &[FORMER])])
        }),
        client(
            "a kind that the recipient does not take",
            NotAccepted,
            |scene| submit(&[scene.good(PLATFORM, &[NARROW])]),
        ),
        client(
            "a lane that the recipient does not take",
            NotAccepted,
            |scene| {
                let mut draft = scene.draft(PLATFORM, &[NARROW]);
                (draft.kind, draft.lane) = (v1::Kind::Feedback, v1::Lane::Urgent);
                submit(&[scene.sealed(&draft, PLATFORM).to_wire(None)])
            },
        ),
        client("a sender that nobody knows", NotTrusted, |scene| {
            let mut draft = scene.draft(PLATFORM, &[HOME]);
            draft.sender = "nobody".to_owned();
            submit(&[scene.sealed(&draft, PLATFORM).to_wire(None)])
        }),
        client("a revoked sender", Revoked, |scene| {
            submit(&[scene.good(FORMER, &[HOME])])
        }),
    ]
}

fn rejected(name: &'static str, code: WireCode, frames: fn(&Scene) -> Vec<u8>) -> Row {
    node(name, Said::Rejected(code), frames)
}

fn refused(name: &'static str, code: WireCode, frames: fn(&Scene) -> Vec<u8>) -> Row {
    node(name, Said::Refused(code), frames)
}

/// What another node brings: refused on the record where its sender signed for it.
fn deliveries() -> Vec<Row> {
    vec![
        refused("delivered with a changed body", BadEnvelope, |scene| {
            let mut envelope = scene.good(POLICE, &[HOME]);
            envelope.body = envelopes::flipped(&envelope.body, 0);
            deliver(&[envelope])
        }),
        refused(
            "delivered for a member of another node",
            WrongSender,
            |scene| deliver(&[scene.good(CENTRE, &[HOME])]),
        ),
        refused("delivered back to its own home", WrongSender, |scene| {
            deliver(&[scene.good(PLATFORM, &[HOME])])
        }),
        refused("delivered by a stranger's signature", NotTrusted, |scene| {
            let draft = scene.draft(POLICE, &[HOME]);
            deliver(&[scene.sealed(&draft, PLATFORM).to_wire(None)])
        }),
        refused("delivered for a revoked sender", Revoked, |scene| {
            deliver(&[scene.good(FORMER, &[HOME])])
        }),
        refused(
            "delivered with a date in the future",
            FutureDated,
            |scene| deliver(&[envelopes::dated(scene, POLICE, 11 * 60 * 1000, 1000)]),
        ),
        rejected("delivered after its end", Expired, |scene| {
            deliver(&[envelopes::dated(scene, POLICE, -1000, 999)])
        }),
        rejected("delivered with a life too long", LifeTooLong, |scene| {
            deliver(&[envelopes::dated(scene, POLICE, 0, 31 * DAY_MS + 1)])
        }),
        rejected("delivered without a wrap", UnknownRecipient, |scene| {
            let mut envelope = scene.good(POLICE, &[HOME]);
            envelope.wraps.clear();
            deliver(&[envelope])
        }),
        rejected("delivered to the wrong node", UnknownRecipient, |scene| {
            let draft = scene.draft(POLICE, &[HOME, CENTRE]);
            deliver(&[scene.sealed(&draft, POLICE).to_wire(Some(&[CENTRE]))])
        }),
        rejected("delivered to a revoked member", UnknownRecipient, |scene| {
            deliver(&[scene.good(POLICE, &[FORMER])])
        }),
        rejected("delivered to who does not take it", NotAccepted, |scene| {
            deliver(&[scene.good(POLICE, &[NARROW])])
        }),
        refused("65 delivered", TooLarge, |scene| {
            deliver(&vec![scene.good(POLICE, &[HOME]); 65])
        }),
    ]
}

/// Requests that a role may not make, and questions that have no answer.
fn roles() -> Vec<Row> {
    vec![
        client("a client that delivers", WrongRole, |scene| {
            deliver(&[scene.good(PLATFORM, &[HOME])])
        }),
        client("a client that relays", WrongRole, |_| {
            request(Request::Relay(v1::Relay { receipt: None }))
        }),
        refused("a node that submits", WrongRole, |scene| {
            submit(&[scene.good(POLICE, &[HOME])])
        }),
        refused("a node that reads an inbox", WrongRole, |_| {
            request(Request::Inbox(v1::Inbox::default()))
        }),
        refused(
            "a node that asks for a member's receipts",
            WrongRole,
            |_| request(Request::GetReceipts(v1::GetReceipts::default())),
        ),
        refused(
            "a node that asks for what a member signed",
            WrongRole,
            |_| request(Request::GetSigned(v1::GetSigned::default())),
        ),
        client(
            "what was signed of a message that was never sent",
            NotFound,
            |_| {
                let message_id = vec![0xee; 16].into();
                request(Request::GetSigned(v1::GetSigned { message_id }))
            },
        ),
        refused("a relay of nothing", Malformed, |_| {
            request(Request::Relay(v1::Relay { receipt: None }))
        }),
        refused("a relay of no receipt", BadReceipt, |_| {
            let receipt = Some(v1::Receipt::default());
            request(Request::Relay(v1::Relay { receipt }))
        }),
        client(
            "receipts of a message that was never sent",
            NotFound,
            |_| {
                let message_id = vec![0xee; 16].into();
                request(Request::GetReceipts(v1::GetReceipts { message_id }))
            },
        ),
        client("receipts of what is no message id", Malformed, |_| {
            let message_id = vec![0xee; 15].into();
            request(Request::GetReceipts(v1::GetReceipts { message_id }))
        }),
        client("a proof beyond the log", NotFound, |_| {
            request(Request::GetProof(v1::GetProof {
                index: 1 << 40,
                ..v1::GetProof::default()
            }))
        }),
        client("consistency with a larger log", NotFound, |_| {
            let consistent_with = 1 << 40;
            request(Request::GetCheckpoint(v1::GetCheckpoint {
                consistent_with,
                ..v1::GetCheckpoint::default()
            }))
        }),
    ]
}
