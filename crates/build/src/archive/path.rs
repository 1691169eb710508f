//! Paths of images: relative, `/`-separated, without `.` and `..`.

use crate::limits::PATH_BYTES_MAX;

/// Checks a name from an archive and takes `./` and a `/` at its end off; the root is empty.
///
/// # Errors
/// The broken rule and how it is broken.
pub(crate) fn clean_path(name: &[u8]) -> Result<String, (&'static str, String)> {
    let shown = || String::from_utf8_lossy(&name[..name.len().min(200)]).into_owned();
    if name.len() > PATH_BYTES_MAX {
        return Err(("path-length", format!("`{}…` has more than {PATH_BYTES_MAX} bytes", shown())));
    }
    let Ok(text) = std::str::from_utf8(name) else {
        return Err(("path-name", format!("`{}` is not UTF-8", shown())));
    };
    if text.is_empty() || text.contains('\0') {
        return Err(("path-name", format!("`{}` is no name", text.escape_default())));
    }
    if text.starts_with('/') {
        return Err(("absolute-path", format!("`{text}` begins with `/`")));
    }
    let mut clean = String::with_capacity(text.len());
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(("parent-path", format!("`{text}` has `..` in it"))),
            part => {
                if !clean.is_empty() {
                    clean.push('/');
                }
                clean.push_str(part);
            }
        }
    }
    Ok(clean)
}

/// Joins two paths of an image; either may be empty.
pub(crate) fn join(parent: &str, child: &str) -> String {
    match (parent.is_empty(), child.is_empty()) {
        (true, _) => child.to_owned(),
        (_, true) => parent.to_owned(),
        _ => format!("{parent}/{child}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_without_changing_what_they_mean() {
        for (name, clean) in [
            ("usr/bin/x", "usr/bin/x"),
            ("./usr//bin/", "usr/bin"),
            ("./", ""),
            (".", ""),
            ("a/./b", "a/b"),
            ("..a/b..", "..a/b.."),
            ("a\\..\\b", "a\\..\\b"),
        ] {
            assert_eq!(clean_path(name.as_bytes()), Ok(clean.to_owned()), "{name}");
        }
    }

    #[test]
    fn names_that_leave_the_image_are_refused_by_rule() {
        let long = "a/".repeat(3000);
        for (name, rule) in [
            ("/etc/passwd", "absolute-path"),
            ("//x", "absolute-path"),
            ("../x", "parent-path"),
            ("a/../../x", "parent-path"),
            ("a/..", "parent-path"),
            ("./../x", "parent-path"),
            ("", "path-name"),
            ("a\0b", "path-name"),
            (long.as_str(), "path-length"),
        ] {
            assert_eq!(clean_path(name.as_bytes()).unwrap_err().0, rule, "{name:?}");
        }
        assert_eq!(clean_path(b"\xff").unwrap_err().0, "path-name");
    }
}
