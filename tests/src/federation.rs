//! A whole federation in memory: governance, members, nodes, rosters, all from one seed.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use frex_client::{
    environment::Environment,
    transport::{RosterHandle, Socket},
};
use frex_node::{
    config::NodeConfig,
    disk::Disk,
    metrics::Metrics,
    node::{Execution, Node, NodeParts, StartError},
};
use frex_proto::{
    keys::{SealingSecretKey, SigningKey},
    roster::{
        Roster, TrustAnchor,
        build::{self, CardDraft, NodeDraft, RootDraft},
    },
    v1,
};
use prost::Message;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

/// The federation's id.
pub const FEDERATION: &str = "test";
const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1000;

/// A member's keys, as only the member holds them.
pub struct MemberSeat {
    /// Member id.
    pub id: String,
    /// Signs its envelopes and documents.
    pub identity: SigningKey,
    /// Authenticates its client.
    pub tls: SigningKey,
    /// Opens what is sealed to it.
    pub sealing: SealingSecretKey,
    /// The node that serves it.
    pub home_node: String,
}

/// A node's keys and address.
pub struct NodeSeat {
    /// Node id.
    pub id: String,
    /// Authenticates its connections.
    pub tls: SigningKey,
    /// Signs its log.
    pub log: SigningKey,
    /// Cosigns the logs of others.
    pub witness: SigningKey,
    /// Where it listens.
    pub address: SocketAddr,
}

/// What one organisation of a test federation is.
pub struct Organisation<'a> {
    /// Member id; its node, if it has one, bears the same.
    pub id: &'a str,
    /// What it is.
    pub role: v1::Role,
    /// ISO 3166-1 alpha-2.
    pub country: &'a str,
    /// Where its own node listens, or the id of the node that serves it.
    pub node: Result<SocketAddr, &'a str>,
}

/// A federation with every key that tests need.
pub struct Federation {
    /// Governance keys; two of three sign.
    pub governance: Vec<SigningKey>,
    /// What everyone pins.
    pub anchor: TrustAnchor,
    /// The roster as a file.
    pub bundle: bytes::Bytes,
    /// In the order given.
    pub members: Vec<MemberSeat>,
    /// In the order given.
    pub nodes: Vec<NodeSeat>,
}

impl Federation {
    /// Makes keys and a roster that is valid for a year from `now_ms`.
    ///
    /// # Panics
    /// If the organisations do not make a valid roster.
    #[must_use]
    pub fn new(seed: u64, now_ms: u64, organisations: &[Organisation<'_>]) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let governance: Vec<SigningKey> = (0..3).map(|_| SigningKey::generate(&mut rng)).collect();
        let keys: Vec<_> = governance.iter().map(SigningKey::verifying_key).collect();
        // One key, one purpose: the root is changed by others than those who issue rosters.
        let owners: Vec<SigningKey> = (0..3).map(|_| SigningKey::generate(&mut rng)).collect();
        let owner_keys: Vec<_> = owners.iter().map(SigningKey::verifying_key).collect();
        let expires_ms = now_ms + YEAR_MS;
        let root = build::root(&RootDraft {
            federation: FEDERATION,
            version: 1,
            expires_ms,
            root_keys: &owner_keys,
            root_threshold: 2,
            roster_keys: &keys,
            roster_threshold: 2,
        });
        let signers = [&governance[0], &governance[1]];
        let signed_root =
            build::sign_root(&root, &[&owners[0], &owners[1]]).expect("a key in memory signs");
        let mut roster = build::first_roster(&root, now_ms, expires_ms);
        let (mut members, mut nodes, mut docs) = (Vec::new(), Vec::new(), Vec::new());
        for organisation in organisations {
            let (member, node, card) = seats(organisation, now_ms, &mut rng);
            build::list_card(&mut roster, &card);
            docs.push(card.member_doc);
            members.push(member);
            nodes.extend(node);
        }
        let signed_roster = build::sign_roster(&roster, &signers).expect("a key in memory signs");
        let bundle = build::bundle(&signed_root, &signed_roster, docs, None);
        let anchor =
            TrustAnchor::of_root(&signed_root).expect("the root is signed by its own quorum");
        Self {
            governance,
            anchor,
            bundle,
            members,
            nodes,
        }
    }

    /// The roster as a node or client judges it at `now_ms`.
    ///
    /// # Panics
    /// If it has expired.
    #[must_use]
    pub fn roster(&self, now_ms: u64) -> Roster {
        Roster::judge(&self.bundle, &self.anchor, now_ms).expect("the roster is sound")
    }

    /// The bundle that follows `held`: its entries after `change`, signed by two of three, with
    /// the documents that are held and those in `cards`.
    ///
    /// # Panics
    /// If `held` is not of this federation.
    #[must_use]
    pub fn revised(
        &self,
        held: &Roster,
        cards: &[v1::MemberCard],
        change: impl FnOnce(&mut v1::Roster),
    ) -> bytes::Bytes {
        let issued_ms = held.issued_ms() + 1;
        let mut listed = build::next_roster(held, issued_ms, held.expires_ms());
        let bundle = v1::RosterBundle::decode(held.bytes().clone()).expect("a judged bundle");
        let mut docs = bundle.member_docs;
        for card in cards {
            build::list_card(&mut listed, card);
            docs.push(card.member_doc.clone());
        }
        change(&mut listed);
        let signers = [&self.governance[1], &self.governance[2]];
        build::bundle(
            &bundle.root,
            &build::sign_roster(&listed, &signers).expect("a key in memory signs"),
            docs,
            None,
        )
    }

    /// Makes the keys of one more organisation, which no roster lists yet.
    ///
    /// # Panics
    /// If its id is taken.
    pub fn found(
        &mut self,
        seed: u64,
        now_ms: u64,
        organisation: &Organisation<'_>,
    ) -> v1::MemberCard {
        assert!(
            self.members
                .iter()
                .all(|member| member.id != organisation.id)
        );
        let (member, node, card) =
            seats(organisation, now_ms, &mut ChaCha20Rng::seed_from_u64(seed));
        self.members.push(member);
        self.nodes.extend(node);
        card
    }

    /// The seat of a member.
    ///
    /// # Panics
    /// If there is no such member.
    #[must_use]
    pub fn member(&self, id: &str) -> &MemberSeat {
        self.members
            .iter()
            .find(|member| member.id == id)
            .expect("a member of this federation")
    }

    /// The seat of a node.
    ///
    /// # Panics
    /// If there is no such node.
    #[must_use]
    pub fn node(&self, id: &str) -> &NodeSeat {
        self.nodes
            .iter()
            .find(|node| node.id == id)
            .expect("a node of this federation")
    }

    /// Starts one of its nodes.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(&self, id: &str, place: Place) -> Result<Node, StartError> {
        let roster = self.roster(place.environment.clock.now_ms());
        self.start_with(id, place, roster).await
    }

    /// Starts one of its nodes under another roster than the first.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_with(
        &self,
        id: &str,
        place: Place,
        roster: Roster,
    ) -> Result<Node, StartError> {
        Node::start(self.parts(id, place, roster), &mut |_, _| {}).await
    }

    /// What one of its nodes is made of.
    ///
    /// # Panics
    /// If there is no such node.
    #[must_use]
    pub fn parts(&self, id: &str, place: Place, roster: Roster) -> NodeParts {
        let seat = self.node(id);
        let mut config = NodeConfig::new(id);
        config.listen = seat.address;
        config.segment_bytes = 8 * 1024 * 1024;
        config.fill_ahead_bytes = 1024 * 1024;
        config.crypto_threads = 2;
        NodeParts {
            roster: RosterHandle::new(roster),
            anchor: self.anchor.clone(),
            environment: place.environment,
            disk: place.disk,
            socket: place.socket,
            data: place.data,
            config,
            tls_key: seat.tls.clone(),
            log_key: seat.log.clone(),
            witness_key: Some(seat.witness.clone()),
            nothing_was_lost: false,
            execution: place.execution,
            metrics: Arc::new(Metrics::new()),
        }
    }
}

/// Where a node runs.
pub struct Place {
    /// Clock and randomness.
    pub environment: Environment,
    /// Its disk.
    pub disk: Arc<dyn Disk>,
    /// Its socket.
    pub socket: Socket,
    /// Its data directory.
    pub data: PathBuf,
    /// Threads or none.
    pub execution: Execution,
}

fn seats(
    organisation: &Organisation<'_>,
    now_ms: u64,
    rng: &mut ChaCha20Rng,
) -> (MemberSeat, Option<NodeSeat>, v1::MemberCard) {
    let id = organisation.id;
    let node = organisation.node.ok().map(|address| NodeSeat {
        id: id.to_owned(),
        tls: SigningKey::generate(rng),
        log: SigningKey::generate(rng),
        witness: SigningKey::generate(rng),
        address,
    });
    let member = MemberSeat {
        id: id.to_owned(),
        identity: SigningKey::generate(rng),
        tls: SigningKey::generate(rng),
        sealing: SealingSecretKey::generate(rng),
        home_node: organisation.node.err().unwrap_or(id).to_owned(),
    };
    let (signers, tls_keys, addresses) = match &node {
        Some(node) => (
            Some((node.log.verifying_key(), node.witness.verifying_key())),
            vec![node.tls.verifying_key()],
            vec![node.address.to_string()],
        ),
        None => (None, Vec::new(), Vec::new()),
    };
    let card = build::card(&CardDraft {
        federation: FEDERATION,
        id,
        name: id,
        role: organisation.role,
        country: organisation.country,
        home_node: &member.home_node,
        identity: &member.identity,
        client_tls: &[member.tls.verifying_key()],
        sealing: &[member.sealing.public()],
        node: signers.as_ref().map(|(log_key, witness_key)| NodeDraft {
            id,
            log_key,
            witness_key: Some(witness_key),
            tls_keys: &tls_keys,
            addresses: &addresses,
        }),
        issued_ms: now_ms,
        expires_ms: now_ms + YEAR_MS,
    })
    .expect("a key in memory signs");
    (member, node, card)
}
