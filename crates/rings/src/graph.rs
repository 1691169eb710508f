//! The images of the project in the order in which they are built.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use ringsite_names::ImageName;

use crate::refusal::listed;
use crate::setting::unknown_image;
use crate::{Desired, RequestProblem};

/// The declared images, sorted by name, with their dependencies as places in that list.
pub(crate) struct Graph<'a> {
    images: Vec<&'a Desired>,
    places: HashMap<&'a ImageName, usize>,
    dependencies: Vec<Vec<usize>>,
    order: Vec<usize>,
}

impl<'a> Graph<'a> {
    /// Sorts the images: dependencies first, and by name where the graph leaves a choice.
    pub(crate) fn new(desired: &'a [Desired]) -> Result<Self, Vec<RequestProblem>> {
        let mut images: Vec<&Desired> = desired.iter().collect();
        images.sort_unstable_by(|left, right| left.image.cmp(&right.image));
        let places: HashMap<&ImageName, usize> =
            images.iter().enumerate().map(|(place, desired)| (&desired.image, place)).collect();
        if places.len() != images.len() {
            let twice = images.windows(2).filter(|pair| pair[0].image == pair[1].image);
            return Err(twice.map(|pair| declared_twice(&pair[0].image)).collect());
        }
        let mut dependencies = Vec::with_capacity(images.len());
        for desired in &images {
            let known = desired.dependencies.iter().map(|name| places.get(name).copied().ok_or(name));
            let known: Result<Vec<usize>, &ImageName> = known.collect();
            dependencies.push(known.map_err(|name| vec![unknown_image(name)])?);
        }
        let order = order(&dependencies);
        if order.len() != images.len() {
            let sorted: BTreeSet<usize> = order.into_iter().collect();
            let left: Vec<&ImageName> = (0..images.len())
                .filter(|place| !sorted.contains(place))
                .map(|place| &images[place].image)
                .collect();
            return Err(vec![RequestProblem {
                message: format!("these images depend on each other in a circle: {}", listed(&left)),
                help: "take one of the dependencies out".to_owned(),
            }]);
        }
        Ok(Self { images, places, dependencies, order })
    }

    pub(crate) fn len(&self) -> usize {
        self.images.len()
    }

    /// Returns the places of all images in build order.
    pub(crate) fn order(&self) -> &[usize] {
        &self.order
    }

    pub(crate) fn desired(&self, place: usize) -> &'a Desired {
        self.images[place]
    }

    pub(crate) fn place(&self, image: &ImageName) -> Option<usize> {
        self.places.get(image).copied()
    }

    /// Returns the places of an image's dependencies, sorted by name.
    pub(crate) fn dependencies(&self, place: usize) -> &[usize] {
        &self.dependencies[place]
    }

    /// Returns, for each place, whether it is one of `named` or something that they are built with.
    pub(crate) fn closure(&self, named: impl IntoIterator<Item = usize>) -> Vec<bool> {
        let mut inside = vec![false; self.len()];
        let mut waiting: Vec<usize> = named.into_iter().collect();
        while let Some(place) = waiting.pop() {
            if !std::mem::replace(&mut inside[place], true) {
                waiting.extend(self.dependencies[place].iter().filter(|dependency| !inside[**dependency]));
            }
        }
        inside
    }
}

/// Returns the places in build order; those in or behind a circle are left out.
fn order(dependencies: &[Vec<usize>]) -> Vec<usize> {
    let mut dependents = vec![Vec::new(); dependencies.len()];
    let mut missing: Vec<usize> = dependencies.iter().map(Vec::len).collect();
    for (place, needed) in dependencies.iter().enumerate() {
        needed.iter().for_each(|dependency| dependents[*dependency].push(place));
    }
    let free = missing.iter().enumerate().filter(|(_, missing)| **missing == 0);
    let mut ready: BinaryHeap<Reverse<usize>> = free.map(|(place, _)| Reverse(place)).collect();
    let mut order = Vec::with_capacity(dependencies.len());
    while let Some(Reverse(place)) = ready.pop() {
        order.push(place);
        for dependent in &dependents[place] {
            missing[*dependent] -= 1;
            if missing[*dependent] == 0 {
                ready.push(Reverse(*dependent));
            }
        }
    }
    order
}

fn declared_twice(image: &ImageName) -> RequestProblem {
    RequestProblem {
        message: format!("image {image} is declared twice"),
        help: "give each image a name of its own".to_owned(),
    }
}
