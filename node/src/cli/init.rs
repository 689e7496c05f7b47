//! `frex init`: the folders and keys of a member and of its node.

use std::path::PathBuf;

use bytes::Bytes;
use clap::ValueEnum;
use frex_client::{
    environment::{Clock, Random},
    keys::{MemberHome, MemberKeys, MemberRole, MemberSettings, NewMemberKeys, token::NewKey},
};
use frex_proto::{
    error::WireCode,
    id,
    keys::{SealingSecretKey, SigningKey},
    roster::{
        Card,
        build::{self, CardDraft, NodeDraft},
    },
};
use prost::Message;
use rand_core::CryptoRng;
use serde_json::json;

use super::{
    InitArgs, RoleArg,
    failure::{Done, Failure, OrCode, OrFail},
    files, fingerprint, member, output, passphrase,
    token::{self, TokenKey},
};
use crate::{
    config::NodeConfig,
    home::{NewNodeKeys, NodeHome},
};

/// Life of a member's document, after which its keys are no longer good.
const DOCUMENT_LIFE_MS: u64 = 365 * 86_400_000;

struct Plan {
    node: String,
    /// None: another organisation's node serves this member.
    config: Option<NodeConfig>,
    addresses: Vec<String>,
    card: PathBuf,
}

/// Makes a member, and its node unless another serves it.
pub fn init(args: &InitArgs, json: bool) -> Done {
    let plan = plan(args)?;
    check_before_writing(args, &plan)?;
    let passphrase = passphrase::of_new_keys(args.encrypt_keys, "frex init")?;
    let passphrase = passphrase.as_ref();
    let mut rng = Random::System.rng();
    // Before any folder: a token that does not answer, or a wrong PIN, leaves nothing behind.
    let (keys, node) = make_keys(args, &plan, &mut rng)?;
    files::ensure_folder(&args.dir)?;
    let member_dir = args.dir.join("member");
    files::make_folder(&member_dir)?;
    let settings = settings(args, &plan);
    let (_, keys) = MemberHome::create_with(&member_dir, settings, keys, passphrase, &mut rng)
        .or_fail("cannot make the member")?;
    for folder in [member::SENT_DIR, member::INBOX_DIR] {
        files::make_folder(&member_dir.join(folder))?;
    }
    if let Some(config) = &plan.config {
        let node_dir = args.dir.join("node");
        files::make_folder(&node_dir)?;
        NodeHome::create(&node_dir, config, &node, passphrase, &mut rng)
            .or_fail("cannot make the node")?;
    }
    files::write_new(&plan.card, &card(args, &plan, &keys, &node)?)?;
    report(args, &plan, (&keys, &node), json);
    Ok(0)
}

/// What is wrong with an id, by the option that gave it: one id is made of another where none is given.
fn check_ids(args: &InitArgs) -> Result<(), Failure> {
    let given = [
        ("--federation", Some(&args.federation)),
        ("--member", Some(&args.member)),
        ("--node", args.node.as_ref()),
        ("--home-node", args.home_node.as_ref()),
    ];
    let given = given
        .into_iter()
        .filter_map(|(option, id)| Some((option, id?)));
    for (option, id) in given {
        if id::check_name(id).is_err() {
            let what = format!("{option} cannot be {id:?}");
            let advice = match (id_like(id), option) {
                (Some(like), "--member") => {
                    format!("{option} {like}, for example; what people call it stands in --name")
                }
                (Some(like), _) => format!("{option} {like}, for example"),
                (None, _) => format!("Give {option} an id like police.es"),
            };
            return Err(Failure::new(WireCode::BadInput, what)
                .cause("an id is 1 to 64 of a-z, 0-9, . and -")
                .advise(advice));
        }
    }
    if args.node.is_none() && !args.no_node && id::check_name(&own_node(&args.member)).is_err() {
        let what = format!("{} is too long to name a node by", args.member);
        return Err(Failure::new(WireCode::BadInput, what)
            .cause("without --node the node is called node. and the member's id, and an id has at most 64 letters")
            .advise("Add --node ID with a shorter one"));
    }
    Ok(())
}

/// An id made of what is none; nothing where no letter of it can stand in one.
fn id_like(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.'));
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    Some(parts.join("-")).filter(|like| id::check_name(like).is_ok())
}

fn own_node(member: &str) -> String {
    format!("node.{member}")
}

fn plan(args: &InitArgs) -> Result<Plan, Failure> {
    check_ids(args)?;
    let own = args.node.clone().unwrap_or_else(|| own_node(&args.member));
    let node = args.home_node.clone().unwrap_or(own);
    let mut addresses = args.address.clone();
    let config = if args.no_node {
        None
    } else {
        let mut config = NodeConfig::new(&node);
        (config.listen, config.metrics) = (args.listen, args.metrics);
        config
            .check()
            .or_code(WireCode::BadInput, "these settings cannot be used")?;
        if addresses.is_empty() && args.listen.ip().is_unspecified() {
            let what = format!(
                "{} is no address at which others reach the node",
                args.listen
            );
            return Err(Failure::new(WireCode::BadInput, what)
                .advise(format!("add --address HOST:{}", args.listen.port())));
        }
        if addresses.is_empty() {
            addresses.push(args.listen.to_string());
        }
        Some(config)
    };
    for part in ["member", "node"] {
        let path = args.dir.join(part);
        if path.exists() {
            let what = format!(
                "{} exists already, and keys are never overwritten",
                path.display()
            );
            return Err(Failure::new(WireCode::AlreadyExists, what).advise(format!(
                "see what is there with: frex status {}",
                args.dir.display()
            )));
        }
    }
    let card = args.dir.join(format!("{}.card", args.member));
    Ok(Plan {
        node,
        config,
        addresses,
        card,
    })
}

/// Judges a card with keys that are thrown away, so that nothing is written for a wrong argument.
fn check_before_writing(args: &InitArgs, plan: &Plan) -> Result<(), Failure> {
    let mut rng = Random::System.rng();
    let keys = MemberKeys {
        identity: new_identity(args, &mut rng),
        ..MemberKeys::generate(&mut rng)
    };
    let node = NewNodeKeys {
        tls: SigningKey::generate(&mut rng).into(),
        log: new_head_key(args, &mut rng).into(),
        witness: new_head_key(args, &mut rng).into(),
    };
    let card = card(args, plan, &keys, &node)?;
    Card::judge(&card, &args.federation, Clock::System.now_ms())
        .or_code(WireCode::BadInput, "no federation would list this member")?;
    Ok(())
}

fn new_identity(args: &InitArgs, rng: &mut dyn CryptoRng) -> SigningKey {
    match args.post_quantum {
        true => SigningKey::generate_pair(rng),
        false => SigningKey::generate(rng),
    }
}

fn new_head_key(args: &InitArgs, rng: &mut dyn CryptoRng) -> SigningKey {
    match args.post_quantum_log {
        true => SigningKey::generate_head_pair(rng),
        false => SigningKey::generate(rng),
    }
}

fn make_keys(
    args: &InitArgs,
    plan: &Plan,
    rng: &mut dyn CryptoRng,
) -> Result<(NewMemberKeys, NewNodeKeys), Failure> {
    let address = args.token.address()?;
    let mut make = |kind: TokenKey, is_here: bool, label: String| {
        let wanted = is_here && args.token_keys.contains(&kind);
        token::new_key(address.as_ref().filter(|_| wanted), label, rng)
    };
    let (member, node) = (&args.member, &plan.node);
    let tls = make(TokenKey::Tls, true, format!("tls {member}"))?;
    // Of a node that is another's no key is made in the token.
    let is_here = plan.config.is_some();
    let mut node = NewNodeKeys {
        tls: make(TokenKey::Tls, is_here, format!("tls {node}"))?,
        log: make(TokenKey::Log, is_here, format!("log {node}"))?,
        witness: make(TokenKey::Witness, is_here, format!("witness {node}"))?,
    };
    let identity = match args.post_quantum {
        true => new_identity(args, rng).into(),
        false => make(TokenKey::Identity, true, format!("identity {member}"))?,
    };
    if args.post_quantum_log {
        // Not beside a token: then none of these was made in one.
        (node.log, node.witness) = (
            new_head_key(args, rng).into(),
            new_head_key(args, rng).into(),
        );
    }
    let sealing = SealingSecretKey::generate(rng);
    let keys = NewMemberKeys {
        identity,
        sealing,
        tls,
    };
    Ok((keys, node))
}

fn settings(args: &InitArgs, plan: &Plan) -> MemberSettings {
    MemberSettings {
        member: args.member.clone(),
        federation: args.federation.clone(),
        home_node: plan.node.clone(),
        country: args.country.clone(),
        name: args.name.clone(),
        role: args.role.into(),
        keys_from_credentials: false,
    }
}

fn card(
    args: &InitArgs,
    plan: &Plan,
    keys: &MemberKeys,
    node: &NewNodeKeys,
) -> Result<Bytes, Failure> {
    let now_ms = Clock::System.now_ms();
    let (log_key, witness_key) = (
        node.log.key().verifying_key(),
        node.witness.key().verifying_key(),
    );
    let tls_keys = [node.tls.key().verifying_key()];
    let node = plan.config.as_ref().map(|_| NodeDraft {
        id: &plan.node,
        log_key: &log_key,
        witness_key: Some(&witness_key),
        tls_keys: &tls_keys,
        addresses: &plan.addresses,
    });
    let card = build::card(&CardDraft {
        federation: &args.federation,
        id: &args.member,
        name: &args.name,
        role: args.role.into(),
        country: &args.country,
        home_node: &plan.node,
        identity: &keys.identity,
        client_tls: &[keys.tls.verifying_key()],
        sealing: &[keys.sealing_public()],
        node,
        issued_ms: now_ms,
        expires_ms: now_ms.saturating_add(DOCUMENT_LIFE_MS),
    });
    let card = card.or_fail("the identity key does not sign the card")?;
    Ok(card.encode_to_vec().into())
}

fn report(args: &InitArgs, plan: &Plan, (keys, node): (&MemberKeys, &NewNodeKeys), json: bool) {
    let fingerprint = fingerprint::of_key(&keys.identity.verifying_key());
    let (dir, card) = (args.dir.display(), plan.card.display());
    let witness = plan.config.as_ref().map(|_| node.witness.key().key_id());
    if json {
        return output::document(json!({
            "member": args.member, "federation": args.federation, "home_node": plan.node,
            "fingerprint": fingerprint, "card": plan.card, "dir": args.dir,
            "encrypted": args.encrypt_keys, "post_quantum": args.post_quantum,
            "post_quantum_log": args.post_quantum_log, "token": args.token.token,
            "listen": plan.config.as_ref().map(|config| config.listen), "addresses": plan.addresses,
            "witness_key": witness.map(|key| key.to_string()),
        }));
    }
    let keys = match args.encrypt_keys {
        true => "keys (0600, encrypted)",
        false => "keys (0600)",
    };
    output::data(format_args!(
        "created      {dir}/member   {keys}, receipts, sent, inbox"
    ));
    match &plan.config {
        Some(config) => report_node(args, plan, config, (keys, &node.witness)),
        None => output::data(format_args!(
            "node         {} of another organisation serves this member",
            plan.node
        )),
    }
    if let Some(token) = &args.token.token {
        let kinds = args
            .token_keys
            .iter()
            .filter_map(ValueEnum::to_possible_value);
        let kinds: Vec<String> = kinds.map(|kind| kind.get_name().to_owned()).collect();
        output::data(format_args!(
            "token        {}   holds {}; their files say where, and nothing else",
            output::clean(token),
            kinds.join(", ")
        ));
    }
    output::data(format_args!("member       {}", args.member));
    if args.post_quantum {
        output::data(format_args!(
            "signs by     Ed25519 and ML-DSA-65, both in {dir}/member/keys/identity.key"
        ));
    }
    if args.post_quantum_log {
        output::data(format_args!(
            "heads by     Ed25519 and ML-DSA-44, in {dir}/node/keys/log.key and witness.key"
        ));
    }
    output::data(format_args!("fingerprint  {fingerprint}"));
    output::data(format_args!("card         {card}"));
    output::data("");
    output::data(format_args!(
        "Hand {card} to the governance of {}; read them the fingerprint by telephone.",
        args.federation
    ));
    output::data("Next, when they have given you roster.frex and root.frex:");
    output::data(format_args!(
        "  frex roster install roster.frex --root root.frex {dir}"
    ));
}

fn report_node(
    args: &InitArgs,
    plan: &Plan,
    config: &NodeConfig,
    (keys, witness): (&str, &NewKey),
) {
    output::data(format_args!(
        "             {}/node     frex.toml, {keys}, empty log",
        args.dir.display()
    ));
    output::data(format_args!(
        "node         {}   listens on udp {}   others reach it at {}",
        plan.node,
        config.listen,
        plan.addresses.join(", ")
    ));
    output::data(format_args!(
        "witness key  {}   cosigns other nodes' logs once the roster names this node",
        witness.key().key_id()
    ));
    if config.listen.ip().is_loopback() {
        output::message(
            "note: only this machine can reach the node; for others give --listen and --address",
        );
    }
}

impl From<RoleArg> for MemberRole {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Hotline => Self::Hotline,
            RoleArg::Platform => Self::Platform,
            RoleArg::Police => Self::Police,
            RoleArg::Prosecutor => Self::Prosecutor,
            RoleArg::ClearingHouse => Self::ClearingHouse,
            RoleArg::Oversight => Self::Oversight,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    // CLI-3: what was given is named, and not what is made of it.
    #[test]
    fn an_id_that_is_none_is_named_by_its_option() {
        let refused = |member: &str, more: &[&str]| {
            let line = ["frex", "init", "--name", "Police", "--country", "ES"];
            let ids = ["--role", "police", "--federation", "example", "--member"];
            let words = [&line[..], &ids, &[member], more, &["DIR"]].concat();
            let Command::Init(args) = Cli::try_parse_from(words).unwrap().command else {
                panic!("the words are those of init");
            };
            check_ids(&args).map_err(|failure| format!("{failure:?}"))
        };
        let long = "a".repeat(60);
        let wrong: [(&str, &[&str], &str); 4] = [
            ("Police ES", &[], "--member police-es"),
            ("", &[], "Give --member"),
            ("police.es", &["--node", "Node 1"], "--node node-1"),
            (&long, &[], "Add --node ID"),
        ];
        for (member, more, said) in wrong {
            let failure = refused(member, more).unwrap_err();
            assert!(failure.contains(said), "{failure}");
        }
        assert_eq!(refused("police.es", &[]), Ok(()));
        assert_eq!(refused(&long, &["--node", "node.a"]), Ok(()));
    }
}
