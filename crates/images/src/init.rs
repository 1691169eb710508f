//! `ring init`: a small working project, written into a folder.
//!
//! What is written needs no base from anywhere and no program beside this one: two images that copy
//! files, an environment with a base and an overlay, and one site.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use ringsite_names::ProjectName;

/// What stands for the project's name in the templates.
const PLACEHOLDER: &str = "PROJECT_NAME";

/// The name of a project in a folder whose own name cannot be one.
const NAME_DEFAULT: &str = "example";

/// Every file with its content, in the order in which they are written: the project file comes last,
/// so that a folder with one is complete.
const FILES: [(&str, &str); 12] = [
    (".gitignore", include_str!("../templates/gitignore")),
    (".dockerignore", include_str!("../templates/dockerignore")),
    ("images/base/Containerfile", include_str!("../templates/images/base/Containerfile")),
    ("images/base/files/defaults.conf", include_str!("../templates/images/base/files/defaults.conf")),
    ("images/app/Containerfile", include_str!("../templates/images/app/Containerfile")),
    ("images/app/site/index.html", include_str!("../templates/images/app/site/index.html")),
    ("environments/base/deployment.yaml", include_str!("../templates/environments/base/deployment.yaml")),
    ("environments/base/service.yaml", include_str!("../templates/environments/base/service.yaml")),
    (
        "environments/base/kustomization.yaml",
        include_str!("../templates/environments/base/kustomization.yaml"),
    ),
    ("environments/test/replicas.yaml", include_str!("../templates/environments/test/replicas.yaml")),
    (
        "environments/test/kustomization.yaml",
        include_str!("../templates/environments/test/kustomization.yaml"),
    ),
    ("rings.toml", include_str!("../templates/rings.toml")),
];

/// A project that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Some of the files are there already; nothing was written.
    #[error("{} holds already {}: nothing was written", folder.display(), listed(paths))]
    Exists {
        /// The folder of the project.
        folder: PathBuf,
        /// What is there, relative to the folder.
        paths: Vec<PathBuf>,
    },
    /// The system refused; what had been written was taken back.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl InitError {
    /// Returns what to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "choose an empty folder (`ring init DIR`), or move these files away first",
            Self::Write { .. } => "check the permissions of the folder and the space on its disk",
        }
    }
}

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Writes a small working project into `folder`, which is created when it is not there.
///
/// The project is called like its folder. Nothing that exists is overwritten; a failure on the way
/// takes back every file and folder that was made here. Returns the files, relative to `folder`.
///
/// # Errors
/// `InitError::Exists` when one of the files is there already, `InitError::Write` when one cannot
/// be written.
pub fn init(folder: &Path) -> Result<Vec<PathBuf>, InitError> {
    let paths: Vec<PathBuf> = FILES
        .iter()
        .map(|(path, _)| PathBuf::from(path))
        .filter(|path| folder.join(path).symlink_metadata().is_ok())
        .collect();
    if !paths.is_empty() {
        return Err(InitError::Exists { folder: folder.to_path_buf(), paths });
    }
    let mut made = Made::default();
    made.folder(folder)?;
    let name = project_name(folder);
    for (path, content) in FILES {
        made.file(&folder.join(path), &content.replace(PLACEHOLDER, &name))?;
    }
    made.keep();
    Ok(FILES.iter().map(|(path, _)| PathBuf::from(path)).collect())
}

/// What was made so far; dropping it takes everything back.
#[derive(Default)]
struct Made {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Made {
    fn folder(&mut self, folder: &Path) -> Result<(), InitError> {
        let missing: Vec<&Path> =
            folder.ancestors().take_while(|one| !one.as_os_str().is_empty() && !one.exists()).collect();
        for one in missing.into_iter().rev() {
            fs::create_dir(one).map_err(|source| InitError::Write { path: one.to_path_buf(), source })?;
            self.folders.push(one.to_path_buf());
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, content: &str) -> Result<(), InitError> {
        self.folder(path.parent().expect("a file of the project has a folder"))?;
        let error = |source| InitError::Write { path: path.to_path_buf(), source };
        // `create_new` refuses what appeared since the folder was looked at.
        let mut file = fs::File::create_new(path).map_err(error)?;
        self.files.push(path.to_path_buf());
        file.write_all(content.as_bytes()).map_err(error)
    }

    fn keep(mut self) {
        self.files.clear();
        self.folders.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // Best effort: the first fault is the one that is told.
        for file in self.files.iter().rev() {
            let _ = fs::remove_file(file);
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Returns the folder's own name as far as it can name a project.
fn project_name(folder: &Path) -> String {
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = absolute.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_lowercase();
    let word = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let spaced: String = name.chars().map(|one| if word(one) { one } else { ' ' }).collect();
    let name = spaced.split_whitespace().collect::<Vec<_>>().join("-");
    if ProjectName::new(&name).is_ok() { name } else { NAME_DEFAULT.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Overrides, load};

    #[test]
    fn what_is_written_is_a_project_without_mistakes() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let folder = folder.path().join("some/My Shop");
        let files = init(&folder).expect("writes");
        assert!(files.iter().all(|file| folder.join(file).is_file()));
        let project = load(&folder.join("rings.toml"), &Overrides::default()).expect("has no mistake");
        assert_eq!(project.name.as_str(), "my-shop");
        assert_eq!(project.images.len(), 2);
        assert_eq!(project.configuration().sites().len(), 1);
        for ignore in [".gitignore", ".dockerignore"] {
            let text = fs::read_to_string(folder.join(ignore)).expect("is there");
            assert!(text.lines().any(|line| line == ".ring/"), "{ignore}");
        }
    }

    #[test]
    fn what_exists_is_named_and_left_alone() {
        let folder = tempfile::tempdir().expect("makes a folder");
        fs::write(folder.path().join(".gitignore"), "mine\n").expect("writes");
        fs::create_dir_all(folder.path().join("images/base/Containerfile")).expect("makes folders");
        let error = init(folder.path()).expect_err("something is there");
        assert!(error.to_string().contains(".gitignore, images/base/Containerfile"), "{error}");
        assert!(error.help().contains("ring init DIR"));
        assert_eq!(fs::read_dir(folder.path()).expect("lists").count(), 2);
        assert_eq!(fs::read_to_string(folder.path().join(".gitignore")).expect("is there"), "mine\n");
    }

    #[test]
    fn a_failure_on_the_way_takes_everything_back() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let target = folder.path().join("project");
        fs::create_dir(&target).expect("makes a folder");
        // A file where a folder has to be: noticed only when the folder is needed.
        fs::write(target.join("environments"), "in the way").expect("writes");
        let error = init(&target).expect_err("cannot be written");
        assert!(matches!(error, InitError::Write { .. }), "{error}");
        let left: Vec<_> =
            fs::read_dir(&target).expect("lists").map(|one| one.expect("is there").file_name()).collect();
        assert_eq!(left, ["environments"]);
    }

    #[test]
    fn projects_are_called_like_their_folders_when_they_can() {
        for (folder, name) in
            [("shop", "shop"), ("My Shop!", "my-shop"), ("a__b", "a-b"), ("äöü", "example"), ("/", "example")]
        {
            assert_eq!(project_name(Path::new(folder)), name, "{folder}");
        }
    }
}
