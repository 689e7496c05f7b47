//! Metrics, status and health over HTTP on the loopback interface.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use tokio::net::TcpListener;

use super::Metrics;
use crate::http::{self, response};

/// Gives the status as JSON.
pub type StatusText = Arc<dyn Fn() -> String + Send + Sync>;

/// Answers `/metrics`, `/status` and `/healthz` until the task is dropped.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, status: StatusText) {
    let answer = move |request: Request<Incoming>| {
        let response = respond(&request, &metrics, &status);
        async { response }
    };
    http::serve(listener, std::future::pending(), answer).await;
}

fn respond(
    request: &Request<Incoming>,
    metrics: &Metrics,
    status: &StatusText,
) -> Response<Full<Bytes>> {
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
    }
}
