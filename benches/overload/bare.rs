//! A server that refuses everything with as many bytes as the gateway, and does nothing else: the minimum cost of
//! refusing on the same cores.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// About as long as the body of the gateway's refusal.
const BODY: &[u8] = &[b'x'; 330];

pub(crate) async fn serve() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // As the gateway does. If it fails, responses are only delayed.
            let _slower = stream.set_nodelay(true);
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(refuse)));
        }
    });
    Ok(address)
}

async fn refuse(_request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut answer = Response::new(Full::new(Bytes::from_static(BODY)));
    *answer.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
    Ok(answer)
}
