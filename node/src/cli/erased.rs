//! What is left of a message that was erased: the receipt that says so, with its ground.

use frex_client::keys::MemberHome;
use frex_proto::{
    error::WireCode,
    v1::{self, Event},
};
use prost::Message;

use super::{failure::Failure, files, output, receipt};

/// What the name of such a receipt has in it.
const NAMED: &str = "-erased";

/// The failure of whoever asks for a message of which the folder has only that it was erased; none if
/// it has not that either. It is found by the beginning of its own id or of an envelope's.
#[must_use]
pub fn failure(home: &MemberHome, wanted: &str) -> Option<Failure> {
    let paths = files::with_extension(&home.receipts_dir(), "tlog-proof").ok()?;
    let named = paths
        .iter()
        .filter(|path| path.to_string_lossy().contains(NAMED));
    // One that does not read says nothing of what was asked for.
    let mut kept = named.filter_map(|path| receipt::read(path).ok());
    kept.find_map(|kept| {
        let said = v1::Statement::decode(kept.statement).ok()?;
        let fits = |id: &[u8]| hex::encode(id).starts_with(wanted);
        let meant = fits(&said.message_id) || fits(&said.envelope_id);
        (said.event() == Event::Erased && meant).then(|| of(&said, kept.index))
    })
}

fn of(said: &v1::Statement, index: u64) -> Failure {
    let by = by(&said.ordered_by);
    let message = hex::encode(&said.message_id);
    because(&message, (&said.ground, &said.authority, by)).cause(format!(
        "{} states it in entry #{index} of its log",
        output::clean(&said.node)
    ))
}

/// Who has ordered an erasure, for people; nobody, where the time of the message was over.
#[must_use]
pub fn by(ordered_by: &str) -> &str {
    match ordered_by {
        "" => "retention",
        by => by,
    }
}

/// A message was erased, on this ground, by this authority, by whose order.
#[must_use]
pub fn because(message: &str, (ground, authority, by): (&str, &str, &str)) -> Failure {
    let (ground, authority) = (output::clean(ground), output::clean(authority));
    let what = format!("message {message} was erased");
    Failure::new(WireCode::Erased, what).cause(format!(
        "ground {ground}, authority {authority}, by order of {}",
        output::clean(by)
    ))
}
