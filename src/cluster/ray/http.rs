//! Requests to the head's dashboard, bounded in time and in size.
//!
//! Ray's habits that are met here: paths end with a slash where Ray's do (without it
//! they are not found), a `User-Agent` is always sent (heads of 2.9 fail without) and
//! is no browser's (those may not submit).

use std::{error::Error as _, sync::OnceLock, time::Duration};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, Error as ClientError, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use super::map::last_line;
use crate::{
    cluster::{ClusterError, Failed},
    domain::ids::ClusterId,
    secrets,
};

const AGENT: &str = concat!("jobdeck/", env!("CARGO_PKG_VERSION"));
/// Nothing has left before a connection stands.
const CONNECT: Duration = Duration::from_secs(5);
/// Idle connections are given up before the head gives them up (75 s).
const IDLE: Duration = Duration::from_secs(30);
/// Most of an answer that is read, in bytes: a list has some 700 for each job.
const LARGEST: usize = 256 << 20;

type Body = Full<Bytes>;

/// Encryption is only set up where the address wants it.
#[derive(Debug)]
enum Wire {
    Plain(Client<HttpConnector, Body>),
    Tls(Client<HttpsConnector<HttpConnector>, Body>),
}

impl Wire {
    fn new(address: &str) -> std::io::Result<Self> {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT));
        http.set_nodelay(true);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(IDLE).pool_timer(TokioTimer::new());
        if address.starts_with("http://") {
            return Ok(Self::Plain(builder.build(http)));
        }
        http.enforce_http(false);
        let https = HttpsConnectorBuilder::new().with_native_roots()?;
        let https = https.https_only().enable_http1().wrap_connector(http);
        Ok(Self::Tls(builder.build(https)))
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, ClientError> {
        match self {
            Self::Plain(client) => client.request(request).await,
            Self::Tls(client) => client.request(request).await,
        }
    }
}

/// One dashboard.
#[derive(Debug)]
pub struct Http {
    cluster: ClusterId,
    address: String,
    /// The token, or a reference to it.
    token: Option<String>,
    resolved: Mutex<Option<SecretString>>,
    wire: OnceLock<Wire>,
}

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    pub fn is_ok(&self) -> bool {
        self.status == 200
    }
}

/// What is sent.
#[derive(Clone, Debug)]
pub enum Payload {
    Nothing,
    Json(Vec<u8>),
    Bytes(Bytes),
}

impl Http {
    /// Touches nothing yet.
    pub fn new(cluster: ClusterId, address: &str, token: Option<String>) -> Self {
        Self {
            cluster,
            address: address.trim_end_matches('/').to_owned(),
            token,
            resolved: Mutex::default(),
            wire: OnceLock::new(),
        }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn away(&self, why: impl Into<String>) -> ClusterError {
        let cluster = self.cluster.clone();
        ClusterError::Unreachable { cluster, why: why.into(), retry_after: None }
    }

    pub fn refused(&self, words: impl Into<String>) -> ClusterError {
        ClusterError::Refused { cluster: self.cluster.clone(), words: words.into() }
    }

    pub fn garbled(&self, what: impl Into<String>) -> ClusterError {
        ClusterError::Garbled { cluster: self.cluster.clone(), what: what.into() }
    }

    fn needs_login(&self, why: impl Into<String>) -> ClusterError {
        ClusterError::NeedsLogin { cluster: self.cluster.clone(), why: why.into() }
    }

    fn wire(&self) -> Result<&Wire, ClusterError> {
        if let Some(wire) = self.wire.get() {
            return Ok(wire);
        }
        let made = Wire::new(&self.address)
            .map_err(|error| self.away(format!("no certificates to trust: {error}")))?;
        Ok(self.wire.get_or_init(|| made))
    }

    /// The token, resolved once: it may be asked of a program.
    async fn token(&self) -> Result<Option<SecretString>, ClusterError> {
        let Some(reference) = self.token.clone() else { return Ok(None) };
        let mut resolved = self.resolved.lock().await;
        if resolved.is_none() {
            let read = tokio::task::spawn_blocking(move || secrets::resolve(&reference)).await;
            let read = read.map_err(|error| self.needs_login(error.to_string()))?;
            *resolved = Some(read.map_err(|error| self.needs_login(error.to_string()))?);
        }
        Ok(resolved.clone())
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        payload: Payload,
    ) -> Result<Request<Body>, ClusterError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        request = request.header(USER_AGENT, AGENT);
        if let Some(token) = self.token().await? {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose_secret()));
        }
        let body = match payload {
            Payload::Nothing => Bytes::new(),
            Payload::Json(text) => {
                request = request.header(CONTENT_TYPE, "application/json");
                text.into()
            }
            Payload::Bytes(bytes) => bytes,
        };
        request
            .body(Full::new(body))
            .map_err(|error| self.refused(format!("its address or token cannot be used: {error}")))
    }

    /// Sends one request and reads all of the answer, or fails within `limit`.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        payload: Payload,
        limit: Duration,
    ) -> Result<Answer, Failed> {
        let request = self.request(method, path, payload).await.map_err(Failed::Before)?;
        let wire = self.wire().map_err(Failed::Before)?;
        let whole = async {
            let response = wire.send(request).await.map_err(|error| self.unsent(&error))?;
            let status = response.status().as_u16();
            let retry_after = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok());
            let retry_after = retry_after.and_then(|v| v.parse().ok()).map(Duration::from_secs);
            let body = Limited::new(response.into_body(), LARGEST).collect().await;
            let body = body.map_err(|error| {
                Failed::Amid(self.away(format!("its answer broke off: {error}")))
            })?;
            Ok(Answer { status, retry_after, body: body.to_bytes() })
        };
        let answer = tokio::time::timeout(limit, whole).await.map_err(|_| {
            Failed::Amid(self.away(format!("no answer in {} s", limit.as_secs())))
        })??;
        if matches!(answer.status, 401 | 403) {
            // Another one may lie there by now.
            *self.resolved.lock().await = None;
            return Err(Failed::Before(self.needs_login(last_line(&answer.text()))));
        }
        Ok(answer)
    }

    fn unsent(&self, error: &ClientError) -> Failed {
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(deeper) = source {
            why = deeper.to_string();
            source = deeper.source();
        }
        let away = self.away(why);
        if error.is_connect() { Failed::Before(away) } else { Failed::Amid(away) }
    }

    /// `GET` of something that must be there.
    pub async fn get(&self, path: &str, limit: Duration) -> Result<Answer, ClusterError> {
        let answer = self.call(Method::GET, path, Payload::Nothing, limit).await?;
        if answer.is_ok() { Ok(answer) } else { Err(self.odd(path, &answer)) }
    }

    /// `GET` of a document.
    pub async fn document<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        limit: Duration,
    ) -> Result<T, ClusterError> {
        self.read(path, &self.get(path, limit).await?)
    }

    pub fn read<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        answer: &Answer,
    ) -> Result<T, ClusterError> {
        serde_json::from_slice(&answer.body)
            .map_err(|error| self.garbled(format!("what is no answer to {path}: {error}")))
    }

    /// What an answer that was not hoped for means.
    pub fn odd(&self, path: &str, answer: &Answer) -> ClusterError {
        let words = last_line(&answer.text());
        match answer.status {
            404 => self.garbled(format!("404 to {path}: {words}")),
            status => ClusterError::Unreachable {
                cluster: self.cluster.clone(),
                why: format!("{status}: {words}"),
                retry_after: answer.retry_after,
            },
        }
    }

    /// `GET` of something that comes piece by piece; its answer must begin within
    /// `limit`.
    pub async fn open(&self, path: &str, limit: Duration) -> Result<Incoming, ClusterError> {
        let request = self.request(Method::GET, path, Payload::Nothing).await?;
        let wire = self.wire()?;
        let response = tokio::time::timeout(limit, wire.send(request))
            .await
            .map_err(|_| self.away(format!("no answer in {} s", limit.as_secs())))?
            .map_err(|error| self.unsent(&error))?;
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(response.into_body());
        }
        let body = Limited::new(response.into_body(), 1 << 16).collect();
        let body = tokio::time::timeout(limit, body).await.ok().and_then(Result::ok);
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let answer = Answer { status, retry_after: None, body };
        if matches!(status, 401 | 403) {
            return Err(self.needs_login(last_line(&answer.text())));
        }
        Err(self.refused(last_line(&answer.text())))
    }
}

/// Text as one part of a query.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            use std::fmt::Write as _;
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
