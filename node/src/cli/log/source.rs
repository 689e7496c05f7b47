//! Where the files of a published log lie: a folder, or a web server that need know nothing of logs.
//! Spec: AUD-1, AUD-2.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    limits,
    log::{Tile, tile::TILE_WIDTH},
};
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};

use crate::cli::{
    failure::{Failure, OrCode},
    files,
};

/// The file that names the first entry that a copy of a log still holds.
pub const MINIMUM: &str = "minimum-index";
/// How long a web server may take for one file.
const PATIENCE: Duration = Duration::from_secs(30);
/// Files that are asked for at the same time.
const AT_ONCE: usize = 8;

/// A published log.
pub enum Source {
    /// In a folder.
    Folder(PathBuf),
    /// On a web server, below this address.
    Web(String, Box<Agent>),
}

impl Source {
    /// The log at an address that begins with `http://` or `https://`, or in the folder `text`.
    ///
    /// # Errors
    /// The machine names nobody whom it trusts to name web servers.
    pub fn of(text: &str) -> Result<Self, Failure> {
        let is_web = ["http://", "https://"]
            .iter()
            .any(|kind| text.starts_with(kind));
        if !is_web {
            return Ok(Self::Folder(super::find::folder_of(Path::new(text))?));
        }
        let roots = match text.starts_with("https://") {
            true => trusted()?,
            false => Vec::new(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .user_agent(concat!("frex/", env!("CARGO_PKG_VERSION")))
            .build();
        let base = text.trim_end_matches('/').to_owned();
        Ok(Self::Web(base, Box::new(config.new_agent())))
    }

    /// The newest head, as served.
    ///
    /// # Errors
    /// The failure names the source.
    pub fn checkpoint(&self) -> Result<Bytes, Failure> {
        let note = self.read("checkpoint", limits::CHECKPOINT_BYTES_MAX)?;
        note.map(Bytes::from).ok_or_else(|| {
            Failure::new(
                WireCode::NotFound,
                format!("{self} publishes no checkpoint"),
            )
            .cause("the log has no entry, or this is not where it is published")
            .advise("Name the folder or address in which the file `checkpoint` lies")
        })
    }

    /// Another head that is published beside the newest one, as served; none if there is none.
    ///
    /// # Errors
    /// The failure names the source.
    pub fn beside(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.read(name, limits::CHECKPOINT_BYTES_MAX)
    }

    /// The first entry that is still published; 0 where nothing was taken away. It is a hint, signed by
    /// nobody.
    ///
    /// # Errors
    /// The failure names the source.
    pub fn minimum(&self) -> Result<u64, Failure> {
        let text = self.read(MINIMUM, 32)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        Ok(text.trim_end().parse().unwrap_or(0))
    }

    /// The content of a tile; of a partial one also out of the full one that came after it.
    ///
    /// # Errors
    /// [`WireCode::Pruned`] where the log has taken it away, and what the disk or the network says.
    pub fn tile(&self, tile: &Tile) -> Result<Vec<u8>, Failure> {
        if let Some(content) = self.read(&tile.path(), limits::TILE_BYTES_MAX)? {
            return Ok(content);
        }
        let full = match tile.width {
            TILE_WIDTH => None,
            _ => self.read(&tile.full().path(), limits::TILE_BYTES_MAX)?,
        };
        let Some(full) = full else {
            return Err(self.missing(tile)?);
        };
        let what = format!("{} does not decode", tile.full().path());
        let cut = tile.cut(&full).or_code(WireCode::BadProof, what);
        cut.map_err(|failure| failure.advise(super::read::damaged(&tile.full().path())))
    }

    /// The contents of tiles, in their order; a web server is asked for several at once.
    ///
    /// # Errors
    /// As [`tile`](Self::tile), the first of them.
    pub fn tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Failure> {
        if matches!(self, Self::Folder(_)) {
            return tiles.iter().map(|tile| self.tile(tile)).collect();
        }
        let share = tiles.len().div_ceil(AT_ONCE).max(1);
        let fetch = |tiles: &[Tile]| tiles.iter().map(|tile| self.tile(tile)).collect();
        thread::scope(|scope| {
            let parts = tiles.chunks(share);
            let parts = parts.map(|part| scope.spawn(move || fetch(part)));
            let parts: Vec<_> = parts.collect();
            let mut contents = Vec::with_capacity(tiles.len());
            for part in parts {
                let part: Result<Vec<Vec<u8>>, Failure> = part.join().unwrap_or_else(|_| {
                    let what = "a file of the log was not fetched";
                    Err(Failure::new(WireCode::Unreachable, what))
                });
                contents.extend(part?);
            }
            Ok(contents)
        })
    }

    fn missing(&self, tile: &Tile) -> Result<Failure, Failure> {
        let minimum = self.minimum()?;
        let what = format!("{self} does not hold {}", tile.path());
        Ok(match tile.end().is_some_and(|end| end <= minimum) {
            true => Failure::new(WireCode::Pruned, what)
                .cause(format!("it holds the entries from #{minimum} on")),
            false => Failure::new(WireCode::NotFound, what)
                .cause("its checkpoint says that this file is there")
                .advise("It may be in the middle of a copy: try again; if it stays, ask whoever publishes it"),
        })
    }

    /// A file of at most `bytes_max`; none if there is none.
    fn read(&self, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, Failure> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(path);
                match fs::metadata(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    _ => files::read(&path, bytes_max).map(Some),
                }
            }
            Self::Web(base, agent) => get(agent, &format!("{base}/{path}"), bytes_max),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Web(base, _) => f.write_str(base),
        }
    }
}

fn get(agent: &Agent, address: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, Failure> {
    let away = || {
        Failure::new(
            WireCode::Unreachable,
            format!("{address} cannot be fetched"),
        )
        .advise("Try again: the same command goes on where it was")
    };
    let failed = |error: ureq::Error| match error {
        ureq::Error::BodyExceedsLimit(_) => Failure::new(
            WireCode::TooLarge,
            format!("{address} is larger than {bytes_max} bytes"),
        ),
        error => away().because(&error),
    };
    let mut answer = agent.get(address).call().map_err(failed)?;
    match answer.status().as_u16() {
        200 => {
            let body = answer.body_mut().with_config();
            let body = body.limit(bytes_max as u64).read_to_vec();
            Ok(Some(body.map_err(failed)?))
        }
        404 | 410 => Ok(None),
        status => Err(away().cause(format!("the web server answers with status {status}"))),
    }
}

/// Whom this machine trusts to name web servers. That guards who sees what an auditor asks for; what
/// is served is believed by its signatures alone.
fn trusted() -> Result<Vec<Certificate<'static>>, Failure> {
    static FOUND: OnceLock<Vec<Certificate<'static>>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs().certs.into_iter();
        found
            .map(|one| Certificate::from_der(&one).to_owned())
            .collect()
    });
    match found.is_empty() {
        false => Ok(found.clone()),
        true => Err(Failure::new(
            WireCode::Files,
            "this machine has no list of trusted certificate authorities",
        )
        .advise("Install the package ca-certificates, or name a file of them in SSL_CERT_FILE")),
    }
}
