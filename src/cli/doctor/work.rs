//! What is configured and what is under way: clusters and runs.

use super::{Check, Outcome};
use crate::runtime::engine::Engine;

/// Asks every cluster.
pub async fn clusters(engine: &Engine, checks: &mut Vec<Check>) {
    const NAME: &str = "cluster";
    let drivable = engine.views();
    for cluster in engine.check_clusters().await {
        let id = cluster.id.to_string();
        let kind = cluster.kind.word();
        let health = &cluster.health;
        if !cluster.enabled {
            checks.push(Check::note(NAME, format!("{id} ({kind}) is switched off")));
        } else if drivable.get(&cluster.id).is_some_and(|view| !view.drivable) {
            checks.push(Check::warning(
                NAME,
                format!("{id}: this build knows kind {kind} by name and cannot drive it"),
            ));
        } else if health.needs_login {
            checks.push(
                Check::warning(NAME, format!("{id} ({kind}) needs a login"))
                    .hint(format!("log in with `jobdeck login {id}`")),
            );
        } else if let Some(error) = &health.error {
            let message = match health.reachable {
                Some(true) => error.clone(),
                _ => format!("{id} ({kind}) does not answer: {error}"),
            };
            checks.push(Check::problem(NAME, message));
        } else {
            let latency = health.latency_ms.map(|ms| format!(" in {ms} ms")).unwrap_or_default();
            checks.push(Check::ok(NAME, format!("{id} ({kind}) answers{latency}")));
        }
    }
}

/// Runs that wait for a person.
pub async fn runs(engine: &Engine, checks: &mut Vec<Check>) {
    const NAME: &str = "runs";
    let runs = match engine.runs().await {
        Ok(runs) => runs,
        Err(report) => {
            checks.push(super::of_report(NAME, &report));
            return;
        }
    };
    let before = checks.len();
    for run in &runs {
        if let Some(why) = &run.damaged {
            checks.push(Check::warning(NAME, format!("{} is damaged: {why}", run.run)));
        } else if run.unsent > 0 && run.conductor.is_none() {
            let why = run.held.as_deref().unwrap_or("nobody carries it on");
            checks.push(
                Check::warning(NAME, format!("{}: {} never sent: {why}", run.run, run.unsent))
                    .hint(format!("go on with `jobdeck send {}`", run.run)),
            );
        }
    }
    if checks.iter().skip(before).all(|check| check.status == Outcome::Ok) {
        checks.push(Check::ok(NAME, format!("{} recorded, none waits for you", runs.len())));
    }
}
