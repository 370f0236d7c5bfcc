//! The way to the API server: where it is, how long it may take, and each request counted.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request, Response, Uri};
use kube::client::ClientBuilder;
use kube::config::InferConfigError;
use kube::{Client, Config};
use tower::{BoxError, Layer, Service};

use crate::metrics::{Metrics, NO_ANSWER};

/// The longest until a connection stands.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest silence on a connection; watches end by themselves after 290 s.
const SILENCE: Duration = Duration::from_secs(295);
/// The longest until a request that is no watch is answered.
const ANSWER: Duration = Duration::from_secs(30);

/// Why there is no way to an API server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a pod's ServiceAccount nor a kubeconfig says where it is.
    #[error("no cluster is configured, neither by a kubeconfig nor as in a pod: {0}")]
    NotConfigured(#[source] InferConfigError),
    /// What is configured cannot be used.
    #[error("the API server {server} cannot be used: {}", said(.error))]
    Unusable {
        /// Its URL.
        server: Uri,
        /// What is wrong.
        #[source]
        error: kube::Error,
    },
    /// It did not answer, or refused to say its version.
    #[error("the API server {server} was not reached: {}", said(.error))]
    NotReached {
        /// Its URL.
        server: Uri,
        /// What came instead.
        #[source]
        error: kube::Error,
    },
}

/// A client of the cluster this process runs in or the kubeconfig names, whose API server has answered once. Its requests
/// are counted in `metrics`; one that is sent again after 429, 503 or 504 counts once.
///
/// Installs the process's TLS provider, aws-lc-rs, unless there is one.
///
/// # Errors
/// No cluster is configured, or its API server does not answer.
pub async fn connect(metrics: Arc<Metrics>) -> Result<Client, Error> {
    let mut config = Config::infer().await.map_err(Error::NotConfigured)?;
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(SILENCE);
    config.write_timeout = Some(SILENCE);
    // The time a connection sat idle in the pool is no silence of the server.
    config.reset_reader_on_write = true;
    let server = config.cluster_url.clone();
    let builder =
        ClientBuilder::try_from(config).map_err(|error| Error::Unusable { server: server.clone(), error })?;
    let client = builder.with_layer(&Counted { metrics }).build();
    match client.apiserver_version().await {
        Ok(version) => {
            tracing::info!(%server, version = version.git_version, "the API server answers");
            Ok(client)
        }
        Err(error) => Err(Error::NotReached { server, error }),
    }
}

/// An error in one line: what the API server said, or what went wrong below, cause by cause.
#[must_use]
pub fn said(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return match status.message.as_str() {
            "" => format!("HTTP status {}", status.code),
            message => message.to_owned(),
        };
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let next_text = next.to_string();
        // Some errors say what their cause says.
        if !text.contains(&next_text) {
            text.push_str(": ");
            text.push_str(&next_text);
        }
        cause = next.source();
    }
    text
}

/// Counts requests, and bounds the wait for an answer.
#[derive(Debug, Clone)]
struct Counted {
    metrics: Arc<Metrics>,
}

impl<S> Layer<S> for Counted {
    type Service = Counting<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Counting { inner, metrics: Arc::clone(&self.metrics) }
    }
}

#[derive(Debug, Clone)]
struct Counting<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", ANSWER.as_secs())]
struct NoAnswer;

impl<S, R, B> Service<Request<R>> for Counting<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let verb = verb(request.method(), request.uri());
        let metrics = Arc::clone(&self.metrics);
        let answer = self.inner.call(request);
        Box::pin(async move {
            // A server may hold back the head of a watch until the first change.
            let answer = if verb == WATCH {
                answer.await.map_err(Into::into)
            } else {
                match tokio::time::timeout(ANSWER, answer).await {
                    Ok(answer) => answer.map_err(Into::into),
                    Err(_) => Err(NoAnswer.into()),
                }
            };
            metrics.api_request(verb, answer.as_ref().map_or(NO_ANSWER, |answer| answer.status().as_u16()));
            answer
        })
    }
}

const WATCH: &str = "watch";

/// The verb of a request, as roles name it.
fn verb(method: &Method, uri: &Uri) -> &'static str {
    match *method {
        Method::GET if watches(uri) => WATCH,
        Method::GET if collection(uri.path()) => "list",
        Method::GET | Method::HEAD => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}

fn watches(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1"))
}

/// Whether a path is one of `/api/V/[namespaces/N/]KINDS` and `/apis/G/V/[namespaces/N/]KINDS`.
fn collection(path: &str) -> bool {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let version = match segments.next() {
        Some("api") => segments.next(),
        Some("apis") => segments.next().and_then(|_group| segments.next()),
        _ => None,
    };
    if version.is_none() {
        return false;
    }
    match (segments.next(), segments.next(), segments.next()) {
        (Some("namespaces"), Some(_), Some(_kinds)) => segments.next().is_none(),
        (Some(_kinds), name, _) => name.is_none(),
        (None, ..) => false,
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn verbs_are_those_of_roles() {
        const PODS: &str = "/api/v1/namespaces/ims/pods";
        const RESOURCES: &str = "/apis/smsc.ims.dev/v1alpha1/smscfrontends";
        let table = [
            (Method::GET, PODS.to_owned(), "list"),
            (Method::GET, format!("{PODS}?limit=500&watch=true"), "watch"),
            (Method::GET, format!("{PODS}?labelSelector=watch%3Dtrue"), "list"),
            (Method::GET, format!("{PODS}/home-0"), "get"),
            (Method::GET, format!("{PODS}/home-0/log"), "get"),
            (Method::GET, RESOURCES.to_owned(), "list"),
            (Method::GET, "/api/v1/namespaces".to_owned(), "list"),
            (Method::GET, "/api/v1/namespaces/ims".to_owned(), "get"),
            (Method::GET, "/apis/smsc.ims.dev/v1alpha1/namespaces/ims/smscfrontends/home".to_owned(), "get"),
            (Method::GET, "/api/v1".to_owned(), "get"),
            (Method::GET, "/version".to_owned(), "get"),
            (Method::POST, PODS.to_owned(), "create"),
            (Method::PUT, format!("{PODS}/home-0"), "update"),
            (Method::PATCH, format!("{PODS}/home-0/status"), "patch"),
            (Method::DELETE, format!("{PODS}/home-0"), "delete"),
            (Method::OPTIONS, PODS.to_owned(), "other"),
        ];
        for (method, path, expected) in table {
            let uri: Uri = path.parse().unwrap();
            assert_eq!(verb(&method, &uri), expected, "{method} {path}");
        }
    }

    /// What the server does with every request.
    #[derive(Clone, Copy)]
    enum Server {
        Answers(StatusCode),
        Breaks,
        IsSilent,
    }

    impl Service<Request<()>> for Server {
        type Response = Response<()>;
        type Error = std::io::Error;
        type Future = Pin<Box<dyn Future<Output = Result<Response<()>, std::io::Error>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            let server = *self;
            Box::pin(async move {
                match server {
                    Self::Answers(status) => {
                        let mut response = Response::new(());
                        *response.status_mut() = status;
                        Ok(response)
                    }
                    Self::Breaks => Err(std::io::ErrorKind::ConnectionReset.into()),
                    Self::IsSilent => std::future::pending().await,
                }
            })
        }
    }

    async fn counted(server: Server, uri: &'static str) -> (Result<StatusCode, String>, Vec<String>) {
        let metrics = Arc::new(Metrics::new());
        let mut service = Counted { metrics: Arc::clone(&metrics) }.layer(server);
        let request = Request::get(uri).body(()).unwrap();
        let answer = service.call(request).await;
        let counts = metrics.encode();
        let counts = counts.lines().filter_map(|line| line.strip_prefix("smsc_operator_api_requests_total"));
        (
            answer.map(|answer| answer.status()).map_err(|error| error.to_string()),
            counts.map(str::to_owned).collect(),
        )
    }

    #[test]
    fn an_error_is_what_the_server_said_or_the_chain_of_causes() {
        let mut status = kube::core::Status::failure("pods is forbidden", "Forbidden").with_code(403);
        let api = |status: &kube::core::Status| said(&kube::Error::Api(Box::new(status.clone())));
        assert_eq!(api(&status), "pods is forbidden");
        status.message.clear();
        assert_eq!(api(&status), "HTTP status 403");
        assert_eq!(said(&kube::Error::Service(NoAnswer.into())), "ServiceError: no answer within 30 s");
    }

    #[tokio::test(start_paused = true)]
    async fn every_request_is_counted_and_none_waits_for_ever() {
        let pods = "/api/v1/namespaces/ims/pods";
        assert_eq!(
            counted(Server::Answers(StatusCode::FORBIDDEN), pods).await,
            (Ok(StatusCode::FORBIDDEN), vec![r#"{verb="list",code="403"} 1"#.to_owned()])
        );
        assert_eq!(
            counted(Server::Breaks, pods).await,
            (Err("connection reset".to_owned()), vec![r#"{verb="list",code="0"} 1"#.to_owned()])
        );
        let asked = tokio::time::Instant::now();
        assert_eq!(
            counted(Server::IsSilent, pods).await,
            (Err("no answer within 30 s".to_owned()), vec![r#"{verb="list",code="0"} 1"#.to_owned()])
        );
        assert_eq!(asked.elapsed(), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_may_be_silent() {
        let watch = counted(Server::IsSilent, "/api/v1/pods?watch=true");
        assert!(tokio::time::timeout(Duration::from_secs(290), watch).await.is_err());
    }
}
