//! Showing what was said: from the sealed envelope and the own keys, or from what was sent and its salt.

use std::path::Path;

use bytes::Bytes;
use frex_client::{casework::model, keys::MemberHome};
use frex_proto::{
    envelope::{self, OpenContexts},
    error::WireCode,
    evidence, label, limits, v1,
};
use serde_json::Value;

use super::keep;
use crate::cli::{
    failure::{Failure, OrCode},
    files, inbox, member,
    messages::SENT,
    output,
};

/// Why what was sent cannot be shown by who sent it.
const NO_SALT: &str = "its salt was not kept when it was sent, as it is not by frex bulk; who received it can reveal it";

/// What was signed of an envelope as it came.
pub(super) fn exhibit_of(envelope: &v1::Envelope) -> v1::Exhibit {
    let signed = match envelope.forward.is_empty() {
        true => &envelope.signed,
        false => &envelope.forward,
    };
    v1::Exhibit {
        signed: signed.clone(),
        ..v1::Exhibit::default()
    }
}

/// Puts the content into the exhibits of the message; gives what of it is not shown all the same, and
/// why.
pub(super) fn reveal(
    home: &MemberHome,
    (direction, about): &(&'static str, Value),
    file: Option<&Path>,
    exhibits: &mut [v1::Exhibit],
) -> Result<Vec<String>, Failure> {
    if exhibits.is_empty() {
        return Err(not_held("what was signed of it is not kept"));
    }
    if *direction != SENT || about["forwards"].is_string() {
        return reveal_received(home, about, exhibits);
    }
    let content = content_of(about, file)?;
    let (mut shown, mut left_out) = (0, Vec::new());
    for id in about["envelopes"].as_array().into_iter().flatten() {
        let id = id.as_str().unwrap_or_default();
        let kept = keep::kept(home, id)?;
        let Some(kept) = kept.filter(|kept| !kept.salt.is_empty()) else {
            left_out.push(format!(
                "the content of envelope {}: {NO_SALT}",
                output::clean(id)
            ));
            continue;
        };
        for exhibit in exhibits.iter_mut().filter(|one| one.signed == kept.signed) {
            exhibit.content = content.clone();
            exhibit.salt = kept.salt.clone();
            shown += 1;
        }
    }
    match shown {
        0 => Err(not_held(NO_SALT)),
        _ => Ok(left_out),
    }
}

/// The content as it was sealed, from the file that was sent.
fn content_of(about: &Value, file: Option<&Path>) -> Result<Bytes, Failure> {
    let attached = about["attachments"].as_array().map_or(0, Vec::len);
    if attached > 0 {
        return Err(
            not_held("the keys of its attachments are not kept by who sent them")
                .advise("Who received it can reveal it, as it opens the message"),
        );
    }
    let path = file.or_else(|| about["file"].as_str().map(Path::new));
    let path = path.ok_or_else(|| not_held("it is not known from which file it was sent"))?;
    let wanted = "Name what was sent: --content FILE";
    if !path.exists() {
        let what = format!("{} is not there any more", path.display());
        return Err(not_held(&what).advise(wanted));
    }
    let second = about["content_type"] == model::CONTENT_TYPE;
    let data = match second {
        // Its JSON travels as Protobuf, and is larger.
        true => model::as_sent(files::read(path, model::JSON_BYTES_MAX)?),
        false => files::read(path, limits::CONTENT_BYTES_MAX)?,
    };
    if about["sha256"] != hex::encode(label::sha256(&[&data])) {
        let what = format!("{} is not what was sent", path.display());
        return Err(not_held(&what).advise(wanted));
    }
    let content_type = about["content_type"].as_str().unwrap_or_default();
    Ok(evidence::content_of(content_type, data.into()))
}

/// Opens what was received, also what was passed on from here, whose content is its original's.
fn reveal_received(
    home: &MemberHome,
    about: &Value,
    exhibits: &mut [v1::Exhibit],
) -> Result<Vec<String>, Failure> {
    let id = match about["forwards"].as_str() {
        Some(original) => {
            let (_, original) = crate::cli::messages::find_received(home, original)?;
            original["envelope"].as_str().unwrap_or_default().to_owned()
        }
        None => about["envelope"].as_str().unwrap_or_default().to_owned(),
    };
    let sealed = inbox::kept_envelope(home, &id)?;
    let what = "what was kept is no sound envelope";
    let carried = envelope::parse_carried(&sealed).or_code(WireCode::Files, what)?;
    let keys = member::keys(home)?;
    let keys: Vec<_> = keys.sealing.keys.iter().collect();
    let own = &home.settings().member;
    let opened = carried.open(&sealed.body, own, &keys, &mut OpenContexts::new());
    let opened = opened.map_err(|_| not_held("the key that opens it is not held any more"))?;
    for exhibit in exhibits.iter_mut().take(1) {
        exhibit.content = opened.content.clone();
        exhibit.salt = Bytes::copy_from_slice(&opened.salt);
    }
    let attached = opened.attachments.len();
    if attached == 0 {
        return Ok(Vec::new());
    }
    Ok(vec![format!(
        "{}: of each the file has name, hash and key, and not what it holds; hand it over beside the file",
        output::counted(attached, "attachment")
    )])
}

fn not_held(why: &str) -> Failure {
    Failure::new(
        WireCode::NotHeld,
        "the content cannot be revealed from here",
    )
    .cause(why)
}
