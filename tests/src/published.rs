//! Published logs made up in a moment, honest and not, and a web server that knows nothing of logs.

use std::{
    fs, io,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
};

use frex_proto::{
    keys::SigningKey,
    log::{
        self, Checkpoint, Edge, Leaf, LogVerifier, Tile, TileKind, checkpoint,
        tile::{self, TILE_WIDTH},
    },
    v1::Event,
};

/// The log of every one of them.
pub const ORIGIN: &str = "frex/example/node.example-a/log/1";

/// A log of made-up entries, published in a folder.
#[derive(Debug, Clone)]
pub struct MadeLog {
    folder: PathBuf,
    key: SigningKey,
    edge: Edge,
    bundle: Vec<u8>,
    salt: u8,
}

impl MadeLog {
    /// An empty log that is published in `folder`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            key: SigningKey::from_seed(&[7; 32]),
            edge: Edge::new(),
            bundle: Vec::new(),
            salt: 0,
        }
    }

    /// The same log, which goes on with other entries and in another folder.
    #[must_use]
    pub fn parted(&self, folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            salt: self.salt + 1,
            ..self.clone()
        }
    }

    /// The verifier key line of the log.
    #[must_use]
    pub fn vkey(&self) -> String {
        LogVerifier::new(ORIGIN.to_owned(), self.key.verifying_key()).vkey()
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds `count` entries, one each millisecond from `time_ms` on, and publishes them.
    ///
    /// # Errors
    /// What the disk says.
    pub fn grow(&mut self, count: u64, time_ms: u64) -> io::Result<()> {
        for offset in 0..count {
            let salt = [self.salt; 32];
            let leaf = Leaf::build(Event::Accepted, time_ms + offset, &salt, b"made up");
            tile::put_entry(&mut self.bundle, leaf.as_bytes()).map_err(io::Error::other)?;
            for (tile, content) in self.edge.push(log::leaf_hash(leaf.as_bytes())) {
                self.write(&tile.path(), &content)?;
            }
            if self.edge.size().is_multiple_of(u64::from(TILE_WIDTH)) {
                self.write_bundle(TILE_WIDTH)?;
                self.bundle.clear();
            }
        }
        let width = self.edge.size() % u64::from(TILE_WIDTH);
        if let Some(width) = u16::try_from(width).ok().filter(|width| *width > 0) {
            self.write_bundle(width)?;
        }
        for (tile, content) in self.edge.partials() {
            self.write(&tile.path(), &content)?;
        }
        let head = Checkpoint {
            origin: ORIGIN.to_owned(),
            size: self.edge.size(),
            root: self.edge.root(),
        };
        let note = checkpoint::sign(&head, &self.key).map_err(io::Error::other)?;
        self.write("checkpoint", &note)
    }

    fn write_bundle(&self, width: u16) -> io::Result<()> {
        let tile = Tile {
            kind: TileKind::Entries,
            index: (self.edge.size() - 1) / u64::from(TILE_WIDTH),
            width,
        };
        self.write(&tile.path(), &self.bundle)
    }

    fn write(&self, path: &str, content: &[u8]) -> io::Result<()> {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
        fs::write(path, content)
    }
}

/// A web server of static files on the loopback interface. Dropping it lets it go.
#[derive(Debug)]
pub struct StaticServer {
    address: SocketAddr,
    shared: Arc<(Mutex<Served>, Condvar)>,
}

#[derive(Debug)]
struct Served {
    paths: Vec<String>,
    /// So many answers are given; later requests wait.
    most: usize,
}

impl StaticServer {
    /// Serves what lies in `folder`, and after `most` answers lets everybody wait.
    ///
    /// # Errors
    /// The loopback interface has no free port.
    pub fn start(folder: &Path, most: usize) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let served = Served {
            paths: Vec::new(),
            most,
        };
        let shared = Arc::new((Mutex::new(served), Condvar::new()));
        let (folder, known) = (folder.to_owned(), Arc::clone(&shared));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, known) = (folder.clone(), Arc::clone(&known));
                // Whoever asked may be gone.
                thread::spawn(move || answer(&stream, &folder, &known).ok());
            }
        });
        Ok(Self { address, shared })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked for since the last call, in the order in which it came.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        let mut served = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut served.paths)
    }

    /// Answers all that waits and all that comes.
    pub fn let_all(&self) {
        let mut served = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        served.most = usize::MAX;
        self.shared.1.notify_all();
    }
}

fn answer(
    mut stream: &TcpStream,
    folder: &Path,
    shared: &(Mutex<Served>, Condvar),
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut served = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
    served.paths.push(path.clone());
    while served.most == 0 {
        served = shared
            .1
            .wait(served)
            .unwrap_or_else(PoisonError::into_inner);
    }
    served.most -= 1;
    drop(served);
    let found = fs::read(folder.join(path.trim_start_matches('/')));
    let (status, body) = match found {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(&body)
}
