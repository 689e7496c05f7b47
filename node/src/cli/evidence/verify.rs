//! `frex evidence verify`: each check by name, then the verdict, then what follows. Asks nobody.
//! Spec: CLI-4, EVD-5, EVD-6.

use frex_proto::error::WireCode;
use serde_json::json;

use super::{Examined, Pin, VerifyArgs, clocks::Told, examine, print};
use crate::cli::{
    failure::{Done, Failure, PARTIAL},
    output,
    receipt::finality,
};

/// Verifies a file.
pub fn verify(args: &VerifyArgs, json: bool) -> Done {
    let found = examine(&args.file, &args.trust)?;
    let finals = !args.finals || print::is_final(&found.findings);
    let verified = found.holds() && found.is_pinned() && finals;
    if json {
        let findings = &found.findings;
        output::document(json!({
            "verified": verified, "holds": found.holds(), "pinned": found.is_pinned(),
            "final": print::is_final(findings), "provisional": found.is_provisional(),
            "root": found.fingerprint(),
            "federation": found.roster.federation(), "roster_version": found.roster.version(),
            "own_roster": found.own_roster,
            "checks": print::checks_json(findings), "exhibits": print::exhibits_json(findings),
            "receipts": print::receipts_json(findings), "silences": print::silences_json(findings),
            "timeline": print::timeline_json(findings), "clocks": print::clocks_json(findings, Told::File),
        }));
    } else {
        show(&found, args, verified);
    }
    conclude(&found, finals)
}

fn show(found: &Examined, args: &VerifyArgs, verified: bool) {
    output::data(args.file.display());
    output::data("  checks performed:");
    let root = match &found.pin {
        Pin::Own(path) => ("ok", format!("root is the one in {}", path.display())),
        Pin::Unchecked => ("not checked", "root is one that you trust".to_owned()),
    };
    output::data(format_args!("    {:<12} {}", root.0, root.1));
    output::data(format_args!(
        "    {:<12} {} version {} is signed under that root{}",
        "ok",
        if found.own_roster {
            "your own roster"
        } else {
            "roster"
        },
        found.roster.version(),
        if found.own_roster {
            ""
        } else {
            ", as of its issue"
        }
    ));
    print::checks(&found.findings);
    output::data("");
    if found.holds() {
        print::timeline(&found.findings, Told::File);
        output::data("");
    }
    if !found.is_pinned() {
        output::data(format_args!("root  {}", found.fingerprint()));
    }
    output::data(match (verified, found.holds()) {
        (true, _) if found.is_provisional() => output::good("VERIFIED, provisional"),
        (true, _) => output::good("VERIFIED"),
        (_, true) => "NOT VERIFIED: it holds together, see below".to_owned(),
        _ => output::bad("FAILED"),
    });
}

/// The exit code, or what is wrong.
fn conclude(found: &Examined, finals: bool) -> Done {
    if let Some(error) = found.findings.failure() {
        let what = "the evidence failed verification";
        return Err(Failure::new(WireCode::BadEvidence, what)
            .cause(print::failed(&found.findings, error))
            .because(&error)
            .advise("Do not rely on it: ask for the file again, and keep this one"));
    }
    if !finals {
        let what = "not every receipt is final";
        if print::is_unwitnessed(&found.findings) {
            return Err(finality::without_witnesses(what));
        }
        let cause = match found.is_provisional() {
            true => "fewer witnesses have cosigned a head than the roster asks for",
            false => "there is no receipt in it that could be",
        };
        return Err(Failure::new(WireCode::Provisional, what)
            .cause(cause)
            .advise("Ask for a file that is exported again, or verify without --final"));
    }
    if found.is_provisional() {
        output::message(
            "note: fewer witnesses have cosigned than the roster asks for, so that its log could still take something back; a file that is exported again may be final",
        );
    }
    if print::is_unwitnessed(&found.findings) {
        output::message(format_args!("note: {} in it", finality::NO_WITNESSES));
    }
    if !found.is_pinned() {
        output::message(
            "note: the root comes from the file itself, and anybody can make a federation. Compare its fingerprint with the governance by telephone, or give your own copy: --root root.frex",
        );
        return Ok(PARTIAL);
    }
    Ok(0)
}
