//! Which refusals of an instance say something of what was asked for, so that another type, zone or kind of payment
//! may be had; and what is told when nothing could be.

use alicloud_api::Error as ApiError;
use kiln_core::error::Error;

use super::choice::Candidate;
use crate::failure::Doing as _;

/// How much of the choice a refusal rules out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// This type in this zone, paid for in this way.
    Candidate,
    /// This type, paid for in this way, wherever it stands.
    InstanceType,
}

/// Codes of RunInstances that name stock, zone, type or price; matched by their beginning.
const CODES: [(&str, Extent); 20] = [
    ("OperationDenied.NoStock", Extent::Candidate),
    ("NoInstanceStock", Extent::Candidate),
    ("OutOfUsage", Extent::Candidate),
    ("ResourceNotAvailable", Extent::Candidate),
    ("Zone.NotOnSale", Extent::Candidate),
    ("Zone.NotOpen", Extent::Candidate),
    ("InvalidResourceType.NotSupported", Extent::Candidate),
    ("InvalidInstanceType.NotSupported", Extent::Candidate),
    ("InvalidInstanceType.ZoneNotSupported", Extent::Candidate),
    ("InvalidInstanceType.ValueNotSupported", Extent::Candidate),
    ("InvalidSystemDiskCategory.ValueNotSupported", Extent::Candidate),
    ("InvalidDataDiskCategory.ValueNotSupported", Extent::Candidate),
    ("InvalidDiskCategory.NotSupported", Extent::Candidate),
    ("InvalidDiskCategory.ValueNotSupported", Extent::Candidate),
    ("InvalidSpotPriceLimit", Extent::Candidate),
    ("InvalidSpotStrategy", Extent::Candidate),
    ("SpotPriceLimit", Extent::Candidate),
    // The image lacks what the type needs, such as the mark for NVMe disks.
    ("InvalidParameter.NotMatch", Extent::InstanceType),
    ("InvalidInstanceType.ValueUnauthorized", Extent::InstanceType),
    ("QuotaExceed.ElasticQuota", Extent::InstanceType),
];

fn extent(error: &ApiError) -> Option<Extent> {
    let code = error.code()?;
    let known = CODES.iter().find(|(start, _)| code.starts_with(start)).map(|(_, extent)| *extent);
    // Some regions say it in words alone.
    known.or_else(|| error.to_string().contains("out of usage").then_some(Extent::Candidate))
}

/// Whether another candidate may be had although this one was refused. What may have happened all the same is none:
/// two instances would stand where one is wanted.
pub(super) fn is_of_the_candidate(error: &ApiError) -> bool {
    !error.effect_is_uncertain() && extent(error).is_some()
}

/// A candidate that was refused.
pub(super) struct Refusal {
    candidate: Candidate,
    error: ApiError,
}

impl Refusal {
    pub(super) fn new(candidate: &Candidate, error: ApiError) -> Refusal {
        Refusal { candidate: candidate.clone(), error }
    }

    pub(super) fn code(&self) -> &str {
        self.error.code().unwrap_or_default()
    }

    /// Whether `other` would be refused as well. Quotas of spot instances are others than those of ordinary ones.
    pub(super) fn concerns(&self, other: &Candidate) -> bool {
        extent(&self.error) == Some(Extent::InstanceType)
            && self.candidate.instance_type == other.instance_type
            && self.candidate.market == other.market
    }
}

/// Returns the build's failure: the last refusal as Packer tells it, and everything that was tried as a hint.
pub(super) fn told(refusals: Vec<Refusal>) -> Error {
    let tried: Vec<String> =
        refusals.iter().map(|refusal| format!("{} ({})", refusal.candidate, refusal.code())).collect();
    let Some(last) = refusals.into_iter().next_back() else {
        return Error::new("Error creating instance: there is nothing to ask for");
    };
    let failure = match Err::<(), _>(last.error).doing("Error creating instance") {
        Ok(()) => Error::new("Error creating instance"),
        Err(failure) => failure,
    };
    match tried.len() {
        0 | 1 => failure,
        count => failure.hint(format!("{count} were tried: {}", tried.join(", "))),
    }
}
