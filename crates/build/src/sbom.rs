//! The bill of materials of an image, in SPDX 2.3: the same image always gives the same document.
//!
//! | Element | What it is |
//! |--|--|
//! | package `SPDXRef-Image` | the image, by digest |
//! | packages `SPDXRef-Dependency-…` | images of the project that it is built from, by version and digest |
//! | packages `SPDXRef-External-…` | images from elsewhere, by reference and digest |
//! | files `SPDXRef-File-…` | the sources of its revision with their sha256 |

use ringsite_names::{Digest, canonical_json};
use serde_json::{Value, json};

use crate::native::timestamp;
use crate::step::{BaseImage, Bases, BuildStep, Built};

const IMAGE_ID: &str = "SPDXRef-Image";

/// Returns the bill of materials of an image as RFC 8785 JSON.
pub fn sbom(built: &Built, step: &BuildStep, bases: &Bases) -> Vec<u8> {
    let name = format!("{}/{}", step.project, step.image);
    let mut packages = vec![image_package(&name, &step.version.to_string(), &built.digest, IMAGE_ID)];
    let mut relationships = vec![relationship("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE_ID)];
    for (image, base) in &bases.project {
        let id = format!("SPDXRef-Dependency-{image}");
        let version = base.version.as_ref().map_or_else(String::new, ToString::to_string);
        packages.push(base_package(&format!("{}/{image}", step.project), &version, base, &id));
        relationships.push(relationship(IMAGE_ID, "DEPENDS_ON", &id));
    }
    for (index, (reference, base)) in bases.external.iter().enumerate() {
        let id = format!("SPDXRef-External-{index}");
        packages.push(base_package(&reference.to_string(), "", base, &id));
        relationships.push(relationship(IMAGE_ID, "DEPENDS_ON", &id));
    }
    let mut files = Vec::with_capacity(step.sources.entries().len());
    for (index, entry) in step.sources.entries().iter().enumerate() {
        let id = format!("SPDXRef-File-{index}");
        files.push(json!({
            "SPDXID": id,
            "fileName": format!("./{}", entry.path),
            "checksums": [{"algorithm": "SHA256", "checksumValue": Digest::Sha256(entry.sha256).to_hex()}],
            "licenseConcluded": "NOASSERTION",
            "copyrightText": "NOASSERTION",
        }));
        relationships.push(relationship(IMAGE_ID, "GENERATED_FROM", &id));
    }
    canonical_json(&json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        // SPDX asks for a unique address. Nothing is served there.
        "documentNamespace": format!("https://spdx.invalid/{name}/{}", built.digest.to_hex()),
        "creationInfo": {
            "created": timestamp(step).to_string(),
            "creators": [format!("Tool: ringsite-{}", built.recipe.built_by.replace(['/', ' '], "-"))],
        },
        "packages": packages,
        "files": files,
        "relationships": relationships,
    }))
}

fn base_package(name: &str, version: &str, base: &BaseImage, id: &str) -> Value {
    image_package(name, version, &base.digest, id)
}

fn image_package(name: &str, version: &str, digest: &Digest, id: &str) -> Value {
    let last = name.rsplit('/').next().unwrap_or(name);
    let mut package = json!({
        "SPDXID": id,
        "name": name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "primaryPackagePurpose": "CONTAINER",
        "checksums": [{"algorithm": digest.algorithm().to_uppercase(), "checksumValue": digest.to_hex()}],
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": format!("pkg:oci/{}@{}", last.replace(':', "%3A"), digest.to_string().replace(':', "%3A")),
        }],
    });
    if !version.is_empty() {
        package["versionInfo"] = version.into();
    }
    package
}

fn relationship(from: &str, kind: &str, to: &str) -> Value {
    json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to})
}
