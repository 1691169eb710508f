//! Generates the projects that are measured: the same bytes each time, from nothing but numbers.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Result, TaskError};

/// A project to generate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Images, the root included.
    pub(crate) images: usize,
    /// Source files of each image but the root.
    pub(crate) files: usize,
    /// Bytes of each file.
    pub(crate) bytes: usize,
}

/// Every tenth image is a base of the nine after it.
const FAMILY: usize = 10;
/// Source files of one folder; more would make the folder the thing that is measured.
const FOLDER_FILES: usize = 100;

impl Shape {
    /// Writes the project, unless it is there already from an earlier run; returns its folder.
    ///
    /// # Errors
    /// The disk says no.
    pub(crate) fn write(self, folder: &Path) -> Result<PathBuf> {
        let project = folder.join("project");
        let stamp = folder.join("shape");
        let shape = format!("{self:?} 1\n");
        if fs::read_to_string(&stamp).is_ok_and(|found| found == shape) {
            return Ok(project);
        }
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(TaskError::at("remove", folder))?;
        }
        let mut toml =
            "project = \"bench/tree\"\nroot = \"root\"\nrings = [\"developers\", \"users\"]\n".to_owned();
        for number in 1..self.images {
            let name = format!("image-{number:04}");
            // A String takes everything.
            let _ = write!(toml, "\n[images.{name}]\ncontext = \"images/{name}\"\n");
            self.write_image(&project, number)?;
        }
        toml.push_str("\n[images.root]\ncontext = \".\"\ncontainerfile = \"images/root/Containerfile\"\n");
        toml.push_str("\n[[sites]]\nenvironment = \"test\"\nring = \"developers\"\n");
        put(&project.join("rings.toml"), toml.as_bytes())?;
        put(&project.join("images/root/Containerfile"), b"FROM scratch\nCOPY environments /environments\n")?;
        put(&project.join(".gitignore"), b".ring/\n")?;
        put(&project.join("environments/test/kustomization.yaml"), b"resources: [map.yaml]\n")?;
        put(
            &project.join("environments/test/map.yaml"),
            b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bench}\n",
        )?;
        put(&stamp, shape.as_bytes())?;
        Ok(project)
    }

    fn write_image(self, project: &Path, number: usize) -> Result<()> {
        let folder = project.join(format!("images/image-{number:04}"));
        let family = number - number % FAMILY;
        let base =
            if number == family || family == 0 { "scratch".into() } else { format!("image-{family:04}") };
        put(&folder.join("Containerfile"), format!("FROM {base}\nCOPY src /src-{number}\n").as_bytes())?;
        for file in 0..self.files {
            let path = source(&folder, file);
            put(&path, &content(number * 1_000_003 + file, self.bytes))?;
        }
        Ok(())
    }
}

/// Returns the path of a source file of an image's folder.
pub(crate) fn source(image: &Path, file: usize) -> PathBuf {
    image.join(format!("src/{:03}/{file:05}.txt", file / FOLDER_FILES))
}

/// Writes a file and the folders above it.
///
/// # Errors
/// The disk says no.
pub(crate) fn put(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        fs::create_dir_all(folder).map_err(TaskError::at("create", folder))?;
    }
    fs::write(path, content).map_err(TaskError::at("write", path))
}

/// Returns lines of hexadecimal numbers: content that compresses by about half, as sources do.
pub(crate) fn content(seed: usize, bytes: usize) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut state = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut content = Vec::with_capacity(bytes + 16);
    while content.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        for shift in (0..64).step_by(4) {
            content.push(DIGITS[usize::from((state >> shift) as u8 & 0xf)]);
        }
        content.push(b'\n');
    }
    content.truncate(bytes);
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_has_the_length_that_is_asked_for_and_differs_by_seed() {
        assert_eq!(content(1, 100).len(), 100);
        assert_eq!(content(1, 100), content(1, 100));
        assert_ne!(content(1, 100), content(2, 100));
    }

    #[test]
    fn a_project_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let shape = Shape { images: 3, files: 2, bytes: 10 };
        let project = shape.write(&folder.path().join("a")).unwrap();
        let file = source(&project.join("images/image-0002"), 1);
        assert_eq!(fs::read(&file).unwrap().len(), 10);
        fs::write(&file, "mine").unwrap();
        shape.write(&folder.path().join("a")).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"mine");
    }
}
