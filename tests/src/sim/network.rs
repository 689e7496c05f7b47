//! Datagrams in memory: a socket for quinn whose losses, copies, delays and cuts follow the seed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Duration,
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{EcnCodepoint, RecvMeta, Transmit},
};
use rand_chacha::ChaCha20Rng;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Event, Fate, Link, Trace, below, happens};

/// All machines' sockets and what is on the way between them. Clones are the same network.
#[derive(Clone)]
pub struct Network(Arc<Mutex<State>>);

struct State {
    rng: ChaCha20Rng,
    start: Instant,
    link: Link,
    links: BTreeMap<(IpAddr, IpAddr), Link>,
    cuts: BTreeSet<(IpAddr, IpAddr)>,
    sockets: BTreeMap<SocketAddr, Queue>,
    sockets_made: u64,
    sent: u64,
    trace: Trace,
}

/// What waits for one socket, in the order of arrival.
struct Queue {
    owner: u64,
    waiting: BTreeMap<(Instant, u64), Datagram>,
    waker: Option<Waker>,
}

struct Datagram {
    from: SocketAddr,
    ecn: Option<EcnCodepoint>,
    bytes: Vec<u8>,
}

impl Network {
    /// An empty network whose every decision comes from `rng`. Must be made inside the runtime
    /// whose clock it follows.
    #[must_use]
    pub fn new(rng: ChaCha20Rng) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng,
            start: Instant::now(),
            link: Link::CALM,
            links: BTreeMap::new(),
            cuts: BTreeSet::new(),
            sockets: BTreeMap::new(),
            sockets_made: 0,
            sent: 0,
            trace: Trace::new(),
        })))
    }

    /// Binds a socket.
    ///
    /// # Errors
    /// `AddrInUse` while another socket holds the address.
    pub fn bind(&self, local: SocketAddr) -> io::Result<Arc<SimSocket>> {
        let mut state = self.lock();
        if state.sockets.contains_key(&local) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        state.sockets_made += 1;
        let owner = state.sockets_made;
        let queue = Queue {
            owner,
            waiting: BTreeMap::new(),
            waker: None,
        };
        state.sockets.insert(local, queue);
        drop(state);
        Ok(Arc::new(SimSocket {
            network: self.clone(),
            local,
            owner,
            alarm: Mutex::new(None),
        }))
    }

    /// Takes all sockets of a machine away at once, with what waits in them; their owners hear
    /// nothing any more and what they send vanishes.
    pub fn unplug(&self, machine: IpAddr) {
        self.lock()
            .sockets
            .retain(|address, _| address.ip() != machine);
    }

    /// How datagrams fare where no other link is set.
    pub fn set_link(&self, link: Link) {
        self.lock().link = link;
    }

    /// How datagrams fare in one direction.
    pub fn set_link_between(&self, from: IpAddr, to: IpAddr, link: Link) {
        self.lock().links.insert((from, to), link);
    }

    /// Loses everything in one direction until healed. What is on the way still arrives.
    pub fn cut(&self, from: IpAddr, to: IpAddr) {
        self.lock().cuts.insert((from, to));
    }

    /// Cuts both directions.
    pub fn partition(&self, one: IpAddr, other: IpAddr) {
        self.cut(one, other);
        self.cut(other, one);
    }

    /// Ends every cut.
    pub fn heal(&self) {
        self.lock().cuts.clear();
    }

    /// Looks at the trace.
    pub fn trace<T>(&self, look: impl FnOnce(&Trace) -> T) -> T {
        look(&self.lock().trace)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test goes on after a panic")
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

impl State {
    fn send(&mut self, from: SocketAddr, to: SocketAddr, ecn: Option<EcnCodepoint>, bytes: &[u8]) {
        let pair = (from.ip(), to.ip());
        let link = self.links.get(&pair).copied().unwrap_or(self.link);
        // The draws are made in any case, so that a fate hangs on the seed and the datagram's
        // place in the order alone.
        let lost = happens(&mut self.rng, link.loss_ppm);
        let twice = happens(&mut self.rng, link.duplicate_ppm);
        let fate = if self.cuts.contains(&pair) {
            Fate::Cut
        } else if bytes.len() > link.datagram_bytes_max {
            Fate::TooLong
        } else if !self.sockets.contains_key(&to) {
            Fate::NobodyThere
        } else if lost {
            Fate::Lost
        } else {
            Fate::Sent
        };
        let datagram = |bytes: &[u8]| Datagram {
            from,
            ecn,
            bytes: bytes.to_vec(),
        };
        let delay = self.delay(&link);
        self.settle(to, fate, delay, datagram(bytes));
        let delay = self.delay(&link);
        if twice && fate == Fate::Sent {
            self.settle(to, Fate::Duplicated, delay, datagram(bytes));
        }
    }

    fn delay(&mut self, link: &Link) -> Duration {
        let jitter_ms = u32::try_from(link.jitter.as_millis()).unwrap_or(u32::MAX);
        let jitter = Duration::from_millis(u64::from(below(&mut self.rng, jitter_ms + 1)));
        let late = happens(&mut self.rng, link.reorder_ppm);
        let factor = 1 + below(&mut self.rng, 10);
        let held = if late {
            link.latency * factor
        } else {
            Duration::ZERO
        };
        link.latency + jitter + held
    }

    fn settle(&mut self, to: SocketAddr, fate: Fate, delay: Duration, datagram: Datagram) {
        let now = Instant::now();
        let arrives = now + delay;
        self.trace.record(Event {
            at: now - self.start,
            from: datagram.from,
            to,
            length: datagram.bytes.len(),
            fate,
            arrives: arrives - self.start,
        });
        if !matches!(fate, Fate::Sent | Fate::Duplicated) {
            return;
        }
        self.sent += 1;
        if let Some(queue) = self.sockets.get_mut(&to) {
            queue.waiting.insert((arrives, self.sent), datagram);
            if let Some(waker) = queue.waker.take() {
                waker.wake();
            }
        }
    }
}

impl Queue {
    /// Hands out what has arrived by `now`; a datagram longer than its buffer is lost.
    fn take(&mut self, now: Instant, bufs: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> usize {
        let mut taken = 0;
        while taken < bufs.len().min(meta.len()) {
            let Some(entry) = self.waiting.first_entry().filter(|e| e.key().0 <= now) else {
                break;
            };
            let datagram = entry.remove();
            let length = datagram.bytes.len();
            let Some(buffer) = bufs[taken].get_mut(..length) else {
                continue;
            };
            buffer.copy_from_slice(&datagram.bytes);
            meta[taken] = RecvMeta {
                addr: datagram.from,
                len: length,
                stride: length,
                ecn: datagram.ecn,
                dst_ip: None,
            };
            taken += 1;
        }
        taken
    }
}

/// One bound socket. Dropping it frees its address.
pub struct SimSocket {
    network: Network,
    local: SocketAddr,
    owner: u64,
    alarm: Mutex<Option<Pin<Box<Sleep>>>>,
}

impl SimSocket {
    /// The next arrival, or `None` if there is none or the machine was unplugged.
    fn receive(
        &self,
        cx: &Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Result<usize, Option<Instant>> {
        let mut state = self.network.lock();
        let Some(queue) = state
            .sockets
            .get_mut(&self.local)
            .filter(|queue| queue.owner == self.owner)
        else {
            return Err(None);
        };
        let taken = queue.take(Instant::now(), bufs, meta);
        if taken > 0 {
            return Ok(taken);
        }
        queue.waker = Some(cx.waker().clone());
        Err(queue.waiting.first_key_value().map(|(key, _)| key.0))
    }
}

impl AsyncUdpSocket for SimSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let mut state = self.network.lock();
        let plugged = state
            .sockets
            .get(&self.local)
            .is_some_and(|queue| queue.owner == self.owner);
        if plugged {
            let step = transmit.segment_size.unwrap_or(transmit.contents.len());
            for datagram in transmit.contents.chunks(step.max(1)) {
                state.send(self.local, transmit.destination, transmit.ecn, datagram);
            }
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            let next = match self.receive(cx, bufs, meta) {
                Ok(taken) => return Poll::Ready(Ok(taken)),
                Err(None) => return Poll::Pending,
                Err(Some(next)) => next,
            };
            let mut alarm = self.alarm.lock().expect("no test goes on after a panic");
            let sleep = alarm.get_or_insert_with(|| Box::pin(sleep_until(next)));
            if sleep.deadline() != next {
                sleep.as_mut().reset(next);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            *alarm = None;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        let Ok(mut state) = self.network.0.lock() else {
            return;
        };
        if state
            .sockets
            .get(&self.local)
            .is_some_and(|queue| queue.owner == self.owner)
        {
            state.sockets.remove(&self.local);
        }
    }
}

impl fmt::Debug for SimSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimSocket({})", self.local)
    }
}

#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
