//! Images from elsewhere: their digests are looked up once, and they are copied into the project's
//! own registry, so that everything after the first time needs no network.
//!
//! A reference `host/repo:tag` is copied to `<project>/external/<host>/<repo>` and tagged
//! `pin-<first 16 hex digits of the pinned digest>`, so that no registry collects it.
//!
//! # Indexes
//!
//! Of an index only the children for the platforms of the project are copied, while the pinned digest
//! stays that of the index as it was received. Registries, ours too, refuse an index of which a child
//! is missing, so what is kept depends on how much of it is here:
//!
//! | Copied | The pinned digest is | The tag names |
//! |--|--|--|
//! | one image | its manifest | that manifest |
//! | every child | the index | that index |
//! | some children | a blob: the bytes of the index | an index of our own: the children that are here, and an artifact whose one layer is that blob |
//!
//! Reading a pin asks for a manifest first and for a blob then; both are verified by the pinned
//! digest, so everything that is built from a pin is bound to the digest in `rings.lock`, whoever
//! may write to the registry.
//!
//! # Transport
//!
//! Other people's registries are read through `oci-client`, anonymously, over HTTPS. Plain HTTP is
//! spoken only when it was asked for, and then only with a host that does not answer HTTPS; a
//! loopback host is no exception. Nothing is tried twice.

mod copy;
mod kept;
mod source;

use std::net::Ipv6Addr;

use ringsite_images::Platform;
use ringsite_names::{Digest, ProjectName, Reference, RepositoryName};
use ringsite_oci::Registry;

use crate::error::{BuildError, Place};
use crate::names::{DEFAULT_HOST, EXTERNAL_FOLDER};

use self::source::Source;

pub(crate) use kept::kept_manifest;

/// Whether, and how, other people's registries may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkUse {
    /// By HTTPS only.
    Https,
    /// By HTTPS, and by plain HTTP where a registry does not answer that.
    PlainHttp,
    /// Not at all.
    Offline,
}

/// Which external image is needed, and who asks for it.
#[derive(Clone, Debug)]
pub struct ExternalRequest<'a> {
    /// The project whose registry keeps the copy.
    pub project: &'a ProjectName,
    /// The full spelling; see [`ringsite_images::normalise`].
    pub reference: &'a Reference,
    /// The digest that it is pinned to, when there is one; that of the reference counts, too.
    pub known: Option<Digest>,
    /// The platforms that it is needed for.
    pub platforms: &'a [Platform],
    /// The first line that names it, when there is one.
    pub place: Option<Place>,
    /// Whether it may be fetched.
    pub network: NetworkUse,
}

impl ExternalRequest<'_> {
    /// Returns the error for an image that is not to be had.
    fn failed(&self, reason: impl Into<String>) -> BuildError {
        not_to_be_had(self.place.clone(), self.reference, reason)
    }

    /// Returns the error for an image that is there, and not for the platforms of the project.
    fn wrong_platform(&self, reason: String) -> BuildError {
        match &self.place {
            Some(place) => BuildError::at(
                place,
                format!("external image {} {reason}", self.reference),
                "name an image that has the platform, or take the platform out of rings.toml",
            ),
            None => BuildError::rule(format!("external image {}", self.reference), "platform", reason),
        }
    }

    fn pinned(&self) -> Option<Digest> {
        self.known.or(self.reference.digest)
    }
}

fn not_to_be_had(place: Option<Place>, reference: &Reference, reason: impl Into<String>) -> BuildError {
    BuildError::External { place, reference: reference.to_string(), reason: reason.into() }
}

/// Returns the repository that keeps the copies of an external image: `<project>/external/<host>/<repo>`.
///
/// Hosts become path parts as follows, each in a way that no other host does: letters in lower case;
/// the `:` before a port is `_`, which no host has (`localhost:5000` is `localhost_5000`); an IPv6
/// address is `ipv6__` and its eight groups joined by `-` (`[::1]:5000` is `ipv6__0-0-0-0-0-0-0-1_5000`).
///
/// # Errors
/// `Base` when host and repository make no name that a registry takes, for example a too long one.
pub fn external_repository(
    project: &ProjectName,
    reference: &Reference,
) -> Result<RepositoryName, BuildError> {
    let refuse = |reason: String| BuildError::rule(format!("external image {reference}"), "name", reason);
    let host = reference.host.as_deref().unwrap_or(DEFAULT_HOST);
    let part = host_part(host).ok_or_else(|| refuse(format!("`{host}` is no host")))?;
    project
        .repository(&format!("{EXTERNAL_FOLDER}/{part}/{}", reference.repository))
        .map_err(|error| refuse(error.to_string()))
}

fn host_part(host: &str) -> Option<String> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let mut part = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => {
            let groups = address.parse::<Ipv6Addr>().ok()?.segments().map(|group| format!("{group:x}"));
            format!("ipv6__{}", groups.join("-"))
        }
        None => name.to_ascii_lowercase(),
    };
    if let Some(port) = port {
        part.push('_');
        part.push_str(port);
    }
    Some(part)
}

/// Makes sure that an external image is in the project's registry for the platforms asked for, and
/// returns its digest: of the index, or of the manifest of a single image.
///
/// What is there already, by its known digest, costs no network. Order of writes: blobs, the
/// manifests of the platforms, the index, and last the tag that keeps them; what was copied before a
/// failure is found the next time.
///
/// # Errors
/// `External` when it is not here and not to be had; `Instruction` or `Base` when it has nothing for a
/// platform, or cannot be copied; the registry's own.
pub async fn copy_external(
    registry: &impl Registry,
    request: &ExternalRequest<'_>,
) -> Result<Digest, BuildError> {
    let repository = external_repository(request.project, request.reference)?;
    if let Some(pinned) = request.pinned()
        && kept::is_kept(registry, &repository, &pinned, request).await?
    {
        return Ok(pinned);
    }
    let source = Source::new(request.network)
        .map_err(|reason| request.failed(format!("`{repository}` has no copy of it, and {reason}")))?;
    copy::copy(registry, &source, request, &repository).await
}

/// Looks up the digest that a reference has now where it points to; that of a reference with a digest
/// needs no look.
///
/// # Errors
/// `External` when it cannot be reached or is not there.
pub async fn resolve_external(reference: &Reference, network: NetworkUse) -> Result<Digest, BuildError> {
    if let Some(digest) = reference.digest {
        return Ok(digest);
    }
    let failed = |reason| not_to_be_had(None, reference, reason);
    let source = Source::new(network).map_err(failed)?;
    Ok(source.manifest(reference, None).await.map_err(failed)?.digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(host: &str) -> Result<String, BuildError> {
        let project = ProjectName::new("acme/shop").expect("is a name");
        let mut reference: Reference = "quay.io/a/b:t".parse().expect("is a reference");
        reference.host = Some(host.to_owned());
        external_repository(&project, &reference).map(|name| name.to_string())
    }

    #[test]
    fn every_host_has_a_folder_of_its_own() {
        for (host, folder) in [
            ("quay.io", "quay.io"),
            ("Registry.Example.COM", "registry.example.com"),
            ("localhost:5000", "localhost_5000"),
            ("localhost-5000.example", "localhost-5000.example"),
            ("127.0.0.1:80", "127.0.0.1_80"),
            ("[::1]:5000", "ipv6__0-0-0-0-0-0-0-1_5000"),
            ("[2001:DB8::1]", "ipv6__2001-db8-0-0-0-0-0-1"),
        ] {
            assert_eq!(repository(host).expect("has a folder"), format!("acme/shop/external/{folder}/a/b"));
        }
    }

    #[test]
    fn hosts_that_no_registry_can_name_are_refused_with_the_reference() {
        for host in ["", "-a.example", "a..b", "example.com.", "[fe80::1%eth0]", "[::x]"] {
            let error = repository(host).expect_err("has no folder");
            assert!(error.to_string().contains("a/b:t"), "{error}");
            assert_eq!(error.kind(), crate::FailureKind::Input);
        }
    }
}
