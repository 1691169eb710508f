//! `ring place`: the sets that stand on the rings, onto their sites.

use std::collections::BTreeSet;

use ringsite_oci::Registry;
use ringsite_rings::Site;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::placing::Shelf;
use crate::request::{Format, Intent, PlaceRequest};
use crate::show;
use crate::view::{Placement, PlanView, ReportSite};

impl<R: Registry + 'static> Engine<R> {
    /// Places sites, and writes their files when an output folder is named.
    ///
    /// # Errors
    /// A site that does not exist; `Refused` when a site would lose too much; what reading meets. A
    /// site that fails afterwards says so in its line and stops no other.
    pub async fn place(&self, request: &PlaceRequest, intent: &Intent) -> Result<Placement, EngineError> {
        let mut record = self.open().await?;
        record.begun()?;
        let state = record.whole_state(&BTreeSet::new()).await?;
        let sites: Vec<Site> = state.configuration().map(|known| known.sites().to_vec()).unwrap_or_default();
        if let Some(missing) = request.sites.iter().find(|name| !sites.iter().any(|site| site.name == **name))
        {
            let known: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
            return Err(EngineError::unknown(
                format!("there is no site `{missing}` in force"),
                format!(
                    "the sites are {}; a new one in rings.toml counts after the next release",
                    known.join(", ")
                ),
            ));
        }
        let chosen = |site: &Site| {
            (request.sites.is_empty() || request.sites.contains(&site.name))
                && request.ring.as_ref().is_none_or(|ring| site.ring == *ring)
        };
        let formats: BTreeSet<Format> =
            request.formats.iter().copied().filter(|one| *one != Format::Default).collect();
        let mut shelf = Shelf::with_formats(formats);
        let (mut prepared, mut empty) = (Vec::new(), Vec::new());
        for site in sites.iter().filter(|site| chosen(site)) {
            match self.root_of(&state, &site.ring)? {
                Some(root) => prepared.push(self.prepare(&mut shelf, site, &root).await?),
                None => empty.push(nothing(site)),
            }
        }
        let (refusals, warnings) = self.judge(&prepared, intent.shrink).await?;
        if !refusals.is_empty() {
            return Err(EngineError::Refused(Box::new(PlanView {
                operation: "place".into(),
                ring: request.ring.as_ref().map(ToString::to_string),
                digest: String::new(),
                state: state.state_digest().to_string(),
                changes: true,
                images: Vec::new(),
                sites: Vec::new(),
                gates: Vec::new(),
                warnings: warnings.iter().map(show::warning).collect(),
                refusals: refusals.iter().map(show::refusal).collect(),
            })));
        }
        let before = record.head();
        let all = prepared.len() + empty.len() == sites.len();
        let mut placed = self.place_sites(&mut record, &prepared, intent, request.output.as_deref()).await?;
        self.mark(&record, before, &placed, all);
        placed.sites.extend(empty);
        placed.sites.sort_by(|a, b| a.site.cmp(&b.site));
        self.registry.flush().await?;
        let head = record.head();
        Ok(Placement {
            operation: "place".into(),
            changed: placed.is_recorded || placed.sites.iter().any(|site| site.changed),
            sequence: head.map_or(0, |head| head.sequence),
            entry: head.map(|head| head.digest.to_string()),
            sites: placed.sites,
            warnings: warnings.iter().map(show::warning).collect(),
        })
    }
}

/// Returns the line of a site whose ring holds no complete set.
fn nothing(site: &Site) -> ReportSite {
    ReportSite {
        site: site.name.to_string(),
        version: None,
        reference: None,
        digest: None,
        changed: false,
        error: None,
    }
}
