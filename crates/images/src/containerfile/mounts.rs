//! Reads the `--mount` flags of `RUN`.

use super::flags::Said;
use super::{Mount, MountKind, Origin};
use crate::nearest::nearest;

/// Decides what a name after `from` means.
pub(super) type Resolve<'a> = &'a dyn Fn(&str) -> Result<Origin, Said>;

const KEYS: [&str; 17] = [
    "type",
    "from",
    "source",
    "src",
    "target",
    "dst",
    "destination",
    "readonly",
    "ro",
    "readwrite",
    "rw",
    "id",
    "sharing",
    "required",
    "mode",
    "uid",
    "gid",
];
const MORE_KEYS: [&str; 2] = ["size", "env"];

/// Reads `type=bind,source=a,…`.
pub(super) fn mount(text: &str, resolve: Resolve<'_>) -> Result<Mount, Said> {
    let mut options: Vec<(String, Option<String>)> = Vec::new();
    for option in text.split(',') {
        let (key, value) = match option.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (option, None),
        };
        let key = key.to_ascii_lowercase();
        if !KEYS.contains(&&*key) && !MORE_KEYS.contains(&&*key) {
            let help = match nearest(&key, KEYS) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "write for example --mount=type=bind,source=a,target=/a".to_owned(),
            };
            return Err((format!("`{key}` is no option of --mount that is understood"), help));
        }
        if options.iter().any(|(other, _)| *other == key) {
            return Err((
                format!("the option `{key}` of --mount stands twice"),
                "keep one of the two".into(),
            ));
        }
        options.push((key, value));
    }
    let option = |keys: &[&str]| {
        let found = options.iter().find(|(key, _)| keys.contains(&&**key));
        found.and_then(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    let kind = match option(&["type"]).as_deref() {
        None | Some("bind") => MountKind::Bind,
        Some("cache") => MountKind::Cache,
        Some("tmpfs") => MountKind::Tmpfs,
        Some("secret") => MountKind::Secret,
        Some("ssh") => MountKind::Ssh,
        Some(other) => {
            let help = "types are bind, cache, tmpfs, secret and ssh".to_owned();
            return Err((format!("`{other}` is no type of --mount"), help));
        }
    };
    let from = match (option(&["from"]), kind) {
        (Some(name), MountKind::Bind | MountKind::Cache) => Some(resolve(&name)?),
        (Some(_), _) => {
            return Err(("only mounts of type bind and cache have `from`".into(), "remove `from`".into()));
        }
        (None, MountKind::Bind) => Some(Origin::Context),
        (None, _) => None,
    };
    let source = option(&["source", "src"]);
    let target = option(&["target", "dst", "destination"]);
    Ok(Mount { kind, from, source, target, options })
}
