use ratatui::style::Color;

use super::{color, *};

fn of(pairs: &'static [(&'static str, &'static str)]) -> Terminal {
    Terminal::of(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
}

const TRUE: &[(&str, &str)] = &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")];

#[test]
fn every_theme_that_comes_along_is_read_and_complete() {
    for name in built_in() {
        let (theme, problems) = choose(Some(name), &[], of(TRUE));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(theme.name, name);
    }
}

#[test]
fn every_role_is_legible_on_what_lies_behind_it() {
    for name in built_in() {
        let (theme, _) = choose(Some(name), &[], of(TRUE));
        let behind = theme.text.bg.and_then(color::rgb);
        let ink = theme.text.fg.and_then(color::rgb);
        for role in Theme::ROLES {
            let style = theme.role(role).unwrap();
            let same = style.fg.is_some() && style.fg == style.bg;
            assert!(!same, "{name}: {role} is written in its own background");
            // On boxes, bars and rows the same colours are used as on the page; the
            // row under the cursor paints over what lies there.
            for page in [
                style,
                theme.text.patch(style),
                theme.overlay.patch(style),
                theme.header.patch(style),
                if style.bg.is_none() { style.patch(theme.selected) } else { style },
            ] {
                let back = page.bg.and_then(color::rgb).or(behind);
                let front = page.fg.and_then(color::rgb).or(ink);
                if let (Some(back), Some(front)) = (back, front) {
                    let contrast = color::contrast(back, front);
                    let needed = if role.starts_with("border") { 2.0 } else { 3.0 };
                    assert!(contrast >= needed, "{name}: {role} has a contrast of {contrast:.1}");
                }
            }
        }
    }
}

#[test]
fn the_terminal_chooses() {
    let names: Vec<String> = [
        TRUE,
        &[("TERM", "xterm-256color"), ("COLORFGBG", "0;15")],
        &[("TERM", "linux")],
        &[("TERM", "xterm-256color"), ("NO_COLOR", "1")],
        &[("TERM", "dumb")],
    ]
    .into_iter()
    .map(|pairs| choose(None, &[], of(pairs)).0.name)
    .collect();
    assert_eq!(names, ["dark", "light", "ansi16", "mono", "mono"]);
}

#[test]
fn no_color_leaves_no_colour_whatever_was_asked_for() {
    let terminal = of(&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")]);
    let (theme, _) = choose(Some("dark"), &[], terminal);
    for role in Theme::ROLES {
        let style = theme.role(role).unwrap();
        assert!(style.fg.is_none() && style.bg.is_none(), "{role}");
    }
}

#[test]
fn fewer_colours_are_the_nearest_ones() {
    let (theme, _) = choose(Some("dark"), &[], of(&[("TERM", "xterm-256color")]));
    assert!(matches!(theme.failed.fg, Some(Color::Indexed(16..))), "{:?}", theme.failed);
    let (theme, _) = choose(Some("dark"), &[], of(&[("TERM", "xterm")]));
    assert_eq!(theme.failed.fg, Some(Color::LightRed));
}

#[test]
fn own_themes_inherit_and_are_checked() {
    let own = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let mine = own("mine", "inherits: dark\nstyles: {accent: '#ff00ff', failed: {bold: false}}");
    let (theme, problems) = choose(Some("mine"), &[mine], of(TRUE));
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(theme.accent.fg, Some(Color::Rgb(255, 0, 255)));
    assert_eq!(theme.text, choose(Some("dark"), &[], of(TRUE)).0.text);
    assert!(!theme.failed.add_modifier.contains(Modifier::BOLD));

    let dark = own("dark", "inherits: dark\nstyles: {accent: red}");
    let (theme, problems) = choose(Some("dark"), &[dark], of(TRUE));
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(theme.accent.fg, Some(Color::Red));

    let bad = own("bad", "styls: {}\nstyles: {acent: red, dim: rde, key: {fgg: red, bold: 7}}");
    let (theme, problems) = choose(Some("bad"), &[bad], of(TRUE));
    assert_eq!(theme.name, "dark");
    assert_eq!(problems.len(), 5, "{problems:#?}");
    assert!(problems[1].contains("line 2: no style is called `acent`; did you mean `accent`?"));

    let a = own("a", "inherits: b");
    let b = own("b", "inherits: a");
    let (_, problems) = choose(Some("a"), &[a, b], of(TRUE));
    assert!(problems[0].contains("circle"), "{problems:?}");
    let (_, problems) = choose(Some("drak"), &[], of(TRUE));
    assert!(problems[0].contains("did you mean `dark`"), "{problems:?}");
}
