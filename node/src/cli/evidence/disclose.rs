//! `frex evidence disclose`: a narrower file of one that is held. Spec: EVD-11.

use frex_proto::{
    error::WireCode,
    evidence::{self, FileError},
};
use serde_json::json;

use super::{DiscloseArgs, read};
use crate::cli::{
    failure::{Done, Failure},
    files, output,
};

/// Writes the narrower file.
pub fn disclose(args: &DiscloseArgs, json: bool) -> Done {
    let bundle = read(&args.file)?;
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
    files::write_new(&args.out, &file)?;
    if json {
        output::document(json!({
            "file": args.out, "bytes": file.len(), "message": message,
        }));
    } else {
        output::data(format_args!("{}  {} bytes", args.out.display(), file.len()));
    }
    Ok(0)
}
