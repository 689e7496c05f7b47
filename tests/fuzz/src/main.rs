//! One libFuzzer program for every parser. `FREX_FUZZ_TARGET` names the target; with
//! `FREX_FUZZ_SAMPLES` set, well-formed samples of it are written to that directory first, so
//! that mutation starts behind the first check. `tests/fuzz/run` does both.

#![forbid(unsafe_code)]
#![no_main]

mod casework;
mod governing;
mod joining;
mod reporting;
mod samples;
mod targets;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<targets::Target> = OnceLock::new();

fuzz_target!(
    init: {
        let name = std::env::var("FREX_FUZZ_TARGET").expect("FREX_FUZZ_TARGET names the target");
        let (_, target) = targets::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .expect("FREX_FUZZ_TARGET is one of the targets in targets.rs");
        if let Ok(directory) = std::env::var("FREX_FUZZ_SAMPLES") {
            samples::write(&name, *target, directory.as_ref());
        }
        TARGET.set(*target).expect("initialised once");
    },
    |data: &[u8]| {
        TARGET.get().expect("initialised before the first input")(data);
    }
);
