//! Runs the post-processor chains of one build and decides which artifacts remain.

use std::sync::Arc;

use kiln_core::artifact::Artifact;
use kiln_core::component::{KeepInput, PostProcessContext, PostProcessed, PostProcessor, Registry};
use kiln_core::error::{Error, Result};
use kiln_core::event::Events;
use kiln_core::plan::PlannedPostProcessor;
use kiln_core::reclaim::ReclaimTable;
use kiln_core::run::Run;
use kiln_core::scope::Scope;
use tokio_util::sync::CancellationToken;

use crate::provision::told;

/// What the chains of one build share.
pub(crate) struct PostProcessing<'a> {
    pub(crate) registry: &'a Registry,
    /// With the build's generated data known.
    pub(crate) scope: Arc<Scope>,
    pub(crate) events: &'a Events,
    pub(crate) stop: &'a CancellationToken,
    pub(crate) run: &'a Run,
    /// How to destroy what nobody keeps: the builder's rows and those of post-processors.
    pub(crate) table: ReclaimTable,
    /// Whether the builder's artifact has been destroyed.
    pub(crate) destroyed: bool,
}

/// What one chain made.
#[derive(Default)]
struct Chained {
    artifacts: Vec<Artifact>,
    keep_input: bool,
}

impl PostProcessing<'_> {
    /// Runs all chains from `artifact`. Errors of single chains are gathered; the others still run.
    pub(crate) async fn run(
        &mut self,
        chains: &[Vec<PlannedPostProcessor>],
        artifact: &Artifact,
    ) -> Result<Vec<Artifact>> {
        let mut results = Vec::new();
        let mut errors = Vec::new();
        let mut keep = chains.is_empty();
        for chain in chains {
            if self.stop.is_cancelled() {
                return Err(Error::cancelled());
            }
            match self.chain(chain, artifact, &mut keep).await {
                Ok(artifacts) => results.extend(artifacts),
                Err(error) => errors.push(error.chain()),
            }
        }
        // Nobody who stops a build means what it made.
        if self.stop.is_cancelled() {
            return Err(Error::cancelled());
        }
        if keep {
            results.insert(0, artifact.clone());
        } else {
            match self.destroy(artifact).await {
                Ok(()) => self.destroyed = true,
                Err(error) => errors.push(format!("Error destroying builder artifact: {}", error.chain())),
            }
        }
        match errors.is_empty() {
            true => Ok(results),
            false => Err(multi_error(&errors)),
        }
    }

    async fn chain(
        &mut self,
        chain: &[PlannedPostProcessor],
        original: &Artifact,
        keep_original: &mut bool,
    ) -> Result<Vec<Artifact>> {
        let mut made = Chained::default();
        let mut current = original.clone();
        for (index, planned) in chain.iter().enumerate() {
            self.announce(planned).await;
            let result = match self.step(planned, &current).await {
                Ok(result) => result,
                Err(error) if error.is_cancelled() => return Err(error),
                Err(error) => return Err(Error::new("Post-processor failed").source(error)),
            };
            let keep = keeps(planned.keep_input_artifact, result.keep_input);
            let Some(next) = result.artifact else {
                made.keep_input |= keep && index == 0;
                *keep_original |= made.keep_input;
                return Ok(made.artifacts);
            };
            let prior = std::mem::replace(&mut current, next);
            match (index, keep) {
                (0, keep) => *keep_original |= keep,
                (_, true) => made.artifacts.push(prior),
                (_, false) => self.destroy(&prior).await.map_err(|error| {
                    Error::new(format!(
                        "Failed cleaning up prior artifact: {}; pp is {}",
                        error.chain(),
                        planned.kind
                    ))
                })?,
            }
        }
        made.artifacts.push(current);
        Ok(made.artifacts)
    }

    async fn announce(&self, planned: &PlannedPostProcessor) {
        let line = match planned.name == planned.kind {
            true => format!("Running post-processor: {}", planned.name),
            false => format!("Running post-processor: {} (type {})", planned.name, planned.kind),
        };
        self.events.say(line).await;
    }

    async fn step(&mut self, planned: &PlannedPostProcessor, input: &Artifact) -> Result<PostProcessed> {
        let post_processor = self.prepare(planned)?;
        self.table.extend(&post_processor.reclaim());
        let cx = PostProcessContext {
            events: self.events.for_post_processor(&planned.kind),
            cancel: self.stop.clone(),
            scope: Arc::clone(&self.scope),
            run: self.run.clone(),
        };
        post_processor.post_process(&cx, input).await
    }

    fn prepare(&self, planned: &PlannedPostProcessor) -> Result<Arc<dyn PostProcessor>> {
        let factory = self
            .registry
            .post_processors
            .get(planned.kind.as_str())
            .ok_or_else(|| Error::new(format!("unknown post-processor `{}`", planned.kind)))?;
        let settings =
            planned.settings.resolve(&self.scope.values).map_err(|diagnostics| told(&diagnostics))?;
        match factory.prepare(&settings, &self.scope) {
            Ok(prepared) => Ok(prepared.component),
            Err(faults) => Err(Error::new(kiln_core::decode::detail(&faults))),
        }
    }

    async fn destroy(&self, artifact: &Artifact) -> Result<()> {
        for resource in &artifact.resources {
            self.table.get(&resource.intent.kind)?.delete(resource, self.stop).await?;
        }
        Ok(())
    }
}

/// The template's word counts, except that a forced keep cannot be overruled.
fn keeps(template: Option<bool>, own: KeepInput) -> bool {
    match (template, own) {
        (Some(true), _)
        | (None, KeepInput::Default | KeepInput::Forced)
        | (Some(false), KeepInput::Forced) => true,
        (Some(false), KeepInput::Default | KeepInput::No) | (None, KeepInput::No) => false,
    }
}

/// Packer's form of several errors.
fn multi_error(errors: &[String]) -> Error {
    let lines: Vec<String> = errors.iter().map(|error| format!("* {error}")).collect();
    Error::new(format!("{} error(s) occurred:\n\n{}", errors.len(), lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forced_keep_cannot_be_overruled() {
        assert!(keeps(Some(false), KeepInput::Forced));
        assert!(!keeps(Some(false), KeepInput::Default));
        assert!(keeps(None, KeepInput::Default));
        assert!(!keeps(None, KeepInput::No));
        assert!(keeps(Some(true), KeepInput::No));
    }
}
