//! The version rule as one table.

use ringsite_names::Version;
use ringsite_rings::{Bump, Change, Delta, Numbering, Rule, State, next_version};

use crate::world::{at, configuration, image, some_release, version};

/// ante, developers, testers, users, post; `-` is nothing. Then T beyond those, where it is built,
/// how, and what comes out.
type Row = ([&'static str; 5], &'static [&'static str], &'static str, Bump, &'static str, Rule);

const ORDINARY: Bump = Bump::Ordinary;
const MAJOR: Bump = Bump::Major;

const TABLE: &[Row] = &[
    // The table of the rule.
    (["-", "-", "-", "-", "-"], &[], "developers", ORDINARY, "0.1.0", Rule::Initial),
    (["-", "-", "-", "-", "-"], &[], "developers", MAJOR, "1.0.0", Rule::Major),
    (["-", "-", "-", "-", "-"], &["0.1.0"], "developers", ORDINARY, "0.1.1", Rule::Patch),
    (["-", "0.1.0", "-", "-", "-"], &[], "developers", ORDINARY, "0.1.1", Rule::Patch),
    (["-", "0.1.1", "0.1.1", "-", "-"], &[], "developers", ORDINARY, "0.2.0", Rule::Minor),
    (["-", "0.2.0", "0.1.1", "-", "-"], &[], "developers", ORDINARY, "0.2.1", Rule::Patch),
    (["-", "1.4.2", "1.4.2", "1.4.2", "-"], &[], "developers", ORDINARY, "1.5.0", Rule::Minor),
    (["-", "1.4.2", "1.4.2", "1.4.2", "-"], &[], "testers", ORDINARY, "1.5.0", Rule::Minor),
    (["-", "1.5.0", "1.4.2", "1.4.2", "-"], &[], "testers", ORDINARY, "1.4.3", Rule::Patch),
    (["-", "1.5.0", "1.4.2", "1.3.7", "1.2.9"], &[], "users", ORDINARY, "1.3.8", Rule::Patch),
    (["-", "1.5.0", "1.4.2", "1.3.8", "1.3.7"], &[], "users", ORDINARY, "1.3.9", Rule::Patch),
    (["-", "1.2.0", "-", "1.2.0", "-"], &[], "developers", ORDINARY, "1.3.0", Rule::Minor),
    (["-", "1.2.0", "-", "1.1.3", "-"], &[], "testers", ORDINARY, "1.2.1", Rule::Patch),
    (["-", "1.4.2", "1.4.2", "-", "-"], &["1.5.0"], "developers", ORDINARY, "1.6.0", Rule::Minor),
    (["-", "1.2.0", "1.1.0", "1.2.1", "-"], &[], "developers", ORDINARY, "1.2.2", Rule::Patch),
    (["-", "1.5.3", "1.4.2", "-", "-"], &[], "developers", MAJOR, "2.0.0", Rule::Major),
    (["-", "2.0.0", "1.0.3", "-", "-"], &[], "developers", ORDINARY, "2.0.1", Rule::Patch),
    (["-", "2.0.1", "1.4.2", "-", "-"], &[], "testers", MAJOR, "3.0.0", Rule::Major),
    (["0.3.0", "0.3.0", "-", "-", "-"], &[], "ante", ORDINARY, "0.4.0", Rule::Minor),
    // Rows of the original engine's table that begin at 0.0.0.
    (["-", "0.0.0", "-", "-", "-"], &[], "developers", ORDINARY, "0.0.1", Rule::Patch),
    (["-", "0.0.1", "0.0.1", "-", "-"], &[], "developers", ORDINARY, "0.1.0", Rule::Minor),
    (["-", "0.1.0", "0.0.1", "-", "-"], &[], "developers", ORDINARY, "0.1.1", Rule::Patch),
    // Edges: the current version from a later ring, from ante, and post as the next ring.
    (["-", "-", "-", "1.2.0", "-"], &[], "developers", ORDINARY, "1.3.0", Rule::Minor),
    (["0.3.0", "-", "-", "-", "-"], &[], "developers", ORDINARY, "0.3.1", Rule::Patch),
    (["-", "-", "-", "1.2.0", "1.2.0"], &[], "users", ORDINARY, "1.3.0", Rule::Minor),
    (["-", "-", "-", "-", "1.2.0"], &[], "users", ORDINARY, "1.3.0", Rule::Minor),
    (["-", "1.0.0", "2.0.0", "-", "-"], &["2.0.1", "2.1.0"], "testers", ORDINARY, "2.0.2", Rule::Patch),
    (["-", "-", "-", "-", "-"], &["0.9.0", "3.1.4"], "testers", ORDINARY, "3.1.5", Rule::Patch),
    (["-", "-", "-", "-", "-"], &["0.9.0", "3.1.4"], "testers", MAJOR, "4.0.0", Rule::Major),
    (["-", "1.0.9", "1.0.9", "-", "-"], &["1.9.9", "1.10.0"], "developers", ORDINARY, "1.11.0", Rule::Minor),
    (["2.0.0", "1.0.0", "1.0.0", "-", "-"], &[], "developers", ORDINARY, "1.0.1", Rule::Patch),
];

#[test]
fn the_version_rule_gives_what_its_table_says() {
    let declared = configuration(r#"{"rings":["developers","testers","users"],"root":"shop"}"#);
    let chain = declared.chain().clone();
    for (cells, given, on, bump, expected, rule) in TABLE {
        let state = state(declared.clone(), cells, given);
        let numbering = Numbering { state: &state, chain: &chain, initial: version("0.1.0") };
        let found = next_version(numbering, &image("api"), &at(on), *bump);
        assert_eq!(found, (version(expected), *rule), "{cells:?} {given:?} on {on}");
        assert!(state.release(&image("api"), found.0).is_none(), "{cells:?}: {} was given before", found.0);
    }
}

#[test]
fn the_initial_version_is_configurable() {
    let declared = configuration(r#"{"rings":["developers"],"root":"shop"}"#);
    let (state, chain) = (State::new(), declared.chain());
    let numbering = Numbering { state: &state, chain, initial: version("3.0.0") };
    assert_eq!(
        next_version(numbering, &image("api"), chain.first(), Bump::Ordinary),
        (version("3.0.0"), Rule::Initial)
    );
}

fn state(declared: ringsite_rings::Configuration, cells: &[&str; 5], given: &[&str]) -> State {
    let positions = ["ante", "developers", "testers", "users", "post"];
    let standing = cells.iter().zip(positions).filter(|(text, _)| **text != "-");
    let delta: Vec<Delta> = standing
        .map(|(text, ring)| Delta::Cell {
            ring: at(ring),
            image: image("api"),
            from: None,
            to: Some(version(text)),
        })
        .collect();
    let mut all: Vec<Version> =
        cells.iter().chain(given).filter(|text| **text != "-").map(|text| version(text)).collect();
    all.sort();
    all.dedup();
    let releases = all.into_iter().map(|number| (image("api"), some_release("api", number))).collect();
    State::new().apply(&Change { configuration: Some(declared), releases, delta }).unwrap()
}
