//! Member documents: what a member changes without ceremony, under its own identity key.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
};

use prost::Message;

use super::{
    DocRef, Fault, Member, Node, Part, Peer, RetiredKey, RosterError, Timed, Validity,
    judge::{parse_signed, verify},
    ledger::{KeyLedger, check_count},
};
use crate::{
    id::{KeyId, check_name},
    keys::{SealingPublicKey, VerifyingKey},
    label::sha256,
    limits, v1,
};

/// A document whose signature holds, not yet added to its member.
pub(super) struct OpenDoc {
    part: Part,
    doc: v1::MemberDoc,
    reference: DocRef,
}

impl OpenDoc {
    /// Whether anything in the document can be good at `now_ms`.
    pub(super) fn is_good_at(&self, now_ms: u64) -> bool {
        self.reference.validity.holds_at(now_ms)
    }
}

/// A connection's key, its owner, and when it is good.
pub(super) type TlsEntry = ([u8; 32], Peer, Validity);

/// Verifies a document by the identity keys of the member it names. Spec: ROS-17.
///
/// Its keys are good while the document and the key that signed it are: an identity key that has
/// ended takes along what it vouched for.
pub(super) fn open(
    part: Part,
    bytes: &[u8],
    federation: &str,
    members: &BTreeMap<String, Member>,
    now_ms: u64,
) -> Result<OpenDoc, RosterError> {
    let signed = parse_signed(part, bytes)?;
    let doc =
        v1::MemberDoc::decode(signed.payload.clone()).map_err(|_| part.fault(Fault::Malformed))?;
    let member = members
        .get(&doc.member)
        .ok_or(part.fault(Fault::UnknownMember))?;
    let candidates: Vec<_> = member
        .identity_keys
        .iter()
        .map(|timed| timed.key.clone())
        .collect();
    let signers = verify(part, &signed, &candidates, 1)?;
    if doc.federation != federation {
        return Err(part.fault(Fault::WrongFederation));
    }
    // No key can use up the versions: a later document may always have a higher one.
    if doc.version == 0 || doc.version > doc.issued_ms {
        return Err(part.fault(Fault::BadVersion));
    }
    if doc.expires_ms <= doc.issued_ms {
        return Err(part.fault(Fault::BadTimes));
    }
    if doc.issued_ms > now_ms.saturating_add(limits::CLOCK_SKEW_MS_MAX) {
        return Err(part.fault(Fault::FutureDated));
    }
    let signer =
        longest_good(&member.identity_keys, &signers).ok_or(part.fault(Fault::TooFewSignatures))?;
    let life = Validity {
        not_before_ms: 0,
        not_after_ms: Some(doc.expires_ms),
    };
    let reference = DocRef {
        version: doc.version,
        sha256: sha256(&[&signed.payload]),
        signer: signer.key.key_id(),
        validity: life.and(&signer.validity),
    };
    Ok(OpenDoc {
        part,
        doc,
        reference,
    })
}

/// Of the keys that signed the one that ends last: the signature of an ended key, which anybody
/// who has that can add, takes nothing away.
fn longest_good<'a>(
    listed: &'a [Timed<VerifyingKey>],
    signers: &[KeyId],
) -> Option<&'a Timed<VerifyingKey>> {
    let signed = listed.iter().map(|timed| (timed, timed.key.key_id()));
    let signed = signed.filter(|(_, key_id)| signers.contains(key_id));
    let longest = signed.max_by_key(|(timed, key_id)| {
        let end_ms = timed.validity.not_after_ms.unwrap_or(u64::MAX);
        (end_ms, Reverse(*key_id))
    });
    longest.map(|(timed, _)| timed)
}

/// Adds a document's keys and endpoints to its member and the nodes it operates; gives the
/// connections' keys with their owners. Spec: ROS-17, ROS-18.
pub(super) fn add(
    open: OpenDoc,
    members: &mut BTreeMap<String, Member>,
    nodes: &mut BTreeMap<String, Node>,
    keys: &mut KeyLedger,
) -> Result<Vec<TlsEntry>, RosterError> {
    let OpenDoc {
        part,
        doc,
        reference,
    } = open;
    let validity = reference.validity;
    let member = members
        .get_mut(&doc.member)
        .ok_or(part.fault(Fault::UnknownMember))?;
    if member.doc.replace(reference).is_some() {
        return Err(part.fault(Fault::Duplicate));
    }
    member.client_tls_keys = within(keys.signing_keys(part, &doc.client_tls_keys)?, validity);
    let sealing_keys = keys.sealing_keys(part, &doc.sealing_keys)?;
    member.retired_sealing_keys = retired(part, &doc.retired_sealing_keys, &sealing_keys)?;
    member.sealing_keys = within(sealing_keys, validity);
    let client = Peer::Client(member.id.clone());
    let mut tls = owned(&member.client_tls_keys, &client);

    check_count(part, doc.nodes.len(), limits::MEMBERS_MAX)?;
    let mut stated = BTreeSet::new();
    for endpoint in &doc.nodes {
        let node = nodes
            .get_mut(&endpoint.node)
            .filter(|node| node.operator == doc.member)
            .ok_or(part.fault(Fault::NotOperator))?;
        if !stated.insert(endpoint.node.as_str()) {
            return Err(part.fault(Fault::Duplicate));
        }
        check_addresses(part, &endpoint.addresses)?;
        node.addresses.clone_from(&endpoint.addresses);
        node.stated = Some(validity);
        node.tls_keys = within(keys.signing_keys(part, &endpoint.tls_keys)?, validity);
        tls.extend(owned(&node.tls_keys, &Peer::Node(node.id.clone())));
    }
    Ok(tls)
}

/// Nobody may be told to seal to a key that is retired: it must have ended before. Spec: ROS-34.
fn retired(
    part: Part,
    stated: &[v1::RetiredKey],
    listed: &[Timed<SealingPublicKey>],
) -> Result<Vec<RetiredKey>, RosterError> {
    check_count(part, stated.len(), limits::KEYS_PER_ENTRY_MAX)?;
    let mut keys: Vec<RetiredKey> = Vec::with_capacity(stated.len());
    for one in stated {
        let key_id = KeyId::from_slice(&one.key_id).map_err(|_| part.fault(Fault::BadId))?;
        if keys.iter().any(|key| key.key_id == key_id) {
            return Err(part.fault(Fault::Duplicate));
        }
        let mut same = listed.iter().filter(|timed| timed.key.key_id() == key_id);
        let ends = |timed: &Timed<_>| timed.validity.not_after_ms;
        let lasts = same.any(|timed| ends(timed).is_none_or(|end| end > one.from_ms));
        if lasts || one.from_ms == 0 {
            return Err(part.fault(Fault::BadTimes));
        }
        keys.push(RetiredKey {
            key_id,
            from_ms: one.from_ms,
        });
    }
    Ok(keys)
}

fn within<K>(keys: Vec<Timed<K>>, life: Validity) -> Vec<Timed<K>> {
    keys.into_iter()
        .map(|timed| Timed {
            validity: timed.validity.and(&life),
            key: timed.key,
        })
        .collect()
}

fn owned(keys: &[Timed<VerifyingKey>], owner: &Peer) -> Vec<TlsEntry> {
    keys.iter()
        .map(|timed| (*timed.key.as_bytes(), owner.clone(), timed.validity))
        .collect()
}

fn check_addresses(part: Part, addresses: &[String]) -> Result<(), RosterError> {
    check_count(part, addresses.len(), limits::ADDRESSES_MAX)?;
    if addresses.iter().all(|address| is_host_port(address)) {
        Ok(())
    } else {
        Err(part.fault(Fault::BadAddress))
    }
}

/// `name:port`, `1.2.3.4:port` or `[v6]:port`. Spec: ROS-18.
pub(crate) fn is_host_port(address: &str) -> bool {
    if address.len() > limits::ADDRESS_BYTES_MAX {
        return false;
    }
    let Some((host, port)) = address.rsplit_once(':') else {
        return false;
    };
    let plain_digits = port.bytes().all(|byte| byte.is_ascii_digit());
    if !plain_digits || !port.parse::<u16>().is_ok_and(|port| port != 0) {
        return false;
    }
    if let Some(v6) = host.strip_prefix('[') {
        return v6
            .strip_suffix(']')
            .is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok());
    }
    host.split('.').all(is_host_label)
}

fn is_host_label(label: &str) -> bool {
    let clean = label
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    (1..=63).contains(&label.len()) && clean && !label.starts_with('-') && !label.ends_with('-')
}

/// Checks a federation's name in a document before there is a roster to compare it with.
pub(super) fn check_federation(part: Part, federation: &str) -> Result<(), RosterError> {
    check_name(federation).map_err(|_| part.fault(Fault::BadId))
}

#[cfg(test)]
mod tests {
    use super::*;

    // ROS-18, LIM-30: 262 bytes are the most.
    #[test]
    fn addresses_are_a_host_and_a_port() {
        for good in [
            "a.example:4433",
            "127.0.0.1:1",
            "[::1]:65535",
            "localhost:9",
        ] {
            assert!(is_host_port(good), "{good}");
        }
        let host = ["a"; 129].join(".");
        assert!(is_host_port(&format!("{host}:4433")));
        let long = format!("{host}:44330");
        for bad in [
            long.as_str(),
            "",
            "host",
            "host:",
            ":1",
            "host:0",
            "host:65536",
            "host:+1",
            "::1:80",
            "[::1:80",
            "a b:1",
            "a..b:1",
            "-a:1",
            "a/b:1",
            "user@a:1",
        ] {
            assert!(!is_host_port(bad), "{bad}");
        }
    }
}
