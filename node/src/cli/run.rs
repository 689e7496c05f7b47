//! `frex run`: a node as a process. One line on standard output says that it is ready.

use std::{
    convert::Infallible,
    fmt::Display,
    fs,
    io::{self, Read},
    path::Path,
    sync::Arc,
    time::Duration,
};

use frex_client::{
    environment::{Clock, Environment},
    keys::{KeyFileError, ROSTER_FILE, file},
    transport::{RosterHandle, Socket},
};
use frex_proto::{error::WireCode, limits};
use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};
use tracing_subscriber::EnvFilter;

use super::{
    LogFormat, RunArgs, alert,
    failure::{Done, Failure, OrCode, OrFail},
    files, output, passphrase,
};
use crate::{
    backup::is_restored,
    disk::RealDisk,
    home::{CONFIG_FILE, DirLock, NodeHome, NodeHomeError},
    metrics::{Metrics, serve},
    node::{Execution, Node, NodeParts, NodeStatus, StartError},
    suspension::Suspensions,
};

const CANCELLED: u8 = 130;
/// What an operator answers for who says that nothing was lost.
pub const NOTHING_WAS_LOST: &str = "with --nothing-was-lost you answer for it that this node signed nothing after its backup was made, and that no other copy of it runs. If that is wrong its log gets two histories, which whoever has receipts of both can prove against you";
/// How often the directory is looked at for what commands put there.
const INSTALLED_PAUSE: Duration = Duration::from_millis(500);

/// What asks a node to stop, and with which exit code it then ends.
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
    stdin: Option<oneshot::Receiver<()>>,
}

/// Runs a node until it is told to stop or its storage fails.
pub fn run(args: &RunArgs, json: bool) -> Done {
    start_log(args)?;
    let dir = files::home(&args.dir, "node", CONFIG_FILE)?;
    // Before anything is read: a second process must not even look.
    let lock = DirLock::take(&dir).or_fail("the node cannot start")?;
    warn_of_word(args, &dir);
    let (now_ms, unlock) = (Clock::System.now_ms(), passphrase::unlock());
    let open = || {
        if NodeHome::take_up_log_key(&dir, now_ms, &unlock)? {
            tracing::info!("the roster lists the log's next key: it is in use now");
        }
        if NodeHome::take_up_witness_key(&dir, now_ms, &unlock)? {
            tracing::info!("the roster lists the next witness key: it is in use now");
        }
        NodeHome::open(&dir, now_ms, &unlock)
    };
    let home = open().map_err(|error| not_ready(&args.dir, error))?;
    // The endpoint belongs on a runtime of its own thread; checks and disk have theirs.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .or_code(WireCode::Files, "cannot start the runtime")?;
    let ended = runtime.block_on(serve(home, args, json));
    drop(lock);
    ended
}

/// Whoever stands in for witnesses is told for what.
fn warn_of_word(args: &RunArgs, dir: &Path) {
    if args.nothing_was_lost && is_restored(&RealDisk, dir).unwrap_or(true) {
        tracing::warn!("{NOTHING_WAS_LOST}");
    }
}

async fn serve(home: NodeHome, args: &RunArgs, json: bool) -> Done {
    let mut stop = Stop::new(args.stop_with_stdin)?;
    let (dir, file) = (home.dir.clone(), home.dir.join(ROSTER_FILE));
    let log_key_in_force = log_key_in_force(&home);
    let metrics_address = home.config.metrics;
    let witness_address = home.config.witness_listen;
    let alert_command = home.config.alert_command.clone();
    if let Some(why) = alert::defect(&alert_command) {
        tracing::warn!("the alert command cannot be run: {why}");
    }
    let operator = home
        .roster
        .node(&home.config.node)
        .map(|node| node.operator.clone());
    let (mut parts, suspensions) = parts(home, Environment::default())?;
    parts.nothing_was_lost = args.nothing_was_lost;
    let metrics = Arc::clone(&parts.metrics);
    let bar = output::progress("replaying the journal");
    let started = Node::start(parts, &mut |done, total| output::advance(&bar, done, total)).await;
    bar.finish_and_clear();
    let mut node = started.map_err(|error| not_started(&error, &args.dir))?;
    node.suspensions().replace(suspensions);
    if log_key_in_force {
        retire_log_keys(&dir);
    }
    let status = node.status_handle();
    let address = match metrics_address {
        None => None,
        Some(address) => Some(serve_metrics(address, metrics, status).await?),
    };
    if let Some(address) = witness_address {
        node.witness_at(listen(address, "witness_listen").await?);
    }
    ready(&node, operator.as_deref(), address, json)?;
    let ended = tokio::select! {
        never = take_installed(&node, &file) => match never {},
        never = take_suspensions(&node, &dir) => match never {},
        never = alert::watch(&node, &alert_command) => match never {},
        code = stop.asked() => Ok(code),
        code = node.failed() => Err(failed(code, &args.dir)),
    };
    tracing::info!("the node stops");
    tokio::select! {
        () = node.shutdown() => {}
        // Whoever asks twice does not want to wait.
        code = stop.asked() => return Ok(code),
    }
    ended
}

/// What the node in a folder is made of, and whom it does not exchange with.
///
/// # Errors
/// A file of the folder cannot be used.
pub fn parts(
    home: NodeHome,
    environment: Environment,
) -> Result<(NodeParts, Suspensions), Failure> {
    let suspensions = Suspensions::load(&home.dir).or_fail("the node cannot start")?;
    let anchor = NodeHome::anchor(&home.dir).or_fail("the node cannot start")?;
    let parts = NodeParts {
        environment,
        disk: Arc::new(RealDisk),
        socket: Socket::Udp(home.config.listen),
        data: home.dir,
        config: home.config,
        tls_key: home.tls_key,
        log_key: home.log_key,
        witness_key: home.witness_key,
        roster: RosterHandle::new(home.roster),
        anchor,
        nothing_was_lost: false,
        execution: Execution::Threads,
        metrics: Arc::new(Metrics::new()),
    };
    Ok((parts, suspensions))
}

/// Whether the key held here is the one that the roster lists, and no earlier one.
fn log_key_in_force(home: &NodeHome) -> bool {
    let node = home.roster.node(&home.config.node);
    node.is_some_and(|node| node.log_key.key == home.log_key.verifying_key())
}

/// The log's head is signed by the key in force: those before it have nothing left to do.
fn retire_log_keys(dir: &Path) {
    match NodeHome::retire_log_keys(dir, Clock::System.now_ms()) {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "the log keys before the one in force are destroyed"),
        // The next start tries again; the log itself is well.
        Err(error) => tracing::error!(%error, "a log key that was followed is not destroyed"),
    }
}

fn failed(code: WireCode, dir: &Path) -> Failure {
    let dir = dir.display();
    match code {
        WireCode::KeyEnded => Failure::new(code, "a key that the node ran with has ended")
            .cause("the roster lists another, which a start takes up")
            .advise(format!("frex run {dir}   (or: frex doctor {dir})")),
        WireCode::LogRolledBack => Failure::new(code, "others have seen entries of this log that are not here")
            .cause("the directory is an older copy, or another one runs in its place; nothing more was signed")
            .advise(rolled_back(&dir)),
        WireCode::LogEnded => Failure::new(code, "the node stops")
            .cause("the roster lists another log of this node than the one that is here"),
        _ => Failure::new(WireCode::StorageFailed, "the node's storage failed").cause(
            "a write or sync failed or its outcome is unknown; nothing more was accepted or signed",
        ),
    }
}

/// Takes the roster that `frex roster install` puts into the directory of a running node.
/// Spec: DIS-11.
async fn take_installed(node: &Node, file: &Path) -> Infallible {
    let seen = || fs::metadata(file).and_then(|meta| meta.modified()).ok();
    let mut known = None;
    loop {
        let now = seen();
        if now != known && now.is_some() {
            known = now;
            let bytes_max = limits::ROSTER_BUNDLE_BYTES_MAX as u64;
            let taken = match file::read_capped(file, bytes_max, "roster file") {
                Ok(bundle) => node.membership().take(bundle.to_vec().into()).await,
                Err(error) => {
                    tracing::error!(%error, "the installed roster cannot be read");
                    continue;
                }
            };
            if let Err(error) = taken {
                tracing::error!(%error, "the installed roster is not taken");
            }
        }
        tokio::time::sleep(INSTALLED_PAUSE).await;
    }
}

/// Takes what `frex peer suspend` writes into the directory of a running node.
async fn take_suspensions(node: &Node, dir: &Path) -> Infallible {
    let mut damaged = false;
    loop {
        match Suspensions::load(dir) {
            Ok(suspensions) => {
                damaged = false;
                node.suspensions().replace(suspensions);
            }
            // The list in force stays: a slip of the pen must not open what was closed.
            Err(error) if !std::mem::replace(&mut damaged, true) => {
                tracing::error!(%error, "the list of suspensions is not taken");
            }
            Err(_) => {}
        }
        tokio::time::sleep(INSTALLED_PAUSE).await;
    }
}

async fn serve_metrics(
    address: std::net::SocketAddr,
    metrics: Arc<Metrics>,
    status: impl Fn() -> Option<NodeStatus> + Send + Sync + 'static,
) -> Result<std::net::SocketAddr, Failure> {
    let listener = listen(address, "metrics").await?;
    let bound = listener
        .local_addr()
        .or_code(WireCode::BadConfig, "the socket has no address")?;
    let text = move || {
        let mut status = serde_json::to_value(status()).unwrap_or_default();
        if let Some(fields) = status.as_object_mut() {
            fields.insert("v".to_owned(), output::JSON_VERSION.into());
        }
        status.to_string()
    };
    tokio::spawn(serve::serve(listener, metrics, Arc::new(text)));
    Ok(bound)
}

/// A loopback listener for one of the settings.
async fn listen(address: std::net::SocketAddr, setting: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let what = format!("cannot listen on {address} for {setting}");
        Failure::new(WireCode::BadConfig, what)
            .because(&error)
            .advise(format!("choose another `{setting}` address in frex.toml"))
    })
}

fn ready(
    node: &Node,
    operator: Option<&str>,
    metrics: Option<std::net::SocketAddr>,
    json: bool,
) -> Result<(), Failure> {
    let udp = node.local_addr().or_fail("the socket has no address")?;
    let status = node.status();
    let metrics = metrics.map(|address| format!("http://{address}/metrics"));
    let operator = operator.unwrap_or_default();
    if json {
        output::document(json!({
            "ready": true, "udp": udp, "node": status.node, "member": operator,
            "federation": status.federation, "log_size": status.log_size,
            "roster_version": status.roster_version, "metrics": metrics,
        }));
    } else {
        output::data(format_args!(
            "ready udp={udp} node={} member={operator} log_size={} metrics={}",
            status.node,
            status.log_size,
            metrics.as_deref().unwrap_or("none"),
        ));
    }
    Ok(())
}

impl Stop {
    pub(super) fn new(with_stdin: bool) -> Result<Self, Failure> {
        let what = "cannot listen for signals";
        Ok(Self {
            terminate: signal(SignalKind::terminate()).or_code(WireCode::Files, what)?,
            interrupt: signal(SignalKind::interrupt()).or_code(WireCode::Files, what)?,
            stdin: with_stdin.then(end_of_stdin),
        })
    }

    /// The exit code of whatever asks first.
    pub(super) async fn asked(&mut self) -> u8 {
        let stdin = async {
            match &mut self.stdin {
                // A sender that is gone has seen the end as well.
                Some(ended) => drop(ended.await),
                None => std::future::pending().await,
            }
        };
        let code = tokio::select! {
            _ = self.terminate.recv() => 0,
            _ = self.interrupt.recv() => CANCELLED,
            () = stdin => 0,
        };
        self.stdin = None;
        code
    }
}

/// Resolves when standard input ends. The read blocks, so it has a thread that nobody waits for.
fn end_of_stdin() -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while io::stdin().read(&mut buffer).is_ok_and(|count| count > 0) {}
        // The node may have stopped for another reason.
        let _ = ended.send(());
    });
    end
}

fn start_log(args: &RunArgs) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&args.log)
        .or_code(WireCode::BadInput, "--log is no filter")
        .map_err(|failure| failure.advise("frex run --log info"))?;
    let builder = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_env_filter(filter);
    let started = match args.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| {
        Failure::new(WireCode::Files, "cannot start the log").because(error.as_ref())
    })
}

/// The way out for a directory that is an old copy.
fn rolled_back(dir: &impl Display) -> String {
    format!(
        "Bring back the newer copy of {dir}, and do not start this one; if there is none: frex log new-epoch {dir}"
    )
}

/// What a node says whose directory is not as it must be.
pub fn not_ready(dir: &Path, error: NodeHomeError) -> Failure {
    let advice = match &error {
        NodeHomeError::NoRoster { .. } => Some(format!(
            "frex roster install roster.frex --root root.frex {}",
            dir.display()
        )),
        NodeHomeError::Roster { .. } => Some(
            "Get the roster in force from the governance, then: frex roster install".to_owned(),
        ),
        // The settings are there, so that the node is made: a key of it is not where it belongs.
        NodeHomeError::File(KeyFileError::Missing { path, .. }) => Some(format!(
            "Put the node's keys back, among them {}, mode 0600; a backup has them only if it was made with --with-keys. Then: frex run {}",
            path.display(),
            dir.display()
        )),
        _ => None,
    };
    let failure = Err::<(), _>(error).or_fail("the node cannot start").err();
    let failure =
        failure.unwrap_or_else(|| Failure::new(WireCode::Unknown, "the node cannot start"));
    match advice {
        Some(advice) => failure.advise(advice),
        None => failure,
    }
}

/// What a node that does not start says.
pub fn not_started(error: &StartError, dir: &Path) -> Failure {
    let failure = Failure::new(error.into(), "the node cannot start").because(error);
    match error {
        StartError::NotListed => {
            failure.advise("Hand the .card file to the governance, then install the new roster")
        }
        StartError::LogKeyEnded => failure.advise(format!(
            "Put the log key that the roster lists into {0}/keys, as log.key; if it is lost, have another listed: frex key rotate log {0}",
            dir.display()
        )),
        StartError::RolledBack { .. } => failure.advise(rolled_back(&dir.display())),
        StartError::Unconfirmed { needed: None, .. } => failure.advise(format!(
            "If you know that the node did nothing since the backup was made: frex run {} --nothing-was-lost",
            dir.display()
        )),
        StartError::Unconfirmed { .. } => failure.advise(format!(
            "Start it again once they can be reached: frex run {0}; if they never will, and you know that nothing was lost: frex run {0} --nothing-was-lost",
            dir.display()
        )),
        StartError::OtherLog { .. } => failure.advise(format!(
            "Bring back the directory that goes on with the log in force; if there is none: frex log new-epoch {}",
            dir.display()
        )),
        StartError::Listen(_) => failure.advise("Choose another `listen` address in frex.toml"),
        _ => failure,
    }
}
