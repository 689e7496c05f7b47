//! What floods take from those who behave: ratios, each of two runs that follow one another.
//!
//! A node in a process of its own; every member's client in another; junk from a thread with its
//! own socket. `--quick` measures briefly.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail, ensure};
use frex_client::{
    client::{Client, News},
    environment::Environment,
    tls::{Identity, KeyExchange, config, config::Limits, provider},
    transport::Socket,
};
use frex_node::{
    disk::RealDisk,
    node::{Execution, Node},
};
use frex_proto::{
    envelope::SignedEnvelope,
    keys::SigningKey,
    v1::{self, Lane},
};
use frex_tests::{
    bench::scene::client,
    federation::{Federation, Organisation, Place},
};

const HOME: &str = "home";
const PLATFORM: &str = "platform";
const ROGUE: &str = "rogue";
const POLICE: &str = "police";
/// Of the rogue, envelopes in a minute.
const QUOTA: u32 = 600;
/// Per second.
const JUNK: u64 = 10_000;
/// Different first packets; they are sent over and over.
const JUNK_KINDS: usize = 500;
const WAIT: Duration = Duration::from_secs(30);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--role", "node", scene, directory] => {
            node(&scene.parse::<Scene>()?, Path::new(directory))
        }
        ["--role", "load", scene, what] => load(&scene.parse::<Scene>()?, &what.parse::<Load>()?),
        // `cargo test --all-targets` starts benchmarks too, without this word.
        _ if !words.contains(&"--bench") => Ok(()),
        _ => measure(words.contains(&"--quick")),
    }
}

/// What all processes must agree on.
#[derive(Debug, Clone, Copy)]
struct Scene {
    now_ms: u64,
    port: u16,
}

impl std::str::FromStr for Scene {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (now_ms, port) = text.split_once('/').context("a scene is NOW_MS/PORT")?;
        Ok(Self {
            now_ms: now_ms.parse()?,
            port: port.parse()?,
        })
    }
}

impl Scene {
    fn address(self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    fn federation(self) -> Federation {
        let organisation = |id, node| Organisation {
            id,
            role: v1::Role::Hotline,
            country: "FR",
            node,
        };
        let served = [PLATFORM, ROGUE, POLICE].map(|id| organisation(id, Err(HOME)));
        let home = [organisation(HOME, Ok(self.address()))];
        let organisations: Vec<_> = home.into_iter().chain(served).collect();
        let mut federation = Federation::new(7, self.now_ms, &organisations);
        let held = federation.roster(self.now_ms);
        federation.bundle = federation.revised(&held, &[], |roster| {
            let rogue = roster.members.iter_mut().find(|member| member.id == ROGUE);
            let quota = v1::Quota {
                envelopes_per_minute: QUOTA,
                urgent_per_minute: QUOTA,
            };
            rogue.expect("it was listed above").quota = Some(quota);
        });
        federation
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_io().enable_time().build()?)
}

/// Runs the node until the parent goes.
fn node(scene: &Scene, directory: &Path) -> anyhow::Result<()> {
    thread::spawn(|| {
        // The parent's end closes the pipe.
        let _ = std::io::stdin().read_line(&mut String::new());
        std::process::exit(0);
    });
    runtime()?.block_on(async {
        let place = Place {
            environment: Environment::default(),
            disk: Arc::new(RealDisk),
            socket: Socket::Udp(scene.address()),
            data: directory.to_owned(),
            execution: Execution::Threads,
        };
        let node: Node = scene.federation().start(HOME, place).await?;
        println!("ready");
        node.failed().await;
        bail!("the node's storage failed")
    })
}

/// What one member's client does.
#[derive(Debug, Clone)]
struct Load {
    member: String,
    lane: Lane,
    /// Envelopes of one request.
    batch: usize,
    /// Requests under way.
    in_flight: usize,
    /// Between two requests of one place; none: as fast as answers come.
    pause_ms: u64,
    time_ms: u64,
    /// Sealed before.
    envelopes: usize,
}

impl Load {
    fn to_argument(&self) -> String {
        let Self {
            member,
            lane,
            batch,
            in_flight,
            pause_ms,
            time_ms,
            envelopes,
        } = self;
        let lane = *lane as i32;
        format!("{member}/{lane}/{batch}/{in_flight}/{pause_ms}/{time_ms}/{envelopes}")
    }
}

impl std::str::FromStr for Load {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let [member, lane, batch, in_flight, pause_ms, time_ms, envelopes] = parts[..] else {
            bail!("a load has seven parts");
        };
        Ok(Self {
            member: member.to_owned(),
            lane: Lane::try_from(lane.parse::<i32>()?)?,
            batch: batch.parse()?,
            in_flight: in_flight.parse()?,
            pause_ms: pause_ms.parse()?,
            time_ms: time_ms.parse()?,
            envelopes: envelopes.parse()?,
        })
    }
}

/// Seals, says so, waits for the word, sends for the time, and prints envelopes per second and the
/// 99th percentile of the time to ACCEPTED in microseconds.
fn load(scene: &Scene, load: &Load) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        // Who is over its quota is told so at once.
        let patience = Duration::from_millis(1);
        let client = client(&scene.federation(), &load.member, scene.now_ms, patience).await?;
        let mut sealed = VecDeque::new();
        for _ in 0..load.envelopes.div_ceil(load.batch) {
            sealed.push_back(seal(&client, load)?);
        }
        println!("ready");
        std::io::stdin().read_line(&mut String::new())?;
        let sealed = Arc::new(Mutex::new(sealed));
        let (started, mut tasks) = (Instant::now(), tokio::task::JoinSet::new());
        for _ in 0..load.in_flight {
            tasks.spawn(send(client.clone(), load.clone(), sealed.clone(), started));
        }
        let (mut taken, mut latencies) = (0, Vec::new());
        while let Some(sent) = tasks.join_next().await {
            let (count, of_these) = sent??;
            taken += count;
            latencies.extend(of_these);
        }
        latencies.sort_unstable();
        let p99 =
            latencies.get((latencies.len() * 99 / 100).min(latencies.len().saturating_sub(1)));
        let per_s = taken as f64 / started.elapsed().as_secs_f64();
        println!("{per_s} {}", p99.copied().unwrap_or_default());
        Ok(())
    })
}

fn seal(client: &Client, load: &Load) -> anyhow::Result<Vec<SignedEnvelope>> {
    let one = || {
        let draft = client
            .draft(&[HOME])
            .lane(load.lane)
            .content("text/plain", vec![7; 1500]);
        Ok(client.finish(draft)?)
    };
    let drafts = std::iter::repeat_with(one).take(load.batch);
    Ok(client.seal_batch(&drafts.collect::<anyhow::Result<Vec<_>>>()?)?)
}

/// One place in flight: request after request until the time is over or nothing is left.
async fn send(
    client: Client,
    load: Load,
    sealed: Arc<Mutex<VecDeque<Vec<SignedEnvelope>>>>,
    started: Instant,
) -> anyhow::Result<(usize, Vec<u64>)> {
    let (mut taken, mut latencies) = (0, Vec::new());
    while started.elapsed() < Duration::from_millis(load.time_ms) {
        let next = sealed.lock().expect("no sender panics").pop_front();
        let Some(envelopes) = next else {
            ensure!(load.pause_ms > 0, "more was sent than was sealed");
            break;
        };
        let began = Instant::now();
        let wait = if load.member == ROGUE {
            Duration::ZERO
        } else {
            WAIT
        };
        let mut submission = client.submit(envelopes, wait).await?;
        while let Some(event) = submission.next().await {
            if let News::Accepted { .. } = event.news {
                taken += 1;
                latencies.push(u64::try_from(began.elapsed().as_micros())?);
            }
        }
        if load.pause_ms > 0 {
            tokio::time::sleep(Duration::from_millis(load.pause_ms)).await;
        }
    }
    Ok((taken, latencies))
}

/// A child process that said it is ready.
struct Role {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Role {
    fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--role")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().context("a pipe")?;
        let stdout = BufReader::new(child.stdout.take().context("a pipe")?);
        let mut role = Self {
            child,
            stdin,
            stdout,
        };
        ensure!(role.line()? == "ready", "a role does not start");
        Ok(role)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    fn go(&mut self) -> anyhow::Result<()> {
        Ok(self.stdin.write_all(b"go\n")?)
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // After its end there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Envelopes per second, and the 99th percentile in microseconds.
type Figures = (f64, f64);

/// Runs the first load beside the others and tells how it fared; each has a node of its own.
fn run(loads: &[Load], junk: bool, directory: &Path) -> anyhow::Result<Figures> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let scene = Scene {
        now_ms: u64::try_from(now.as_millis())?,
        port,
    };
    let argument = format!("{}/{port}", scene.now_ms);
    let directory = tempfile::tempdir_in(directory)?;
    let path = directory.path().to_str().context("a path that is text")?;
    let _node = Role::start(&["node", &argument, path])?;
    let roles = loads
        .iter()
        .map(|load| Role::start(&["load", &argument, &load.to_argument()]));
    let mut roles = roles.collect::<anyhow::Result<Vec<_>>>()?;
    let flood = junk.then(|| Flood::start(scene.address())).transpose()?;
    for role in roles.iter_mut().rev() {
        role.go()?;
    }
    let line = roles[0].line()?;
    let (per_s, p99) = line
        .split_once(' ')
        .with_context(|| format!("no figures: {line:?}"))?;
    if let Some(flood) = flood {
        let sent = flood.stop();
        ensure!(sent > 0, "no junk was sent");
    }
    Ok((per_s.parse()?, p99.parse()?))
}

/// First packets of handshakes that nobody means to finish.
struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: thread::JoinHandle<()>,
}

impl Flood {
    fn start(node: SocketAddr) -> anyhow::Result<Self> {
        let packets = first_packets(node)?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (stop, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stopped, count) = (stop.clone(), sent.clone());
        let thread = thread::spawn(move || {
            let started = Instant::now();
            let mut packets = packets.iter().cycle();
            while !stopped.load(Ordering::Relaxed) {
                let elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
                let due = elapsed_us.saturating_mul(JUNK) / 1_000_000;
                while count.load(Ordering::Relaxed) < due {
                    // What the system cannot send now is not junk that is owed.
                    let _ = packets.next().map(|packet| socket.send_to(packet, node));
                    count.fetch_add(1, Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        Ok(Self { stop, sent, thread })
    }

    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        // A sender that panicked has sent nothing more, which the count shows.
        let _ = self.thread.join();
        self.sent.load(Ordering::Relaxed)
    }
}

fn first_packets(node: SocketAddr) -> anyhow::Result<Vec<Vec<u8>>> {
    let identity = Identity::new(&SigningKey::from_seed(&[9; 32]))?;
    let provider = provider::provider(KeyExchange::HybridOnly);
    let config = config::client(&identity, Arc::new(|_| true), provider, &Limits::default())?;
    let mut endpoint = quinn_proto::Endpoint::new(Arc::default(), None, false, None);
    let now = Instant::now();
    let mut packets = Vec::with_capacity(JUNK_KINDS);
    for _ in 0..JUNK_KINDS {
        let (_, mut connection) = endpoint.connect(now, config.clone(), node, "frex")?;
        let mut packet = Vec::new();
        let sent = connection.poll_transmit(now, 1, &mut packet);
        packet.truncate(sent.context("a first packet")?.size);
        packets.push(packet);
    }
    Ok(packets)
}

fn measure(quick: bool) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (time_ms, rounds) = if quick { (1_000, 3) } else { (8_000, 5) };
    let load = |member: &str, lane, batch, in_flight, pause_ms, envelopes: u64| Load {
        member: member.to_owned(),
        lane,
        batch,
        in_flight,
        pause_ms,
        time_ms,
        envelopes: usize::try_from(envelopes).unwrap_or(usize::MAX),
    };
    let honest = load(PLATFORM, Lane::Normal, 1, 64, 0, 15 * time_ms);
    let urgent = load(POLICE, Lane::Urgent, 1, 2, 2, time_ms);
    // A hundred times 600 in a minute is 1000 a second: ten at a time, each hundredth of one.
    let rogue = load(ROGUE, Lane::Normal, 10, 1, 10, time_ms);
    let bulk = load(PLATFORM, Lane::Bulk, 16, 32, 0, 40 * time_ms);
    type Case<'a> = (&'a str, usize, Vec<Load>, Vec<Load>, bool);
    let cases: [Case<'_>; 4] = [
        (
            "throughput beside 10k junk Initials/s",
            0,
            vec![honest.clone()],
            vec![honest.clone()],
            true,
        ),
        (
            "throughput beside a rogue at 100x quota",
            0,
            vec![honest.clone()],
            vec![honest, rogue.clone()],
            false,
        ),
        (
            "urgent p99 beside a rogue at 100x quota",
            1,
            vec![urgent.clone()],
            vec![urgent.clone(), rogue],
            false,
        ),
        (
            "urgent p99 while bulk saturates",
            1,
            vec![urgent.clone()],
            vec![urgent, bulk],
            false,
        ),
    ];
    for (name, figure, without, with, junk) in cases {
        let mut pairs = Vec::new();
        for _ in 0..rounds {
            let pick = |(per_s, p99): Figures| if figure == 0 { per_s } else { p99 };
            let without = pick(run(&without, false, directory.path())?);
            let with = pick(run(&with, junk, directory.path())?);
            pairs.push((with / without, without, with));
        }
        pairs.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (ratio, without, with) = pairs[pairs.len() / 2];
        let unit = if figure == 0 { "envelopes/s" } else { "us" };
        println!("{name}: ratio={ratio:.2} without={without:.0} with={with:.0} {unit}");
    }
    Ok(())
}
