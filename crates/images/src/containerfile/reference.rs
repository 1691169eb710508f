//! Which image a name in a containerfile means: a stage's business elsewhere, here the project's.
//!
//! A name is the project's when it is `<image>`, `<project>/<image>` or
//! `<registry>/<project>/<image>`, **and** has no tag or a ring's name or `${RING}` as its tag, and
//! is not the image itself. Anything else is external.

use std::collections::BTreeSet;

use ringsite_names::{ImageName, ProjectName, RingName};

/// What stands for the ring in an expanded name: one release serves every ring, so none is put in.
pub(crate) const RING_MARK: &str = "${RING}";

/// What stands for the registry in an expanded name when the registry is a folder.
pub(crate) const REGISTRY_MARK: &str = "${REGISTRY}";

/// The names that decide whether a reference is the project's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectNames {
    /// The project.
    pub project: ProjectName,
    /// The host of the registry with its port; nothing for a folder on disk.
    pub registry: Option<String>,
    /// Every image of the project.
    pub images: BTreeSet<ImageName>,
    /// Every configured ring.
    pub rings: BTreeSet<RingName>,
}

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Classified {
    /// An image of the project.
    Project(ImageName),
    /// An image from elsewhere, as written.
    External(String),
}

impl ProjectNames {
    /// Decides what `written` means in the containerfile of `own`.
    ///
    /// # Errors
    /// A message and a remedy when the name can mean nothing: `${RING}` or `${REGISTRY}` in a name
    /// that is no image of the project.
    pub fn classify(&self, written: &str, own: &ImageName) -> Result<Classified, (String, String)> {
        if let Some(image) = self.image(written, own) {
            return Ok(Classified::Project(image));
        }
        if written.contains(RING_MARK) {
            let message = format!("`{written}` asks for a ring, and is no other image of this project");
            return Err((message, self.images_help(own)));
        }
        if written.contains(REGISTRY_MARK) {
            let message = format!("`{written}` names the registry of the project, which is a folder on disk");
            return Err((message, "write the host of the external image".to_owned()));
        }
        Ok(Classified::External(written.to_owned()))
    }

    fn image(&self, written: &str, own: &ImageName) -> Option<ImageName> {
        if written.contains('@') {
            return None;
        }
        let (name, tag) = match written.strip_suffix(RING_MARK) {
            Some(rest) => (rest.strip_suffix(':')?, None),
            None => match written.rsplit_once(':') {
                Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
                _ => (written, None),
            },
        };
        if tag.is_some_and(|tag| !self.rings.contains(tag)) {
            return None;
        }
        let image = self.images.get(self.bare(name))?;
        (image != own).then(|| image.clone())
    }

    /// Takes `<project>/` or `<registry>/<project>/` off the front.
    fn bare<'n>(&self, name: &'n str) -> &'n str {
        let in_project = |name: &'n str| name.strip_prefix(self.project.as_str())?.strip_prefix('/');
        let in_registry = |host: &str| name.strip_prefix(host)?.strip_prefix('/').and_then(in_project);
        in_project(name)
            .or_else(|| in_registry(REGISTRY_MARK))
            .or_else(|| in_registry(self.registry.as_deref()?))
            .unwrap_or(name)
    }

    fn images_help(&self, own: &ImageName) -> String {
        let others: Vec<_> =
            self.images.iter().filter(|image| *image != own).map(ImageName::as_str).take(20).collect();
        match others.is_empty() {
            true => "the project has no other image: write an external image with its own tag".to_owned(),
            false => format!("the other images of the project are {}", others.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(registry: Option<&str>) -> ProjectNames {
        let images = ["base", "api", "nginx", "shop"];
        ProjectNames {
            project: ProjectName::new("acme/shop").unwrap(),
            registry: registry.map(str::to_owned),
            images: images.iter().map(|name| ImageName::new(name).unwrap()).collect(),
            rings: ["developers", "users"].iter().map(|name| RingName::new(name).unwrap()).collect(),
        }
    }

    fn check(registry: Option<&str>, own: &str, written: &str, expected: Option<&str>) {
        let found = names(registry).classify(written, &ImageName::new(own).unwrap()).unwrap();
        let expected = match expected {
            Some(image) => Classified::Project(ImageName::new(image).unwrap()),
            None => Classified::External(written.to_owned()),
        };
        assert_eq!(found, expected, "{written} in {own}");
    }

    #[test]
    fn names_of_the_project_are_told_from_external_ones() {
        for (written, expected) in [
            ("base", Some("base")),
            ("acme/shop/base", Some("base")),
            ("localhost:5000/acme/shop/base", Some("base")),
            ("${REGISTRY}/acme/shop/base:${RING}", Some("base")),
            ("base:developers", Some("base")),
            ("base:${RING}", Some("base")),
            ("acme/shop/base:users", Some("base")),
            ("shop", Some("shop")),
            ("base:1.2.3", None),
            ("base:latest", None),
            ("base:ante", None),
            ("other.example/acme/shop/base", None),
            ("acme/base", None),
            ("redis", None),
            ("redis:7", None),
            ("shop/base", None),
            ("localhost:5000/base", None),
        ] {
            check(Some("localhost:5000"), "api", written, expected);
        }
    }

    #[test]
    fn an_image_is_not_its_own_dependency_and_a_digest_is_never_the_projects() {
        check(None, "nginx", "nginx", None);
        check(None, "nginx", "nginx:1.27", None);
        check(None, "api", "nginx", Some("nginx"));
        check(None, "api", "nginx:1.27", None);
        let pinned = format!("base@{}", ringsite_names::Digest::sha256(b"x"));
        check(None, "api", &pinned, None);
    }

    #[test]
    fn a_ring_or_a_registry_on_disk_in_an_external_name_is_refused() {
        let own = ImageName::new("api").unwrap();
        for (written, expected) in [
            ("redis:${RING}", "no other image"),
            ("api:${RING}", "no other image"),
            ("base-${RING}", "no other image"),
            ("${REGISTRY}/redis:7", "folder on disk"),
        ] {
            let (message, help) = names(None).classify(written, &own).expect_err("means nothing");
            assert!(message.contains(expected), "{written}: {message}");
            assert!(!help.is_empty());
        }
    }
}
