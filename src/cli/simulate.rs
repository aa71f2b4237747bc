//! `jobdeck simulate`: a fake cluster on loopback until it is interrupted.

use std::io::Write as _;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{Answer, args::Simulate, docs};
use crate::{
    error::{Kind, Report},
    simulate::ray::{Server, Settings},
};

/// The first line tells where it is and how to configure it; then it serves.
pub async fn simulate(args: &Simulate) -> Answer {
    if args.kind != "ray" {
        return Err(docs::no_simulation(&args.kind));
    }
    let told = |error: std::io::Error| {
        Report::new(Kind::State, format!("the simulation cannot start: {error}"))
    };
    // Its jobs are processes of this machine: not everybody on it may start some.
    let token: String = std::iter::repeat_with(fastrand::alphanumeric).take(32).collect();
    let settings = Settings { token: Some(token.clone()), ..Settings::default() };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(told)?;
    let mut end = signal(SignalKind::terminate()).map_err(told)?;
    let server = Server::start(settings, args.port).await.map_err(told)?;
    let url = server.url();
    let line = json!({ "url": url, "config": { "kind": "ray", "address": url, "token": token } });
    let mut out = std::io::stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(told)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = end.recv() => {}
    }
    Ok(0)
}
