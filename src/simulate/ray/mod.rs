//! A Ray head of pretended nodes whose jobs are real processes of this machine.
//!
//! ```text
//! http ─▶ api (what a head answers, and refuses) ─▶ head (records, room, packages)
//!                                                     └▶ process (a job's life)
//! ```
//! It keeps to what a head of Ray 2.60 was seen to do, its oddities included: a
//! duplicate id is an error 500, a job that does not fit waits and cannot be
//! cancelled, usage is reported every few seconds, a head that was restarted knows
//! nothing. Not there: runtime environments that install anything, labels.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

mod api;
mod head;
mod process;

pub use head::{Fault, Head};

/// What one pretended node has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeSize {
    pub cpus: f64,
    pub gpus: f64,
    /// Bytes.
    pub memory: f64,
}

/// How a simulated cluster is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The first is the head's own.
    pub nodes: Vec<NodeSize>,
    /// Wanted with every request, where there is one.
    pub token: Option<String>,
    /// Between a job's place and its first command: the start of Ray's supervisor.
    pub start_delay: Duration,
    /// How often it draws up what is in use.
    pub report_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let node = NodeSize { cpus: 16.0, gpus: 8.0, memory: 64.0 * 1024.0 * 1024.0 * 1024.0 };
        Self {
            nodes: vec![node],
            token: None,
            start_delay: Duration::from_millis(1_500),
            report_every: Duration::from_secs(5),
        }
    }
}

/// A simulation that answers. Its jobs end with it.
#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    pub head: Arc<Head>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Answers on loopback; port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken, or there is no room for temporary files.
    pub async fn start(settings: Settings, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let head = Arc::new(Head::new(settings)?);
        let reporting = Arc::downgrade(&head);
        tokio::spawn(head::report(reporting));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&head)));
        Ok(Self { address, head, accepting })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        self.head.end();
    }
}

async fn accept(listener: TcpListener, head: Arc<Head>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let head = Arc::clone(&head);
        tokio::spawn(async move {
            let service = service_fn(move |request| api::answer(Arc::clone(&head), request));
            // A client that goes away is nobody's trouble.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
