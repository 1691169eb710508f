//! Every key of `rings.toml`: what it holds, its default and what it is for.
//!
//! The one table behind three things: the check for unknown keys and wrong types (`shape`), the
//! defaults that `ring config show --origin` prints (`origins`), and the reference page.

/// What the value of a key has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list of strings.
    TextList,
    /// A table whose keys are free and whose values are strings.
    TextMap,
    /// A whole number or a string.
    IntegerOrText,
    /// A string or a TOML date and time.
    Time,
    /// A table with keys of its own.
    Table,
    /// A list of tables with keys of their own.
    Tables,
}

impl Kind {
    /// Returns the kind in words, for messages and for the reference page.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::TextList => "a list of strings",
            Self::TextMap => "a table of strings",
            Self::IntegerOrText => "a whole number or a string",
            Self::Time => "a time",
            Self::Table => "a table",
            Self::Tables => "a list of tables",
        }
    }

    /// Returns a value of the kind, as it would be written.
    pub fn example(self) -> &'static str {
        match self {
            Self::Text => "\"text\"",
            Self::Integer => "50",
            Self::Boolean => "true",
            Self::TextList => "[\"one\", \"two\"]",
            Self::TextMap => "{ NAME = \"value\" }",
            Self::IntegerOrText => "0",
            Self::Time => "\"2026-12-24T00:00:00Z\"",
            Self::Table => "{ key = … }",
            Self::Tables => "[{ key = … }]",
        }
    }
}

/// One key of `rings.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Where it stands: parts joined by `.`, `*` for a name that the project chooses.
    pub path: &'static str,
    /// What its value has to be.
    pub kind: Kind,
    /// The default as it would be written; empty when there is none.
    pub default: &'static str,
    /// What it is for, in one sentence.
    pub about: &'static str,
}

const fn key(path: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { path, kind, default, about }
}

/// Every key, in the order of the reference page; a table stands before its keys.
pub const KEYS: &[Key] = &[
    key("project", Kind::Text, "", "The prefix of every repository; may contain slashes."),
    key(
        "registry",
        Kind::Text,
        "\"oci-layout:.ring/registry\"",
        "Where images and the ledger are: `oci-layout:FOLDER`, relative to this file, or a host.",
    ),
    key("pull", Kind::Text, "", "The name that clusters know the registry by."),
    key("vendor", Kind::Text, "", "The vendor, put on every image as a label."),
    key("source", Kind::Text, "", "Where the sources are published, put on artifacts as an annotation."),
    key("root", Kind::Text, "", "The root image: it pins all other images and carries the environments."),
    key("rings", Kind::TextList, "", "The rings, from the first audience to the last."),
    key("platforms", Kind::TextList, "[\"linux/amd64\"]", "The platforms that images are built for."),
    key(
        "source_date_epoch",
        Kind::IntegerOrText,
        "0",
        "The time of every file in an image, in seconds since 1970, or \"env\" for the variable SOURCE_DATE_EPOCH.",
    ),
    key("initial_version", Kind::Text, "\"0.1.0\"", "The version of an image that never had one."),
    key("builder", Kind::Text, "\"auto\"", "What builds: auto, native, buildah, buildx or podman."),
    key("sbom", Kind::Text, "", "\"spdx\" adds an SPDX document to every image."),
    key("images", Kind::Table, "", "The images; without it, every folder images/NAME with a containerfile."),
    key("images.*", Kind::Table, "", "One image."),
    key("images.*.context", Kind::Text, "\"images/NAME\"", "The build context, relative to this file."),
    key(
        "images.*.containerfile",
        Kind::Text,
        "",
        "The containerfile, relative to this file; by default Containerfile or Dockerfile in the context.",
    ),
    key("images.*.args", Kind::TextMap, "", "Build arguments; part of the revision."),
    key("images.*.target", Kind::Text, "", "The stage to build, by default the last; part of the revision."),
    key("images.*.platforms", Kind::TextList, "", "The platforms of this image, instead of the project's."),
    key("images.*.builder", Kind::Text, "", "What builds this image, instead of the project's builder."),
    key("labels", Kind::TextMap, "", "Labels that are put on every image."),
    key("gates", Kind::Table, "", "What must hold before releases arrive on a ring."),
    key("gates.*", Kind::Table, "", "The gates of one ring."),
    key(
        "gates.*.soak",
        Kind::Text,
        "",
        "How long a set stands complete on the ring before, such as \"24h\".",
    ),
    key("gates.*.approvals", Kind::Table, "", "Signed approvals of exactly the plan."),
    key("gates.*.approvals.count", Kind::Integer, "1", "How many approvals are needed."),
    key("gates.*.approvals.keys", Kind::TextList, "", "The public keys of those who may approve."),
    key(
        "gates.*.windows",
        Kind::TextList,
        "",
        "When moves are allowed, such as \"Mon-Thu 09:00-16:00 Europe/Amsterdam\".",
    ),
    key("gates.*.freezes", Kind::Tables, "", "When moves are not allowed."),
    key("gates.*.freezes.from", Kind::Time, "", "The first moment of the freeze."),
    key("gates.*.freezes.to", Kind::Time, "", "The first moment after the freeze."),
    key("gates.*.freezes.reason", Kind::Text, "", "Why there is a freeze."),
    key("gates.*.require", Kind::TextList, "", "Facts that must hold: signature, sbom, sites-healthy."),
    key("gates.*.checks", Kind::Tables, "", "Programs or addresses that are asked at each promotion."),
    key("gates.*.checks.name", Kind::Text, "", "The name of the check."),
    key("gates.*.checks.command", Kind::TextList, "", "The program and its arguments."),
    key("gates.*.checks.url", Kind::Text, "", "The address that has to answer with success."),
    key("gates.*.hotfix", Kind::Text, "", "\"approvals\" lets an approved release onto the ring directly."),
    key("sign", Kind::Table, "", "Signatures of what is published."),
    key("sign.key", Kind::Text, "", "The private key, relative to this file."),
    key("sign.public", Kind::TextList, "", "The public keys that verify, relative to this file."),
    key("retention", Kind::Table, "", "What garbage collection keeps of each image."),
    key("retention.keep", Kind::Integer, "", "How many of the newest releases are kept."),
    key("retention.age", Kind::Text, "", "How old a release may become, such as \"180d\"."),
    key("sites", Kind::Tables, "", "The sites: an environment that follows a ring."),
    key("sites.name", Kind::Text, "\"ENVIRONMENT-RING\"", "The name of the site."),
    key("sites.environment", Kind::Text, "", "The folder below environments/."),
    key("sites.ring", Kind::Text, "", "The ring that the site follows; not post."),
    key("sites.namespace", Kind::Text, "", "The namespace that all objects of the site get."),
    key("sites.deliver", Kind::TextList, "[]", "How it gets there: files, flux, argocd, job, apply."),
    key("sites.context", Kind::Text, "", "The kubeconfig context of the site's cluster."),
    key("sites.pull", Kind::Text, "", "The name that this site's cluster knows the registry by."),
    key("sites.max_shrink", Kind::Integer, "50", "How many per cent of its objects one placement may drop."),
    key("sites.render", Kind::Boolean, "false", "Whether the artifact holds rendered objects."),
    key("sites.source", Kind::Text, "\"oci\"", "What Flux reads: oci or external-artifact."),
    key("sites.kustomize_options", Kind::Text, "", "Options that Argo CD gives to kustomize."),
    key("sites.job", Kind::Table, "", "The job of the delivery `job`."),
    key("sites.job.command", Kind::TextList, "", "The command, instead of the root image's entrypoint."),
    key("sites.job.service_account", Kind::Text, "", "The service account that the job runs as."),
    key("sites.job.timeout", Kind::Text, "", "How long the job may take, such as \"10m\"."),
    key("sites.job.env", Kind::TextMap, "", "Environment variables of the job."),
];

/// Returns the keys directly below the table `path`; the empty path is the top of the file.
pub(crate) fn below(path: &str) -> impl Iterator<Item = &'static Key> + '_ {
    KEYS.iter().filter(move |key| match key.path.rsplit_once('.') {
        Some((table, _)) => table == path,
        None => path.is_empty(),
    })
}

impl Key {
    /// Returns the last part of the path.
    pub(crate) fn last(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, last)| last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_in_a_table_that_is_listed_before_it() {
        for (index, key) in KEYS.iter().enumerate() {
            if let Some((table, _)) = key.path.rsplit_once('.') {
                let parent = KEYS[..index].iter().find(|one| one.path == table).expect("is listed before");
                assert!(matches!(parent.kind, Kind::Table | Kind::Tables), "{}", key.path);
            }
            assert!(KEYS[..index].iter().all(|one| one.path != key.path), "{} stands twice", key.path);
            assert!(key.about.ends_with('.'), "{}", key.path);
        }
    }
}
