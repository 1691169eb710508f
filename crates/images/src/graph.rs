//! The dependency graph of a project's images: the order in which they are built.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::ImageName;

/// Returns the images in an order in which every image comes after its dependencies; among those
/// that could come next, the one that was declared first.
///
/// `edges` holds the dependencies of each image of `declared`; names that are not declared are
/// ignored.
///
/// # Errors
/// A cycle: its images in their order, each depending on the next and the last on the first.
pub fn order(
    declared: &[ImageName],
    edges: &BTreeMap<ImageName, BTreeSet<ImageName>>,
) -> Result<Vec<ImageName>, Vec<ImageName>> {
    let position: BTreeMap<&ImageName, usize> = declared.iter().zip(0..).collect();
    let none = BTreeSet::new();
    let dependencies: Vec<Vec<usize>> = declared
        .iter()
        .map(|image| {
            edges.get(image).unwrap_or(&none).iter().filter_map(|to| position.get(to).copied()).collect()
        })
        .collect();
    let mut dependents = vec![Vec::new(); declared.len()];
    let mut missing: Vec<usize> = dependencies.iter().map(Vec::len).collect();
    for (index, all) in dependencies.iter().enumerate() {
        for &dependency in all {
            dependents[dependency].push(index);
        }
    }
    let mut ready: BTreeSet<usize> = (0..declared.len()).filter(|&index| missing[index] == 0).collect();
    let mut ordered = Vec::with_capacity(declared.len());
    while let Some(index) = ready.pop_first() {
        ordered.push(declared[index].clone());
        for &dependent in &dependents[index] {
            missing[dependent] -= 1;
            if missing[dependent] == 0 {
                ready.insert(dependent);
            }
        }
    }
    if ordered.len() == declared.len() {
        return Ok(ordered);
    }
    // Whoever still misses something depends on another such image: following that must come back.
    let start = missing.iter().position(|&count| count > 0).unwrap_or(0);
    let mut path = vec![start];
    loop {
        let last = path[path.len() - 1];
        let next = dependencies[last].iter().copied().find(|&to| missing[to] > 0).unwrap_or(start);
        if let Some(first) = path.iter().position(|&seen| seen == next) {
            return Err(path[first..].iter().map(|&index| declared[index].clone()).collect());
        }
        path.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ImageName {
        ImageName::new(text).unwrap()
    }

    fn run(declared: &[&str], edges: &[(&str, &[&str])]) -> Result<Vec<String>, Vec<String>> {
        let declared: Vec<_> = declared.iter().map(|text| name(text)).collect();
        let edges =
            edges.iter().map(|(from, to)| (name(from), to.iter().map(|text| name(text)).collect())).collect();
        let words = |images: Vec<ImageName>| images.iter().map(ToString::to_string).collect();
        order(&declared, &edges).map(words).map_err(words)
    }

    #[test]
    fn every_image_comes_after_its_dependencies_and_otherwise_as_declared() {
        let edges: [(&str, &[&str]); 3] =
            [("shop", &["api", "web"]), ("api", &["base"]), ("web", &["base", "gone"])];
        assert_eq!(run(&["shop", "web", "api", "base"], &edges).unwrap(), ["base", "web", "api", "shop"]);
        assert_eq!(run(&["b", "a"], &[]).unwrap(), ["b", "a"]);
        assert_eq!(run(&[], &[]).unwrap(), [""; 0]);
    }

    #[test]
    fn a_cycle_is_told_with_all_its_images() {
        let edges: [(&str, &[&str]); 4] = [("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &[])];
        assert_eq!(run(&["d", "a", "b", "c"], &edges).unwrap_err(), ["b", "c"]);
    }
}
