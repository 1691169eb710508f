//! The labels that every image of a project carries.
//!
//! | Label | Value |
//! |--|--|
//! | `org.opencontainers.image.version` | `M.m.p` |
//! | `org.opencontainers.image.revision` | the revision |
//! | `org.opencontainers.image.ref.name` | `<project>/<image>` |
//! | `org.opencontainers.image.vendor` | the vendor, only when there is one |
//! | `dependency.<image>` | the version of each dependency; of every other image for the root |

use std::collections::BTreeMap;

use ringsite_names::{Digest, ImageName, ProjectName, Version};

use crate::names::{LABEL_DEPENDENCY_PREFIX, LABEL_REF_NAME, LABEL_REVISION, LABEL_VENDOR, LABEL_VERSION};

/// What the labels of one release say.
#[derive(Clone, Copy, Debug)]
pub struct LabelRequest<'a> {
    /// The project.
    pub project: &'a ProjectName,
    /// The image.
    pub image: &'a ImageName,
    /// The version that the release gets.
    pub version: Version,
    /// The revision that it is built from.
    pub revision: Digest,
    /// The vendor, when there is one.
    pub vendor: Option<&'a str>,
    /// The pinned versions of its dependencies.
    pub dependencies: &'a BTreeMap<ImageName, Version>,
    /// The labels of the project file.
    pub labels: &'a BTreeMap<String, String>,
}

/// Returns the labels of a release: those of the project file and those of the table.
///
/// Where both have one, which checking the project excludes, the table counts.
pub fn labels(request: &LabelRequest<'_>) -> BTreeMap<String, String> {
    let mut labels = request.labels.clone();
    labels.insert(LABEL_VERSION.into(), request.version.to_string());
    labels.insert(LABEL_REVISION.into(), request.revision.to_string());
    labels.insert(LABEL_REF_NAME.into(), format!("{}/{}", request.project, request.image));
    if let Some(vendor) = request.vendor {
        labels.insert(LABEL_VENDOR.into(), vendor.to_owned());
    }
    for (image, version) in request.dependencies {
        labels.insert(format!("{LABEL_DEPENDENCY_PREFIX}{image}"), version.to_string());
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::is_reserved_label;

    #[test]
    fn an_image_carries_the_labels_of_the_table_and_of_the_project() {
        let request = LabelRequest {
            project: &ProjectName::new("acme/shop").unwrap(),
            image: &ImageName::new("api").unwrap(),
            version: Version::new(1, 2, 3),
            revision: Digest::sha256(b"r"),
            vendor: Some("Acme"),
            dependencies: &BTreeMap::from([(ImageName::new("base").unwrap(), Version::new(0, 1, 0))]),
            labels: &BTreeMap::from([("licence".to_owned(), "Apache-2.0".to_owned())]),
        };
        let expected = [
            ("dependency.base", "0.1.0".to_owned()),
            ("licence", "Apache-2.0".to_owned()),
            ("org.opencontainers.image.ref.name", "acme/shop/api".to_owned()),
            ("org.opencontainers.image.revision", Digest::sha256(b"r").to_string()),
            ("org.opencontainers.image.vendor", "Acme".to_owned()),
            ("org.opencontainers.image.version", "1.2.3".to_owned()),
        ];
        let expected = expected.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        assert_eq!(labels(&request), expected);
        let without = labels(&LabelRequest { vendor: None, ..request });
        assert!(!without.contains_key(LABEL_VENDOR));
    }

    #[test]
    fn the_labels_of_the_table_are_reserved_and_no_others() {
        for label in [LABEL_VERSION, LABEL_REVISION, LABEL_REF_NAME, LABEL_VENDOR, "dependency.base"] {
            assert!(is_reserved_label(label), "{label}");
        }
        for label in ["org.opencontainers.image.licenses", "dependency", "version", "x.dependency.y"] {
            assert!(!is_reserved_label(label), "{label}");
        }
    }
}
