//! What a command says when it cannot do what was asked: what, why, and what to do.

use std::{error::Error, fmt::Display, io, path::Path};

use frex_proto::{error::WireCode, log::ProofError};
use serde_json::json;

/// A command's failure. Spec: CLI-3.
#[derive(Debug)]
pub struct Failure {
    what: String,
    code: WireCode,
    causes: Vec<String>,
    advice: String,
    exit: u8,
}

/// Exit code of a command that did a part of what was asked, or waited in vain for the rest.
/// Spec: CLI-2.
pub const PARTIAL: u8 = 3;

/// Outcome of a command: its exit code, or what went wrong.
pub type Done = Result<u8, Failure>;

impl Failure {
    /// What happened, under the code that decides exit code and default advice.
    #[must_use]
    pub fn new(code: WireCode, what: impl Into<String>) -> Self {
        let info = code.info();
        Self {
            what: what.into(),
            code,
            causes: Vec::new(),
            advice: info.advice.to_owned(),
            exit: info.exit,
        }
    }

    /// A library error under its own code, with what was being done.
    #[must_use]
    pub fn of<E: Error>(error: E, what: impl Into<String>) -> Self
    where
        WireCode: From<E>,
    {
        // The text is taken first: the code consumes the error.
        let failure = Self::new(WireCode::Unknown, what).because(&error);
        failure.coded(error.into())
    }

    /// A file that cannot be read or written.
    #[must_use]
    pub fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::AlreadyExists => WireCode::AlreadyExists,
            _ => WireCode::Files,
        };
        Self::new(code, format!("cannot {doing} {}", path.display())).because(error)
    }

    /// Adds an error and what lies under it as causes.
    #[must_use]
    pub fn because(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            // Errors that pass a cause through have said its sentence already.
            if !self.causes.last().is_some_and(|said| said.ends_with(&text)) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Adds a sentence as cause.
    #[must_use]
    pub fn cause(mut self, text: impl Into<String>) -> Self {
        self.causes.push(text.into());
        self
    }

    /// Replaces the advice by the exact command, or sentence, for this case.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// Names the folder in the advice that goes with the code, so that its command can be given as
    /// it stands. What was advised for this very case says what it means.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        if self.advice == self.code.info().advice {
            self.advice = self.advice.replace("DIR", &folder.display().to_string());
        }
        self
    }

    /// Puts the failure under another code, with its exit code and advice.
    #[must_use]
    fn coded(mut self, code: WireCode) -> Self {
        let info = code.info();
        (self.code, self.exit) = (code, info.exit);
        info.advice.clone_into(&mut self.advice);
        self
    }

    /// Exit code of the program.
    #[must_use]
    pub const fn exit(&self) -> u8 {
        self.exit
    }

    /// The code it is reported under.
    #[must_use]
    pub const fn code(&self) -> WireCode {
        self.code
    }

    /// Why, in one line.
    #[must_use]
    pub fn cause_text(&self) -> String {
        match self.causes.is_empty() {
            true => self.code.info().text.to_owned(),
            false => self.causes.join(": "),
        }
    }

    /// Writes the failure to standard error, as text or as one line of JSON.
    pub fn report(&self, json: bool) {
        let info = self.code.info();
        let cause = self.cause_text();
        if json {
            let report = json!({"v": 1, "error": {
                "code": self.code as u16, "name": info.name, "what": self.what,
                "cause": cause, "try": self.advice, "exit": self.exit,
            }});
            eprintln!("{report}");
        } else {
            eprintln!("error: {} [{} {}]", self.what, info.name, self.code as u16);
            eprintln!("cause: {}", cause.replace('\n', "\n       "));
            eprintln!("try:   {}", self.advice);
        }
    }
}

impl From<ProofError> for Failure {
    fn from(error: ProofError) -> Self {
        Self::new(error.into(), "the log cannot prove this").because(&error)
    }
}

/// Turns library errors into failures that say what was being done.
pub trait OrFail<T> {
    /// Fails under the error's own code.
    ///
    /// # Errors
    /// The failure, if this was an error.
    fn or_fail(self, what: impl Display) -> Result<T, Failure>;
}

impl<T, E> OrFail<T> for Result<T, E>
where
    E: Error,
    WireCode: From<E>,
{
    fn or_fail(self, what: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::of(error, what.to_string()))
    }
}

/// Turns a library error with a code of the caller's choice into a failure.
pub trait OrCode<T> {
    /// Fails under `code`.
    ///
    /// # Errors
    /// The failure, if this was an error.
    fn or_code(self, code: WireCode, what: impl Display) -> Result<T, Failure>;
}

impl<T, E: Error> OrCode<T> for Result<T, E> {
    fn or_code(self, code: WireCode, what: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(code, what.to_string()).because(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLI-3: what is to be done can be done as it is written.
    #[test]
    fn the_advice_of_a_code_names_the_folder_and_no_other_is_touched() {
        let folder = Path::new("hotline");
        for code in WireCode::ALL {
            let failure = Failure::new(*code, "what").in_folder(folder);
            assert!(!failure.advice.contains("DIR"), "{}", failure.advice);
        }
        let away = Failure::new(WireCode::Unreachable, "what").in_folder(folder);
        assert!(away.advice.ends_with("frex status hotline"));
        let own = "On their machine: frex status DIR";
        let failure = Failure::new(WireCode::Unreachable, "what").advise(own);
        assert_eq!(failure.in_folder(folder).advice, own);
    }
}
