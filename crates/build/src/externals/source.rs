//! Other people's registries, read through `oci-client`.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use ringsite_names::{Digest, Reference};
use ringsite_oci::names::{
    MEDIA_TYPE_DOCKER_INDEX, MEDIA_TYPE_DOCKER_MANIFEST, MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST,
};
use ringsite_oci::{BlobStream, Descriptor, OciError, StoredManifest};

use crate::externals::NetworkUse;
use crate::externals::kept::media_type;
use crate::limits::{
    MANIFEST_BYTES_MAX, PULL_CONNECT_SECONDS, PULL_MESSAGE_CHARACTERS_MAX, PULL_SILENCE_SECONDS,
};
use crate::names::DEFAULT_HOST;

const ACCEPTED: [&str; 4] =
    [MEDIA_TYPE_MANIFEST, MEDIA_TYPE_INDEX, MEDIA_TYPE_DOCKER_MANIFEST, MEDIA_TYPE_DOCKER_INDEX];

/// Where a blob that streams leaves why it failed.
pub(super) type Failure = Arc<Mutex<Option<String>>>;

/// Reads images from other people's registries, without credentials. Errors are reasons in words.
pub(super) struct Source {
    https: Client,
    http: Option<Client>,
}

impl Source {
    /// Returns a source, or why there is none.
    pub(super) fn new(network: NetworkUse) -> Result<Self, String> {
        match network {
            NetworkUse::Offline => Err("the network must not be used".to_owned()),
            NetworkUse::Https => Ok(Self { https: client(ClientProtocol::Https)?, http: None }),
            NetworkUse::PlainHttp => {
                Ok(Self { https: client(ClientProtocol::Https)?, http: Some(client(ClientProtocol::Http)?) })
            }
        }
    }

    /// Returns the manifest of a reference, or of one digest of its repository, verified.
    pub(super) async fn manifest(
        &self,
        reference: &Reference,
        digest: Option<&Digest>,
    ) -> Result<StoredManifest, String> {
        if matches!(digest, Some(Digest::Sha512(_))) {
            return Err("it is pinned by sha512, and registries keep manifests by sha256".to_owned());
        }
        let wanted = foreign(reference, digest);
        let pulled = self.ask(|client| {
            let wanted = &wanted;
            async move { client.pull_manifest_raw(wanted, &RegistryAuth::Anonymous, &ACCEPTED).await }
        });
        // A read that goes on and on is no manifest.
        let pulled = tokio::time::timeout(Duration::from_secs(PULL_SILENCE_SECONDS), pulled);
        let (bytes, _) = pulled
            .await
            .map_err(|_| format!("{} sent no manifest within {PULL_SILENCE_SECONDS} s", host(reference)))?
            .map_err(|error| explain(&error, digest))?;
        if bytes.len() as u64 > MANIFEST_BYTES_MAX {
            return Err(format!("its manifest has more than {MANIFEST_BYTES_MAX} bytes"));
        }
        let found = Digest::sha256(&bytes);
        if let Some(digest) = digest.filter(|digest| **digest != found) {
            return Err(format!("{} sent {found} for {digest}", host(reference)));
        }
        let media_type = media_type(&bytes);
        if !ACCEPTED.contains(&media_type.as_str()) {
            return Err(format!("`{}` is no image that can be built from", clean(&media_type)));
        }
        Ok(StoredManifest { digest: found, bytes, media_type })
    }

    /// Returns a blob with its length checked while it streams; whoever takes it verifies the digest,
    /// and finds in `failure` why it stopped.
    pub(super) async fn blob(
        &self,
        reference: &Reference,
        blob: &Descriptor,
        failure: Failure,
    ) -> Result<BlobStream, String> {
        let (wanted, digest) = (foreign(reference, None), blob.digest.to_string());
        let pulled = self.ask(|client| {
            let (wanted, digest) = (&wanted, digest.as_str());
            async move {
                client.store_auth_if_needed(wanted.resolve_registry(), &RegistryAuth::Anonymous).await;
                client.pull_blob_stream(wanted, digest).await
            }
        });
        let stream =
            pulled.await.map_err(|error| format!("blob {digest}: {}", explain(&error, None)))?.stream;
        let announced = blob.size;
        let end = futures_util::stream::iter([None]);
        let chunks = stream.map(Some).chain(end).scan(0_u64, move |taken, chunk| {
            let chunk = match chunk {
                Some(Ok(chunk)) => {
                    *taken += chunk.len() as u64;
                    (*taken <= announced)
                        .then_some(Some(chunk))
                        .ok_or("it is longer than announced".to_owned())
                }
                Some(Err(error)) => Err(chain(&error)),
                None if *taken < announced => Err(format!("it ends after {taken} of {announced} bytes")),
                None => Ok(None),
            };
            let item = chunk.map_err(|reason| {
                let reason = format!("blob {digest}: {reason}");
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| reason.clone());
                OciError::Unanswered { what: "copy an external image".to_owned(), source: reason.into() }
            });
            std::future::ready(item.transpose())
        });
        Ok(BlobStream::new(Some(announced), chunks))
    }

    /// Asks by HTTPS, and where that is allowed by plain HTTP when there is nobody who speaks HTTPS.
    async fn ask<'s, T, F>(&'s self, question: impl Fn(&'s Client) -> F) -> Result<T, OciDistributionError>
    where
        F: Future<Output = Result<T, OciDistributionError>>,
    {
        match (question(&self.https).await, &self.http) {
            (Err(OciDistributionError::RequestError(error)), Some(http)) if error.is_connect() => {
                question(http).await
            }
            (answer, _) => answer,
        }
    }
}

fn client(protocol: ClientProtocol) -> Result<Client, String> {
    let config = ClientConfig {
        protocol,
        read_timeout: Some(Duration::from_secs(PULL_SILENCE_SECONDS)),
        connect_timeout: Some(Duration::from_secs(PULL_CONNECT_SECONDS)),
        user_agent: concat!("ringsite/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    };
    // `Client::new` would go on with other settings than the given ones when they are wrong.
    Client::try_from(config).map_err(|error| format!("the transport cannot be set up: {}", chain(&error)))
}

fn host(reference: &Reference) -> &str {
    reference.host.as_deref().unwrap_or(DEFAULT_HOST)
}

fn foreign(reference: &Reference, digest: Option<&Digest>) -> oci_client::Reference {
    let (host, repository) = (host(reference).to_owned(), reference.repository.to_string());
    match (digest.or(reference.digest.as_ref()), &reference.tag) {
        (Some(digest), _) => oci_client::Reference::with_digest(host, repository, digest.to_string()),
        (None, Some(tag)) => oci_client::Reference::with_tag(host, repository, tag.to_string()),
        (None, None) => oci_client::Reference::with_tag(host, repository, "latest".to_owned()),
    }
}

/// Returns why a request failed, in words that a person can act on.
fn explain(error: &OciDistributionError, digest: Option<&Digest>) -> String {
    let is_missing = match error {
        OciDistributionError::ServerError { code, .. } => *code == 404,
        OciDistributionError::RegistryError { envelope, .. } => envelope.errors.iter().any(|error| {
            use OciErrorCode::{BlobUnknown, ManifestUnknown, NameUnknown, NotFound};
            matches!(error.code, ManifestUnknown | NameUnknown | NotFound | BlobUnknown)
        }),
        OciDistributionError::ImageManifestNotFoundError(_) => true,
        _ => false,
    };
    match (error, digest) {
        (OciDistributionError::UnauthorizedError { .. }, _) => {
            "the registry wants a login, or does not have it".to_owned()
        }
        (_, Some(digest)) if is_missing => format!("the registry does not have {digest} (any more)"),
        (_, None) if is_missing => "the registry does not have it".to_owned(),
        _ => chain(error),
    }
}

/// Returns an error with every cause: the last one says what really happened.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let words = source.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = source.source();
    }
    clean(&text)
}

/// Returns text of another system as it can be printed: one line of bounded length.
fn clean(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|character| !character.is_control()).take(PULL_MESSAGE_CHARACTERS_MAX).collect()
}
