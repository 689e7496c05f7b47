//! What to do where the words of a command are taken for something else than was meant.

use std::ffi::OsString;

use clap::{
    Error,
    error::{ContextKind, ContextValue, ErrorKind},
};

const FILE_FIRST: &str = "--to takes every word after it for a member: put the file first, as in  frex send FILE --to MEMBER";
const WITH_EQUALS: &str =
    "a reference is given with an equals sign, as in  frex send FILE --once=REFERENCE --to MEMBER";

/// The error of a command that was called with `words`, with what mends it where that is known.
pub fn hint(mut error: Error, words: &[OsString]) -> Error {
    let given = |option: &str| words.iter().any(|word| word == option);
    let sends = given("send");
    let hint = match error.kind() {
        ErrorKind::MissingRequiredArgument if given("--to") && misses_file(&error) => FILE_FIRST,
        ErrorKind::UnknownArgument if sends && given("--once") => WITH_EQUALS,
        _ => return error,
    };
    let tips = ContextValue::StyledStrs(vec![hint.into()]);
    error.insert(ContextKind::Suggested, tips);
    error
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
        let other = said("frex send r418.json --to police.es --onc");
        assert!(!other.contains(WITH_EQUALS), "{other}");
    }
}
