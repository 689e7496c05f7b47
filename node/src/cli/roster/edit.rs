//! What `frex roster propose` is told to change, applied to the roster that follows.

use std::{fmt::Display, str::FromStr};

use clap::{Args, ValueEnum};
use frex_client::report;
use frex_proto::{error::WireCode, v1};

use super::witnesses::{self, WitnessArgs};
use crate::cli::{KindArg, LaneArg, failure::Failure};

/// Changes of entries that are listed, or that a card of the same command lists.
#[derive(Debug, Args)]
pub struct EditArgs {
    /// Keep a member or node out until it is resumed; repeat for each
    #[arg(long, value_name = "ID")]
    pub suspend: Vec<String>,
    /// Let a suspended member or node back in; repeat for each
    #[arg(long, value_name = "ID")]
    pub resume: Vec<String>,
    /// Keep a member or node out for good: its id and keys are never used again
    #[arg(long, value_name = "ID")]
    pub revoke: Vec<String>,
    /// What a member takes: all, or like report:urgent+normal,notice
    #[arg(long, value_name = "MEMBER=WHAT")]
    pub accepts: Vec<Setting>,
    /// How much a member may send in a minute: in all lanes but urgent, and beside that urgent, like
    /// 600/60; or none
    #[arg(long, value_name = "MEMBER=OTHERS/URGENT")]
    pub quota: Vec<Setting>,
    /// What a report to a member must say: fields like `urls,reported.ip_events.at`, or none
    #[arg(long, value_name = "MEMBER=FIELDS")]
    pub needs: Vec<Setting>,
    /// Take with --needs also fields of your own or of a later version, which no report has here
    #[arg(long, requires = "needs")]
    pub unknown_fields: bool,
    /// Countries a member is competent for, like NL,BE, or none for its own alone
    #[arg(long, value_name = "MEMBER=CC,CC")]
    pub jurisdictions: Vec<Setting>,
    /// The node that serves a member, its own or another's
    #[arg(long, value_name = "MEMBER=NODE")]
    pub home_node: Vec<Setting>,
    /// Whether a member takes attachments
    #[arg(long, value_name = "MEMBER=yes|no")]
    pub attachments: Vec<Setting>,
    /// Whether a peer without post-quantum key exchange is tolerated
    #[arg(long, value_name = "yes|no")]
    pub allow_classical: Option<YesNo>,
    /// Who cosigns
    #[command(flatten)]
    pub witnesses: WitnessArgs,
}

/// `ID=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    id: String,
    value: String,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // The names are the documentation, also on the screen.
pub enum YesNo {
    Yes,
    No,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((id, value)) if !id.is_empty() && !value.is_empty() => Ok(Self {
                id: id.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err(format!("{text:?} is not like hotline.fr=VALUE")),
        }
    }
}

/// Applies everything that was asked for.
///
/// # Errors
/// The failure names the option and the id.
pub fn apply(roster: &mut v1::Roster, edits: &EditArgs) -> Result<(), Failure> {
    for (ids, status) in [
        (&edits.suspend, v1::Status::Suspended),
        (&edits.resume, v1::Status::Live),
        (&edits.revoke, v1::Status::Revoked),
    ] {
        for id in ids {
            set_status(roster, id, status)?;
        }
    }
    for setting in &edits.accepts {
        member(roster, setting)?.accepts = accepts(setting)?;
    }
    for setting in &edits.quota {
        member(roster, setting)?.quota = quota(setting)?;
    }
    for setting in &edits.needs {
        member(roster, setting)?.report_fields = needs(setting, edits.unknown_fields)?;
    }
    for setting in &edits.jurisdictions {
        member(roster, setting)?.jurisdictions = list(setting);
    }
    for setting in &edits.home_node {
        member(roster, setting)?
            .home_node
            .clone_from(&setting.value);
    }
    for setting in &edits.attachments {
        member(roster, setting)?.attachments = match YesNo::from_str(&setting.value, true) {
            Ok(answer) => answer == YesNo::Yes,
            Err(_) => return Err(wrong("--attachments", &setting.value, "yes or no")),
        };
    }
    if let Some(answer) = edits.allow_classical {
        roster.transport = Some(v1::TransportPolicy {
            allow_classical_key_exchange: answer == YesNo::Yes,
        });
    }
    witnesses::apply(roster, &edits.witnesses)
}

fn set_status(roster: &mut v1::Roster, id: &str, status: v1::Status) -> Result<(), Failure> {
    let (only_member, only_node) = (id.strip_prefix("member:"), id.strip_prefix("node:"));
    let name = only_member.or(only_node).unwrap_or(id);
    let member = roster.members.iter_mut().find(|member| member.id == name);
    let member = member.filter(|_| only_node.is_none());
    let node = roster.nodes.iter_mut().find(|node| node.id == name);
    let node = node.filter(|_| only_member.is_none());
    let place = match (member, node) {
        (Some(_), Some(_)) => {
            return Err(Failure::new(
                WireCode::BadInput,
                format!("{id} is a member and a node: which is meant?"),
            )
            .advise(format!("Write member:{id} or node:{id}")));
        }
        (Some(member), None) => &mut member.status,
        (None, Some(node)) => &mut node.status,
        (None, None) => return Err(unknown(name)),
    };
    if *place == i32::from(v1::Status::Revoked) && status != v1::Status::Revoked {
        return Err(
            Failure::new(WireCode::BadInput, format!("{name} is revoked"))
                .cause("revoked is for good: its id and keys are never used again")
                .advise("Whoever comes back takes a new id and new keys: frex init"),
        );
    }
    *place = i32::from(status);
    Ok(())
}

fn member<'a>(
    roster: &'a mut v1::Roster,
    setting: &Setting,
) -> Result<&'a mut v1::Member, Failure> {
    let mut members = roster.members.iter_mut();
    members
        .find(|member| member.id == setting.id)
        .ok_or_else(|| unknown(&setting.id))
}

fn accepts(setting: &Setting) -> Result<Vec<v1::Accepts>, Failure> {
    let mut listed = Vec::new();
    for entry in setting.value.split(',').filter(|_| setting.value != "all") {
        let (kind, lanes) = entry
            .split_once(':')
            .unwrap_or((entry, "urgent+normal+bulk+control"));
        let kind = KindArg::from_str(kind, false)
            .map_err(|_| wrong("--accepts", kind, choices::<KindArg>()))?;
        let mut accepted = v1::Accepts {
            kind: i32::from(v1::Kind::from(kind)),
            lanes: Vec::new(),
        };
        for lane in lanes.split('+') {
            let lane = LaneArg::from_str(lane, false)
                .map_err(|_| wrong("--accepts", lane, choices::<LaneArg>()))?;
            accepted.lanes.push(i32::from(v1::Lane::from(lane)));
        }
        listed.push(accepted);
    }
    Ok(listed)
}

fn choices<T: ValueEnum>() -> String {
    let values = T::value_variants().iter();
    let names = values.filter_map(|value| Some(value.to_possible_value()?.get_name().to_owned()));
    names.collect::<Vec<_>>().join(", ")
}

fn quota(setting: &Setting) -> Result<Option<v1::Quota>, Failure> {
    if setting.value == "none" {
        return Ok(None);
    }
    let (all, urgent) = setting
        .value
        .split_once('/')
        .unwrap_or((&setting.value, "none"));
    let limit = |text: &str| match (text, text.parse::<u32>()) {
        ("none", _) => Ok(0),
        (_, Ok(limit)) if limit > 0 => Ok(limit),
        _ => Err(wrong("--quota", text, "a number above 0, or none")),
    };
    Ok(Some(v1::Quota {
        envelopes_per_minute: limit(all)?,
        urgent_per_minute: limit(urgent)?,
    }))
}

fn list(setting: &Setting) -> Vec<String> {
    let entries = setting.value.split(',').filter(|_| setting.value != "none");
    entries.map(str::to_owned).collect()
}

/// What a report to a member must say: fields that a report has, unless others are wanted too. Spec: ROS-64.
fn needs(setting: &Setting, even_unknown: bool) -> Result<Vec<String>, Failure> {
    let fields = list(setting);
    let unknown = match even_unknown {
        true => Vec::new(),
        false => report::unknown_fields(&fields),
    };
    if unknown.is_empty() {
        return Ok(fields);
    }
    let named = unknown.iter().map(|one| match &one.meant {
        Some(meant) => format!("{:?} is no field of a report: is {meant} meant?", one.field),
        None => format!("{:?} is no field of a report", one.field),
    });
    let named = named.collect::<Vec<_>>().join("\n");
    let what = format!("--needs cannot take {:?} for {}", setting.value, setting.id);
    let failure = Failure::new(WireCode::BadInput, what).cause(format!(
        "{named}\nno report would have it, and every report to {} would be refused",
        setting.id
    ));
    let own = "a field of your own or of a later version is taken with --unknown-fields";
    Err(failure.advise(match mended(&fields, &unknown) {
        Some(mended) => format!("--needs {}={mended}; {own}", setting.id),
        None => format!(
            "Name a field as the JSON of a report does, joined by dots and without places in lists (frex report export REPORT --as json), or none; {own}"
        ),
    }))
}

/// The fields as they are meant, if that is known of each.
fn mended(fields: &[String], unknown: &[report::UnknownField]) -> Option<String> {
    let mended = fields.iter().map(
        |field| match unknown.iter().find(|one| one.field == *field) {
            Some(one) => one.meant.as_deref(),
            None => Some(field.as_str()),
        },
    );
    Some(mended.collect::<Option<Vec<_>>>()?.join(","))
}

fn unknown(id: &str) -> Failure {
    Failure::new(WireCode::BadInput, format!("{id} is not listed"))
        .cause("neither the roster before nor a card of this command has it")
        .advise("List the members and nodes with: frex roster show FILE --root ROOT")
}

fn wrong(option: &str, value: &str, takes: impl Display) -> Failure {
    Failure::new(
        WireCode::BadInput,
        format!("{option} cannot take {value:?}"),
    )
    .cause(format!("it takes {takes}"))
    .advise("See: frex roster propose --help")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(text: &str) -> Setting {
        text.parse().expect("as written")
    }

    // ROS-16: what is shown is what can be typed.
    #[test]
    fn kinds_and_lanes_read_as_they_are_shown() {
        let listed = accepts(&setting("a=report:urgent+normal,notice")).expect("known words");
        assert_eq!(
            (listed[0].kind, listed[0].lanes.as_slice()),
            (1, &[1, 2][..])
        );
        assert_eq!(listed[1].lanes.len(), 4);
        assert!(accepts(&setting("a=all")).expect("all").is_empty());
        for bad in ["a=reports", "a=report:fast", "a=report:"] {
            assert!(accepts(&setting(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn quotas_and_lists_read_as_they_are_shown() {
        let read = |text: &str| quota(&setting(text)).expect("a quota");
        assert_eq!(read("a=none"), None);
        let both = read("a=600/60").expect("limits");
        assert_eq!(
            (both.envelopes_per_minute, both.urgent_per_minute),
            (600, 60)
        );
        assert_eq!(read("a=none/5").expect("limits").envelopes_per_minute, 0);
        assert!(quota(&setting("a=0")).is_err());
        assert_eq!(list(&setting("a=NL,BE")), ["NL", "BE"]);
        assert!(list(&setting("a=none")).is_empty());
        assert!("a".parse::<Setting>().is_err() && "=b".parse::<Setting>().is_err());
    }

    // ROS-64: what is mistyped is asked about before anybody signs it, with what mends it.
    #[test]
    fn a_field_that_no_report_has_is_taken_only_on_request() {
        let wanted = setting("police.es=urls,reported.ip_events.at");
        assert_eq!(needs(&wanted, false).expect("fields").len(), 2);
        assert!(needs(&setting("police.es=none"), false).is_ok_and(|none| none.is_empty()));
        let mistyped = setting("police.es=language,url");
        assert_eq!(needs(&mistyped, true).expect("own").len(), 2);
        let failure = needs(&mistyped, false).expect_err("no field");
        assert!(
            failure.cause_text().contains("is urls meant?"),
            "{failure:?}"
        );
        let printed = format!("{failure:?}");
        assert!(
            printed.contains("--needs police.es=language,urls;"),
            "{printed}"
        );
        let own = needs(&setting("police.es=url,custom"), false).expect_err("no field");
        let printed = format!("{own:?}");
        assert!(printed.contains("frex report export"), "{printed}");
    }
}
