//! `frex evidence disclose`: a narrower file of one that is held. Spec: EVD-11.

use frex_proto::{
    error::WireCode,
    evidence::{self, FileError},
    v1,
};
use prost::Message;
use serde_json::json;

use super::{DiscloseArgs, read};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    files, output,
};

/// Writes the narrower file.
pub fn disclose(args: &DiscloseArgs, json: bool) -> Done {
    let (bundle, _) = read(&args.file)?;
    let mut left_out = left_out(&bundle, args.without_manifest);
    let receipts = bundle.receipts.len();
    let message = evidence::subject(&bundle).map(|id| id.to_string());
    let file = match (&args.only, args.without_manifest) {
        (Some(member), _) => evidence::of_member_alone(bundle, member),
        (None, true) => evidence::without_manifests(bundle),
        (None, false) => evidence::without_content(bundle),
    };
    let file = file.map_err(|error| {
        let what = "nothing would be left in the file";
        match error {
            FileError::Empty => Failure::new(WireCode::NotHeld, what)
                .cause("no receipt in it is about that message, and that member alone"),
            other => Failure::of(other, "the file cannot be made narrower"),
        }
    })?;
    let narrower = evidence::parse(&file).or_fail("the narrower file does not read back")?;
    let gone = receipts - narrower.receipts.len();
    if gone > 0 {
        let what = output::counted(gone, "receipt");
        left_out.push(match &args.only {
            Some(member) => format!("{what}: of other messages, or naming others than {member}"),
            None => format!("{what}: of other messages"),
        });
    }
    files::write_new(&args.out, &file)?;
    if json {
        output::document(json!({
            "file": args.out, "bytes": file.len(), "message": message, "left_out": left_out,
        }));
    } else {
        output::data(format_args!("{}  {} bytes", args.out.display(), file.len()));
        for what in left_out {
            output::message(format_args!("left out: {what}"));
        }
    }
    Ok(0)
}

/// What a narrower file does not have of this one, and why, but for receipts.
fn left_out(bundle: &v1::EvidenceBundle, without_manifest: bool) -> Vec<String> {
    let mut gone = Vec::new();
    for (place, exhibit) in (1..).zip(&bundle.exhibits) {
        if exhibit.content.is_empty() {
            continue;
        }
        let content = v1::Content::decode(exhibit.content.clone()).unwrap_or_default();
        let with = match content.attachments.len() {
            0 => String::new(),
            count => format!(
                ", with the names, hashes and keys of {}",
                output::counted(count, "attachment")
            ),
        };
        gone.push(format!(
            "the content of exhibit {place}, {} bytes of {}{with}: a narrower file reveals none",
            content.data.len(),
            output::clean(&content.content_type)
        ));
    }
    if without_manifest && !bundle.exhibits.is_empty() {
        gone.push(format!(
            "{}: --without-manifest leaves out what senders signed",
            output::counted(bundle.exhibits.len(), "exhibit")
        ));
        if !bundle.silences.is_empty() {
            gone.push(format!(
                "{}: what is stated rests on an exhibit",
                output::counted(bundle.silences.len(), "silence")
            ));
        }
    }
    gone
}
