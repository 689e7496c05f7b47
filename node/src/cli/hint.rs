//! What to do where the words of a command are taken for something else than was meant.

use std::ffi::OsString;

use clap::{
    Error,
    error::{ContextKind, ContextValue, ErrorKind},
};

const FILE_FIRST: &str = "--to takes every word after it for a member: put the file first, as in  frex send FILE --to MEMBER";
const WITH_EQUALS: &str =
    "a reference is given with an equals sign, as in  frex send FILE --once=REFERENCE --to MEMBER";

const ASK_WHAT: &str =
    "name what to ask: --identifier 'email a@b.example', once for each, or a file of them, first";
const ASK_ONE: &str =
    "one member is asked at a time: give the command once for each, a file of identifiers first";
const HOLD_WHAT: &str = "name what is held: a file of identifiers, --report MESSAGE for what a report that was received names, or --let-go-of WORD";
const DESK_WAY: &str = "say how it is reached: --email ADDRESS, --phone NUMBER, or both";

/// The error of a command that was called with `words`, with what mends it where that is known.
pub fn hint(mut error: Error, words: &[OsString]) -> Error {
    let given = |option: &str| words.iter().any(|word| word == option);
    let sends = given("send");
    let deconflict = |verb: &str| given("deconflict") && given(verb);
    let hint = match error.kind() {
        ErrorKind::MissingRequiredArgument if deconflict("ask") && misses_file(&error) => ASK_WHAT,
        ErrorKind::MissingRequiredArgument if deconflict("hold") => HOLD_WHAT,
        ErrorKind::MissingRequiredArgument if deconflict("desk") => DESK_WAY,
        ErrorKind::ArgumentConflict | ErrorKind::UnknownArgument
            if deconflict("ask") && takes_two(words) =>
        {
            ASK_ONE
        }
        ErrorKind::MissingRequiredArgument if given("--to") && misses_file(&error) => FILE_FIRST,
        ErrorKind::UnknownArgument if sends && given("--once") => WITH_EQUALS,
        _ => return error,
    };
    let tips = ContextValue::StyledStrs(vec![hint.into()]);
    error.insert(ContextKind::Suggested, tips);
    error
}

/// Whether two words follow `--to`, which takes one.
fn takes_two(words: &[OsString]) -> bool {
    let mut after = words.iter().skip_while(|word| *word != "--to").skip(2);
    let next = after.next().and_then(|word| word.to_str());
    next.is_some_and(|word| !word.starts_with('-'))
}

fn misses_file(error: &Error) -> bool {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(missing)) => missing.iter().any(|one| one == "<FILE>"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    // CLI-3: what was meant is said, and how it is written.
    #[test]
    fn who_puts_the_file_where_a_member_or_a_reference_belongs_is_told_where_it_goes() {
        let said = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let error = Cli::command().try_get_matches_from(&words);
            hint(error.unwrap_err(), &words).to_string()
        };
        let eaten = said("frex send --to police.es r418.json");
        assert!(eaten.contains(FILE_FIRST), "{eaten}");
        let loose = said("frex send --to police.es --once A-1 r418.json");
        assert!(loose.contains(WITH_EQUALS), "{loose}");
        let nothing = said("frex deconflict ask --to police.es");
        assert!(nothing.contains("--identifier"), "{nothing}");
        let two = said("frex deconflict ask held.txt --to police.es hotline.nl");
        assert!(two.contains(ASK_ONE), "{two}");
        let other = said("frex deconflict ask held.txt --to police.es --idenifier a@b.example");
        assert!(!other.contains(ASK_ONE), "{other}");
        let both = said("frex deconflict ask held.txt --to police.es --identifier a@b.example");
        assert!(!both.contains(ASK_ONE), "{both}");
        let bare = said("frex deconflict hold");
        assert!(bare.contains("--report MESSAGE"), "{bare}");
        let unreachable = said("frex deconflict desk default");
        assert!(unreachable.contains("--phone NUMBER"), "{unreachable}");
        let other = said("frex send r418.json --to police.es --onc");
        assert!(!other.contains(WITH_EQUALS), "{other}");
    }
}
