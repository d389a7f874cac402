//! What an action is: declared once beside its request struct, read by the transport.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use crate::Product;

/// A typed call: a struct of parameters, and what the cloud answers.
pub trait Request: Serialize + Send + Sync {
    /// What the cloud answers.
    type Answer: DeserializeOwned + Send;
    /// Which action it is.
    const ACTION: Action;
}

/// What the transport must know about an action.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// The product that knows it.
    pub product: Product,
    /// Its name, such as `RunInstances`.
    pub name: &'static str,
    /// Whether it may be repeated.
    pub idempotency: Idempotency,
    /// How long the cloud may take to answer.
    pub read_timeout: Duration,
    /// Parameters that must not stand in a URL: passwords, user data.
    pub private: &'static [&'static str],
}

/// What happens if a call reaches the cloud twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// It only looks. Also dropped at once when cancelled.
    Read,
    /// The same as once: it deletes, or sets a state. (A deletion's second try may answer "not found".)
    Safe,
    /// The same as once if it carries a `ClientToken`; else something is created twice.
    Token,
    /// Something is created twice, or the second answer hides the first (a key pair's private part).
    None,
}

/// Declares a typed call: which action a request struct is, and the method of the product's handle that makes it.
/// The read timeouts are those of Alibaba's Go SDK (10 s where it has none of its own).
macro_rules! action {
    (
        $(#[$doc:meta])*
        $handle:ident.$method:ident($request:ident) -> $answer:ty, $idempotency:ident, $read_s:literal s
        $(, private: [$($private:literal),*])?
    ) => {
        impl $crate::Request for $request {
            type Answer = $answer;
            const ACTION: $crate::Action = $crate::Action {
                product: $handle::PRODUCT,
                name: stringify!($request),
                idempotency: $crate::Idempotency::$idempotency,
                read_timeout: ::std::time::Duration::from_secs($read_s),
                private: &[$($($private),*)?],
            };
        }

        impl $handle {
            $(#[$doc])*
            #[doc = concat!("\n\nAPI action `", stringify!($request), "`.")]
            ///
            /// # Errors
            ///
            /// Any [`Error`](crate::Error) of a call; see [`transport`](crate::transport) for what is repeated.
            pub async fn $method(&self, request: &$request) -> $crate::Result<$answer> {
                self.call(request).await
            }
        }
    };
}

/// Declares a product's handle.
macro_rules! handle {
    ($(#[$doc:meta])* $handle:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $handle {
            client: $crate::Client,
            region: $crate::RegionId,
        }

        impl $handle {
            const PRODUCT: $crate::Product = $crate::Product::$handle;

            pub(crate) fn new(client: $crate::Client, region: $crate::RegionId) -> $handle {
                $handle { client, region }
            }

            /// Returns the region of these calls.
            pub fn region(&self) -> &$crate::RegionId {
                &self.region
            }

            /// Makes any call of this product.
            ///
            /// # Errors
            ///
            /// Any [`Error`](crate::Error) of a call.
            pub async fn call<R: $crate::Request>(&self, request: &R) -> $crate::Result<R::Answer> {
                $crate::transport::call(&self.client, &self.region, request).await
            }

            /// Reads a list to its end, page by page; at most [`PAGES_MAX`](crate::PAGES_MAX) pages.
            ///
            /// # Errors
            ///
            /// Those of the calls, or [`ErrorKind::Failed`](crate::ErrorKind::Failed) when there are more pages.
            pub async fn all<R: $crate::page::Paged>(&self, request: &R) -> $crate::Result<Vec<R::Item>> {
                $crate::page::read_all(&self.client, &self.region, request).await
            }
        }
    };
}

pub(crate) use {action, handle};
