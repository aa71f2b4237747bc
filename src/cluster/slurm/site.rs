//! What is learned of a Slurm site: its limits, partitions, nodes. Pure: the text
//! of Slurm's commands in, facts out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    cluster::SiteFacts,
    domain::{
        resources::{Gpus, TimeLimit},
        site::{Capacity, Offer, Offers},
    },
};

/// Slurm's own default of `MaxArraySize`: indices are below it.
const MAX_ARRAY_SIZE: u32 = 1001;
/// More jobs than this in one request make its script unwieldy.
const PER_REQUEST: usize = 1_000;

/// What one login told of a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// Home folder of the user there.
    pub home: Option<String>,
    pub user: Option<String>,
    /// Indices of arrays are below this.
    pub max_array_size: u32,
    /// Most jobs the user may have there at once, by account; of those that limit it.
    #[serde(default)]
    pub max_submit: BTreeMap<String, u32>,
    /// `sacct` can be asked about jobs that have left the queue.
    pub accounting: bool,
    pub partitions: Vec<Partition>,
    /// Account and QOS names that the user may name; empty: not known.
    #[serde(default)]
    pub accounts: Vec<String>,
    #[serde(default)]
    pub qos: Vec<String>,
    /// Features of nodes, which a constraint may name.
    #[serde(default)]
    pub features: Vec<String>,
    pub apptainer: Option<bool>,
    pub rsync: Option<bool>,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            home: None,
            user: None,
            max_array_size: MAX_ARRAY_SIZE,
            max_submit: BTreeMap::new(),
            accounting: true,
            partitions: Vec::new(),
            accounts: Vec::new(),
            qos: Vec::new(),
            features: Vec::new(),
            apptainer: None,
            rsync: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    pub name: String,
    pub default: bool,
    /// Longest time in seconds; `None`: no limit.
    pub max_secs: Option<u64>,
    /// It takes no jobs now.
    #[serde(default)]
    pub closed: bool,
}

impl Partition {
    /// What a pick-list tells of it.
    fn in_words(&self) -> String {
        let most = self.max_secs.map(TimeLimit::from_secs);
        let parts = [
            self.closed.then(|| "takes no jobs now".to_owned()),
            self.default.then(|| "default".to_owned()),
            most.map(|most| format!("at most {most}")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }
}

/// Key of [`SiteFacts::details`].
const KEY: &str = "slurm";

impl Site {
    /// What is cached of a site; the defaults where nothing is.
    pub fn of(facts: &SiteFacts) -> Self {
        facts
            .details
            .get(KEY)
            .and_then(|value| serde_json::from_value(value.clone()).ok())
            .unwrap_or_default()
    }

    /// As it is cached. `account`: what jobs there are charged to.
    pub fn into_facts(self, version: Option<String>, account: Option<&str>) -> SiteFacts {
        let mut facts = SiteFacts { version, ..SiteFacts::default() };
        facts.jobs_per_request = Some(self.jobs_per_request(account));
        facts.offers = self.offers();
        if let Ok(value) = serde_json::to_value(self) {
            facts.details.insert(KEY.to_owned(), value);
        }
        facts
    }

    /// Names for the fields that only Slurm has.
    fn offers(&self) -> Offers {
        let partition = |partition: &Partition| Offer {
            value: partition.name.clone(),
            note: partition.in_words(),
        };
        let account = |name: &String| Offer {
            value: name.clone(),
            note: self.max_submit.get(name).map_or_else(String::new, |most| {
                format!("at most {most} {} at once", if *most == 1 { "job" } else { "jobs" })
            }),
        };
        let plain = |name: &String| Offer { value: name.clone(), note: String::new() };
        let lists: [(&str, Vec<Offer>); 4] = [
            ("options.partition", self.partitions.iter().map(partition).collect()),
            ("options.account", self.accounts.iter().map(account).collect()),
            ("options.qos", self.qos.iter().map(plain).collect()),
            ("options.constraint", self.features.iter().map(plain).collect()),
        ];
        lists.into_iter().map(|(key, list)| (key.to_owned(), list)).collect()
    }

    /// Most jobs that one array may have, charged to this account.
    pub fn jobs_per_request(&self, account: Option<&str>) -> usize {
        let submit = account.and_then(|name| self.max_submit.get(name));
        let submit = submit.map_or(usize::MAX, |most| (*most).max(1) as usize);
        PER_REQUEST.min(self.max_array_size.max(1) as usize).min(submit)
    }
}

/// Lines of shell that ask all of it, answered in sections that [`read`] knows.
pub const ASK: &str = "\
section() { printf '\\n==jobdeck %s\\n' \"$1\"; }
section home; printf '%s\\n' \"$HOME\"
section user; id -un
section version; sbatch --version
section config; scontrol show config || exit 1
section partitions; scontrol show partition -o
section features; sinfo --noheader --format=%f
section tools; for tool in apptainer rsync; do command -v $tool >/dev/null && echo $tool; done
section assoc; sacctmgr -nP show assoc user=\"$(id -un)\" format=account,qos,maxsubmit 2>/dev/null
true";

/// The sections of an answer to [`ASK`].
fn section<'a>(answer: &'a str, name: &str) -> &'a str {
    let mark = format!("==jobdeck {name}\n");
    let Some((_, rest)) = answer.split_once(&mark) else { return "" };
    rest.split("\n==jobdeck ").next().unwrap_or(rest)
}

/// The version and everything else, from the answer to [`ASK`].
pub fn read(answer: &str) -> (Option<String>, Site) {
    let mut site = Site::default();
    let first_line = |name| {
        let line = section(answer, name).lines().next().unwrap_or_default().trim();
        (!line.is_empty()).then(|| line.to_owned())
    };
    site.home = first_line("home").filter(|home| home.starts_with('/'));
    site.user = first_line("user");
    for line in section(answer, "config").lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        match (name.trim(), value.trim()) {
            ("MaxArraySize", value) => {
                site.max_array_size = value.parse().unwrap_or(MAX_ARRAY_SIZE);
            }
            ("AccountingStorageType", value) => {
                site.accounting =
                    !value.ends_with("/none") && !value.is_empty() && value != "(null)";
            }
            _ => {}
        }
    }
    site.partitions = section(answer, "partitions").lines().filter_map(partition).collect();
    let add = |list: &mut Vec<String>, name: &str| {
        if !matches!(name, "" | "(null)" | "N/A") && !list.iter().any(|known| known == name) {
            list.push(name.to_owned());
        }
    };
    for feature in section(answer, "features").lines().flat_map(|line| line.split(',')) {
        add(&mut site.features, feature.trim());
    }
    for line in section(answer, "assoc").lines() {
        let mut parts = line.split('|');
        let (account, qos, submit) = (parts.next(), parts.next(), parts.next());
        add(&mut site.accounts, account.unwrap_or_default().trim());
        qos.unwrap_or_default().split(',').for_each(|qos| add(&mut site.qos, qos.trim()));
        if let (Some(account), Some(most)) =
            (account, submit.and_then(|text| text.trim().parse::<u32>().ok()))
        {
            site.max_submit.insert(account.trim().to_owned(), most);
        }
    }
    let tools = section(answer, "tools");
    let has = |tool: &str| Some(tools.lines().any(|line| line.trim() == tool));
    (site.apptainer, site.rsync) = (has("apptainer"), has("rsync"));
    let version = first_line("version").map(|v| v.trim_start_matches("slurm ").to_owned());
    (version, site)
}

/// Value of `Name=…` in one line of `scontrol -o`.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_ascii_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn partition(line: &str) -> Option<Partition> {
    Some(Partition {
        name: field(line, "PartitionName")?.to_owned(),
        default: field(line, "Default") == Some("YES"),
        max_secs: field(line, "MaxTime").and_then(seconds),
        closed: field(line, "State").is_some_and(|state| state != "UP"),
    })
}

/// `1-00:00:00`, `30:00`, `90` (minutes); `None` for `UNLIMITED`.
fn seconds(text: &str) -> Option<u64> {
    let (days, clock) = match text.split_once('-') {
        Some((days, clock)) => (days.parse::<u64>().ok()?, clock),
        None => (0, text),
    };
    let parts: Vec<u64> = clock.split(':').map(|p| p.parse().ok()).collect::<Option<_>>()?;
    let secs = match (parts.as_slice(), text.contains('-')) {
        ([hours], true) => hours * 3600,
        ([minutes], false) => minutes * 60,
        ([hours, minutes], true) => hours * 3600 + minutes * 60,
        ([minutes, secs], false) => minutes * 60 + secs,
        ([hours, minutes, secs], _) => hours * 3600 + minutes * 60 + secs,
        _ => return None,
    };
    Some(days * 86_400 + secs)
}

/// Lines of shell whose answer [`capacity`] reads: nodes, with what of their GPUs is in
/// use, then the queue's size.
pub const ASK_CAPACITY: &str = "\
scontrol show node -d -o || exit
printf '\\n==jobdeck queue\\n'
sdiag 2>/dev/null
printf '\\n==jobdeck version\\n'
sbatch --version";

/// What all nodes together have, what is free on those that take jobs.
pub fn capacity(answer: &str) -> Capacity {
    let mut whole = Capacity::default();
    let (mut gpus, mut free, mut most) = (0, Some(0), 0);
    let (mut cpus, mut free_cpus, mut memory) = (0, 0, 0);
    for line in answer.lines().take_while(|line| !line.starts_with("==jobdeck")) {
        let Some(state) = field(line, "State") else { continue };
        let states: Vec<&str> =
            state.trim_end_matches(['*', '~', '#', '%', '$', '@']).split('+').collect();
        let away = |word: &&str| {
            let word = word.trim_end_matches('*');
            word.starts_with("DOWN")
                || word.starts_with("DRAIN")
                || ["FAIL", "FAILING", "NOT_RESPONDING", "MAINT", "FUTURE", "UNKNOWN", "INVAL_REG"]
                    .contains(&word)
        };
        if states.iter().any(away) {
            continue;
        }
        let (has, used) = gpus_of(line);
        gpus += has;
        free = free.zip(used).map(|(free, used)| free + has.saturating_sub(used));
        most = most.max(has);
        let number = |name| field(line, name).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        cpus += number("CPUTot");
        free_cpus += number("CPUTot").saturating_sub(number("CPUAlloc"));
        memory += number("RealMemory");
    }
    whole.gpus_total = Some(Gpus::whole(gpus));
    whole.gpus_free = free.map(Gpus::whole);
    whole.gpus_per_node = Some(Gpus::whole(most));
    whole.cpus_total = Some(cpus as f64);
    whole.cpus_free = Some(free_cpus as f64);
    whole.memory_total = Some(memory << 20);
    let queue = section(answer, "queue");
    let count = |name: &str| {
        queue.lines().find_map(|line| line.trim().strip_prefix(name)?.trim().parse().ok())
    };
    whole.queue = count("Jobs pending:");
    whole.running = count("Jobs running:");
    whole.version = section(answer, "version")
        .lines()
        .next()
        .map(|line| line.trim().trim_start_matches("slurm ").to_owned())
        .filter(|version| !version.is_empty());
    whole
}

/// GPUs of one node and those in use; `None`: not told.
///
/// A site that accounts for GPUs tells both as TRES, where nothing in use is an empty
/// text. Another one has them in `Gres` and, since the call asks for details, `GresUsed`.
fn gpus_of(line: &str) -> (u64, Option<u64>) {
    let of = |name| field(line, name).unwrap_or_default();
    match tres_gpus(of("CfgTRES")) {
        Some(has) => (has, Some(tres_gpus(of("AllocTRES")).unwrap_or(0))),
        None => match gres_gpus(of("Gres")) {
            0 => (0, Some(0)),
            has => (has, field(line, "GresUsed").map(gres_gpus)),
        },
    }
}

/// GPUs in `cpu=64,gres/gpu=8,gres/gpu:a100=8`; `None`: it has no word of any.
fn tres_gpus(tres: &str) -> Option<u64> {
    let count = |of: fn(&str) -> bool| {
        let parts = tres.split(',').filter_map(|part| part.split_once('='));
        let counts = parts.filter(|(name, _)| of(name)).filter_map(|(_, n)| n.parse::<u64>().ok());
        counts.reduce(u64::saturating_add)
    };
    count(|name| name == "gres/gpu").or_else(|| count(|name| name.starts_with("gres/gpu:")))
}

/// GPUs in `gpu:a100:8(S:0-1),shard:16` or `gpu:a100:3(IDX:0,2-3)`.
fn gres_gpus(gres: &str) -> u64 {
    let mut depth = 0_u32;
    let parts = gres.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    let count = |part: &str| {
        let mut words = part.split('(').next()?.split(':');
        let is_gpu = words.next() == Some("gpu");
        words.next_back().filter(|_| is_gpu)?.parse::<u64>().ok()
    };
    parts.filter_map(count).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "\
motd of the day

==jobdeck home
/home/alice

==jobdeck user
alice

==jobdeck version
slurm 24.11.5

==jobdeck config
Configuration data as of 2026-03-02T09:00:00
AccountingStorageType   = accounting_storage/slurmdbd
MaxArraySize            = 11
MaxJobCount             = 10000

==jobdeck partitions
PartitionName=gpu AllowGroups=ALL Default=YES MaxTime=1-00:00:00 State=UP
PartitionName=debug AllowGroups=ALL Default=NO MaxTime=00:10:00 State=UP
PartitionName=long Default=NO MaxTime=UNLIMITED State=DRAIN

==jobdeck features
a100,nvlink
(null)
h100,nvlink

==jobdeck tools
rsync

==jobdeck assoc
ml|gpu4,normal|
small|normal|5
";

    #[test]
    fn a_site_is_read() {
        let (version, site) = read(ANSWER);
        assert_eq!(version.as_deref(), Some("24.11.5"));
        assert_eq!(site.home.as_deref(), Some("/home/alice"));
        assert_eq!((site.max_array_size, site.jobs_per_request(None)), (11, 11));
        assert!(site.accounting);
        let partitions: Vec<_> = site.partitions.iter().map(|p| (&*p.name, p.max_secs)).collect();
        assert_eq!(partitions, [("gpu", Some(86_400)), ("debug", Some(600)), ("long", None)]);
        assert!(site.partitions[0].default && !site.partitions[1].default);
        assert_eq!((site.apptainer, site.rsync), (Some(false), Some(true)));
        assert_eq!(site.accounts, ["ml", "small"]);
        assert_eq!(site.qos, ["gpu4", "normal"]);
        assert_eq!(site.jobs_per_request(Some("small")), 5);
        // What is learned survives being cached.
        let facts = site.clone().into_facts(version, None);
        assert_eq!(Site::of(&facts), site);
        let told = |key: &str| {
            let told = |offer: &Offer| format!("{}: {}", offer.value, offer.note);
            facts.offers[key].iter().map(told).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(
            told("options.partition"),
            "gpu: default · at most 1d, debug: at most 10m, long: takes no jobs now"
        );
        assert_eq!(told("options.account"), "ml: , small: at most 5 jobs at once");
        assert_eq!(told("options.qos"), "gpu4: , normal: ");
        assert_eq!(told("options.constraint"), "a100: , nvlink: , h100: ");
    }

    #[test]
    fn without_an_answer_slurms_defaults_hold() {
        assert_eq!(read("").1.max_array_size, 1001);
        let none = read("\n==jobdeck config\nAccountingStorageType = accounting_storage/none\n").1;
        assert!(!none.accounting);
    }

    #[test]
    fn nodes_that_take_no_jobs_do_not_count() {
        let answer = "\
NodeName=a CPUAlloc=10 CPUTot=64 Gres=gpu:a100:8 RealMemory=1024 State=MIXED CfgTRES=cpu=64,gres/gpu=8,gres/gpu:a100=8 AllocTRES=cpu=3,gres/gpu=3,gres/gpu:a100=3
NodeName=b CPUAlloc=0 CPUTot=64 Gres=gpu:h100:4(S:0-1),gpu:a100:2 GresUsed=gpu:h100:0(IDX:N/A),gpu:a100:0(IDX:N/A) RealMemory=1024 State=IDLE+PLANNED CfgTRES=cpu=64 AllocTRES=
NodeName=c CPUTot=64 State=IDLE+DRAIN CfgTRES=gres/gpu=8
NodeName=d CPUTot=64 State=DOWN*+NOT_RESPONDING CfgTRES=gres/gpu=8

==jobdeck queue
Jobs submitted: 90
Jobs pending:   7
Jobs running:   3

==jobdeck version
slurm 22.05.8
";
        let capacity = capacity(answer);
        let gpus = |g: Option<Gpus>| g.unwrap().as_f64() as u64;
        assert_eq!((gpus(capacity.gpus_total), gpus(capacity.gpus_free)), (14, 11));
        assert_eq!(gpus(capacity.gpus_per_node), 8);
        assert_eq!((capacity.cpus_total, capacity.cpus_free), (Some(128.0), Some(118.0)));
        assert_eq!((capacity.queue, capacity.running), (Some(7), Some(3)));
        assert_eq!(capacity.version.as_deref(), Some("22.05.8"));
    }

    #[test]
    fn gpus_in_use_are_known_without_accounting_for_them() {
        let nodes = "\
NodeName=a CPUTot=64 Gres=gpu:a100:8(S:0-1),gpu_mem:80 GresUsed=gpu:a100:3(IDX:0,2-3),gpu_mem:0 State=MIXED CfgTRES=cpu=64,mem=500G AllocTRES=cpu=1
NodeName=b CPUTot=64 Gres=gpu:2,shard:16 GresUsed=gpu:1(IDX:1),shard:a:2(0/8,2/8) State=MIXED CfgTRES=cpu=64 AllocTRES=
NodeName=c CPUTot=64 Gres=(null) State=IDLE CfgTRES=cpu=64 AllocTRES=
NodeName=d CPUTot=64 Gres=gpu:v100:4 GresUsed=gpu:v100:4(IDX:0-3) State=ALLOCATED CfgTRES=gres/gpu:v100=4 AllocTRES=gres/gpu:v100=4
";
        let told = capacity(nodes);
        assert_eq!(
            (told.gpus_total, told.gpus_free),
            (Some(Gpus::whole(14)), Some(Gpus::whole(6)))
        );
        // What is not told is not taken for free.
        let told = capacity("NodeName=a Gres=gpu:8 State=MIXED CfgTRES=cpu=64 AllocTRES=cpu=1\n");
        assert_eq!((told.gpus_total, told.gpus_free), (Some(Gpus::whole(8)), None));
    }
}
