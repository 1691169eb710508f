//! Words are expanded by Docker's rules.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use ringsite_images::{ExpandError, Unset, expand, expand_heredoc, expand_with};

fn lookup(name: &str) -> Option<String> {
    let value = match name {
        "x" => "value",
        "empty" => "",
        "path" => "/usr/local/bin/app.tar.gz",
        "dots" => "a.b.c",
        "stars" => "a*b*c",
        "_u1" => "under",
        "1" => "one",
        "@" => "at",
        "umlaut" => "äöü",
        _ => return None,
    };
    Some(value.to_owned())
}

/// Word and value.
const EXPANDED: &[(&str, &str)] = &[
    ("", ""),
    ("plain", "plain"),
    ("$x", "value"),
    ("${x}", "value"),
    ("a$x.b", "avalue.b"),
    ("$x$x", "valuevalue"),
    ("$_u1", "under"),
    ("$1x", "onex"),
    ("$@", "at"),
    ("$xy", ""),
    ("${x}y", "valuey"),
    ("$", "$"),
    ("a$", "a$"),
    ("$ x", "$ x"),
    ("$unset", ""),
    ("${unset:-d}", "d"),
    ("${empty:-d}", "d"),
    ("${x:-d}", "value"),
    ("${unset-d}", "d"),
    ("${empty-d}", ""),
    ("${unset:-}", ""),
    ("${unset:-$x}", "value"),
    ("${unset:-${empty:-${x}}}", "value"),
    ("${unset:-'a b'}", "a b"),
    ("${unset:-\"a $x\"}", "a value"),
    ("${x:+a}", "a"),
    ("${empty:+a}", ""),
    ("${empty+a}", "a"),
    ("${unset:+a}", ""),
    ("${unset+a}", ""),
    ("${x:?no}", "value"),
    ("${empty?no}", ""),
    ("${path#*/}", "usr/local/bin/app.tar.gz"),
    ("${path##*/}", "app.tar.gz"),
    ("${path%.*}", "/usr/local/bin/app.tar"),
    ("${path%%.*}", "/usr/local/bin/app"),
    ("${path%/*}", "/usr/local/bin"),
    ("${path#nothing}", "/usr/local/bin/app.tar.gz"),
    ("${x#?}", "alue"),
    ("${x%?}", "valu"),
    ("${x##*}", ""),
    ("${x#*}", "value"),
    ("${x#$x}", ""),
    ("${stars#a\\*}", "b*c"),
    ("${stars%\\*?}", "a*b"),
    ("${dots/./-}", "a-b.c"),
    ("${dots//./-}", "a-b-c"),
    ("${dots//./}", "abc"),
    ("${dots/./}", "ab.c"),
    ("${stars//\\*/.}", "a.b.c"),
    ("${path//\\//_}", "_usr_local_bin_app.tar.gz"),
    ("${dots/a*c/z}", "z"),
    ("${umlaut#?}", "öü"),
    ("${unset/a/b}", ""),
    ("'$x'", "$x"),
    ("\"$x\"", "value"),
    ("'a\\'", "a\\"),
    ("\"\\$x\\\"\\\\\\a\"", "$x\"\\\\a"),
    ("\\$x", "$x"),
    ("\\a\\\\b", "a\\b"),
    ("a\\", "a"),
    ("\\a\\", "a"),
    ("\\${}aaa", "${}aaa"),
    ("he$1x", "heonex"),
    ("he$.x", "he$.x"),
    ("$ünset", ""),
    ("'a'\"b\"c", "abc"),
    ("\"it's\"", "it's"),
];

#[test]
fn words_are_expanded_like_docker_expands_them() {
    for (word, expected) in EXPANDED {
        assert_eq!(expand(word, lookup, '\\').as_deref(), Ok(*expected), "{word}");
    }
}

#[test]
fn words_that_cannot_be_expanded_say_why() {
    for (word, expected) in [
        ("'a", ExpandError::Quote("single")),
        ("\"a", ExpandError::Quote("double")),
        ("\"a\\", ExpandError::Quote("double")),
        ("${x:-}'", ExpandError::Quote("single")),
        ("${", ExpandError::Brace),
        ("${x", ExpandError::Brace),
        ("${x:-a", ExpandError::Brace),
        ("${x:", ExpandError::Brace),
        ("${x/a", ExpandError::Brace),
        ("${}", ExpandError::Form("${}…".into())),
        ("${x:=a}", ExpandError::Form("${x:=…".into())),
        ("${x/a}", ExpandError::Brace),
        ("${x//b}", ExpandError::Brace),
        ("${x/$empty/z}", ExpandError::Form("${x//z}".into())),
        ("${x/a/\\b}", ExpandError::Form("${x/a/\\b}".into())),
        ("${x^}", ExpandError::Form("${x^…".into())),
        ("${x y}", ExpandError::Form("${x …".into())),
        ("${unset:?say $x}", ExpandError::Required { name: "unset".into(), message: "say value".into() }),
        (
            "${empty:?}",
            ExpandError::Required { name: "empty".into(), message: "it is not allowed to be unset".into() },
        ),
    ] {
        assert_eq!(expand(word, lookup, '\\'), Err(expected), "{word}");
    }
}

#[test]
fn the_escape_character_can_be_a_backtick() {
    assert_eq!(expand("C:\\$x\\`$x", lookup, '`').unwrap(), "C:\\value\\$x");
}

#[test]
fn a_word_that_decides_what_is_built_may_not_use_what_has_no_value() {
    let lookup = |name: &str| Ok(lookup(name));
    let strict = |word: &str| expand_with::<ExpandError>(word, &lookup, '\\', Unset::Refused);
    for (word, name) in [("$unset", "unset"), ("${no#a}", "no"), ("${x:+$no}", "no"), ("${no/a/b}", "no")] {
        assert_eq!(strict(word), Err(ExpandError::Unset(name.into())), "{word}");
    }
    for (word, expected) in
        [("${unset:-a}", "a"), ("${unset:+a}", ""), ("${unset+$no}", ""), ("${x:-$no}", "value")]
    {
        assert_eq!(strict(word).as_deref(), Ok(expected), "{word}");
    }
}

#[test]
fn the_text_of_a_heredoc_keeps_its_quotes_and_loses_its_escapes() {
    let text = "a '$x' \"${x}\" \\$x \\\\ \\n it's\\\n";
    assert_eq!(expand_heredoc(text, lookup).unwrap(), "a 'value' \"value\" $x \\ n it's\n");
}

#[test]
fn patterns_take_bounded_time_and_are_refused_beyond_it() {
    let long = |length: usize| move |_: &str| Some("a".repeat(length));
    let stars = "*a".repeat(31);
    for form in ["#", "##", "%", "%%"] {
        assert!(expand(&format!("${{x{form}{stars}}}"), long(1_024), '\\').is_ok(), "{form}");
    }
    assert!(expand(&format!("${{x//{stars}b/c}}"), long(1_024), '\\').is_ok());
    assert_eq!(expand("${x#a}", long(1_025), '\\'), Err(ExpandError::Pattern("x".into())));
    let wide = format!("${{x#{}}}", "a".repeat(64));
    assert_eq!(expand(&wide, long(1), '\\'), Err(ExpandError::Pattern("x".into())));
}

#[test]
fn an_expansion_that_grows_without_end_is_refused() {
    let deep = format!("{}x{}", "${u:-".repeat(100), "}".repeat(100));
    assert_eq!(expand(&deep, lookup, '\\'), Err(ExpandError::Depth));
    let large = |_: &str| Some("x".repeat(100_000));
    assert_eq!(expand("$a$b", large, '\\'), Err(ExpandError::Size));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_expanded_or_refused_and_never_panics(word in "[ax${}:/#%?*'\"\\\\+-]{0,24}") {
        let _ = expand(&word, lookup, '\\');
        let _ = expand_heredoc(&word, lookup);
    }

    #[test]
    fn a_text_in_single_quotes_is_itself(text in "[^']{0,20}") {
        prop_assert_eq!(expand(&format!("'{text}'"), lookup, '\\').unwrap(), text);
    }
}
