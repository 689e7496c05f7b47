//! Published logs made up in a moment, honest and not, and a web server that knows nothing of logs.

use std::{
    fs, io,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use frex_node::{
    disk::RealDisk,
    index::Index,
    journal::Position,
    ledger::publish::{Publisher, Tail},
};
use frex_proto::{
    keys::SigningKey,
    log::{Checkpoint, Frontier, Leaf, LogVerifier, checkpoint},
    v1::Event,
};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};

/// The log of every one of them.
pub const ORIGIN: &str = "frex/example/node.example-a/log/1";

/// A log of made-up entries, published in a folder by the node's own publisher.
pub struct MadeLog {
    logs: PathBuf,
    folder: PathBuf,
    key: SigningKey,
    frontier: Frontier,
    publisher: Publisher,
    salt: u8,
}

impl MadeLog {
    /// An empty log that is published below `logs`, in the folder of its name.
    ///
    /// # Errors
    /// What the disk says.
    pub fn new(logs: &Path) -> io::Result<Self> {
        let publisher = Publisher::create(Arc::new(RealDisk), logs, ORIGIN);
        Ok(Self {
            logs: logs.to_owned(),
            folder: logs.join(ORIGIN),
            key: SigningKey::from_seed(&[7; 32]),
            frontier: Frontier::new(),
            publisher: publisher.map_err(io::Error::other)?,
            salt: 0,
        })
    }

    /// The same log in the same folder, which goes on with other entries.
    ///
    /// # Errors
    /// What the disk says.
    pub fn parted(&self) -> io::Result<Self> {
        let checkpoint = self.publisher.checkpoint();
        let disk = Arc::new(RealDisk);
        let publisher = Publisher::load(disk, &self.logs, ORIGIN, &self.frontier, checkpoint);
        Ok(Self {
            logs: self.logs.clone(),
            folder: self.folder.clone(),
            key: SigningKey::from_seed(&[7; 32]),
            frontier: self.frontier.clone(),
            publisher: publisher.map_err(io::Error::other)?,
            salt: self.salt + 1,
        })
    }

    /// Whose signature makes the log believed.
    #[must_use]
    pub fn verifier(&self) -> LogVerifier {
        LogVerifier::new(ORIGIN.to_owned(), self.key.verifying_key())
    }

    /// The verifier key line of the log.
    #[must_use]
    pub fn vkey(&self) -> String {
        self.verifier().vkey()
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What publishes it, and proves its entries.
    #[must_use]
    pub const fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// Adds `count` entries, one each millisecond from `time_ms` on, and publishes them.
    ///
    /// # Errors
    /// What the disk says.
    pub fn grow(&mut self, count: u64, time_ms: u64) -> io::Result<()> {
        let before = (self.frontier.clone(), self.publisher.checkpoint());
        let mut leaves = Vec::new();
        for offset in 0..count {
            let salt = [self.salt; 32];
            let leaf = Leaf::build(Event::Accepted, time_ms + offset, &salt, b"made up");
            self.frontier.append(leaf.hash());
            leaves.push(*leaf.as_bytes());
        }
        let head = Checkpoint {
            origin: ORIGIN.to_owned(),
            size: self.frontier.size(),
            root: self.frontier.root(),
        };
        let note = checkpoint::sign(&head, &self.key).map_err(io::Error::other)?;
        let end = Position::from_u64(0);
        let mut tail = Tail::new(ORIGIN.to_owned(), before.0, end, before.1, time_ms);
        let leaves = leaves.into_iter();
        tail.push(leaves, &self.frontier, end, Some(&note), time_ms + count);
        let index = Index::open(None).map_err(io::Error::other)?;
        let published = self.publisher.publish(&Mutex::new(tail), &index);
        published.map_err(io::Error::other)
    }
}

/// A web server of static files on the loopback interface. Dropping it lets it go.
#[derive(Debug)]
pub struct StaticServer {
    scheme: &'static str,
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
        Self::serve(folder, most, None)
    }

    /// Serves what lies in `folder` over TLS, with a certificate of its own; gives it in PEM.
    ///
    /// # Errors
    /// The loopback interface has no free port, or no certificate is made.
    pub fn start_tls(folder: &Path) -> io::Result<(Self, String)> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let made = made.map_err(io::Error::other)?;
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .map_err(io::Error::other)?;
        let server = Self::serve(folder, usize::MAX, Some(Arc::new(config)))?;
        let certificate = STANDARD.encode(made.cert.der());
        let pem =
            format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n");
        Ok((server, pem))
    }

    fn serve(folder: &Path, most: usize, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let scheme = if tls.is_some() { "https" } else { "http" };
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
                let (folder, known, tls) = (folder.clone(), Arc::clone(&known), tls.clone());
                thread::spawn(move || {
                    let session = tls.map(ServerConnection::new).transpose();
                    // Whoever asked may be gone, or not trust the certificate.
                    match session.map_err(io::Error::other)? {
                        None => answer(stream, &folder, &known),
                        Some(session) => answer(StreamOwned::new(session, stream), &folder, &known),
                    }
                });
            }
        });
        Ok(Self {
            scheme,
            address,
            shared,
        })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
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
    stream: impl Read + Write,
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
    let mut stream = reader.into_inner();
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
    stream.write_all(&body)?;
    stream.flush()
}
