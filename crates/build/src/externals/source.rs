//! Other people's registries, read through `oci-client`.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use ringsite_names::Digest;
use ringsite_oci::names::{
    MEDIA_TYPE_DOCKER_INDEX, MEDIA_TYPE_DOCKER_MANIFEST, MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST,
};
use ringsite_oci::{BlobStream, Descriptor, OciError, StoredManifest};

use crate::error::BuildError;
use crate::externals::ExternalRequest;
use crate::limits::{MANIFEST_BYTES_MAX, PULL_CONNECT_SECONDS, PULL_SILENCE_SECONDS};

const ACCEPTED: [&str; 4] =
    [MEDIA_TYPE_MANIFEST, MEDIA_TYPE_INDEX, MEDIA_TYPE_DOCKER_MANIFEST, MEDIA_TYPE_DOCKER_INDEX];

/// Reads images from other people's registries, without credentials.
#[derive(Clone)]
pub struct Source {
    client: Client,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Source").finish_non_exhaustive()
    }
}

impl Source {
    /// Returns a source that speaks HTTPS, but plain HTTP with the hosts in `plain_http`, each with
    /// its port.
    ///
    /// # Errors
    /// `External` when the transport cannot be set up.
    pub fn new(plain_http: &[String]) -> Result<Self, BuildError> {
        let config = ClientConfig {
            protocol: ClientProtocol::HttpsExcept(plain_http.to_vec()),
            read_timeout: Some(Duration::from_secs(PULL_SILENCE_SECONDS)),
            connect_timeout: Some(Duration::from_secs(PULL_CONNECT_SECONDS)),
            user_agent: concat!("ringsite/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        // `Client::new` would go on with other settings than the given ones when they are wrong.
        let client = Client::try_from(config).map_err(|error| BuildError::External {
            place: None,
            reference: "any".to_owned(),
            reason: format!("the transport cannot be set up: {error}"),
        })?;
        Ok(Self { client })
    }

    fn reference(request: &ExternalRequest, digest: Option<&Digest>) -> oci_client::Reference {
        let reference = &request.reference;
        let host = reference.host.clone().unwrap_or_default();
        let repository = reference.repository.to_string();
        match (digest.or(reference.digest.as_ref()), &reference.tag) {
            (Some(digest), _) => oci_client::Reference::with_digest(host, repository, digest.to_string()),
            (None, Some(tag)) => oci_client::Reference::with_tag(host, repository, tag.to_string()),
            (None, None) => oci_client::Reference::with_tag(host, repository, "latest".to_owned()),
        }
    }

    /// Returns the manifest of a reference, or of one digest of its repository, verified.
    pub(super) async fn manifest(
        &self,
        request: &ExternalRequest,
        digest: Option<&Digest>,
    ) -> Result<StoredManifest, BuildError> {
        let reference = Self::reference(request, digest);
        let pulled = self.client.pull_manifest_raw(&reference, &RegistryAuth::Anonymous, &ACCEPTED).await;
        let (bytes, _) = pulled.map_err(|error| request.failed(explain(&error)))?;
        if bytes.len() as u64 > MANIFEST_BYTES_MAX {
            return Err(request.failed(format!("its manifest has more than {MANIFEST_BYTES_MAX} bytes")));
        }
        let wanted = digest.or(request.reference.digest.as_ref());
        if wanted.is_some_and(|digest| !digest.matches(&bytes)) {
            return Err(request.failed("the registry answers with something that has another digest"));
        }
        let found = wanted.copied().unwrap_or_else(|| Digest::sha256(&bytes));
        let media_type = media_type(&bytes);
        Ok(StoredManifest { digest: found, bytes, media_type })
    }

    /// Returns a blob; whoever takes it verifies the digest.
    pub(super) async fn blob(
        &self,
        request: &ExternalRequest,
        blob: &Descriptor,
    ) -> Result<BlobStream, BuildError> {
        let reference = Self::reference(request, Some(&blob.digest));
        let descriptor = OciDescriptor {
            media_type: blob.media_type.clone(),
            digest: blob.digest.to_string(),
            size: i64::try_from(blob.size).unwrap_or(i64::MAX),
            ..OciDescriptor::default()
        };
        self.client.store_auth_if_needed(reference.resolve_registry(), &RegistryAuth::Anonymous).await;
        let pulled = self.client.pull_blob_stream(&reference, &descriptor).await;
        let stream = pulled.map_err(|error| request.failed(explain(&error)))?.stream;
        let what = format!("pull blob {} of {}", blob.digest, request.reference);
        let limit = blob.size;
        let chunks = stream.scan(0_u64, move |taken, chunk| {
            let chunk = chunk.and_then(|chunk: Bytes| {
                *taken += chunk.len() as u64;
                match *taken > limit {
                    true => Err(io::Error::other(format!("it is longer than the {limit} bytes announced"))),
                    false => Ok(chunk),
                }
            });
            let chunk =
                chunk.map_err(|source| OciError::Unanswered { what: what.clone(), source: source.into() });
            std::future::ready(Some(chunk))
        });
        Ok(BlobStream::new(Some(blob.size), chunks))
    }
}

/// Returns what a manifest says it is, or what its fields say when it does not.
fn media_type(bytes: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    match json["mediaType"].as_str() {
        Some(said) => said.to_owned(),
        None if json["manifests"].is_array() => MEDIA_TYPE_INDEX.to_owned(),
        None => MEDIA_TYPE_MANIFEST.to_owned(),
    }
}

/// Returns why a pull failed, with every cause: the last one says what really happened.
fn explain(error: &OciDistributionError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        let words = source.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = source.source();
    }
    text
}
