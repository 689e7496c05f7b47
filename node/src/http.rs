//! HTTP on the loopback interface: bounded in connections, header, body and time, and by no other name than
//! this machine's own.

use std::{convert::Infallible, net::IpAddr, pin::pin, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Connections at once; more wait in the kernel.
const CONNECTIONS_MAX: usize = 16;
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Answers requests until `stopped` resolves; no connection outlives it.
pub async fn serve<F, A>(listener: TcpListener, stopped: impl Future<Output = ()>, answer: F)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let (mut stopped, mut connections) = (pin!(stopped), JoinSet::new());
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopped => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(serve_connection(stream, answer.clone()));
            }
            // Out of file descriptors: the node itself is more important than who asks here.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    // They hold what the answers are made of.
    connections.shutdown().await;
}

async fn serve_connection<F, A>(stream: TcpStream, answer: F)
where
    F: Fn(Request<Incoming>) -> A + Clone,
    A: Future<Output = Response<Full<Bytes>>>,
{
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer.clone();
        async move {
            Ok::<_, Infallible>(match is_for_us(&request) {
                true => answer(request).await,
                false => response(
                    StatusCode::MISDIRECTED_REQUEST,
                    "text/plain",
                    "ask by a loopback name\n",
                ),
            })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    // A client that went away or stayed too long is no event.
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
}

/// A whole answer.
pub fn response(
    code: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = code;
    let value = header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}

fn is_for_us(request: &Request<Incoming>) -> bool {
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    host.is_none_or(is_loopback_host)
}

/// Whether a `Host` header names this machine: a web page that points its own name here does not.
fn is_loopback_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    is_loopback(name)
}

/// Whether a name in a host or URL is this machine's own.
#[must_use]
pub fn is_loopback(name: &str) -> bool {
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_names_are_its_own() {
        for own in ["127.0.0.1:80", "[::1]:80", "localhost", "127.0.0.1"] {
            assert!(is_loopback_host(own), "{own}");
        }
        for other in [
            "evil.example",
            "10.0.0.1:80",
            "",
            "localhost.evil.example:80",
        ] {
            assert!(!is_loopback_host(other), "{other}");
        }
    }
}
