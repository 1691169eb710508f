//! What images and stages hold: the index of each layer, and the view over all of them.
//!
//! A layer of a base image is read once, without extracting anything, and its index is kept in the
//! cache by the digest of the layer. A [`View`] answers what a path is after all layers, follows
//! links as a process inside the image would, and lists folders. Layers that are being built have
//! the same form, so a stage can be looked into before any byte of it exists.

mod index;
mod load;
mod store;
mod users;
mod view;

pub(crate) use index::{Index, read_index};
pub(crate) use load::{LoadedImage, is_same_platform, load_image};
pub(crate) use users::{Owner, owner};
pub(crate) use view::{Node, View};
