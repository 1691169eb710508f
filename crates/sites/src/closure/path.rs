//! Paths of references: what they mean inside the tree, and which are no paths at all.

/// Returns `folder/name`, or `name` at the top.
pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Returns whether `path` is `folder` or lies below it; everything lies below the empty folder.
pub(super) fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns the normal path that `text` means, seen from `folder`.
///
/// # Errors
/// When it is absolute or climbs above the top of the tree.
pub(super) fn resolve(folder: &str, text: &str) -> Result<String, ()> {
    if text.starts_with('/') {
        return Err(());
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or(())?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// Returns every path that is stepped through on the way, so that a link that `..` would hide is found.
pub(super) fn steps(folder: &str, text: &str) -> Vec<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    let mut steps = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => {
                parts.push(part);
                steps.push(parts.join("/"));
            }
        }
    }
    steps
}

/// Returns whether `text` can only be something on the network, whatever files there are.
pub(super) fn is_certainly_remote(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let scp = lower.split_once('@').is_some_and(|(user, rest)| {
        !user.is_empty()
            && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && rest.contains(':')
    });
    lower.contains("://") || lower.starts_with("git::") || lower.starts_with("github.com:") || scp
}

/// Returns whether `text`, for which there is no file, was meant as something on the network.
pub(super) fn looks_remote(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let host = lower.split('/').next().unwrap_or_default();
    let is_host = lower.contains('/')
        && !host.starts_with('.')
        && ["github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "dev.azure.com", "gitea.com"]
            .iter()
            .any(|known| host == *known || host.ends_with(&format!(".{known}")));
    let is_git =
        !lower.starts_with('.') && host.contains('.') && (lower.contains(".git/") || lower.ends_with(".git"));
    is_host || is_git || lower.contains("?ref=") || lower.contains("?version=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_from_the_folder_that_holds_them() {
        for (text, expected) in [
            ("a.yaml", Ok("e/t/a.yaml")),
            ("./a//b", Ok("e/t/a/b")),
            ("../base", Ok("e/base")),
            ("../../x", Ok("x")),
            ("..", Ok("e")),
            ("../..", Ok("")),
            ("../../..", Err(())),
            ("/e/t/a.yaml", Err(())),
        ] {
            assert_eq!(resolve("e/t", text), expected.map(str::to_owned), "{text}");
        }
        assert_eq!(steps("e", "a/../b/./c"), ["e/a", "e/b", "e/b/c"]);
    }

    #[test]
    fn remote_references_are_told_from_paths() {
        for text in [
            "https://example.com/x.yaml",
            "HTTP://example.com/x",
            "oci://example.com/x",
            "ssh://git@example.com/x",
            "file:///etc",
            "git@github.com:owner/repo",
            "git::https://example.com/x",
            "github.com:owner/repo",
        ] {
            assert!(is_certainly_remote(text), "{text}");
        }
        for text in
            ["github.com/owner/repo", "GitHub.com/owner/repo//x?ref=v1", "x?ref=main", "host.example/r.git/x"]
        {
            assert!(!is_certainly_remote(text) && looks_remote(text), "{text}");
        }
        for text in
            ["a.yaml", "../base", "./github.com/x", "my.app/deployment.yaml", "a@b.yaml", "../x.git/y"]
        {
            assert!(!is_certainly_remote(text) && !looks_remote(text), "{text}");
        }
    }

    #[test]
    fn a_neighbour_with_the_same_beginning_is_not_within() {
        assert!(is_within("a/b", "a/b") && is_within("a/b/c", "a/b") && is_within("x", ""));
        assert!(!is_within("a/bc", "a/b") && !is_within("a", "a/b"));
    }
}
