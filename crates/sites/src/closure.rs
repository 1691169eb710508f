//! An environment's folder and everything it refers to, or every reason why it cannot be released.
//!
//! Step 2 of a placement, and called on the working copy at release time, so that a bad environment
//! is refused before anything is built. Works on a [`Tree`]: no disk, no network. It follows the
//! references that kustomize would follow; it does not judge what kustomize does with them.

mod fields;
mod path;
mod problem;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ringsite_names::EnvironmentName;
use serde_json::Value;

use crate::limits::PROBLEMS_MAX;
use crate::names::{ENVIRONMENTS, KUSTOMIZATION_NAMES};
use crate::objects::ObjectKey;
use crate::tree::Tree;
use crate::yaml;

pub use problem::{ClosureProblem, ClosureProblems, Rule};

use fields::{Reference, Target};

/// The files of an environment, and what is known about them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure {
    /// The environment's folder and every file it refers to.
    pub tree: Tree,
    /// Files that hold objects, for counting without kustomize.
    pub resources: BTreeSet<String>,
    /// Objects that generators make, without namespace and hash.
    pub generated: BTreeSet<ObjectKey>,
    /// Files with secret content: sources of secret generators and patches of Secrets.
    pub secrets: BTreeSet<String>,
    /// Where helm charts are named, as `file: field`; such an environment needs `--enable-helm`.
    pub charts: Vec<String>,
}

/// Returns the closure of `environments/<environment>`.
///
/// # Errors
/// `ClosureProblems` with every reason at once: a missing environment or file, a remote reference,
/// one that leaves `/environments`, a link, YAML that cannot be read, a cycle.
pub fn closure(tree: &Tree, environment: &EnvironmentName) -> Result<Closure, ClosureProblems> {
    let folder = format!("{ENVIRONMENTS}/{environment}");
    if !tree.is_folder(&folder) {
        let known: BTreeSet<&str> = tree
            .files_below(ENVIRONMENTS)
            .filter_map(|(path, _)| path.split('/').nth(1).filter(|_| path.matches('/').count() > 1))
            .collect();
        return Err(ClosureProblems::one(ClosureProblem::no_environment(&folder, &known)));
    }
    let mut walk = Walk::new(tree, ENVIRONMENTS);
    walk.whole_folder(&folder, &folder, "");
    walk.run(&folder);
    walk.finish()
}

/// Returns the closure of each environment, for checking a working copy before a release.
///
/// # Errors
/// `ClosureProblems` of all environments together; a file that several share is named once.
pub fn closures<'a>(
    tree: &Tree,
    environments: impl IntoIterator<Item = &'a EnvironmentName>,
) -> Result<BTreeMap<EnvironmentName, Closure>, ClosureProblems> {
    let mut closures = BTreeMap::new();
    let mut problems = BTreeSet::new();
    for environment in environments {
        match closure(tree, environment) {
            Ok(closure) => {
                closures.insert(environment.clone(), closure);
            }
            Err(found) => problems.extend(found.into_vec()),
        }
    }
    if problems.is_empty() { Ok(closures) } else { Err(ClosureProblems::new(problems.into_iter().collect())) }
}

/// Returns the closure of a site's artifact, from the `kustomization.yaml` at its top.
///
/// # Errors
/// `ClosureProblems` as in [`closure`].
pub fn closure_of_artifact(tree: &Tree) -> Result<Closure, ClosureProblems> {
    let mut walk = Walk::new(tree, "");
    walk.run("");
    walk.finish()
}

/// The folders from where the walk began to where it is, for finding cycles.
struct Chain {
    folder: String,
    before: Option<Rc<Chain>>,
}

/// Where a reference is written.
#[derive(Clone, Copy)]
struct At<'a> {
    chain: &'a Rc<Chain>,
    file: &'a str,
    folder: &'a str,
    field: &'a str,
    listed_by: Option<&'a str>,
}

/// A folder with a kustomization that is still to be read, and who refers to it.
struct Visit {
    folder: String,
    before: Option<Rc<Chain>>,
    file: String,
    field: String,
    /// The folder of the kustomization that lists this one for its plug-ins: paths in the
    /// configuration of a plug-in are relative to who lists it.
    listed_by: Option<String>,
}

struct Walk<'t> {
    tree: &'t Tree,
    boundary: &'t str,
    closure: Closure,
    problems: BTreeSet<ClosureProblem>,
    open: Vec<Visit>,
    seen: BTreeSet<(String, Option<String>)>,
    parsed: BTreeMap<String, Rc<Vec<Value>>>,
}

impl<'t> Walk<'t> {
    fn new(tree: &'t Tree, boundary: &'t str) -> Self {
        Self {
            tree,
            boundary,
            closure: Closure::default(),
            problems: BTreeSet::new(),
            open: Vec::new(),
            seen: BTreeSet::new(),
            parsed: BTreeMap::new(),
        }
    }

    fn run(&mut self, folder: &str) {
        self.open.push(Visit {
            folder: folder.to_owned(),
            before: None,
            file: folder.to_owned(),
            field: String::new(),
            listed_by: None,
        });
        while let Some(visit) = self.open.pop() {
            if self.seen.insert((visit.folder.clone(), visit.listed_by.clone())) {
                self.visit(visit);
            }
        }
    }

    fn finish(self) -> Result<Closure, ClosureProblems> {
        if self.problems.is_empty() {
            return Ok(self.closure);
        }
        Err(ClosureProblems::new(self.problems.into_iter().take(PROBLEMS_MAX).collect()))
    }

    fn visit(&mut self, visit: Visit) {
        let found: Vec<String> = KUSTOMIZATION_NAMES
            .iter()
            .map(|name| path::join(&visit.folder, name))
            .filter(|path| self.tree.file(path).is_some() || self.tree.link(path).is_some())
            .collect();
        let file = match found.as_slice() {
            [file] => file.clone(),
            [] => {
                return self.report(ClosureProblem::no_kustomization(
                    &visit.file,
                    &visit.field,
                    &visit.folder,
                ));
            }
            several => return self.report(ClosureProblem::several_kustomizations(&visit.folder, several)),
        };
        if self.tree.link(&file).is_some() {
            return self.report(ClosureProblem::link(&file, "", &file));
        }
        self.take(&file);
        let Some(documents) = self.parse(&file, &file, "") else { return };
        let kustomization = match documents.as_slice() {
            [one @ Value::Object(_)] => one.clone(),
            [] => Value::Object(serde_json::Map::new()),
            _ => return self.report(ClosureProblem::malformed(&file, "", "one YAML mapping")),
        };
        let chain = Rc::new(Chain { folder: visit.folder.clone(), before: visit.before });
        let (references, problems) = fields::references(&kustomization, &file);
        self.problems.extend(problems);
        self.closure.generated.extend(fields::generated(&kustomization));
        for reference in references {
            self.follow(&chain, &file, &visit.folder, &reference, visit.listed_by.as_deref());
        }
    }

    fn follow(
        &mut self,
        chain: &Rc<Chain>,
        file: &str,
        folder: &str,
        reference: &Reference,
        listed_by: Option<&str>,
    ) {
        if let Target::Inline(documents) = &reference.target {
            return self.plugin_documents(chain, file, &reference.field, folder, documents);
        }
        let Some(path) = self.resolve(file, folder, reference) else { return };
        let at = At { chain, file, folder, field: &reference.field, listed_by };
        if self.tree.file(&path).is_some() {
            self.follow_file(&at, &path, &reference.target);
        } else if self.tree.is_folder(&path) {
            self.follow_folder(&at, path, &reference.target);
        } else if let Target::Chart { repository: Some(repository) } = &reference.target {
            self.report(ClosureProblem::chart_not_vendored(file, &reference.field, repository, &path));
        } else {
            self.report(ClosureProblem::missing(file, &reference.field, &path));
        }
    }

    fn follow_file(&mut self, at: &At<'_>, path: &str, target: &Target) {
        let At { chain, file, folder, field, listed_by } = *at;
        if matches!(target, Target::Component | Target::Chart { .. }) {
            return self.report(ClosureProblem::not_a_folder(file, field, path));
        }
        self.take(path);
        match target {
            Target::Resource => {
                self.closure.resources.insert(path.to_owned());
                if let (Some(documents), Some(lister)) = (self.parse(path, file, field), listed_by) {
                    self.plugin_documents(chain, path, "", lister, &documents);
                }
            }
            Target::Plugin => {
                if let Some(documents) = self.parse(path, file, field) {
                    self.plugin_documents(chain, path, "", folder, &documents);
                }
            }
            Target::Yaml => {
                self.parse(path, file, field);
            }
            Target::Secret => {
                self.closure.secrets.insert(path.to_owned());
            }
            Target::File | Target::Component | Target::Chart { .. } | Target::Inline(_) => {}
        }
    }

    fn follow_folder(&mut self, at: &At<'_>, path: String, target: &Target) {
        let At { chain, file, folder, field, listed_by } = *at;
        match target {
            Target::Resource | Target::Component | Target::Plugin => {
                if self.is_cycle(chain, &path) {
                    return self.report(ClosureProblem::cycle(file, field, &path));
                }
                let lister = if *target == Target::Plugin { Some(folder) } else { listed_by };
                self.open.push(Visit {
                    folder: path,
                    before: Some(Rc::clone(chain)),
                    file: file.to_owned(),
                    field: field.to_owned(),
                    listed_by: lister.map(str::to_owned),
                });
            }
            Target::Chart { .. } => {
                self.closure.charts.push(format!("{file}: {field}"));
                self.whole_folder(&path, file, field);
            }
            _ => self.report(ClosureProblem::not_a_file(file, field, &path)),
        }
    }

    /// Follows what the configuration of built-in plug-ins in `documents` refers to, seen from `folder`.
    fn plugin_documents(
        &mut self,
        chain: &Rc<Chain>,
        file: &str,
        field: &str,
        folder: &str,
        documents: &[Value],
    ) {
        for document in documents {
            let (references, problems) = fields::plugin_references(document, file, field);
            self.problems.extend(problems);
            self.closure.generated.extend(fields::plugin_generated(document));
            for reference in references {
                if !matches!(reference.target, Target::Inline(_)) {
                    self.follow(chain, file, folder, &reference, None);
                }
            }
        }
    }

    /// Returns the path in the tree that a reference means, or reports why there is none.
    fn resolve(&mut self, file: &str, folder: &str, reference: &Reference) -> Option<String> {
        let field = &reference.field;
        let text = reference.path.as_str();
        if path::is_certainly_remote(text) {
            self.report(ClosureProblem::remote(file, field, text));
            return None;
        }
        let resolved = match path::resolve(folder, text) {
            Ok(resolved) => resolved,
            Err(()) => {
                self.report(ClosureProblem::leaves(file, field, text));
                return None;
            }
        };
        if let Some(link) = path::steps(folder, text).into_iter().find(|step| self.tree.link(step).is_some())
        {
            self.report(ClosureProblem::link(file, field, &link));
            return None;
        }
        let exists = self.tree.file(&resolved).is_some() || self.tree.is_folder(&resolved);
        if !exists && path::looks_remote(text) {
            self.report(ClosureProblem::remote(file, field, text));
            return None;
        }
        if !path::is_within(&resolved, self.boundary) {
            self.report(ClosureProblem::leaves(file, field, text));
            return None;
        }
        Some(resolved)
    }

    /// kustomize refuses a folder that contains one on the way to it; so does this.
    fn is_cycle(&self, chain: &Rc<Chain>, folder: &str) -> bool {
        let mut here = Some(chain);
        while let Some(link) = here {
            if path::is_within(&link.folder, folder) {
                return true;
            }
            here = link.before.as_ref();
        }
        false
    }

    fn whole_folder(&mut self, folder: &str, file: &str, field: &str) {
        let tree = self.tree;
        for (path, entry) in tree.files_below(folder) {
            self.closure.tree.insert_entry(path, entry.clone());
        }
        for (link, _) in tree.links_below(folder) {
            self.report(ClosureProblem::link(file, field, link));
        }
    }

    fn take(&mut self, path: &str) {
        if let Some(entry) = self.tree.file(path) {
            self.closure.tree.insert_entry(path, entry.clone());
        }
    }

    fn parse(&mut self, path: &str, file: &str, field: &str) -> Option<Rc<Vec<Value>>> {
        if let Some(documents) = self.parsed.get(path) {
            return Some(Rc::clone(documents));
        }
        let entry = self.tree.file(path)?;
        match yaml::documents(&entry.bytes) {
            Ok(documents) => {
                let documents = Rc::new(documents);
                self.parsed.insert(path.to_owned(), Rc::clone(&documents));
                Some(documents)
            }
            Err(error) => {
                self.report(ClosureProblem::unreadable(file, field, path, &error));
                None
            }
        }
    }

    fn report(&mut self, problem: ClosureProblem) {
        self.problems.insert(problem);
    }
}
