//! Explains a version afterwards, from the record alone.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_ledger::{EntryName, Filter, Kind, Point, Recorded};
use ringsite_names::{ImageName, Position, Version};
use ringsite_oci::Registry;
use ringsite_rings::{Bump, CauseCode, Numbering, Release, Rule, State, next_version};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::recipes::{changed_paths, read_recipe};
use crate::record::Record;
use crate::view::{CauseView, Why, WhyRecipe};

impl<R: Registry + 'static> Engine<R> {
    /// Returns why `image` has the version that it has on a ring; the first configured ring otherwise.
    ///
    /// # Errors
    /// An image that has no release there; what reading the record meets.
    pub async fn why(&self, image: &ImageName, ring: Option<&Position>) -> Result<Why, EngineError> {
        let record = self.open().await?;
        let ring = ring.cloned().unwrap_or_else(|| self.first_ring(record.state()));
        let version = record.state().cells(&ring).version(image).ok_or_else(|| {
            EngineError::unknown(
                format!("{image} has no release on {ring}"),
                "`ring state` shows what stands where",
            )
        })?;
        let images = BTreeSet::from([image.clone()]);
        let state = record.with_releases(record.state().clone(), &images).await?;
        let release = self.release(&state, image, version)?;
        let mut why = Why {
            image: image.to_string(),
            ring: ring.to_string(),
            version: Some(version.to_string()),
            rule: Rule::None.as_str().to_owned(),
            causes: Vec::new(),
            recipe: None,
        };
        let (born, arrived) = self.entries_of(&record, image, version, &ring).await?;
        let mut before = None;
        if let Some(born) = &born {
            let past = self.before(&record, born, &images).await?;
            why.rule = rule_of(&past, image, release).as_str().to_owned();
            before = past
                .cells(&release.built_on)
                .version(image)
                .and_then(|version| past.release(image, version).cloned());
            why.causes = causes(before.as_deref(), release);
            why.causes.push(story("built", born, &release.built_on));
        }
        if let Some(arrived) = arrived.filter(|arrived| born.as_ref() != Some(arrived)) {
            why.causes.push(story("arrived", &arrived, &ring));
        }
        why.recipe = self.why_recipe(image, release, before.as_deref()).await?;
        Ok(why)
    }

    /// Returns the entry that made the release, and the newest one that put it on `ring`.
    async fn entries_of(
        &self,
        record: &Record<R>,
        image: &ImageName,
        version: Version,
        ring: &Position,
    ) -> Result<(Option<Recorded>, Option<Recorded>), EngineError> {
        let ledger = record.begun()?;
        let filter = Filter { image: Some(image.clone()), ..Filter::default() };
        let mut history = ledger.history_of(filter);
        let mut arrived = None;
        while let Some(recorded) = history.next().await? {
            let entry = &recorded.entry;
            if arrived.is_none() && entry.delta.iter().any(|part| part.ring() == ring) {
                let cells = record.cells_written(entry).await?;
                if cells
                    .iter()
                    .any(|cell| cell.ring == *ring && cell.image == *image && cell.to == Some(version))
                {
                    arrived = Some(recorded.clone());
                }
            }
            if entry.releases.iter().any(|new| new.image == *image && new.release.version == version) {
                return Ok((Some(recorded), arrived));
            }
        }
        Ok((None, arrived))
    }

    /// Returns the state before an entry, with every release of `images` that there was then.
    async fn before(
        &self,
        record: &Record<R>,
        entry: &Recorded,
        images: &BTreeSet<ImageName>,
    ) -> Result<State, EngineError> {
        let sequence = entry.entry.sequence;
        if sequence <= 1 {
            return Ok(State::new());
        }
        let point = Point::Entry(EntryName::Sequence(sequence - 1));
        let (_, state) = record.begun()?.at(&point).await?;
        record.with_releases(state, images).await
    }

    async fn why_recipe(
        &self,
        image: &ImageName,
        release: &Release,
        before: Option<&Release>,
    ) -> Result<Option<WhyRecipe>, EngineError> {
        let repository = self.name().image_repository(image);
        let Some(recipe) = read_recipe(&*self.registry, &repository, release).await? else { return Ok(None) };
        let old = match before {
            Some(before) => read_recipe(&*self.registry, &repository, before).await?,
            None => None,
        };
        Ok(Some(WhyRecipe {
            revision: release.revision.to_string(),
            files: recipe.sources.entries().len(),
            built_by: release.built_by.clone(),
            changed: old.map(|old| changed_paths(&old, &recipe)).unwrap_or_default(),
        }))
    }
}

/// Returns the clause that gave the number: the rule is asked again, as it was asked then.
fn rule_of(past: &State, image: &ImageName, release: &Release) -> Rule {
    let Some(configuration) = past.configuration() else { return Rule::Initial };
    // The initial version is the project file's; a first release is one without anything before it.
    if past.releases(image).range(..release.version).next().is_none() && release.version.patch == 0 {
        return if release.version.major > 0 && release.version.minor == 0 {
            Rule::Major
        } else {
            Rule::Initial
        };
    }
    let known = past
        .releases(image)
        .iter()
        .filter(|(version, known)| **version != release.version && known.built_at <= release.built_at);
    let known: Vec<Release> = known.map(|(_, known)| (**known).clone()).collect();
    let then = State::from_snapshot(past.snapshot()).and_then(|state| state.with_releases(image, known));
    let Ok(then) = then else { return Rule::None };
    let numbering = Numbering { state: &then, chain: configuration.chain(), initial: release.version };
    [Bump::Ordinary, Bump::Major]
        .into_iter()
        .map(|bump| next_version(numbering, image, &release.built_on, bump))
        .find(|(version, _)| *version == release.version)
        .map_or(Rule::None, |(_, rule)| rule)
}

/// Returns what differs between the release that the ring held and the one that was built.
fn causes(before: Option<&Release>, release: &Release) -> Vec<CauseView> {
    let cause = |code: CauseCode, message: String| CauseView { code: code.as_str().to_owned(), message };
    let Some(before) = before else {
        return vec![cause(CauseCode::Absent, format!("no release on {} then", release.built_on))];
    };
    let mut causes = Vec::new();
    if before.revision != release.revision {
        causes.push(cause(CauseCode::Revision, format!("revision changed since {}", before.version)));
    }
    if before.inputs != release.inputs {
        let message = "labels, platforms, epoch or external images changed".to_owned();
        causes.push(cause(CauseCode::InputsChanged, message));
    }
    let (old, new): (&BTreeMap<_, _>, &BTreeMap<_, _>) = (&before.dependencies, &release.dependencies);
    for (image, version) in new {
        match old.get(image) {
            None => {
                causes.push(cause(CauseCode::DependencyAdded, format!("dependency {image} {version} is new")))
            }
            Some(was) if was != version => {
                causes.push(cause(
                    CauseCode::DependencyChanged,
                    format!("dependency {image} {was} -> {version}"),
                ));
            }
            Some(_) => {}
        }
    }
    for image in old.keys().filter(|image| !new.contains_key(*image)) {
        causes.push(cause(CauseCode::DependencyRemoved, format!("dependency {image} is gone")));
    }
    if causes.is_empty() {
        causes.push(cause(CauseCode::Forced, "nothing changed: the build was asked for".to_owned()));
    }
    causes
}

fn story(code: &str, recorded: &Recorded, ring: &Position) -> CauseView {
    let entry = &recorded.entry;
    let verb = if entry.kind == Kind::Release { "released" } else { "moved" };
    let reason = entry.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    CauseView {
        code: code.to_owned(),
        message: format!(
            "{verb} onto {ring} by {} ({}, entry {}) at {}{reason}",
            entry.actor, entry.kind, entry.sequence, entry.at
        ),
    }
}
