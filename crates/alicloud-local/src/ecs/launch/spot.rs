//! Spot instances: what is offered for them, and what they cost. The prices are made up, in proportion to a type's
//! size; what matters is that there is one and that an offer below it is refused.

use crate::api::{ApiError, Cx, refuse};
use crate::catalogue::InstanceType;
use crate::model::Spot;

/// What an hour of a processor and of a GiB of memory cost as spot, in thousandths.
const PER_CORE: f64 = 40.0;
const PER_GIB: f64 = 10.0;

/// Returns what an hour of a type costs as spot now, in thousandths of the currency.
pub fn price(offered: &InstanceType) -> u64 {
    let exact = f64::from(offered.cores) * PER_CORE + offered.memory_gib * PER_GIB;
    // Prices are small positive numbers.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    let price = exact.ceil() as u64;
    price
}

/// Reads `SpotStrategy` and what belongs to it. Nothing: a usual instance.
pub fn read(cx: &Cx<'_>, offered: &InstanceType) -> Result<Option<Spot>, ApiError> {
    let params = cx.params;
    match params.get("InstanceChargeType").unwrap_or("PostPaid") {
        "PostPaid" => {}
        "PrePaid" if params.get("SpotStrategy").is_some_and(|strategy| strategy != "NoSpot") => {
            return Err(refuse("InvalidSpotPrepaid"));
        }
        "PrePaid" => return Err(refuse("OperationDenied.PrepayNotAvailable")),
        _ => return Err(ApiError::invalid("InstanceChargeType")),
    }
    let strategy = match params.get("SpotStrategy") {
        None | Some("NoSpot") => return Ok(None),
        Some(strategy @ ("SpotAsPriceGo" | "SpotWithPriceLimit")) => strategy.to_owned(),
        Some(_) => return Err(refuse("InvalidSpotStrategy")),
    };
    let price_limit = match params.get("SpotPriceLimit") {
        None if strategy == "SpotWithPriceLimit" => return Err(ApiError::missing("SpotPriceLimit")),
        None => None,
        Some(text) => Some(thousandths(text).ok_or_else(|| refuse("InvalidSpotPriceLimit"))?),
    };
    if strategy == "SpotWithPriceLimit" && price_limit.is_some_and(|limit| limit < price(offered)) {
        return Err(refuse("InvalidSpotPriceLimit.LowerThanPublicPrice"));
    }
    let protected_hours = match params.get("SpotDuration").unwrap_or("1") {
        "0" => 0,
        "1" => 1,
        _ => return Err(refuse("InvalidSpotDuration")),
    };
    let stops = match params.get("SpotInterruptionBehavior").unwrap_or("Terminate") {
        "Terminate" => false,
        "Stop" => true,
        _ => return Err(ApiError::invalid("SpotInterruptionBehavior")),
    };
    Ok(Some(Spot {
        strategy,
        price_limit: params.get("SpotPriceLimit").and_then(|text| text.parse().ok()),
        protected_hours,
        stops,
        notice_at: None,
        reclaim_at: None,
    }))
}

/// Reads a price with at most three decimals.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = format!("{part:0<3}").parse().ok()?;
    whole.checked_mul(1000)?.checked_add(part).filter(|price| *price > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_have_three_decimals() {
        let read: Vec<Option<u64>> =
            ["1", "0.5", "0.123", "0.1234", "0", "-1", "x", "1."].map(thousandths).to_vec();
        let expected = [Some(1000), Some(500), Some(123), None, None, None, None, Some(1000)];
        assert_eq!(read, expected);
    }
}
