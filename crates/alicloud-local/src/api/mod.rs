//! What every action has in common: the table, the parameters, the errors, and the context a handler works in.

mod context;
mod error;
mod facts;
mod params;

pub use context::{
    Console, Consoles, Cx, Effect, Folders, Outcome, PAGE_50, PAGE_100, ecs_tags, proper_name, vpc_tags,
};
pub use error::{ApiError, refuse};
pub use facts::check;
pub use params::Params;

use serde_json::Value;

/// A product of the cloud, as a family of actions under one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// Elastic Compute Service.
    Ecs,
    /// Virtual Private Cloud.
    Vpc,
    /// Security Token Service.
    Sts,
    /// Resource Access Management.
    Ram,
    /// The location service, which tells endpoints.
    Location,
}

/// Products with their versions and the first word of their host names.
const PRODUCTS: &[(Product, &str, &str)] = &[
    (Product::Ecs, "2014-05-26", "ecs"),
    (Product::Vpc, "2016-04-28", "vpc"),
    (Product::Sts, "2015-04-01", "sts"),
    (Product::Ram, "2015-05-01", "ram"),
    (Product::Location, "2015-06-12", "location"),
];

impl Product {
    /// Returns the product of a version.
    pub fn of_version(version: &str) -> Option<Product> {
        PRODUCTS.iter().find(|(_, of, _)| *of == version).map(|(product, _, _)| *product)
    }

    /// Returns the product a host name such as `ecs.cn-beijing.aliyuncs.com` speaks for.
    pub fn of_host(host: &str) -> Option<Product> {
        let (word, rest) = host.split_once('.')?;
        if !rest.contains("aliyuncs.com") {
            return None;
        }
        let word = word.split('-').next().unwrap_or(word);
        PRODUCTS.iter().find(|(_, _, of)| *of == word).map(|(product, _, _)| *product)
    }

    /// Returns the product of a name.
    pub fn named(name: &str) -> Option<Product> {
        PRODUCTS.iter().map(|(product, _, _)| *product).find(|product| product.name() == name)
    }

    /// Returns the product's name as it is written in journals.
    pub fn name(self) -> &'static str {
        match self {
            Product::Ecs => "Ecs",
            Product::Vpc => "Vpc",
            Product::Sts => "Sts",
            Product::Ram => "Ram",
            Product::Location => "Location",
        }
    }
}

/// What a handler answers: the fields of the answer besides `RequestId`.
pub type Answer = Result<Value, ApiError>;

/// Whether an action changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only looks.
    Read,
    /// It changes something: the state is kept before it is answered.
    Write,
    /// It writes, and wants a fresh RSA key, which is made before the state is locked.
    WriteWithKey,
    /// It writes, and the call need not be signed.
    Unsigned,
}

/// A row of the table of actions.
pub struct Action {
    /// Its name.
    pub name: &'static str,
    /// Whether it changes anything.
    pub kind: Kind,
    /// The parameters without which it is refused.
    pub required: &'static [&'static str],
    /// What it does.
    pub run: fn(&mut Cx<'_>) -> Answer,
}

/// A row of an action that only looks.
pub const fn read(
    name: &'static str,
    required: &'static [&'static str],
    run: fn(&mut Cx<'_>) -> Answer,
) -> Action {
    Action { name, kind: Kind::Read, required, run }
}

/// A row of an action that changes something.
pub const fn write(
    name: &'static str,
    required: &'static [&'static str],
    run: fn(&mut Cx<'_>) -> Answer,
) -> Action {
    Action { name, kind: Kind::Write, required, run }
}

/// A row of an action that changes something for callers who need not sign.
pub const fn unsigned(
    name: &'static str,
    required: &'static [&'static str],
    run: fn(&mut Cx<'_>) -> Answer,
) -> Action {
    Action { name, kind: Kind::Unsigned, required, run }
}

/// Returns whether an action is one of networks or elastic addresses, under whichever version it is called.
pub fn is_of_vpc(name: &str) -> bool {
    let tables = [crate::vpc::networks::ACTIONS, crate::vpc::eips::ACTIONS];
    tables.iter().flat_map(|table| table.iter()).any(|action| action.name == name)
}

/// Finds an action. The actions of networks and elastic addresses are served under the version of Ecs too, where
/// they once were.
pub fn find(product: Product, name: &str) -> Option<&'static Action> {
    tables(product).iter().flat_map(|table| table.iter()).find(|action| action.name == name)
}

/// Returns the actions of all products.
pub fn all() -> impl Iterator<Item = (Product, &'static str)> {
    PRODUCTS.iter().flat_map(|(product, _, _)| {
        let actions = tables(*product).iter().flat_map(|table| table.iter());
        actions.map(|action| (*product, action.name))
    })
}

/// Returns the actions this cloud serves: product and name, in the order of its tables.
pub fn actions() -> impl Iterator<Item = (&'static str, &'static str)> {
    all().map(|(product, action)| (product.name(), action))
}

fn tables(product: Product) -> &'static [&'static [Action]] {
    match product {
        Product::Ecs => &[
            crate::ecs::regions::ACTIONS,
            crate::ecs::images::ACTIONS,
            crate::ecs::instances::ACTIONS,
            crate::ecs::attributes::ACTIONS,
            crate::ecs::console::ACTIONS,
            crate::ecs::key_pairs::ACTIONS,
            crate::ecs::security_groups::ACTIONS,
            crate::ecs::disks::ACTIONS,
            crate::ecs::tags::ACTIONS,
            crate::vpc::networks::ACTIONS,
            crate::vpc::eips::ACTIONS,
        ],
        Product::Vpc => &[
            crate::vpc::networks::ACTIONS,
            crate::vpc::eips::ACTIONS,
            crate::vpc::tags::ACTIONS,
            crate::ecs::regions::SHARED,
        ],
        Product::Sts => &[crate::access::STS],
        Product::Ram => &[crate::access::ROLES, crate::access::USERS, crate::access::POLICIES],
        Product::Location => &[crate::access::LOCATION],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_tell_the_product() {
        assert_eq!(Product::of_host("ecs.cn-beijing.aliyuncs.com"), Some(Product::Ecs));
        assert_eq!(Product::of_host("ecs-cn-hangzhou.aliyuncs.com"), Some(Product::Ecs));
        assert_eq!(Product::of_host("location-readonly.aliyuncs.com"), Some(Product::Location));
        assert_eq!(Product::of_host("127.0.0.1:8080"), None);
    }
}
