use std::{
    process::Command,
    sync::{Arc, LazyLock},
};

use proptest::prelude::*;

use super::*;
use crate::domain::placeholder::{Fault, Mode, Scope, Template, Values};

fn script(template: &str, value: &str) -> Result<String, Vec<Fault>> {
    let params: Vec<Arc<str>> = vec!["x".into()];
    let scope = Scope { params: &params, strict: true, name: true, holes: true };
    let template = Template::new(template, Mode::Shell, scope)?;
    template.render(Values { params: &[Some(value)], name: "n" }).map_err(|f| vec![f])
}

fn run(script: &str) -> String {
    let out = Command::new("sh").args(["-c", script]).env("A", "seen").output().unwrap();
    assert!(out.status.success(), "{script}\n{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn words_are_quoted_where_needed() {
    for (text, quoted) in [
        ("1e-3", "1e-3"),
        ("a=b", "a=b"),
        ("", "''"),
        ("a b", "'a b'"),
        ("it's", r"'it'\''s'"),
        ("$HOME", "'$HOME'"),
        ("é", "'é'"),
    ] {
        assert_eq!(quote(text), quoted);
    }
}

#[test]
fn quoting_follows_the_place() {
    for (template, value, expected) in [
        ("a --lr {x}", "1e-3", "a --lr 1e-3"),
        ("a {x}", "b c", "a 'b c'"),
        ("a '{x}'", "it's", r"a 'it'\''s'"),
        ("a \"{x}\"", "$1", r#"a "\$1""#),
        ("a {x!raw}", "b c", "a b c"),
        ("# don't {x}\nb {x}", "c d", "# don't c d\nb 'c d'"),
        ("{x}", "A=b", "'A=b'"),
        ("do {x} {x}", "A=b", "do 'A=b' A=b"),
        ("echo {x}>f", "2", "echo '2'>f"),
        ("echo $A{x}", "b", "echo ${A}b"),
        (r"echo \{x}", "a b", "echo 'a b'"),
    ] {
        assert_eq!(script(template, value).unwrap(), expected, "{template}");
    }
}

#[test]
fn places_without_safe_quoting_are_refused() {
    for template in ["echo `echo {x}`", "echo $'{x}'", "echo \"`echo {x}`\""] {
        assert!(script(template, "1").is_err(), "{template}");
    }
    assert!(script("cat <<E\n{x}\nE\n", "a\nE\nrm").is_err());
    assert!(script("cat <<E\n{x}\nE\n", "E").is_err());
    assert!(script("cat <<EOF\nE{x}\nEOF\n", "OF").is_err());
    assert!(script("cat <<E\n-{x}\nE\n", "E").is_ok());
}

/// Places in which a value may stand; each prints it.
const PLACES: &[&str] = &[
    "printf %s {x}",
    "printf %s '{x}'",
    "printf %s \"{x}\"",
    "printf %s \"$(printf %s {x}; printf .)\"",
    "printf %s \"$(printf %s \"{x}.\")\"",
    "printf %s \"$(: '(')\"{x}",
    "# it's {x}\nprintf %s {x}",
    "printf %s \\{x}",
    "for i in {x}; do printf %s \"$i\"; done",
    "V={x}; printf %s \"$V\"",
    "V=\"{x}\" W=1; printf %s \"$V\"",
    "(printf %s {x})",
    "if true; then printf %s {x}; fi",
    "cat <<END\n{x}\nEND\nprintf %s {x}",
    "cat <<-'E O'\n{x}\n\tE O\nprintf %s {x}",
    "cat <<A; cat <<\"B\"\n{x}\nA\n{x}\nB\nprintf %s \"{x}\"",
    "printf %s \"$A{x}\"",
    "printf %s $A{x}",
    "printf %s \"a\\{x}\"",
    "printf %s a{x}b'c'",
    "printf %s \"it's {x}\" # \"\nprintf %s {x}",
    "f() { printf %s \"$1\"; }; f {x}",
    "printf %s {x} | cat",
    "printf %s {x}>/dev/stdout",
];

/// What each place prints for the harmless word `QQQ`, told by the shell itself.
static PRINTED: LazyLock<Vec<String>> =
    LazyLock::new(|| PLACES.iter().map(|p| run(&script(p, "QQQ").unwrap())).collect());

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    // No letters beyond ASCII: dash mangles them in here-documents whose end mark
    // begins with the letter before.
    fn a_value_always_arrives_as_it_is(value in "([ -~\n\t]|['\"$`\\\\#;&|<>(){}!*~=-]){0,12}") {
        let (mut whole, mut expected) = (String::new(), String::new());
        for (place, printed) in PLACES.iter().zip(&*PRINTED) {
            let Ok(script) = script(place, &value) else { continue };
            whole.push_str(&script);
            whole.push_str("\nprintf '\\n-- '\n");
            expected.push_str(&printed.replace("QQQ", &value));
            expected.push_str("\n-- ");
        }
        prop_assert_eq!(run(&whole), expected);
    }
}
