//! `frex deconflict desk`: names whom others call.

use std::path::Path;

use frex_client::casework::deconflict::{
    Identifier,
    store::{Desk, Store},
};
use frex_proto::error::WireCode;
use serde_json::json;

use super::DeskArgs;
use crate::cli::{
    failure::{Done, Failure, OrFail},
    member, output,
};

/// Writes a desk into the settings.
pub fn desk(args: &DeskArgs, json: bool) -> Done {
    reaches(
        "--email",
        "email",
        args.email.as_deref(),
        "an address as in desk@police.example",
    )?;
    let number = "+ and the number with its country code, as in +999 55 01 23 45";
    reaches("--phone", "phone", args.phone.as_deref(), number)?;
    let home = member::open(&args.dir)?;
    let store = Store::of(home.dir());
    let mut settings = store.settings().or_fail("the settings cannot be read")?;
    let desk = Desk {
        name: args.called.clone(),
        email: args.email.clone().unwrap_or_default(),
        phone: args.phone.clone().unwrap_or_default(),
        languages: args.languages.clone(),
        hours: args.hours.clone(),
        note: args.note.clone(),
    };
    settings.desk.insert(args.name.clone(), desk);
    store
        .write_settings(&settings)
        .or_fail("the desk cannot be named so")?;
    let path = store.settings_path();
    if json {
        output::document(json!({ "desk": args.name, "settings": path }));
    } else {
        output::data(format_args!("desk {} is in {}", args.name, path.display()));
        output::message(format_args!(
            "What stands in a book already stays as it is until the next epoch: frex deconflict keys --next {}",
            args.dir.display()
        ));
    }
    Ok(0)
}

/// Whether somebody can be reached so: whoever calls after a hit has nothing else.
fn reaches(option: &str, kind: &str, way: Option<&str>, form: &str) -> Result<(), Failure> {
    let Some(way) = way else { return Ok(()) };
    match Identifier::parse(&format!("{kind} {way}")) {
        Ok(_) => Ok(()),
        Err(error) => {
            let what = format!("{option} names nothing that can be reached");
            Err(Failure::new(WireCode::BadInput, what)
                .because(&error)
                .advise(format!("{option} takes {form}")))
        }
    }
}

/// Whether the settings name a desk.
///
/// # Errors
/// They do not.
pub fn known(store: &Store, name: &str, dir: &Path) -> Result<Desk, Failure> {
    let settings = store.settings().or_fail("the settings cannot be read")?;
    settings.desk.get(name).cloned().ok_or_else(|| {
        let what = format!("there is no desk {name}");
        Failure::new(WireCode::NotFound, what).advise(format!(
            "Name whom others are to call: frex deconflict desk {name} {} --email ADDRESS, --phone NUMBER, or both",
            dir.display()
        ))
    })
}
