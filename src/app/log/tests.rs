use proptest::prelude::*;

use super::*;

fn decode(bytes: &[u8]) -> Vec<LogLine> {
    decode_in(&[bytes])
}

fn decode_in(chunks: &[&[u8]]) -> Vec<LogLine> {
    let mut decoder = Decoder::new(0);
    let mut lines = Vec::new();
    for chunk in chunks {
        decoder.feed(chunk, &mut |line| lines.push(line));
    }
    lines.extend(decoder.unfinished());
    lines
}

fn texts(bytes: &[u8]) -> Vec<String> {
    decode(bytes).into_iter().map(|line| line.text().to_owned()).collect()
}

#[test]
fn colours_are_kept_and_everything_else_is_dropped() {
    let lines = decode(
        b"\x1b[1;31merror\x1b[0m: out of \x1b]0;owned\x07memory\x1b[2J\x1b[10;10H!\x1b[?25l\x07\n",
    );
    assert_eq!(lines[0].text(), "error: out of memory!");
    let spans: Vec<_> = lines[0].spans().map(|(part, style)| (part, style.is_plain())).collect();
    assert_eq!(spans, [("error", false), (": out of memory!", true)]);
    assert_eq!(lines[0].to_terminal(true), "\u{1b}[1;31merror\u{1b}[0m: out of memory!");
    assert_eq!(lines[0].to_terminal(false), "error: out of memory!");
}

#[test]
fn a_colour_goes_on_over_lines_until_it_is_taken_back() {
    let lines = decode(b"\x1b[32mone\ntwo\x1b[0m\nthree\n");
    assert!(lines[1].spans().all(|(_, style)| style.fg == Some(LogColor::Indexed(2))));
    assert!(lines[2].spans().all(|(_, style)| style.is_plain()));
}

#[test]
fn of_a_progress_bar_only_the_last_state_is_left() {
    assert_eq!(
        texts("\r  0%|   |\r 50%|█  |\r100%|██ |\ndone\r\n".as_bytes()),
        ["100%|██ |", "done"]
    );
    assert_eq!(texts(b"a long state\rok\x1b[K\n"), ["ok"]);
    assert_eq!(texts(b"first\x1b[2K\x1b[1Gsecond"), ["second"]);
    assert_eq!(texts(b"|\x08/\x08-\x08done"), ["done"]);
}

#[test]
fn an_unfinished_sequence_ends_with_its_line() {
    assert_eq!(texts(b"a\x1b]0;title without an end\nb\n"), ["a", "b"]);
    assert_eq!(texts(b"a\x1bPq#0;2;0;0;0\nb\x1b[31\nc\n"), ["a", "b", "c"]);
    assert_eq!(texts("x\u{1b}[3é\n".as_bytes()), ["xé"]);
}

#[test]
fn broken_utf8_and_tabs() {
    assert_eq!(texts(b"caf\xe9 \xe8\xae\xad \xe8\xae\n"), ["caf\u{fffd} 训 \u{fffd}"]);
    assert_eq!(texts(b"a\tb\t\tc\n"), ["a       b               c"]);
    assert_eq!(texts(b"\xf0\x9f\x9a\x80\xff\xfe\n"), ["🚀\u{fffd}\u{fffd}"]);
    assert_eq!(texts("a\u{9b}31mb\u{202e}c\u{200b}d".as_bytes()), ["a\u{fffd}31mb\u{fffd}cd"]);
}

#[test]
fn a_very_long_line_comes_in_segments_and_nothing_is_lost() {
    let long: Vec<u8> = (0..3 * SEGMENT + 10).map(|i| b'a' + (i % 26) as u8).collect();
    let lines = decode(&long);
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|line| line.text().len() <= SEGMENT));
    assert_eq!(lines.iter().filter(|line| line.continues).count(), 3);
    let joined: String = lines.iter().map(LogLine::text).collect();
    assert_eq!(joined.as_bytes(), long);
    for pair in lines.windows(2) {
        assert_eq!(pair[0].end, pair[1].start);
    }
}

#[test]
fn a_heap_of_combining_marks_stays_small() {
    let lines = decode(format!("a{}\n", "\u{301}".repeat(10_000)).as_bytes());
    assert!(lines[0].text().chars().count() < 20);
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut decoder = Decoder::new(0);
    let mut longest = 0;
    for start in [&b"\x1b]0;"[..], b"\x1b[", b"\x1bP", b"\r", b"x"] {
        decoder.feed(start, &mut |_| {});
        for _ in 0..64 {
            decoder.feed(&[b'7'; 16 * 1024], &mut |line| longest = longest.max(line.cost()));
        }
        decoder.feed(b"\n", &mut |_| {});
    }
    assert!(longest < 4 * SEGMENT);
}

#[test]
fn rows_break_at_graphemes() {
    let line = &decode("训练任务ab".as_bytes())[0];
    assert_eq!(line.rows(5), [0, 6, 13]);
    assert_eq!(decode(b"abcdefg")[0].rows(3), [0, 3, 6]);
    assert_eq!(LogLine::default().rows(10), [0]);
}

#[test]
fn a_window_starts_at_a_whole_line_and_grows_both_ways() {
    let log: Vec<u8> = (0..1000).flat_map(|i| format!("line {i}\n").into_bytes()).collect();
    let total = log.len() as u64;
    let at = log.len() - 100;
    let mut text = LogText::new(1 << 20);
    text.append(at as u64, &log[at..], total);
    assert!(text.reaches_end());
    let first = text.first();
    let shown = text.line(first).unwrap().text().to_owned();
    assert!(shown.starts_with("line 9"), "{shown}");

    let from = text.start_offset() as usize - 200;
    let until = text.start_offset() as usize;
    text.prepend(from as u64, &log[from..until]);
    assert!(text.first() < first);
    assert_eq!(text.line(first).unwrap().text(), shown, "a line keeps its number");
    let numbers: Vec<String> =
        (text.first()..text.end()).map(|n| text.line(n).unwrap().text().to_owned()).collect();
    let expected: Vec<String> = (1000 - numbers.len()..1000).map(|i| format!("line {i}")).collect();
    assert_eq!(numbers, expected);

    text.append(total, b"line 10", total + 7);
    text.append(total, b"line 1000\n", total + 10);
    assert_eq!(text.line(text.end() - 1).unwrap().text(), "line 1000");
}

#[test]
fn a_window_never_outgrows_its_capacity() {
    let block: Vec<u8> = (0..2000).flat_map(|i| format!("line {i}\n").into_bytes()).collect();
    let mut text = LogText::new(64 * 1024);
    let mut offset = 0;
    for _ in 0..20 {
        text.append(offset, &block, offset + block.len() as u64);
        offset += block.len() as u64;
        assert!(text.cost <= 64 * 1024);
    }
    assert!(text.start_offset() > 0 && text.reaches_end());
    let before = text.start_offset();
    let from = before - 8000;
    text.prepend(from, &vec![b'\n'; 8000]);
    assert!(text.cost <= 64 * 1024);
    assert!(!text.reaches_end(), "the newest fell off");
    let end = text.end_offset();
    text.append(end, b"x\n", offset);
    assert!(text.end_offset() > end, "and can be read again");
}

#[test]
fn a_line_longer_than_a_part_is_passed_when_reading_backwards() {
    let mut log = vec![b'x'; 10_000];
    log.extend_from_slice(b"\nlast\n");
    let total = log.len() as u64;
    let mut text = LogText::default();
    text.append(total - 5, &log[log.len() - 5..], total);
    for _ in 0..20 {
        let until = text.start_offset();
        let from = until.saturating_sub(1_000);
        text.prepend(from, &log[from as usize..until as usize]);
    }
    assert_eq!(text.start_offset(), 0, "every part brings it on");
    assert_eq!(text.line(text.end() - 1).unwrap().text(), "last");
}

#[test]
fn a_log_that_was_cut_short_is_read_anew() {
    let mut text = LogText::default();
    text.append(0, b"one\ntwo\n", 8);
    text.append(0, b"new\n", 4);
    assert_eq!(text.line(text.first()).unwrap().text(), "new");
    assert_eq!(text.end() - text.first(), 1);
}

#[test]
fn search_goes_round_and_minds_case_only_when_asked() {
    let mut text = LogText::default();
    text.append(0, b"alpha\nError: one\nbeta\nerror: two\n", 33);
    let find = |needle: &str, from, back| {
        let needle = Needle::new(needle).unwrap();
        text.search(|line| needle.is_in(line), from, back, true)
    };
    assert_eq!(find("error", 0, false), Some(1));
    assert_eq!(find("error", 1, false), Some(3));
    assert_eq!(find("error", 3, false), Some(1));
    assert_eq!(find("error", 1, true), Some(3));
    assert_eq!(find("Error", 1, false), Some(1));
    assert_eq!(find("nothing", 0, false), None);
    assert!(Needle::new("").is_none());
    let needle = Needle::new("ÄB").unwrap();
    assert!(needle.is_in("xÄB") && !needle.is_in("xäb"));
    assert_eq!(Needle::new("äb").unwrap().matches("ÄBäb").count(), 2);
}

/// Text as logs have it, salted with everything that could do harm.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[ -~]{0,20}".prop_map(String::into_bytes),
        "\\PC{0,6}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..8),
        prop::sample::select(vec![
            &b"\n"[..],
            b"\r",
            b"\r\n",
            b"\t",
            b"\x08",
            b"\x1b",
            b"\x1b[31m",
            b"\x1b[38;2;1;2;3m",
            b"\x1b[0m",
            b"\x1b[2K",
            b"\x1b[H",
            b"\x1b]0;t\x07",
            b"\x1b]8;;x\x1b\\",
            b"\x1bP1q",
            b"\xc2\x9b",
            b"\x9b",
            b"\xf0\x9f",
            "\u{202e}".as_bytes(),
            "\u{301}".as_bytes(),
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_that_comes_out_can_steer_a_terminal(bytes in bytes()) {
        for line in decode(&bytes) {
            prop_assert!(line.text().chars().all(|c| !c.is_control()), "{:?}", line.text());
            prop_assert_eq!(crate::app::text::safe(line.text()), line.text());
            let joined: String = line.spans().map(|(part, _)| part).collect();
            prop_assert_eq!(&joined, line.text());
        }
    }

    #[test]
    fn chunk_boundaries_do_not_matter(bytes in bytes(), cuts in prop::collection::vec(0usize..200, 0..8)) {
        let whole = decode(&bytes);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&decode_in(&single), &whole);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut chunks = Vec::new();
        let mut from = 0;
        for cut in cuts {
            chunks.push(&bytes[from..cut]);
            from = cut;
        }
        chunks.push(&bytes[from..]);
        prop_assert_eq!(&decode_in(&chunks), &whole);
    }

    /// Read from the middle, then backwards part by part: the same lines as read
    /// from the beginning.
    #[test]
    fn parts_read_backwards_make_the_whole(
        lines in prop::collection::vec("[a-z训]{0,12}(\\r[a-z]{1,3})?", 1..60),
        start in 0.0f64..1.0,
        steps in prop::collection::vec(1usize..40, 0..40),
    ) {
        let log = lines.join("\n").into_bytes();
        let total = log.len() as u64;
        let whole: Vec<String> = decode(&log).iter().map(|l| l.text().to_owned()).collect();
        let at = (log.len() as f64 * start) as usize;
        let mut text = LogText::new(1 << 20);
        text.append(at as u64, &log[at..], total);
        for step in steps {
            let until = text.start_offset() as usize;
            let from = until.saturating_sub(step);
            text.prepend(from as u64, &log[from..until]);
        }
        if text.start_offset() == 0 {
            // A part without a whole line is taken as it is; lines may be cut there.
            let joined: String =
                (text.first()..text.end()).map(|n| text.line(n).unwrap().text()).collect();
            if !log.contains(&b'\r') {
                prop_assert_eq!(joined, whole.concat().replace('\u{fffd}', ""));
            }
        }
        let until = text.start_offset() as usize;
        text.prepend(0, &log[..until]);
        prop_assert_eq!(text.start_offset(), 0);
        prop_assert!(text.reaches_end());
    }

    #[test]
    fn offsets_tile_the_log(bytes in bytes()) {
        let mut at = 0;
        for line in decode(&bytes) {
            prop_assert_eq!(line.start, at);
            prop_assert!(line.end >= line.start);
            at = line.end;
        }
        prop_assert!(at <= bytes.len() as u64);
    }
}
