//! Reads `[[sites]]`: an environment that follows a ring, and how it gets its artifact.

use std::collections::BTreeMap;
use std::path::Path;

use ringsite_names::{EnvironmentName, ImageName, Position, RingName, SiteName};
use ringsite_rings::{Configuration, Declaration, Deliver, Gates, Job, MAX_SHRINK_DEFAULT, Site, SiteSource};
use toml::de::DeTable;

use super::findings::{Findings, Text, integer, table, tables, text, text_map, texts};
use super::gates::ring_help;
use super::reader::Reader;
use super::top::{checked, listed, place, read_host};
use super::values::{parse_duration, unknown_word};
use crate::limits::SITES_MAX;
use crate::names::{ENVIRONMENTS_FOLDER, KUSTOMIZATION_NAMES};
use crate::nearest::nearest;

/// Every way of delivery.
const DELIVERIES: [Deliver; 5] =
    [Deliver::Files, Deliver::Flux, Deliver::Argocd, Deliver::Job, Deliver::Apply];

/// Reads all sites; those with mistakes are left out and the mistakes kept.
pub(crate) fn read(document: &DeTable<'_>, rings: &[RingName], reader: &mut Reader<'_>) -> Vec<Site> {
    let declared = tables(document, "sites");
    if declared.len() > SITES_MAX {
        let message = format!("{} sites are declared, at most {SITES_MAX} are allowed", declared.len());
        reader.findings.add(place(document, "sites"), message, "split the project in two");
        return Vec::new();
    }
    let mut environments = BTreeMap::new();
    let mut lines: BTreeMap<SiteName, u32> = BTreeMap::new();
    let mut sites = Vec::new();
    for (keys, at) in declared {
        let environment = read_environment(keys, at, &mut environments, reader);
        let ring = read_ring(keys, at, rings, &mut reader.findings);
        let options = read_options(keys, &mut reader.findings);
        let Some(name) = read_name(keys, at, environment.as_ref(), ring.as_ref(), &mut reader.findings)
        else {
            continue;
        };
        if let Some(line) = lines.get(&name) {
            reader.findings.add(
                text(keys, "name").map_or(at, |text| text.at),
                format!("the site `{name}` is declared twice, first in line {line}"),
                "give one of the two another `name`",
            );
            continue;
        }
        lines.insert(name.clone(), reader.findings.line(at));
        if let (Some(environment), Some(ring)) = (environment, ring) {
            sites.push(options.site(name, environment, ring));
        }
    }
    sites
}

/// Returns the configuration, or nothing when its parts have mistakes, which are kept already.
///
/// Each site that does not say so itself gets the project's `pull`: what is in force must say all
/// that placing a site needs, because that may be done without a working copy.
pub(crate) fn configuration(
    rings: &[RingName],
    root: &ImageName,
    mut sites: Vec<Site>,
    gates: BTreeMap<RingName, Gates>,
    pull: Option<&String>,
) -> Option<Configuration> {
    for site in sites.iter_mut().filter(|site| site.pull.is_none()) {
        site.pull = pull.cloned();
    }
    Configuration::new(Declaration { rings: rings.to_vec(), root: root.clone(), sites, gates }).ok()
}

/// Returns the name that is written, or `<environment>-<ring>`.
fn read_name(
    keys: &DeTable<'_>,
    at: usize,
    environment: Option<&EnvironmentName>,
    ring: Option<&Position>,
    findings: &mut Findings<'_>,
) -> Option<SiteName> {
    let (name, at) = match text(keys, "name") {
        Some(text) => (text.text.to_owned(), text.at),
        None if keys.contains_key("name") => return None,
        None => (format!("{}-{ring}", environment?, ring = ring?), at),
    };
    let site = SiteName::new(&name);
    if let Err(error) = &site {
        findings.add(at, error.to_string(), "set `name`, for example name = \"eu-test\"");
    }
    site.ok()
}

/// Returns the environment; whether its folder is there is asked once for each environment.
fn read_environment(
    keys: &DeTable<'_>,
    at: usize,
    known: &mut BTreeMap<EnvironmentName, bool>,
    reader: &mut Reader<'_>,
) -> Option<EnvironmentName> {
    let Some(text) = text(keys, "environment") else {
        if !keys.contains_key("environment") {
            let help = format!("add environment = \"NAME\", a folder below {ENVIRONMENTS_FOLDER}/");
            reader.findings.add_unless_broken(at, "the site has no environment", help);
        }
        return None;
    };
    let name = match EnvironmentName::new(text.text) {
        Ok(name) => name,
        Err(error) => {
            reader.findings.add(text.at, error.to_string(), "rename the folder and write its new name here");
            return None;
        }
    };
    let folder = Path::new(ENVIRONMENTS_FOLDER).join(name.as_str());
    let is_there = *known
        .entry(name.clone())
        .or_insert_with(|| reader.folders.first_file(&folder, &KUSTOMIZATION_NAMES).is_some());
    if is_there {
        return Some(name);
    }
    if reader.folders.look(&folder).is_ok_and(|found| found.kind.is_dir()) {
        reader.findings.add(
            text.at,
            format!("the environment `{name}` has no kustomization"),
            format!("create {}/kustomization.yaml", folder.display()),
        );
        return None;
    }
    // Only words for the help: a folder that cannot be listed has none.
    let names = reader.folders.names_in(Path::new(ENVIRONMENTS_FOLDER)).unwrap_or_default();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let help = match nearest(text.text, names.iter().copied()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None if names.is_empty() => format!("create {}/kustomization.yaml", folder.display()),
        None => format!("create {}/kustomization.yaml, or name one of {}", folder.display(), listed(names)),
    };
    reader.findings.add(text.at, format!("there is no environment `{name}`"), help);
    None
}

fn read_ring(
    keys: &DeTable<'_>,
    at: usize,
    rings: &[RingName],
    findings: &mut Findings<'_>,
) -> Option<Position> {
    let Some(text) = text(keys, "ring") else {
        if !keys.contains_key("ring") {
            findings.add_unless_broken(at, "the site has no ring", "add ring = \"NAME\", one of `rings`");
        }
        return None;
    };
    match text.text.parse::<Position>() {
        Ok(Position::Ring(ring)) if !rings.contains(&ring) => {
            let message = format!("`{ring}` is no ring of this project");
            findings.add_unless_broken(text.at, message, ring_help(text.text, rings));
            None
        }
        Ok(Position::Post) => {
            let help = match rings.last() {
                Some(last) => format!("put the site on a ring, for example `{last}`"),
                None => "put the site on a ring".to_owned(),
            };
            findings.add(text.at, "no site can run `post`: it only stores what was shifted off", help);
            None
        }
        Ok(position) => Some(position),
        Err(error) => {
            findings.add(text.at, error.to_string(), ring_help(text.text, rings));
            None
        }
    }
}

/// The keys of a site that may be left out.
struct SiteOptions {
    namespace: Option<String>,
    deliver: Vec<Deliver>,
    context: Option<String>,
    pull: Option<String>,
    max_shrink: u8,
    render: bool,
    source: SiteSource,
    kustomize_options: Option<String>,
    job: Option<Job>,
}

impl SiteOptions {
    fn site(self, name: SiteName, environment: EnvironmentName, ring: Position) -> Site {
        Site {
            name,
            environment,
            ring,
            namespace: self.namespace,
            deliver: self.deliver,
            context: self.context,
            pull: self.pull,
            max_shrink: self.max_shrink,
            render: self.render,
            source: self.source,
            kustomize_options: self.kustomize_options,
            job: self.job,
        }
    }
}

fn read_options(keys: &DeTable<'_>, findings: &mut Findings<'_>) -> SiteOptions {
    SiteOptions {
        namespace: text(keys, "namespace").and_then(|text| read_namespace(text, findings)),
        deliver: read_deliver(keys, findings),
        context: text(keys, "context").map(owned),
        pull: text(keys, "pull").and_then(|text| read_host(text, findings)),
        max_shrink: read_max_shrink(keys, findings),
        render: keys.get("render").and_then(|value| value.get_ref().as_bool()).unwrap_or(false),
        source: read_source(keys, findings),
        kustomize_options: text(keys, "kustomize_options").map(owned),
        job: read_job(keys, findings),
    }
}

fn owned(text: Text<'_>) -> String {
    text.text.to_owned()
}

fn read_namespace(text: Text<'_>, findings: &mut Findings<'_>) -> Option<String> {
    // Namespaces follow the grammar of sites: the label names of RFC 1123.
    if SiteName::new(text.text).is_ok() {
        return Some(owned(text));
    }
    findings.add(
        text.at,
        format!("`{}` is no namespace", text.text),
        "use lower-case letters, digits and inner `-`, at most 63 characters",
    );
    None
}

fn read_deliver(keys: &DeTable<'_>, findings: &mut Findings<'_>) -> Vec<Deliver> {
    let mut deliver = Vec::new();
    for text in texts(keys, "deliver").map(|(deliver, _)| deliver).unwrap_or_default() {
        match DELIVERIES.into_iter().find(|known| known.as_str() == text.text) {
            Some(kind) if deliver.contains(&kind) => {
                findings.add(text.at, format!("`{}` is listed twice", text.text), "keep one of the two");
            }
            Some(kind) => deliver.push(kind),
            None => {
                let error = unknown_word("delivery", text.text, &DELIVERIES.map(Deliver::as_str));
                findings.add(text.at, error.message, error.help);
            }
        }
    }
    deliver
}

fn read_max_shrink(keys: &DeTable<'_>, findings: &mut Findings<'_>) -> u8 {
    let Some((percent, at)) = integer(keys, "max_shrink") else { return MAX_SHRINK_DEFAULT };
    let percent = percent.and_then(|percent| u8::try_from(percent).ok()).filter(|percent| *percent <= 100);
    percent.unwrap_or_else(|| {
        findings.add(at, "`max_shrink` is no percentage", "write 0 to 100, for example max_shrink = 50");
        MAX_SHRINK_DEFAULT
    })
}

fn read_source(keys: &DeTable<'_>, findings: &mut Findings<'_>) -> SiteSource {
    let known = [SiteSource::Oci, SiteSource::ExternalArtifact];
    let Some(text) = text(keys, "source") else { return SiteSource::default() };
    known.into_iter().find(|source| source.as_str() == text.text).unwrap_or_else(|| {
        let error = unknown_word("source of a site", text.text, &known.map(SiteSource::as_str));
        findings.add(text.at, error.message, error.help);
        SiteSource::default()
    })
}

fn read_job(keys: &DeTable<'_>, findings: &mut Findings<'_>) -> Option<Job> {
    let (job, _) = table(keys, "job")?;
    let timeout =
        text(job, "timeout").filter(|text| checked(*text, parse_duration(text.text), findings).is_some());
    Some(Job {
        command: texts(job, "command")
            .map(|(words, _)| words.into_iter().map(owned).collect())
            .unwrap_or_default(),
        service_account: text(job, "service_account").map(owned),
        timeout: timeout.map(owned),
        env: text_map(job, "env")
            .into_iter()
            .map(|(name, _, value)| (name.to_owned(), owned(value)))
            .collect(),
    })
}
