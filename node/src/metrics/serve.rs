//! Metrics, status and health over HTTP on the loopback interface.

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};

use super::Metrics;

/// Connections at once; more wait in the kernel.
const CONNECTIONS_MAX: usize = 16;
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Gives the status as JSON.
pub type StatusText = Arc<dyn Fn() -> String + Send + Sync>;

/// Answers `/metrics`, `/status` and `/healthz` until the task is dropped.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, status: StatusText) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: the node itself is more important than its metrics.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (metrics, status) = (Arc::clone(&metrics), Arc::clone(&status));
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let response = respond(&request, &metrics, &status);
                async { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .max_buf_size(16 * 1024)
                .serve_connection(TokioIo::new(stream), answer);
            // A client that went away or stayed too long is no event.
            let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
            drop(slot);
        });
    }
}

fn respond(
    request: &Request<Incoming>,
    metrics: &Metrics,
    status: &StatusText,
) -> Response<Full<Bytes>> {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    if !host.is_none_or(is_loopback_host) {
        return response(
            StatusCode::MISDIRECTED_REQUEST,
            "text/plain",
            "ask by a loopback name\n",
        );
    }
    if request.method() != Method::GET {
        return response(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n");
    }
    match request.uri().path() {
        "/metrics" => response(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            metrics.text(),
        ),
        "/status" => response(StatusCode::OK, "application/json", status()),
        "/healthz" => response(StatusCode::OK, "text/plain", "ok\n"),
        _ => response(
            StatusCode::NOT_FOUND,
            "text/plain",
            "try /metrics, /status or /healthz\n",
        ),
    }
}

/// Whether a `Host` header names this machine: a web page that points its own name here does not.
fn is_loopback_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn response(
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

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    use super::*;

    async fn ask(request: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let status: StatusText = Arc::new(|| "{\"v\":1}".to_owned());
        let server = tokio::spawn(serve(listener, Arc::new(Metrics::new()), status));
        let request = request.to_owned();
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).expect("listening");
            stream.write_all(request.as_bytes()).expect("open");
            let mut answer = String::new();
            stream
                .read_to_string(&mut answer)
                .expect("closes after the answer");
            answer
        });
        let answer = answer.await.expect("no panic");
        server.abort();
        answer
    }

    #[tokio::test]
    async fn metrics_status_and_health_are_answered() {
        let close = "Host: localhost\r\nConnection: close\r\n\r\n";
        let metrics = ask(&format!("GET /metrics HTTP/1.1\r\n{close}")).await;
        assert!(
            metrics.contains("200 OK") && metrics.contains("frex_sessions 0"),
            "{metrics}"
        );
        let status = ask(&format!("GET /status HTTP/1.1\r\n{close}")).await;
        assert!(status.ends_with("{\"v\":1}"), "{status}");
        let health = ask(&format!("GET /healthz HTTP/1.1\r\n{close}")).await;
        assert!(health.ends_with("ok\n"), "{health}");
        let other = ask(&format!("POST /metrics HTTP/1.1\r\n{close}")).await;
        assert!(other.contains("405"), "{other}");
    }

    // A web page that makes its own name point here is not this machine's operator.
    #[tokio::test]
    async fn a_request_by_another_name_is_refused() {
        let request = "GET /status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
        assert!(ask(request).await.contains("421"));
        assert!(is_loopback_host("127.0.0.1:80") && is_loopback_host("[::1]:80"));
    }
}
