//! Where signature checks and hashing run: on threads of their own, or inline in the simulator.

use std::sync::{Arc, Mutex, mpsc};

use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// Runs closures off the network thread.
#[derive(Clone)]
pub enum Workers {
    /// On the calling thread, for the deterministic simulator.
    Inline,
    /// On a pool of threads that ends when the last handle is dropped.
    Pool(mpsc::Sender<Work>),
}

impl Workers {
    /// A pool of `threads` threads.
    ///
    /// # Errors
    /// The operating system refuses a thread.
    pub fn pool(threads: usize) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<Work>();
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads.max(1) {
            let receiver = receiver.clone();
            std::thread::Builder::new()
                .name(format!("frex-crypto-{number}"))
                .spawn(move || run(&receiver))?;
        }
        Ok(Self::Pool(sender))
    }

    /// Runs `work` without waiting for its end; it is lost only while the process ends.
    pub fn start(&self, work: Box<dyn FnOnce() + Send>) {
        match self {
            Self::Inline => work(),
            Self::Pool(sender) => {
                // The threads are gone only when the node is.
                let _ = sender.send(work);
            }
        }
    }

    /// Runs `work` and returns what it made; `None` only while the process ends.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        match self {
            Self::Inline => Some(work()),
            Self::Pool(sender) => {
                let (reply, result) = oneshot::channel();
                let work = Box::new(move || {
                    // The caller may have gone away with its connection.
                    let _ = reply.send(work());
                });
                sender.send(work).ok()?;
                result.await.ok()
            }
        }
    }
}

fn run(receiver: &Mutex<mpsc::Receiver<Work>>) {
    loop {
        let work = match receiver.lock() {
            Ok(receiver) => receiver.recv(),
            Err(_) => return,
        };
        match work {
            Ok(work) => work(),
            Err(_) => return,
        }
    }
}
