//! Who cosigns: what `frex roster propose` is told of it, judged with words before the roster is,
//! and the words by which signers read it. Spec: ROS-52, CLI-34.

use clap::Args;
use frex_proto::{
    error::WireCode,
    limits,
    roster::{Node, Peer, Roster},
    v1,
};
use serde_json::{Value, json};

use super::words::status_name;
use crate::cli::failure::Failure;

/// The options of `frex roster propose` about witnesses.
#[derive(Debug, Args)]
pub struct WitnessArgs {
    /// Nodes whose cosignatures make a receipt final, like node.a,node.b,node.c; or none
    #[arg(long, value_name = "NODES", value_delimiter = ',')]
    pub witnesses: Vec<String>,
    /// How many of them must cosign, the log's own node not among them
    #[arg(long, value_name = "N")]
    pub quorum: Option<u32>,
}

/// Applies what was asked for, to a roster that lists already what the command lists.
///
/// # Errors
/// The failure names the node, or the number, and the command that mends it.
pub fn apply(roster: &mut v1::Roster, args: &WitnessArgs) -> Result<(), Failure> {
    let ends = matches!(&args.witnesses[..], [one] if one == "none");
    match (&args.witnesses[..], args.quorum) {
        ([], None) => {}
        (_, None) if ends => roster.witnessing = None,
        (_, Some(_)) if ends => {
            let what = "--quorum says how many of the witnesses cosign, and --witnesses none that nobody does";
            return Err(wrong(what, "leave one of the two out"));
        }
        ([], Some(quorum)) => match &mut roster.witnessing {
            Some(listed) => listed.quorum = quorum,
            None => {
                let what =
                    "--quorum says how many of the witnesses cosign, and the roster names none";
                return Err(wrong(what, "name them: --witnesses node.a,node.b,node.c"));
            }
        },
        (_, None) => {
            let what = "--witnesses names who cosigns, and nothing how many of them must";
            let most = args.witnesses.len().saturating_sub(1).max(1);
            return Err(wrong(what, &format!("add --quorum, 1 to {most}")));
        }
        (nodes, Some(quorum)) => {
            roster.witnessing = Some(v1::Witnessing {
                nodes: nodes.to_vec(),
                quorum,
            });
        }
    }
    // Also what the roster before names: a card of this command may list a node without its key.
    roster.witnessing.as_ref().map_or(Ok(()), |listed| {
        check_nodes(roster, &listed.nodes)?;
        check_quorum(listed.nodes.len(), listed.quorum)
    })
}

/// Whose cosignatures make a receipt final, and whether they can; nothing if nobody cosigns.
#[must_use]
pub fn words(roster: &Roster) -> String {
    let Some(listed) = roster.witnessing() else {
        return String::new();
    };
    let mut text = format!("{} of {}", listed.quorum, listed.nodes.join(", "));
    let gone: Vec<&String> = out(roster).collect();
    for id in &gone {
        text.push_str(&format!("; {id} is {}", why_out(roster, id)));
    }
    let left = listed.nodes.len() - gone.len();
    match &short(roster)[..] {
        _ if gone.is_empty() => {}
        [] => text.push_str(&format!(": fewer can cosign, {left}")),
        short => text.push_str(&format!(
            ": fewer can cosign, {left}, too few for receipts of {} to become final",
            short.join(", ")
        )),
    }
    text
}

/// As `--json` says it.
#[must_use]
pub fn to_json(roster: &Roster) -> Value {
    roster.witnessing().map_or(Value::Null, |listed| {
        json!({
            "nodes": listed.nodes, "quorum": listed.quorum,
            "not_live": out(roster).collect::<Vec<_>>(), "too_few_for": short(roster),
        })
    })
}

/// What a node is among the witnesses.
#[must_use]
pub fn place(roster: &Roster, node: &Node) -> &'static str {
    let named = roster
        .witnessing()
        .is_some_and(|listed| listed.nodes.contains(&node.id));
    match (named, &node.witness_key) {
        (true, _) => "named",
        (false, Some(_)) => "has a key",
        (false, None) => "-",
    }
}

/// Witnesses that nobody lets in any more.
fn out(roster: &Roster) -> impl Iterator<Item = &String> {
    let listed = roster.witnessing().into_iter();
    let named = listed.flat_map(|listed| &listed.nodes);
    named.filter(|id| !roster.is_live(&Peer::Node((*id).clone())))
}

fn why_out(roster: &Roster, id: &str) -> &'static str {
    let node = roster.node(id);
    let own = node.map(|node| node.status);
    let operator = node.and_then(|node| roster.member(&node.operator));
    match (own, operator.map(|operator| operator.status)) {
        (Some(v1::Status::Live), Some(operator)) => status_name(operator),
        (own, _) => status_name(own.unwrap_or(v1::Status::Unspecified)),
    }
}

/// The live nodes whose logs fewer live witnesses can cosign than must.
fn short(roster: &Roster) -> Vec<&str> {
    let quorum = roster.witnessing().map_or(0, |listed| listed.quorum);
    let nodes = roster.nodes().map(|node| node.id.as_str());
    let live = nodes.filter(|id| roster.is_live(&Peer::Node((*id).to_owned())));
    live.filter(|id| roster.witnesses_of(id).count() < quorum)
        .collect()
}

fn check_nodes(roster: &v1::Roster, named: &[String]) -> Result<(), Failure> {
    for (place, id) in named.iter().enumerate() {
        if named[..place].contains(id) {
            let what = format!("{id} is named twice among the witnesses");
            return Err(wrong(&what, "name each once: it has one cosignature"));
        }
        let Some(node) = roster.nodes.iter().find(|node| node.id == *id) else {
            let member = roster.members.iter().find(|member| member.id == *id);
            let mend = match member {
                Some(member) => format!("it is a member, and nodes cosign: its node is {}", member.home_node),
                None => "list the nodes with: frex roster show FILE --root ROOT; or add its operator's card".to_owned(),
            };
            return Err(wrong(
                &format!("no node {id} is listed that could cosign"),
                &mend,
            ));
        };
        if node.witness_key.is_none() {
            let what = format!("{id} cannot cosign: it has no witness key");
            return Err(Failure::new(WireCode::BadInput, what)
                .cause("neither the roster before nor a card of this command lists one")
                .advise(format!(
                    "Have {} make it, and add the card that this writes: frex key rotate witness DIR; or name others: --witnesses",
                    node.operator
                )));
        }
    }
    Ok(())
}

fn check_quorum(named: usize, quorum: u32) -> Result<(), Failure> {
    if named > limits::WITNESSES_MAX {
        let what = format!(
            "{named} witnesses are named, and there may be {}",
            limits::WITNESSES_MAX
        );
        return Err(wrong(&what, "name fewer: --witnesses"));
    }
    let most = named.saturating_sub(1);
    if (1..=most).contains(&usize::try_from(quorum).unwrap_or(usize::MAX)) {
        return Ok(());
    }
    let what = match quorum {
        0 => "a quorum of 0 asks for no cosignature at all".to_owned(),
        _ => format!("{quorum} of {named} witnesses cannot always cosign"),
    };
    let mend = match (quorum, most) {
        (_, 0) => "name at least two: --witnesses".to_owned(),
        (0, _) => "have nobody cosign with --witnesses none, or more: --quorum".to_owned(),
        (_, most) => format!("name more of them, or take --quorum 1 to {most}"),
    };
    let failure = wrong(&what, &mend);
    Err(match quorum {
        0 => failure,
        _ => failure.cause(format!(
            "no node cosigns its own log, and for that of one of them {most} remain"
        )),
    })
}

fn wrong(what: &str, mend: &str) -> Failure {
    let mut mend = mend.to_owned();
    if let Some(first) = mend.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Failure::new(WireCode::BadInput, what).advise(mend)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A roster of nodes `node.0`, `node.1` and so on, all with a witness key.
    fn roster(nodes: usize) -> v1::Roster {
        let node = |number| v1::Node {
            id: format!("node.{number}"),
            operator: format!("member.{number}"),
            witness_key: Some(v1::PublicKey::default()),
            ..v1::Node::default()
        };
        v1::Roster {
            nodes: (0..nodes).map(node).collect(),
            ..v1::Roster::default()
        }
    }

    fn args(nodes: usize, quorum: u32) -> WitnessArgs {
        WitnessArgs {
            witnesses: (0..nodes).map(|number| format!("node.{number}")).collect(),
            quorum: Some(quorum),
        }
    }

    fn nothing() -> WitnessArgs {
        WitnessArgs {
            witnesses: Vec::new(),
            quorum: None,
        }
    }

    // CLI-34: also where the roster before names the witness, and a card of this command takes its
    // key away.
    #[test]
    fn a_witness_without_a_key_is_refused_whoever_named_it() {
        let mut listed = roster(3);
        apply(&mut listed, &args(3, 2)).expect("they can");
        apply(&mut listed, &nothing()).expect("nothing has changed");
        listed.nodes[1].witness_key = None;
        for asked in [nothing(), args(3, 2)] {
            let refused = apply(&mut listed, &asked).expect_err("no key");
            let refused = format!("{refused:?}");
            assert!(refused.contains("node.1"), "{refused}");
        }
        apply(&mut listed, &args(1, 1)).expect_err("alone");
        let none = ["none".to_owned()].into();
        let ended = WitnessArgs {
            witnesses: none,
            quorum: None,
        };
        apply(&mut listed, &ended).expect("nobody need have a key");
        assert_eq!(listed.witnessing, None);
    }

    // CLI-34: every quorum that can be met, and no other.
    #[test]
    fn a_quorum_is_met_also_without_the_logs_own_node() {
        for nodes in 1..=limits::WITNESSES_MAX + 1 {
            let most = u32::try_from(nodes - 1).expect("few");
            let fits = |quorum| apply(&mut roster(nodes), &args(nodes, quorum)).is_ok();
            let good: Vec<u32> = (0..=most + 2).filter(|quorum| fits(*quorum)).collect();
            let due: Vec<u32> = match nodes <= limits::WITNESSES_MAX {
                true => (1..=most).collect(),
                false => Vec::new(),
            };
            assert_eq!(good, due, "{nodes}");
        }
    }
}
