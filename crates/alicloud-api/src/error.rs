//! The one error of this crate. The cloud's codes are an open set, so they are text ([`Error::is`]); what a caller
//! decides on is closed: [`ErrorKind`], [`Retry`], [`Error::effect_is_uncertain`].

use std::{error::Error as StdError, fmt, sync::Arc};

use crate::{Product, RegionId};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call, a wait or a setting failed. `Display` is one line; the cause beneath it is `source()`.
#[derive(Clone)]
pub struct Error(Box<Details>);

#[derive(Clone)]
struct Details {
    kind: ErrorKind,
    retry: Retry,
    message: String,
    context: Option<String>,
    action: Option<&'static str>,
    product: Option<Product>,
    region: Option<RegionId>,
    endpoint: Option<String>,
    http_status: Option<u16>,
    request_id: Option<String>,
    recommend: Option<String>,
    access_denied_detail: Option<String>,
    attempts: u32,
    effect_is_uncertain: bool,
    /// Shared, so that one answer can be told to all who wait for it.
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What kind of failure it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The cloud answered with an error code.
    Api {
        /// Such as `InvalidInstanceType.NotFound`.
        code: String,
    },
    /// There was no whole answer.
    Network(NetworkFault),
    /// There was an answer that is not what the API promises.
    Decode,
    /// A setting is wrong; nothing was sent.
    Config,
    /// There are no credentials to sign with; nothing was sent.
    Credentials,
    /// The caller cancelled; whatever had begun was finished.
    Cancelled,
    /// A wait reached its deadline.
    TimedOut,
    /// What was waited for cannot come any more, such as an image in state `CreateFailed`.
    Failed,
}

/// Where the network failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkFault {
    /// The host name does not resolve.
    Dns,
    /// Nobody listens there.
    Refused,
    /// The connection could not be made otherwise: no route, a proxy that refuses, five seconds without an answer.
    Unreachable,
    /// The TLS handshake failed: an unknown authority, a wrong name, an expired certificate.
    Tls,
    /// The connection was lost after it had been made.
    Reset,
    /// No answer within the action's time.
    TimedOut,
    /// Anything else.
    Other,
}

impl NetworkFault {
    /// Returns whether the request may have reached the cloud.
    pub(crate) fn may_have_been_sent(self) -> bool {
        match self {
            NetworkFault::Dns | NetworkFault::Refused | NetworkFault::Unreachable | NetworkFault::Tls => {
                false
            }
            NetworkFault::Reset | NetworkFault::TimedOut | NetworkFault::Other => true,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            NetworkFault::Dns => "the host name does not resolve",
            NetworkFault::Refused => "connection refused",
            NetworkFault::Unreachable => "no connection",
            NetworkFault::Tls => "the TLS handshake failed",
            NetworkFault::Reset => "connection lost",
            NetworkFault::TimedOut => "no answer in time",
            NetworkFault::Other => "the exchange failed",
        }
    }
}

/// Whether repeating the call can help, and how much patience it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It would fail again.
    Never,
    /// The network failed.
    Network,
    /// The cloud failed inside: HTTP 5xx, `ServiceUnavailable`, `InternalError`. Something may have happened.
    Server,
    /// Too many calls; nothing happened.
    Throttled,
    /// An earlier call is still at work (`LastTokenProcessing`, `IdempotentProcessing`, `TOKEN_PROCESSING`,
    /// `OperationConflict`); this one changed nothing.
    Busy,
}

impl Retry {
    /// Classifies an answer by its error code and HTTP status.
    pub fn of_answer(code: &str, http_status: u16) -> Retry {
        match code {
            "Throttling" => Retry::Throttled,
            _ if code.starts_with("Throttling.") => Retry::Throttled,
            "LastTokenProcessing" | "IdempotentProcessing" | "TOKEN_PROCESSING" | "OperationConflict" => {
                Retry::Busy
            }
            "ServiceUnavailable" | "InternalError" => Retry::Server,
            _ if http_status >= 500 => Retry::Server,
            _ if http_status == 429 => Retry::Throttled,
            _ => Retry::Never,
        }
    }
}

impl Error {
    /// An error of this crate's own, for providers, observers and waits of the caller. Not retried.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Details {
            kind,
            retry: Retry::Never,
            message: message.into(),
            context: None,
            action: None,
            product: None,
            region: None,
            endpoint: None,
            http_status: None,
            request_id: None,
            recommend: None,
            access_denied_detail: None,
            attempts: 0,
            effect_is_uncertain: false,
            source: None,
        }))
    }

    /// Adds the cause beneath.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    pub(crate) fn network(fault: NetworkFault) -> Error {
        Error::new(ErrorKind::Network(fault), "").with_retry(Retry::Network)
    }

    pub(crate) fn with_retry(mut self, retry: Retry) -> Error {
        self.0.retry = retry;
        self
    }

    pub(crate) fn in_context(mut self, context: &str) -> Error {
        self.0.context = Some(context.to_owned());
        self
    }

    pub(crate) fn of_call(mut self, action: &'static str, product: Product, region: &RegionId) -> Error {
        self.0.action = Some(action);
        self.0.product = Some(product);
        self.0.region = Some(region.clone()).filter(|region| !region.as_str().is_empty());
        self
    }

    pub(crate) fn at_endpoint(mut self, endpoint: &crate::Endpoint) -> Error {
        self.0.endpoint = Some(endpoint.authority());
        self
    }

    pub(crate) fn with_http(mut self, status: u16, request_id: Option<String>) -> Error {
        self.0.http_status = Some(status);
        self.0.request_id = request_id.filter(|id| !id.is_empty());
        self
    }

    pub(crate) fn with_advice(
        mut self,
        recommend: Option<String>,
        access_denied_detail: Option<String>,
    ) -> Error {
        self.0.recommend = recommend.filter(|text| !text.is_empty());
        self.0.access_denied_detail = access_denied_detail.filter(|text| !text.is_empty());
        self
    }

    pub(crate) fn after_attempts(mut self, attempts: u32, effect_is_uncertain: bool) -> Error {
        self.0.attempts = attempts;
        self.0.effect_is_uncertain = effect_is_uncertain;
        self
    }

    /// Returns the kind of failure.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Returns the cloud's error code, if the cloud answered with one.
    pub fn code(&self) -> Option<&str> {
        match &self.0.kind {
            ErrorKind::Api { code } => Some(code),
            ErrorKind::Network(_)
            | ErrorKind::Decode
            | ErrorKind::Config
            | ErrorKind::Credentials
            | ErrorKind::Cancelled
            | ErrorKind::TimedOut
            | ErrorKind::Failed => None,
        }
    }

    /// Returns whether the cloud answered with exactly this code.
    pub fn is(&self, code: &str) -> bool {
        self.code() == Some(code)
    }

    /// Returns whether the cloud answered with one of these codes.
    pub fn is_any(&self, codes: &[&str]) -> bool {
        self.code().is_some_and(|code| codes.contains(&code))
    }

    /// Returns whether the *resource* that the call names does not exist: codes such as `InvalidInstanceId.NotFound`,
    /// `InvalidVpcID.NotFound`, `EntityNotExist.Role`. For a deletion: success. Codes of the same form that say nothing
    /// of the resource (`InvalidAccessKeyId.NotFound`, `InvalidRegionId.NotFound`) do not count: with a wrong key
    /// everything would seem deleted.
    pub fn is_not_found(&self) -> bool {
        const OF_THE_CALL: [&str; 8] = [
            "InvalidAccessKeyId",
            "InvalidAccessKey",
            "InvalidSecurityToken",
            "InvalidRegionId",
            "InvalidRegion",
            "InvalidAction",
            "InvalidApi",
            "InvalidProduct",
        ];
        self.code().is_some_and(|code| {
            let (subject, _) = code.split_once('.').unwrap_or((code, ""));
            let missing = code.ends_with("NotFound")
                || code.ends_with(".NotExist")
                || code.starts_with("EntityNotExist");
            missing && !OF_THE_CALL.contains(&subject)
        })
    }

    /// Returns whether the caller cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.kind == ErrorKind::Cancelled
    }

    /// Returns whether repeating could help. The transport has already done so as far as its policy goes.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// Returns whether the call may have had its effect all the same: an answer was lost or unreadable, or the cloud
    /// failed inside, at any of the tries. Whoever creates something looks for it (by client token or tag) before
    /// giving up.
    pub fn effect_is_uncertain(&self) -> bool {
        self.0.effect_is_uncertain
    }

    /// Returns the action, such as `RunInstances`.
    pub fn action(&self) -> Option<&'static str> {
        self.0.action
    }

    /// Returns the product called.
    pub fn product(&self) -> Option<Product> {
        self.0.product
    }

    /// Returns the region called.
    pub fn region(&self) -> Option<&RegionId> {
        self.0.region.as_ref()
    }

    /// Returns the HTTP status, if there was an answer.
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }

    /// Returns the request id, which Alibaba's support asks for; of the last try that was answered.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Returns the message alone, without action, code and request id.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the cloud's `Recommend` text or address.
    pub fn recommend(&self) -> Option<&str> {
        self.0.recommend.as_deref()
    }

    /// Returns what `AccessDeniedDetail` says: denied action and policy type.
    pub fn access_denied_detail(&self) -> Option<&str> {
        self.0.access_denied_detail.as_deref()
    }

    /// Returns how often the call was tried; 0 if nothing was sent.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns the lines in which Packer's plug-in shows an error: for an answer of the cloud `SDK.ServerError`,
    /// `ErrorCode:`, `Recommend:`, `RequestId:`, `Message:` and, when access was refused, `AccessDeniedDetail:`; for
    /// everything else `[code] text` and, for its cause, `caused by:` and the cause.
    pub fn packer_lines(&self) -> Vec<String> {
        let Some(code) = self.code() else {
            let mut lines = vec![format!("[{}] {self}", self.client_code())];
            if let Some(cause) = &self.0.source {
                lines.extend(["caused by:".to_owned(), cause.to_string()]);
            }
            return lines;
        };
        let mut lines = vec![
            "SDK.ServerError".to_owned(),
            format!("ErrorCode: {code}"),
            format!("Recommend: {}", self.recommend().unwrap_or_default()),
            format!("RequestId: {}", self.request_id().unwrap_or_default()),
            format!("Message: {}", self.0.message),
        ];
        lines.extend(self.access_denied_detail().map(|detail| format!("AccessDeniedDetail: {detail}")));
        lines
    }

    /// The codes that Alibaba's Go SDK gives to failures on this side of the wire.
    fn client_code(&self) -> &'static str {
        match &self.0.kind {
            ErrorKind::Network(NetworkFault::Dns) => "SDK.CanNotResolveEndpoint",
            ErrorKind::Network(NetworkFault::TimedOut) | ErrorKind::TimedOut => "SDK.TimeoutError",
            ErrorKind::Network(_) => "SDK.ServerUnreachable",
            ErrorKind::Decode => "SDK.JsonUnmarshalError",
            ErrorKind::Credentials => "SDK.UnsupportedCredential",
            ErrorKind::Api { .. } | ErrorKind::Config | ErrorKind::Cancelled | ErrorKind::Failed => {
                "SDK.ClientError"
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &*self.0;
        if let Some(context) = &details.context {
            write!(f, "{context}: ")?;
        }
        let action = details.action.unwrap_or("the call");
        let request = |f: &mut fmt::Formatter<'_>| match &details.request_id {
            Some(id) => write!(f, " (request `{id}`)"),
            None => Ok(()),
        };
        match &details.kind {
            ErrorKind::Api { code } => {
                write!(f, "{action} refused: `{code}`")?;
                request(f)?;
                if !details.message.is_empty() {
                    write!(f, ": {}", details.message)?;
                }
            }
            ErrorKind::Network(fault) => {
                write!(f, "{action} unanswered: {}", fault.as_str())?;
                if let Some(endpoint) = &details.endpoint {
                    write!(f, " (`{endpoint}`)")?;
                }
            }
            ErrorKind::Decode => {
                write!(f, "{action} answered with something unexpected")?;
                if let Some(status) = details.http_status {
                    write!(f, " (HTTP {status})")?;
                }
                request(f)?;
                if !details.message.is_empty() {
                    write!(f, ": {}", details.message)?;
                }
            }
            ErrorKind::Cancelled if details.action.is_some() => write!(f, "{action} cancelled")?,
            ErrorKind::Config
            | ErrorKind::Credentials
            | ErrorKind::Cancelled
            | ErrorKind::TimedOut
            | ErrorKind::Failed => f.write_str(&details.message)?,
        }
        if details.attempts > 1 {
            write!(f, ", tried {} times", details.attempts)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &*self.0;
        f.debug_struct("Error")
            .field("kind", &details.kind)
            .field("retry", &details.retry)
            .field("message", &details.message)
            .field("action", &details.action)
            .field("product", &details.product)
            .field("region", &details.region)
            .field("endpoint", &details.endpoint)
            .field("http_status", &details.http_status)
            .field("request_id", &details.request_id)
            .field("attempts", &details.attempts)
            .field("effect_is_uncertain", &details.effect_is_uncertain)
            .field("source", &details.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str) -> Error {
        Error::new(ErrorKind::Api { code: code.to_owned() }, "Your account does not have enough balance.")
            .with_http(403, Some("C88C584E".to_owned()))
            .with_advice(Some("https://error-center.aliyun.com/…".to_owned()), None)
            .of_call("RunInstances", Product::Ecs, &"cn-beijing".into())
    }

    #[test]
    fn display_is_one_line_with_action_code_and_request() {
        assert_eq!(
            refused("InvalidAccountStatus.NotEnoughBalance").to_string(),
            "RunInstances refused: `InvalidAccountStatus.NotEnoughBalance` (request `C88C584E`): Your account does not \
             have enough balance."
        );
        let network = Error::network(NetworkFault::Refused)
            .of_call("DescribeVpcs", Product::Vpc, &"cn-beijing".into())
            .at_endpoint(&crate::Endpoint::parse("http://127.0.0.1:9").unwrap())
            .after_attempts(4, false);
        assert_eq!(
            network.to_string(),
            "DescribeVpcs unanswered: connection refused (`127.0.0.1:9`), tried 4 times"
        );
    }

    #[test]
    fn packers_lines_are_those_of_the_seed() {
        assert_eq!(
            refused("InvalidAccountStatus.NotEnoughBalance").packer_lines(),
            [
                "SDK.ServerError",
                "ErrorCode: InvalidAccountStatus.NotEnoughBalance",
                "Recommend: https://error-center.aliyun.com/…",
                "RequestId: C88C584E",
                "Message: Your account does not have enough balance.",
            ]
        );
        let denied =
            refused("Forbidden.RAM").with_advice(None, Some("map[AuthAction:ecs:RunInstances]".to_owned()));
        assert_eq!(denied.packer_lines()[5], "AccessDeniedDetail: map[AuthAction:ecs:RunInstances]");
        let lost = Error::network(NetworkFault::Reset).with_source("broken pipe");
        let lines = lost.packer_lines();
        assert_eq!(
            lines,
            ["[SDK.ServerUnreachable] the call unanswered: connection lost", "caused by:", "broken pipe"]
        );
    }

    #[test]
    fn answers_are_classified_by_code_then_status() {
        let cases = [
            ("Throttling", 400, Retry::Throttled),
            ("Throttling.User", 400, Retry::Throttled),
            ("ThrottlingX", 400, Retry::Never),
            ("ServiceUnavailable", 503, Retry::Server),
            ("InternalError", 500, Retry::Server),
            ("SomethingNew", 502, Retry::Server),
            ("LastTokenProcessing", 400, Retry::Busy),
            ("IdempotentProcessing", 400, Retry::Busy),
            ("TOKEN_PROCESSING", 400, Retry::Busy),
            ("OperationConflict", 409, Retry::Busy),
            ("InvalidParameter", 400, Retry::Never),
        ];
        for (code, status, expected) in cases {
            assert_eq!(Retry::of_answer(code, status), expected, "{code}");
        }
    }

    #[test]
    fn not_found_in_all_its_spellings() {
        for code in [
            "InvalidInstanceId.NotFound",
            "InvalidVpcID.NotFound",
            "InvalidVpcId.NotFound",
            "EntityNotExist.Role",
        ] {
            assert!(refused(code).is_not_found(), "{code}");
        }
        for code in ["OperationDenied.NoStock", "InvalidAccessKeyId.NotFound", "InvalidRegionId.NotFound"] {
            assert!(!refused(code).is_not_found(), "{code}");
        }
    }
}
