//! `frex evidence report`: a file as a page for people, to read and to print.

use serde_json::json;

use super::{ReportArgs, examine, page};
use crate::cli::{
    failure::{Done, PARTIAL},
    files, output,
};

/// Writes the page. What fails is on it too, so that people see what they were given.
pub fn report(args: &ReportArgs, json: bool) -> Done {
    let found = examine(&args.file, &args.trust)?;
    let page = page::of(&found, &args.file);
    files::write_new(&args.out, page.as_bytes())?;
    let verified = found.holds() && found.is_pinned();
    if json {
        output::document(json!({
            "file": args.out, "bytes": page.len(), "verified": verified,
            "holds": found.holds(), "pinned": found.is_pinned(),
            "provisional": found.is_provisional(), "sha256": found.sha256,
        }));
    } else {
        output::data(format_args!("{}  {} bytes", args.out.display(), page.len()));
    }
    if !found.holds() {
        output::message("note: the evidence failed verification, and the page says so");
        return Ok(frex_proto::error::WireCode::BadEvidence.info().exit);
    }
    if !found.is_pinned() {
        output::message(
            "note: the page says that nobody here has checked the root; give your own copy: --root root.frex",
        );
        return Ok(PARTIAL);
    }
    Ok(0)
}
