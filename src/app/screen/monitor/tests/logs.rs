//! The log pane.

use super::*;
use crate::{
    app::screen::monitor::log_pane::LogState,
    domain::site::{Capabilities, ClusterKind},
};

fn lines(numbers: std::ops::Range<u32>, line: impl Fn(u32) -> String) -> String {
    numbers.flat_map(|n| [line(n), "\n".to_owned()]).collect()
}

fn asked(effects: &[Effect]) -> crate::app::effect::LogRequest {
    effects
        .iter()
        .rev()
        .find_map(|e| match e {
            Effect::FollowLog(request) => Some(request.clone()),
            _ => None,
        })
        .unwrap_or_else(|| panic!("nothing asked: {effects:?}"))
}

fn answer(m: &mut Model, serial: u64, offset: u64, bytes: &[u8], total: u64) -> Vec<Effect> {
    let part = LogPart { serial, offset, bytes: bytes.to_vec(), total, complete: false };
    update(m, Msg::Log(part))
}

fn pane(m: &Model) -> &LogPane {
    match opened(m).pane() {
        Pane::Log(pane) => pane,
        other => panic!("{other:?}"),
    }
}

fn shown(m: &Model) -> Vec<String> {
    let pane = pane(m);
    let (width, height) = opened(m).layout(m.width, m.height - 2).pane_text();
    pane.visible(width, height)
        .iter()
        .map(|row| pane.text.line(row.line).unwrap().text()[row.from..row.to].to_owned())
        .collect()
}

#[test]
fn following_does_not_stop_where_nothing_was_written_yet() {
    let mut m = small();
    let first = asked(&press(&mut m, "l"));
    assert!(press(&mut m, "f").is_empty());
    answer(&mut m, first.serial, 0, b"one\n", 4);
    assert_eq!((shown(&m), &pane(&m).state), (vec!["one".to_owned()], &LogState::Following));
}

#[test]
fn esc_in_the_search_goes_back_to_the_one_before() {
    let mut m = small();
    let first = asked(&press(&mut m, "l"));
    answer(&mut m, first.serial, 0, b"one\ntwo\n", 8);
    press(&mut m, "/");
    type_in(&mut m, "two");
    press(&mut m, "enter");
    let former = pane(&m).needle.clone();
    assert!(former.is_some());
    press(&mut m, "/");
    type_in(&mut m, "other");
    press(&mut m, "esc");
    assert_eq!(pane(&m).needle, former);
}

#[test]
fn following_really_stops_and_starts() {
    let mut m = small();
    let first = asked(&press(&mut m, "l"));
    assert_eq!((first.job, first.attempt, first.stream), (JobIx(0), Some(1), Stream::Stdout));
    assert!(matches!(first.range, LogRange::Follow { .. }));
    answer(&mut m, first.serial, 0, b"one\n", 4);
    answer(&mut m, first.serial, 4, b"two\n", 8);
    assert_eq!(shown(&m), ["one", "two"]);
    assert_eq!(press(&mut m, "f"), [Effect::StopLog]);
    assert_eq!(pane(&m).state, LogState::Paused { by_hand: true });
    let again = asked(&press(&mut m, "f"));
    assert!(again.serial > first.serial);
    answer(&mut m, first.serial, 8, b"of the former request\n", 30);
    answer(&mut m, again.serial, 4, b"two\nthree\n", 14);
    assert_eq!(shown(&m), ["one", "two", "three"], "what is known is not shown twice");
    assert_eq!(pane(&m).state, LogState::Following);
}

#[test]
fn scrolling_up_pauses_and_the_end_goes_on() {
    let mut m = small();
    let request = asked(&press(&mut m, "l"));
    let text = lines(0..100, |n| format!("line {n}"));
    answer(&mut m, request.serial, 0, text.as_bytes(), text.len() as u64);
    let bottom = shown(&m);
    assert_eq!(bottom.last().unwrap(), "line 99");
    assert_eq!(press(&mut m, "k"), [Effect::StopLog]);
    assert_eq!(pane(&m).state, LogState::Paused { by_hand: false });
    assert_eq!(shown(&m).last().unwrap(), "line 98");
    let request = asked(&press(&mut m, "end"));
    let more = format!("{text}line 100\n");
    answer(&mut m, request.serial, 0, more.as_bytes(), more.len() as u64);
    assert_eq!(shown(&m).last().unwrap(), "line 100");
    assert_eq!(press(&mut m, "f pgup").len(), 1, "stopped by hand: only that one effect");
    assert!(press(&mut m, "end").is_empty(), "what was stopped by hand stays stopped");
    assert_eq!(pane(&m).state, LogState::Paused { by_hand: true });
}

#[test]
fn earlier_parts_come_when_scrolled_to_and_nothing_jumps() {
    let mut m = small();
    let request = asked(&press(&mut m, "l"));
    let text = lines(0..200_000, |n| format!("line {n:06}"));
    let bytes = text.as_bytes();
    let total = bytes.len() as u64;
    let from = bytes.len() - 300_000;
    answer(&mut m, request.serial, from as u64, &bytes[from..], total);
    assert_eq!(shown(&m).last().unwrap(), "line 199999");
    let mut asked_for = None;
    for _ in 0..2_000 {
        let effects = press(&mut m, "pgup");
        if let Some(Effect::FollowLog(request)) =
            effects.iter().find(|e| matches!(e, Effect::FollowLog(_)))
        {
            asked_for = Some(request.clone());
            break;
        }
    }
    let request = asked_for.unwrap();
    let LogRange::Window { offset, len } = request.range else { panic!() };
    let before = shown(&m);
    let (a, b) = (offset as usize, (offset + len) as usize);
    let half = usize::midpoint(a, b);
    answer(&mut m, request.serial, offset, &bytes[a..half], total);
    assert_eq!(shown(&m), before, "half a part changes nothing");
    answer(&mut m, request.serial, half as u64, &bytes[half..b], total);
    assert_eq!(shown(&m), before, "nothing jumps");
    press(&mut m, "pgup pgup pgup pgup");
    let lines = shown(&m);
    let number = |line: &str| line[5..].parse::<u32>().unwrap();
    for pair in lines.windows(2) {
        assert_eq!(number(&pair[0]) + 1, number(&pair[1]));
    }
    // To the beginning at once, whatever lies between.
    let request = asked(&press(&mut m, "home"));
    let LogRange::Window { offset: 0, len } = request.range else { panic!() };
    answer(&mut m, request.serial, 0, &bytes[..len as usize], total);
    assert_eq!(shown(&m)[0], "line 000000");
}

#[test]
fn streams_attempts_and_the_state_of_the_pane() {
    let mut m = small();
    press(&mut m, "n");
    let request = asked(&press(&mut m, "l"));
    assert_eq!(request.attempt, Some(2));
    let request = asked(&press(&mut m, "["));
    assert_eq!(request.attempt, Some(1));
    assert!(press(&mut m, "[").is_empty());
    assert_eq!(notice(&m), "no earlier attempt");
    let request = asked(&press(&mut m, "tab"));
    assert_eq!((request.attempt, request.stream), (Some(1), Stream::Stderr));
    let part =
        LogPart { serial: request.serial, offset: 0, bytes: vec![], total: 0, complete: true };
    update(&mut m, Msg::Log(part));
    assert_eq!(pane(&m).state, LogState::Ended);
    let request = asked(&press(&mut m, "]"));
    update(&mut m, Msg::LogFailed { serial: request.serial, why: "no such file".into() });
    assert_eq!(pane(&m).state, LogState::Lost("no such file".into()));
    assert_eq!(press(&mut m, "esc"), [Effect::StopLog]);
    assert_eq!(*opened(&m).pane(), Pane::Closed);
}

#[test]
fn the_pane_goes_along_with_the_cursor_and_with_a_new_attempt() {
    let mut m = small();
    press(&mut m, "l shift-tab");
    let request = asked(&press(&mut m, "j"));
    assert_eq!(request.job, JobIx(1));
    press(&mut m, "end");
    assert_eq!(pane(&m).state, LogState::NotStarted);
    assert_eq!(pane(&m).job, JobIx(19));
    let effects = sample::tell(&mut m, &sample::sent(19, 1, "lab", 722));
    assert_eq!(asked(&effects).job, JobIx(19));
}

#[test]
fn the_search_finds_marks_and_goes_round() {
    let mut m = small();
    let request = asked(&press(&mut m, "l"));
    let text: String = (0..100)
        .map(|n| if n % 40 == 7 { format!("an Error at {n}\n") } else { format!("line {n}\n") })
        .collect();
    answer(&mut m, request.serial, 0, text.as_bytes(), text.len() as u64);
    press(&mut m, "/");
    type_in(&mut m, "error");
    press(&mut m, "enter");
    let found = |m: &Model| {
        let pane = pane(m);
        pane.text.line(pane.found.unwrap().line).unwrap().text().to_owned()
    };
    assert_eq!(found(&m), "an Error at 87");
    assert!(shown(&m).contains(&"an Error at 87".to_owned()));
    assert_eq!(pane(&m).state, LogState::Paused { by_hand: false });
    press(&mut m, "n");
    assert_eq!(found(&m), "an Error at 7");
    press(&mut m, "N");
    assert_eq!(found(&m), "an Error at 87");
    press(&mut m, "/");
    type_in(&mut m, "nowhere");
    press(&mut m, "enter");
    assert_eq!(notice(&m), "not found");
}

#[test]
fn the_search_stops_at_every_match_of_a_line_and_shows_it() {
    let mut m = small();
    let request = asked(&press(&mut m, "l w"));
    // Far apart, at the very end, and so wide that sideways counts columns.
    let line = format!("hit {} hit {} hit", "训练 ".repeat(60), "x".repeat(300));
    let text = format!("hit one\n{line}\nlast hit\n");
    assert!(opened(&m).layout(m.width, m.height - 2).pane_text().0 < 200);
    answer(&mut m, request.serial, 0, text.as_bytes(), text.len() as u64);
    let places: Vec<usize> = line.match_indices("hit").map(|(at, _)| at).collect();
    let long: Vec<(i64, usize)> = places.iter().map(|at| (1, *at)).collect();
    let down: Vec<(i64, usize)> = [(0, 0)].into_iter().chain(long).chain([(2, 5)]).collect();

    let place = |m: &Model| pane(m).found.map(|found| (found.line, found.at)).unwrap();
    let sees = |m: &Model| {
        let pane = pane(m);
        let (width, height) = opened(m).layout(m.width, m.height - 2).pane_text();
        let (line, at) = place(m);
        let row = pane
            .visible(width, height)
            .into_iter()
            .find(|row| row.line == line && (row.from..row.to).contains(&at))
            .unwrap_or_else(|| panic!("{:?} is not on the screen", (line, at)));
        if !pane.wrap {
            let text = pane.text.line(line).unwrap().text();
            let column = crate::app::text::width(&text[row.from..at]);
            let more = usize::from(pane.left > 0);
            assert!(column >= pane.left + more, "{column} is left of {}", pane.left);
            assert!(column + 3 <= pane.left + width, "{column} is right of {}", pane.left);
        }
    };
    press(&mut m, "/");
    type_in(&mut m, "hit");
    press(&mut m, "enter");
    for wrap in [false, true] {
        assert_eq!(pane(&m).wrap, wrap);
        while place(&m) != (0, 0) {
            press(&mut m, "n");
        }
        let mut seen = Vec::new();
        for _ in &down {
            sees(&m);
            seen.push(place(&m));
            press(&mut m, "n");
        }
        assert_eq!((seen, place(&m)), (down.clone(), (0, 0)), "and round the end");
        let mut seen = Vec::new();
        for _ in &down {
            press(&mut m, "N");
            sees(&m);
            seen.push(place(&m));
        }
        assert!(seen.iter().eq(down.iter().rev()), "{seen:?}");
        press(&mut m, "w");
    }
}

#[test]
fn errors_are_found_and_only_matches_are_shown() {
    let mut m = small();
    let request = asked(&press(&mut m, "l"));
    let text = lines(0..90, |n| match n {
        20 => "RuntimeError: first".into(),
        50 => "fatal: second".into(),
        n => format!("step {n}"),
    });
    answer(&mut m, request.serial, 0, text.as_bytes(), text.len() as u64);
    let found = |m: &Model| {
        let pane = pane(m);
        pane.text.line(pane.found.unwrap().line).unwrap().text().to_owned()
    };
    press(&mut m, "!");
    assert_eq!(found(&m), "RuntimeError: first");
    assert!(shown(&m).contains(&"RuntimeError: first".to_owned()));
    press(&mut m, "!");
    assert_eq!(found(&m), "fatal: second");
    press(&mut m, "! /");
    assert_eq!(found(&m), "RuntimeError: first", "round the end");
    type_in(&mut m, "step 8");
    press(&mut m, "enter &");
    assert_eq!(
        shown(&m),
        ["step 8"]
            .into_iter()
            .map(str::to_owned)
            .chain((80..90).map(|n| format!("step {n}")))
            .collect::<Vec<_>>()
    );
    press(&mut m, "&");
    assert!(shown(&m).len() > 11);
}

#[test]
fn wrapped_lines_scroll_by_rows() {
    let mut m = small();
    let request = asked(&press(&mut m, "l"));
    let long = "0123456789".repeat(50);
    let text = format!("{long}\nend\n");
    answer(&mut m, request.serial, 0, text.as_bytes(), text.len() as u64);
    assert_eq!(shown(&m).len(), 6);
    press(&mut m, "w");
    assert_eq!(shown(&m).len(), 2);
    press(&mut m, "right right");
    assert_eq!(pane(&m).left, 16);
}

#[test]
fn a_log_is_opened_once_the_cluster_has_the_job() {
    let mut m = small();
    press(&mut m, "end");
    assert!(press(&mut m, "l").is_empty());
    let mut records = sample::sent(19, 1, "lab", 722);
    let accepted = records.pop().unwrap();
    assert!(sample::tell(&mut m, &records).is_empty());
    let effects = sample::tell(&mut m, &[accepted]);
    let request = asked(&effects);
    // Told to be whole while the job still runs: read again when it has ended.
    let part = LogPart {
        serial: request.serial,
        offset: 0,
        bytes: b"one\n".into(),
        total: 4,
        complete: true,
    };
    update(&mut m, Msg::Log(part));
    assert_eq!(pane(&m).state, LogState::Ended);
    let end = sample::observed(19, 1, 730, sample::ended(Status::Succeeded, 723, 729));
    let effects = sample::tell(&mut m, &[end]);
    let request = asked(&effects);
    answer(&mut m, request.serial, 0, b"one\ntwo\n", 8);
    assert_eq!(shown(&m), ["one", "two"]);
}

#[test]
fn the_workers_of_a_gang_are_read_one_by_one_where_each_has_a_log() {
    let mut m = small();
    press(&mut m, "j l");
    assert_eq!(asked(&press(&mut m, "tab tab tab")).worker, 0);
    assert!(press(&mut m, "}").is_empty(), "on Slurm they share one");

    let mut health = m.health.clone();
    for cluster in &mut health {
        cluster.can = Capabilities::of(ClusterKind::Local);
    }
    update(&mut m, Msg::Clusters(health));
    assert!(press(&mut m, "{").is_empty());
    let stream = pane(&m).stream;
    let request = asked(&press(&mut m, "} } }"));
    assert_eq!((request.worker, request.stream), (3, stream));
    assert!(press(&mut m, "}").is_empty(), "there are four");
    assert_eq!(asked(&press(&mut m, "{")).worker, 2);
    assert_eq!(asked(&press(&mut m, "tab")).worker, 2);
}

/// A log of which only the end is shown, the bytes of it, and the request for them.
fn long_log(m: &mut Model, special: &[(u32, &str)]) -> Vec<u8> {
    let request = asked(&press(m, "l"));
    let line = |n: u32| {
        let words = special.iter().find(|(at, _)| *at == n).map(|(_, words)| *words);
        words.map_or_else(|| format!("step {n:06}"), str::to_owned)
    };
    let bytes = lines(0..400_000, line).into_bytes();
    let from = bytes.len() - 256 * 1024;
    answer(m, request.serial, from as u64, &bytes[from..], bytes.len() as u64);
    bytes
}

/// Answers what a search asks for until it asks no more; how many parts it took.
fn answer_all(m: &mut Model, bytes: &[u8], mut effects: Vec<Effect>) -> usize {
    for parts in 0..100 {
        let request = effects.iter().rev().find_map(|e| match e {
            Effect::FollowLog(request) => Some(request.clone()),
            _ => None,
        });
        let Some(request) = request else { return parts };
        let LogRange::Window { offset, len } = request.range else { return parts };
        let (from, to) = (offset as usize, (offset + len) as usize);
        effects = answer(m, request.serial, offset, &bytes[from..to], bytes.len() as u64);
    }
    panic!("it never ends")
}

#[test]
fn a_search_goes_on_in_what_is_not_loaded() {
    let mut m = small();
    let special = [(150_000, "a needle here"), (300_000, "ValueError: second needle")];
    let bytes = long_log(&mut m, &special);
    press(&mut m, "/");
    type_in(&mut m, "needle");
    let effects = press(&mut m, "enter");
    assert!(pane(&m).hunt_words().unwrap().contains("of 4.6 MiB · Esc stops"));
    assert!(answer_all(&mut m, &bytes, effects) >= 2);
    assert!(shown(&m).contains(&"a needle here".to_owned()), "{:?}", shown(&m));
    assert!(pane(&m).hunt.is_none());
    let effects = press(&mut m, "n");
    answer_all(&mut m, &bytes, effects);
    assert!(shown(&m).contains(&"ValueError: second needle".to_owned()));
    let effects = press(&mut m, "N");
    answer_all(&mut m, &bytes, effects);
    assert!(shown(&m).contains(&"a needle here".to_owned()), "and back");
    let effects = press(&mut m, "!");
    answer_all(&mut m, &bytes, effects);
    assert!(shown(&m).contains(&"ValueError: second needle".to_owned()));
}

#[test]
fn a_search_for_nothing_ends_and_one_can_be_stopped() {
    let mut m = small();
    let bytes = long_log(&mut m, &[]);
    let effects = press(&mut m, "!");
    assert!(answer_all(&mut m, &bytes, effects) > 3);
    assert_eq!(notice(&m), "no line looks like an error");
    assert_eq!(pane(&m).state, LogState::Following, "as before");
    let last = shown(&m);
    let request = asked(&press(&mut m, "!"));
    assert_eq!(press(&mut m, "esc"), [Effect::StopLog]);
    assert!(pane(&m).hunt_words().unwrap().starts_with("searched 256.0 KiB of 4.6 MiB · ! goes"));
    answer(&mut m, request.serial, 0, &bytes[..1000], bytes.len() as u64);
    assert_eq!(shown(&m), last, "an answer too late changes nothing");
    let effects = press(&mut m, "!");
    assert!(answer_all(&mut m, &bytes, effects) > 3);
}

#[test]
fn a_match_far_in_a_line_is_in_sight() {
    let mut m = small();
    let request = asked(&press(&mut m, "l"));
    let long = "0123456789".repeat(300);
    let text = format!("first\n{long}needle{long}\nlast\n");
    answer(&mut m, request.serial, 0, text.as_bytes(), text.len() as u64);
    press(&mut m, "/");
    type_in(&mut m, "needle");
    press(&mut m, "enter");
    assert!(shown(&m).iter().any(|row| row.contains("need")), "{:?}", shown(&m));
    press(&mut m, "w n");
    let (width, _) = opened(&m).layout(m.width, m.height - 2).pane_text();
    let left = pane(&m).left;
    assert!(left <= 3000 && 3006 <= left + width, "{left}");
    press(&mut m, "/");
    type_in(&mut m, "first");
    press(&mut m, "enter");
    assert_eq!(pane(&m).left, 0);
}
