//! `frex key rotate tls --of node`: another connection key, stated, tested against a peer, in use.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use frex_client::{
    environment::Clock,
    keys::{
        MemberHome, ROOT_FILE, ROSTER_FILE, file,
        rotation::{KeyFolder, KeyUse},
    },
    membership::{Membership, store::HomeStore},
    transport::RosterHandle,
};
use frex_proto::{
    error::WireCode,
    keys::{SigningKey, VerifyingKey},
    roster::{Node, Peer, Roster, TrustAnchor, build, document},
    v1,
};
use serde_json::json;

use super::{
    own_node::OwnNode,
    rotate::{RotateTlsArgs, next_version, tell_of_card},
};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    files, member, output, passphrase,
    roster::{judge_even_expired, read_bundle, read_root, refused},
    time::rfc3339,
    way::{self, Asker, Stop},
};

/// Between two tries to be accepted: a document spreads within seconds.
const PAUSE: Duration = Duration::from_millis(500);
/// How long peers are given to hear of the next key and to accept it.
const PATIENCE: Duration = Duration::from_secs(15);

/// The node and the member that runs it, whose identity key signs what it states.
struct Own {
    node: OwnNode,
    member: MemberHome,
    identity: SigningKey,
    anchor: TrustAnchor,
    roster: Roster,
}

/// What the test against peers came to.
enum Tested {
    By(String),
    /// The federation has no other live node.
    Alone,
}

/// Takes the node's connections from one key to the next.
pub fn rotate(args: &RotateTlsArgs, json: bool) -> Done {
    let now_ms = Clock::System.now_ms();
    let mut own = Own::open(&args.dir, now_ms)?;
    let active = own.node.public_key(&KeyUse::Tls.active_file())?;
    own.check_active(&active, now_ms)?;
    let (next, made) = own.node.next_key(KeyUse::Tls, false, now_ms)?;
    let listed = |key: &v1::PublicKey| key.key == next.as_bytes()[..];
    if !own.endpoint()?.1.tls_keys.iter().any(listed) {
        own.state(
            &|node| node.tls_keys.push(build::signing_key(&next)),
            now_ms,
        )?;
    }
    let tested = member::runtime()?.block_on(own.test(args))?;
    // First the end of the former key is stated, then the next one is put in use: cut off between
    // the two, the same command again goes on from there.
    let until_ms = Clock::System.now_ms().saturating_add(args.overlap.as_ms());
    let end = |node: &mut v1::NodeEndpoint| {
        document::end_key(&mut node.tls_keys, active.as_bytes(), until_ms);
    };
    own.state(&end, now_ms)?;
    let until_ms = own.end_of(&active).unwrap_or(until_ms);
    own.node
        .keys
        .promote(KeyUse::Tls, active.key_id(), now_ms, until_ms)
        .or_fail("the next key cannot be put in use")?;
    report(args, &own, (&next, made), &tested, until_ms, json);
    let member_keys = KeyFolder::read(&own.member.keys_dir());
    tell_of_card(
        &member_keys.or_fail("the record of the member's keys cannot be used")?,
        &args.dir,
    );
    Ok(0)
}

impl Own {
    fn open(dir: &Path, now_ms: u64) -> Result<Self, Failure> {
        let node = OwnNode::open(dir, now_ms)?;
        let member = member::open(dir)?;
        let (operator, who) = (&node.listed.operator, &member.settings().member);
        if operator != who {
            let what = format!("{operator} runs the node, and the member here is {who}");
            return Err(Failure::new(WireCode::WrongSender, what)
                .cause("the operator's identity key signs the document that states a node's keys")
                .advise("Name the folder that has both, member and node"));
        }
        let identity = member
            .keys(now_ms)
            .or_fail("cannot read the member's keys")?
            .identity;
        let (_, anchor) = read_root(&node.home.join(ROOT_FILE))?;
        // Either folder may have heard of a document that the other has not.
        let unsound = |error| refused(&member.roster_path(), error);
        let of_member = member::roster(&member)?;
        let merged = node.roster.merge(of_member.bytes(), &anchor, now_ms);
        let roster = merged.map_err(unsound)?;
        Ok(Self {
            roster: roster.unwrap_or_else(|| node.roster.clone()),
            node,
            member,
            identity,
            anchor,
        })
    }

    /// The key in use must be good: it proves to the peers whose the next one is.
    fn check_active(&self, active: &VerifyingKey, now_ms: u64) -> Result<(), Failure> {
        let owner = self.roster.owner_of_tls_key(active.as_bytes(), now_ms);
        if owner == Some(&self.us()) {
            return Ok(());
        }
        let what = "tls.key is no key that the roster lists for this node now";
        Err(Failure::new(WireCode::NotTrusted, what).advise(format!(
            "Get the newest roster from the governance: frex roster install FILE; then: frex doctor {}",
            self.node.home.display()
        )))
    }

    /// What an ended identity key signs takes the place of nothing. Spec: DIS-3.
    fn check_signer(&self, operator: &str, now_ms: u64) -> Result<(), Failure> {
        let member = self.roster.member(operator);
        if member.is_some_and(|member| member.is_good_signer(self.identity.key_id(), now_ms)) {
            return Ok(());
        }
        let what = format!("identity.key is no key that the roster lists for {operator} now");
        Err(Failure::new(WireCode::NotTrusted, what)
            .cause("only an identity key that is good now can sign the document that states a node's keys")
            .advise(format!(
                "Have the governance list the next one: frex key rotate identity {}",
                self.member.dir().display()
            )))
    }

    fn us(&self) -> Peer {
        Peer::Node(self.node.config.node.clone())
    }

    /// The member's document in force, and what it states of this node.
    fn endpoint(&self) -> Result<(v1::MemberDoc, v1::NodeEndpoint), Failure> {
        let (operator, id) = (&self.node.listed.operator, &self.node.config.node);
        let found = self.roster.member_doc(operator).and_then(|(_, doc)| {
            let endpoint = doc.nodes.iter().find(|node| node.node == *id).cloned();
            Some((doc, endpoint?))
        });
        found.ok_or_else(|| {
            let what = format!("the roster has no document of {operator} that states {id}");
            Failure::new(WireCode::NotTrusted, what)
                .advise("Get the newest roster from the governance: frex roster install FILE DIR")
        })
    }

    fn end_of(&self, key: &VerifyingKey) -> Option<u64> {
        let node = self.roster.node(&self.node.config.node)?;
        let listed = node.tls_keys.iter().find(|listed| listed.key == *key)?;
        listed.validity.not_after_ms
    }

    /// States the node anew in the next version of the member's document, and puts that in force
    /// here. A node that runs takes it within a second and passes it on.
    fn state(
        &mut self,
        change: &dyn Fn(&mut v1::NodeEndpoint),
        now_ms: u64,
    ) -> Result<(), Failure> {
        let (doc, _) = self.endpoint()?;
        self.check_signer(&doc.member, now_ms)?;
        let member_keys = KeyFolder::read(&self.member.keys_dir())
            .or_fail("the record of the member's keys cannot be used")?;
        let mut next = next_version(&doc, &member_keys, now_ms);
        let nodes = next.nodes.iter_mut();
        nodes
            .filter(|node| node.node == self.node.config.node)
            .for_each(change);
        let signed = build::sign_member_doc(&next, &self.identity)
            .or_fail("the member's new document cannot be signed")?;
        let bundle = self.roster.with_member_doc(&doc.member, signed);
        let unsound = |error| refused(&self.node.home.join(ROSTER_FILE), error);
        self.roster = Roster::judge(&bundle, &self.anchor, now_ms).map_err(unsound)?;
        for home in [self.node.home.as_path(), self.member.dir()] {
            self.keep(&home.join(ROSTER_FILE), now_ms)?;
        }
        Ok(())
    }

    /// Adds what is new to the roster in this file, which a running node may have renewed.
    fn keep(&self, path: &Path, now_ms: u64) -> Result<(), Failure> {
        let _hold = files::hold(path)?;
        let held = judge_even_expired(&read_bundle(path)?, &self.anchor, None)
            .map_err(|error| refused(path, error))?;
        let merged = held
            .roster
            .merge(self.roster.bytes(), &self.anchor, now_ms)
            .map_err(|error| refused(path, error))?;
        match merged {
            Some(merged) => files::replace(path, merged.bytes()),
            None => Ok(()),
        }
    }

    /// Dials peers with the next key until one accepts it.
    async fn test(&self, args: &RotateTlsArgs) -> Result<Tested, Failure> {
        let peers: Vec<Node> = self
            .roster
            .neighbours(&self.node.config.node)
            .into_iter()
            .filter_map(|id| self.roster.node(id).cloned())
            .collect();
        if peers.is_empty() {
            return Ok(Tested::Alone);
        }
        let (present, next) = (
            self.asker(&KeyUse::Tls.active_file())?,
            self.asker(&KeyUse::Tls.next_file())?,
        );
        let deadline = Instant::now() + PATIENCE;
        let mut told = vec![false; peers.len()];
        loop {
            let mut stop = None;
            for (peer, told) in peers.iter().zip(&mut told) {
                // The own node tells them too, if it runs.
                *told = *told || self.tell(&present, peer).await;
                let outcome = way::walk(Arc::clone(&next), peer.clone(), 0, &args.dir).await;
                match outcome.failed {
                    None => return Ok(Tested::By(peer.id.clone())),
                    Some(why) => stop = Some((peer.id.clone(), why)),
                }
            }
            if let Some((peer, stop)) = stop
                && Instant::now() >= deadline
            {
                return Err(not_accepted(args, &peer, &stop));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn asker(&self, key: &str) -> Result<Arc<Asker>, Failure> {
        let path = self.node.keys.dir().join(key);
        let key = file::read_signing_key(&path, &passphrase::unlock())
            .or_fail("cannot read the node's keys")?;
        Ok(Arc::new(Asker {
            peer: self.us(),
            key,
            roster: self.roster.clone(),
        }))
    }

    /// Offers a peer the document that states the next key; whether it came to hold it.
    async fn tell(&self, present: &Asker, peer: &Node) -> bool {
        let Some(session) = way::reach(present, peer).await else {
            return false;
        };
        let membership = Membership::new(
            RosterHandle::new(self.roster.clone()),
            self.anchor.clone(),
            Clock::System,
            Arc::new(HomeStore::new(&self.member)),
            Arc::new(|work| work()),
        );
        let told = membership.offer(&session).await.is_ok();
        session.close(WireCode::ShuttingDown);
        told
    }
}

fn not_accepted(args: &RotateTlsArgs, peer: &str, stop: &Stop) -> Failure {
    let what = "no peer accepts the node's next key yet: the present one stays in use";
    Failure::new(stop.code, what)
        .cause(format!("{peer}: {}", stop.why))
        .advise(format!(
            "{}; then go on: frex key rotate tls --of node {}",
            stop.mend,
            args.dir.display()
        ))
}

fn report(
    args: &RotateTlsArgs,
    own: &Own,
    (next, made): (&VerifyingKey, bool),
    tested: &Tested,
    until_ms: u64,
    json: bool,
) {
    let dir = args.dir.display();
    let key = next.key_id();
    let version = own.endpoint().map_or(0, |(doc, _)| doc.version);
    let until = rfc3339(until_ms);
    let peer = match tested {
        Tested::By(peer) => Some(peer),
        Tested::Alone => None,
    };
    if json {
        return output::document(json!({
            "state": "active", "node": own.node.config.node, "key_id": key.to_string(), "made": made,
            "document": version, "tested_by": peer, "former_ends": until,
        }));
    }
    output::data(format_args!("key          {key}"));
    output::data(format_args!(
        "stated       in version {version} of the document of {}",
        own.node.listed.operator
    ));
    match peer {
        Some(peer) => output::data(format_args!("tested       {peer} accepts it")),
        None => output::data("tested       not: the federation has no other node yet"),
    }
    output::data(format_args!(
        "in use       {}, from the node's next start",
        own.node
            .keys
            .dir()
            .join(KeyUse::Tls.active_file())
            .display()
    ));
    output::data(format_args!(
        "former key   good until {until}, then destroyed"
    ));
    output::data("Next: stop the node and start it again before then:");
    output::data(format_args!("  frex run {dir}"));
}
