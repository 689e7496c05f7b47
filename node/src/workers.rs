//! Where signature checks and hashing run: on threads of their own, or inline in the simulator.
//!
//! What is urgent goes first: it never waits for more than what the threads have in hand. Every
//! sixteenth turn goes the other way round, so that nothing waits for ever. Spec: ADM-7.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, PoisonError},
};

use frex_proto::v1::Lane;
use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// Urgent and control, normal, bulk.
const CLASSES: usize = 3;
/// One turn of so many begins with bulk.
const TURNS: u64 = 16;

/// Runs closures off the network thread.
#[derive(Clone)]
pub enum Workers {
    /// On the calling thread, for the deterministic simulator.
    Inline,
    /// On a pool of threads that ends when the last handle is dropped.
    Pool(Arc<Pool>),
}

/// The handle of a pool.
pub struct Pool(Arc<Queue>);

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    ready: Condvar,
}

#[derive(Default)]
struct State {
    waiting: [VecDeque<Work>; CLASSES],
    turns: u64,
    closed: bool,
}

impl Workers {
    /// A pool of `threads` threads.
    ///
    /// # Errors
    /// The operating system refuses a thread.
    pub fn pool(threads: usize) -> std::io::Result<Self> {
        let pool = Pool(Arc::default());
        for number in 0..threads.max(1) {
            let queue = pool.0.clone();
            std::thread::Builder::new()
                .name(format!("frex-crypto-{number}"))
                .spawn(move || queue.run())?;
        }
        Ok(Self::Pool(Arc::new(pool)))
    }

    /// Runs `work` without waiting for its end; it is lost only while the process ends.
    pub fn start(&self, work: Box<dyn FnOnce() + Send>) {
        match self {
            Self::Inline => work(),
            Self::Pool(pool) => pool.0.put(Lane::Control, work),
        }
    }

    /// Runs `work` for something of this lane and returns what it made; `None` only while the
    /// process ends.
    pub async fn run_for<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        match self {
            Self::Inline => Some(work()),
            Self::Pool(pool) => {
                let (reply, result) = oneshot::channel();
                let work = Box::new(move || {
                    // The caller may have gone away with its connection.
                    let _ = reply.send(work());
                });
                pool.0.put(lane, work);
                result.await.ok()
            }
        }
    }

    /// As [`run_for`](Self::run_for), in the normal lane.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        self.run_for(Lane::Normal, work).await
    }
}

impl Queue {
    fn put(&self, lane: Lane, work: Work) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting[class(lane)].push_back(work);
        drop(state);
        self.ready.notify_one();
    }

    fn run(&self) {
        while let Some(work) = self.next() {
            work();
        }
    }

    /// Waits for work; none once all of it is done and nobody can bring more.
    fn next(&self) -> Option<Work> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(work) = state.next() {
                return Some(work);
            }
            if state.closed {
                return None;
            }
            let woken = self.ready.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    fn next(&mut self) -> Option<Work> {
        let last_first = self.turns % TURNS == TURNS - 1;
        let next = if last_first {
            self.waiting.iter_mut().rev().find_map(VecDeque::pop_front)
        } else {
            self.waiting.iter_mut().find_map(VecDeque::pop_front)
        };
        self.turns += u64::from(next.is_some());
        next
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner).closed = true;
        self.0.ready.notify_all();
    }
}

/// The place of a lane among the classes.
const fn class(lane: Lane) -> usize {
    match lane {
        Lane::Urgent | Lane::Control => 0,
        Lane::Normal | Lane::Unspecified => 1,
        Lane::Bulk => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // ADM-7: urgent goes first, and of sixteen turns one begins with bulk.
    #[test]
    fn urgent_goes_first_and_bulk_is_never_starved() {
        let queue = Queue::default();
        let order = Arc::new(Mutex::new(Vec::new()));
        for lane in [Lane::Bulk, Lane::Normal, Lane::Urgent] {
            for _ in 0..48 {
                let order = order.clone();
                queue.put(
                    lane,
                    Box::new(move || order.lock().expect("one thread").push(lane)),
                );
            }
        }
        queue.state.lock().expect("one thread").closed = true;
        queue.run();
        let order = order.lock().expect("one thread");
        let within = |lane, turns: usize| order[..turns].iter().filter(|ran| **ran == lane).count();
        assert_eq!(order.len(), 3 * 48);
        assert_eq!(within(Lane::Urgent, 51), 48);
        assert_eq!(within(Lane::Bulk, 96), 6);
        assert_eq!(within(Lane::Normal, 102), 48);
    }

    #[tokio::test]
    async fn a_pool_does_what_it_was_given_and_ends_with_its_last_handle() {
        let workers = Workers::pool(2).expect("threads");
        let results = (0..100_u32).map(|number| {
            let workers = workers.clone();
            tokio::spawn(async move { workers.run_for(Lane::Bulk, move || 2 * number).await })
        });
        for (number, result) in (0..).zip(results.collect::<Vec<_>>()) {
            assert_eq!(result.await.expect("it does not panic"), Some(2 * number));
        }
        let Workers::Pool(pool) = &workers else {
            panic!("a pool")
        };
        let queue = Arc::downgrade(&pool.0);
        drop(workers);
        for _ in 0..1000 {
            if queue.strong_count() == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("the threads go on");
    }
}
