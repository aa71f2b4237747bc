//! What this machine has: GPUs by `nvidia-smi`, CPU cores.

use std::{
    io::Read as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use super::wire::Settings;

/// `nvidia-smi` hangs when a driver is sick; then there are no GPUs to use.
const PATIENCE: Duration = Duration::from_secs(10);

/// Names of the GPU slots, as `CUDA_VISIBLE_DEVICES` lists them.
///
/// A fixed number makes that many. Otherwise what `nvidia-smi` lists, narrowed to
/// the devices that the submitting process was itself confined to. May take
/// seconds.
pub fn slots(settings: &Settings) -> Vec<String> {
    let allowed = settings.visible_devices.as_deref().map(device_list);
    if let Some(count) = settings.gpus {
        let wanted = count as usize;
        return match allowed {
            Some(names) if names.len() >= wanted => names.into_iter().take(wanted).collect(),
            _ => (0..wanted).map(|i| i.to_string()).collect(),
        };
    }
    let listed = nvidia_smi().map_or(0, |text| count_gpus(&text));
    narrowed(listed, allowed)
}

fn narrowed(listed: usize, allowed: Option<Vec<String>>) -> Vec<String> {
    match allowed {
        None => (0..listed).map(|i| i.to_string()).collect(),
        Some(_) if listed == 0 => Vec::new(),
        Some(names) => names
            .into_iter()
            .filter(|name| name.parse::<usize>().map_or(true, |index| index < listed))
            .collect(),
    }
}

/// Entries up to the first that is not a device, as the driver itself reads them.
fn device_list(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .take_while(|name| {
            name.parse::<u32>().is_ok() || name.starts_with("GPU-") || name.starts_with("MIG-")
        })
        .map(str::to_owned)
        .collect()
}

fn count_gpus(listing: &str) -> usize {
    listing.lines().filter(|line| line.starts_with("GPU ")).count()
}

/// What `nvidia-smi -L` prints; `None` when it is absent, fails or hangs.
fn nvidia_smi() -> Option<String> {
    use std::os::unix::process::CommandExt as _;
    let mut child = Command::new("nvidia-smi")
        .arg("-L")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let mut out = child.stdout.take()?;
    let (told, done) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = told.send(out.read_to_string(&mut text).map(|_| text));
    });
    let text = done.recv_timeout(PATIENCE).ok().and_then(Result::ok);
    if text.is_none() {
        let _ = child.kill();
        // A process stuck in a sick driver cannot be reaped: do not wait for it.
        std::thread::spawn(move || child.wait());
        return None;
    }
    child.wait().ok()?.success().then_some(text).flatten()
}

/// Thousandths of the cores that jobs may use together.
pub fn milli_cpus(settings: &Settings) -> u64 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    match settings.cpus {
        Some(cpus) if cpus.is_finite() && cpus > 0.0 => (cpus * 1000.0).round().max(1.0) as u64,
        _ => cores * 1000,
    }
}

/// Memory of this machine in bytes, where the system tells.
pub fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// A program that could be started by this name.
pub fn on_path(program: &str) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder: PathBuf| folder.join(program)).any(|file| {
        std::fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_counted_and_their_parts_are_not() {
        let listing = "GPU 0: NVIDIA A100 (UUID: GPU-aa)\n  MIG 1g.5gb Device 0: (UUID: MIG-bb)\n\
                       GPU 1: NVIDIA A100 (UUID: GPU-cc)\n";
        assert_eq!(count_gpus(listing), 2);
        assert_eq!(count_gpus("No devices found.\n"), 0);
    }

    #[test]
    fn a_confined_process_gives_its_jobs_no_more() {
        let list = |text: &str| Some(device_list(text));
        assert_eq!(narrowed(4, None), ["0", "1", "2", "3"]);
        assert_eq!(narrowed(4, list("2,3,9")), ["2", "3"]);
        assert_eq!(narrowed(4, list("GPU-aa, 1,-1,2")), ["GPU-aa", "1"]);
        assert!(narrowed(4, list("")).is_empty());
        assert!(narrowed(0, list("0")).is_empty());
    }

    #[test]
    fn a_number_makes_that_many_slots() {
        let settings = |gpus, visible: &str| Settings {
            gpus: Some(gpus),
            visible_devices: Some(visible.into()),
            ..Settings::default()
        };
        assert_eq!(slots(&settings(2, "")), ["0", "1"]);
        assert_eq!(slots(&settings(2, "4,5,6")), ["4", "5"]);
        assert!(slots(&settings(0, "4")).is_empty());
    }
}
