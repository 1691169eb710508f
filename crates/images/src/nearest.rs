//! Finds the word that was probably meant.

/// Returns the candidate with the fewest edits from `word`, when that is few enough to be a slip.
///
/// One edit is a letter added, left out, replaced or swapped with its neighbour. One edit is allowed
/// for every three letters, and at least one.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word: Vec<char> = word.chars().take(100).collect();
    let allowed = (word.len() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (edits(&word, &candidate.chars().take(100).collect::<Vec<_>>()), candidate))
        .filter(|(edits, _)| (1..=allowed).contains(edits))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Returns the restricted edit distance (Damerau and Levenshtein) of two words.
fn edits(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let replaced = above[column] + usize::from(letter != other);
            let mut best = replaced.min(above[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && *letter == right[column - 1] && left[row - 1] == *other;
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_word_and_another_word_finds_nothing() {
        let words = ["project", "registry", "rings", "root"];
        for (typed, meant) in [
            ("projct", Some("project")),
            ("porject", Some("project")),
            ("registery", Some("registry")),
            ("ring", Some("rings")),
            ("rot", Some("root")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, words), meant, "{typed}");
        }
    }
}
