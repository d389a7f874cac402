//! The location service 2015-06-12.

use serde_json::json;

use crate::api::{Action, Answer, Cx, read, refuse};
use crate::catalogue;

/// Its actions.
pub const ACTIONS: &[Action] = &[read("DescribeEndpoints", &["Id", "ServiceCode"], describe_endpoints)];

fn describe_endpoints(cx: &mut Cx<'_>) -> Answer {
    let region = cx.params.text("Id");
    let service = cx.params.text("ServiceCode");
    if catalogue::region(&region).is_none() {
        return Err(refuse("InvalidRegionId.NotFound"));
    }
    let endpoint = match service.as_str() {
        "ecs" | "vpc" => format!("{service}.{region}.aliyuncs.com"),
        "ram" | "sts" => format!("{service}.aliyuncs.com"),
        _ => return Ok(json!({"Success": true, "Endpoints": {"Endpoint": []}})),
    };
    Ok(json!({
        "Success": true,
        "Endpoints": {"Endpoint": [{
            "Protocols": {"Protocols": ["HTTP", "HTTPS"]}, "Type": cx.params.get("Type").unwrap_or("openAPI"),
            "Namespace": "", "Id": region, "SerivceCode": service, "Endpoint": endpoint,
        }]},
    }))
}
