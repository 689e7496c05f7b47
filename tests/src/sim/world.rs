//! Machines: an address, a disk and the tasks that die with them.

use std::{
    fmt,
    future::Future,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quinn::{AsyncTimer, AsyncUdpSocket, Endpoint, EndpointConfig, Runtime, ServerConfig};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use ring::digest;
use tokio::{task::AbortHandle, time::Instant};

use super::{disk::SimDisk, network::Network};

/// What a scenario gets: the seed, the network and the clock.
#[derive(Clone)]
pub struct World {
    seed: u64,
    start: Instant,
    network: Network,
}

/// Runs a scenario in a fresh world and returns its result.
///
/// # Panics
/// If the runtime cannot be built, or as the scenario panics.
pub fn run<T, F>(seed: u64, scenario: impl FnOnce(World) -> F) -> T
where
    F: Future<Output = T>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without IO needs nothing from the system");
    runtime.block_on(async {
        let world = World {
            seed,
            start: Instant::now(),
            network: Network::new(derived(seed, "network")),
        };
        scenario(world).await
    })
}

impl World {
    /// The seed that all randomness comes from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The network between all machines.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// When the world began; virtual clocks count from here.
    #[must_use]
    pub fn start(&self) -> Instant {
        self.start
    }

    /// Virtual time since the world began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Randomness of its own for one purpose, so that a new purpose shifts no other's draws.
    #[must_use]
    pub fn rng(&self, purpose: &str) -> ChaCha20Rng {
        derived(self.seed, purpose)
    }

    /// A machine with an empty disk.
    #[must_use]
    pub fn machine(&self, ip: IpAddr) -> Machine {
        Machine {
            world: self.clone(),
            ip,
            disk: SimDisk::new(self.rng(&format!("disk {ip}")).next_u64()),
            runtime: Arc::default(),
            draws: AtomicU64::new(0),
        }
    }
}

/// One machine. Its disk outlives its crashes; its tasks and sockets do not.
pub struct Machine {
    world: World,
    ip: IpAddr,
    disk: SimDisk,
    runtime: Arc<SimRuntime>,
    draws: AtomicU64,
}

impl Machine {
    /// Its address.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Its disk.
    #[must_use]
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// What quinn runs its tasks and timers on, so that a crash ends them.
    #[must_use]
    pub fn runtime(&self) -> Arc<SimRuntime> {
        self.runtime.clone()
    }

    /// Randomness for one purpose in the machine's present life.
    #[must_use]
    pub fn rng(&self, purpose: &str) -> ChaCha20Rng {
        let draw = self.draws.fetch_add(1, Ordering::Relaxed);
        self.world.rng(&format!("{} {draw} {purpose}", self.ip))
    }

    /// Binds a UDP port.
    ///
    /// # Errors
    /// `AddrInUse`.
    pub fn bind(&self, port: u16) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let socket = self.world.network.bind(SocketAddr::new(self.ip, port))?;
        Ok(socket)
    }

    /// The endpoint settings that make quinn draw from the seed.
    #[must_use]
    pub fn endpoint_config(&self) -> EndpointConfig {
        let mut seed = [0; 32];
        self.rng("quinn").fill_bytes(&mut seed);
        let mut config = EndpointConfig::default();
        config.rng_seed(Some(seed));
        config
    }

    /// A plain quinn endpoint on one of the machine's ports.
    ///
    /// # Errors
    /// `AddrInUse`.
    pub fn endpoint(&self, port: u16, server: Option<ServerConfig>) -> io::Result<Endpoint> {
        Endpoint::new_with_abstract_socket(
            self.endpoint_config(),
            server,
            self.bind(port)?,
            self.runtime(),
        )
    }

    /// Runs `task` until it ends or the machine crashes.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        Runtime::spawn(&*self.runtime, Box::pin(task));
    }

    /// Loses power: every task ends where it stands, sockets vanish with what waits in them, the
    /// disk keeps what was synced and some of the rest. Work may then be started anew.
    pub fn crash(&self) {
        self.kill();
        self.disk.crash(self.rng("crash").next_u64());
    }

    /// Ends the process but not the machine: like [`Self::crash`], but the disk keeps everything.
    pub fn kill(&self) {
        self.world.network.unplug(self.ip);
        self.runtime.abort_all();
        self.disk.close_all();
    }
}

/// tokio under quinn, with a list of what was spawned.
#[derive(Default)]
pub struct SimRuntime {
    tasks: Mutex<Vec<AbortHandle>>,
}

impl SimRuntime {
    fn abort_all(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().expect("no test goes on after a panic"));
        for task in tasks {
            task.abort();
        }
    }
}

impl fmt::Debug for SimRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimRuntime")
    }
}

impl Runtime for SimRuntime {
    fn new_timer(&self, at: std::time::Instant) -> Pin<Box<dyn AsyncTimer>> {
        Box::pin(tokio::time::sleep_until(at.into()))
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let mut tasks = self.tasks.lock().expect("no test goes on after a panic");
        tasks.retain(|task| !task.is_finished());
        tasks.push(tokio::spawn(future).abort_handle());
    }

    fn wrap_udp_socket(&self, _: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        // A simulated machine that opens a real socket has left the simulation.
        Err(io::ErrorKind::Unsupported.into())
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

fn derived(seed: u64, purpose: &str) -> ChaCha20Rng {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&seed.to_be_bytes());
    context.update(purpose.as_bytes());
    let hash = context.finish();
    ChaCha20Rng::from_seed(
        hash.as_ref()
            .try_into()
            .expect("SHA-256 output is 32 bytes"),
    )
}
