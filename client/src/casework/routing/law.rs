//! On which legal basis something goes to whom: by the policy, else by the table, else not known.

use super::{Copy, Ground, LawRow, Policy, Role, Seat, policy::is_in, tables};

const OWN: &str = "policy";
const NONE: &str = "none";

/// Whoever sends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) role: Role,
    pub(super) country: &'a str,
}

/// The basis, and what may go by it; nothing where none is known. Spec: RTE-20.
pub(super) fn ground(sender: Sender<'_>, to: &Seat, policy: &Policy) -> (Ground, Option<Copy>) {
    if let Some(own) = policy.basis_for(to) {
        let ground = stated(OWN, &own.law, &own.article, &own.jurisdiction);
        return (ground, Some(own.copy));
    }
    let law = &tables().law;
    match law.rows.iter().find(|row| holds(row, sender, to)) {
        Some(row) => {
            let ground = stated(&law.id, &row.law, &row.article, &row.jurisdiction);
            (ground, Some(row.copy))
        }
        None => (stated(NONE, "", "", ""), None),
    }
}

fn stated(table: &'static str, law: &str, article: &str, jurisdiction: &str) -> Ground {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ground {
        table,
        law: text(law),
        article: text(article),
        jurisdiction: text(jurisdiction),
    }
}

fn holds(row: &LawRow, sender: Sender<'_>, to: &Seat) -> bool {
    let is_role = |named: &str, role: Role| named == "*" || named == word(role);
    let where_to = match row.to.as_str() {
        "*" => true,
        "same" => to.country == sender.country,
        "other" => to.country != sender.country,
        named => is_in(&to.country, named),
    };
    where_to
        && (row.from == "*" || is_in(sender.country, &row.from))
        && is_role(&row.sender, sender.role)
        && is_role(&row.role, to.role)
}

/// A role as tables and policies write it.
fn word(role: Role) -> &'static str {
    match role {
        Role::Hotline => "hotline",
        Role::Platform => "platform",
        Role::Police => "police",
        Role::Prosecutor => "prosecutor",
        Role::ClearingHouse => "clearing-house",
        Role::Oversight => "oversight",
        Role::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RTE-20: a row that names no role or no country that there is would never hold.
    #[test]
    fn the_table_names_what_there_is() {
        let (law, countries) = (&tables().law, &tables().routes.countries);
        let is_role = |named: &str| {
            let role = serde_json::from_value::<Role>(named.into());
            named == "*" || role.is_ok_and(|role| word(role) == named)
        };
        let is_place = |named: &str| {
            named == "*" || law.groups.contains_key(named) || countries.contains(named)
        };
        for row in &law.rows {
            assert!(is_role(&row.sender) && is_role(&row.role), "{row:?}");
            let to = row.to.as_str();
            let is_to = is_place(to) || ["same", "other"].contains(&to);
            assert!(is_place(&row.from) && is_to, "{row:?}");
        }
        assert!(law.groups.values().all(|group| group.is_subset(countries)));
    }
}
