//! A project in a temporary folder, for tests that run the product on one.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder with a project, removed when the value is dropped.
#[derive(Debug)]
pub struct ProjectFolder {
    folder: tempfile::TempDir,
}

/// The project file of [`ProjectFolder::shop`].
pub const SHOP: &str = r#"project = "acme/shop"
root = "shop"
rings = ["developers", "testers", "users"]

[images.base]
[images.api]
[images.shop]
context = "."
containerfile = "images/shop/Containerfile"

[[sites]]
name = "dev"
environment = "test"
ring = "developers"

[[sites]]
name = "eu-test"
environment = "test"
ring = "testers"
namespace = "shop-test"
"#;

impl ProjectFolder {
    /// Returns an empty folder.
    ///
    /// # Panics
    /// When there is no temporary folder to be had.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Returns a small shop: `base`, `api` built from it, and the root `shop`; three rings, two sites
    /// of one environment. Nothing in it needs a network.
    pub fn shop() -> Self {
        Self::empty()
            .with("rings.toml", SHOP)
            .with("images/base/Containerfile", "FROM scratch\nCOPY etc /etc\n")
            .with("images/base/etc/motd", "welcome\n")
            .with(
                "images/api/Containerfile",
                "FROM base\nCOPY api.conf /etc/api.conf\nENTRYPOINT [\"/bin/api\"]\n",
            )
            .with("images/api/api.conf", "port = 8080\n")
            .with("images/shop/Containerfile", "FROM scratch\nCOPY environments/ /environments/\n")
            .with("environments/base/kustomization.yaml", "resources:\n- api.yaml\n- settings.yaml\n")
            .with("environments/base/api.yaml", API)
            .with("environments/base/settings.yaml", SETTINGS)
            .with("environments/test/kustomization.yaml", "resources:\n- ../base\nnamePrefix: test-\n")
    }

    /// Writes a file, with the folders that it needs.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn with(self, path: &str, content: &str) -> Self {
        self.write(path, content);
        self
    }

    /// Writes a file, with the folders that it needs.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &str, content: &str) {
        let file = self.path(path);
        fs::create_dir_all(file.parent().expect("a file has a folder")).expect("the folder can be made");
        fs::write(&file, content).expect("the file can be written");
    }

    /// Replaces the first `old` of a file by `new`.
    ///
    /// # Panics
    /// When the file has no such text.
    pub fn edit(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "{path} has no `{old}`:\n{text}");
        self.write(path, &text.replacen(old, new, 1));
    }

    /// Returns the text of a file.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect("the file can be read")
    }

    /// Returns the path of the folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns a path below the folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }
}

const API: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  selector:
    matchLabels:
      app: api
  template:
    metadata:
      labels:
        app: api
    spec:
      containers:
      - name: api
        image: api
";

const SETTINGS: &str = "apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  answer: \"42\"
";
