//! The seam between what is to be built and who builds it.

use std::future::Future;

use ringsite_images::Context;
use ringsite_oci::Registry;

use crate::error::BuildError;
use crate::step::{Bases, BuildStep, Built};

/// Builds images and puts them into a registry by digest.
pub trait Builder: Send + Sync {
    /// Returns what recipes say about images that it made, for example `native/1`.
    fn built_by(&self) -> String;

    /// Builds one image and pushes layers, configuration and manifest, in this order.
    ///
    /// A future that is dropped leaves blobs behind and nothing that names them.
    ///
    /// # Errors
    /// Whatever [`BuildError`] says; nothing names what was pushed until then.
    fn build(
        &self,
        step: &BuildStep,
        context: &Context,
        bases: &Bases,
        sink: &impl Registry,
    ) -> impl Future<Output = Result<Built, BuildError>> + Send;
}
