//! Where a call goes: overrides, then a table of special regions, then a pattern.
//!
//! Always HTTPS; plain http is accepted for loopback addresses only, where tests and the embedded cloud live. Nothing
//! here asks the location service: the table and the pattern have been enough for years.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use reqwest::Url;

use crate::{Error, ErrorKind, RegionId, Result};

/// A product with its API version and its endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// Elastic Compute Service, 2014-05-26.
    Ecs,
    /// Virtual Private Cloud, 2016-04-28 (VPCs, vSwitches, elastic addresses).
    Vpc,
    /// Security Token Service, 2015-04-01.
    Sts,
    /// Resource Access Management, 2015-05-01. One endpoint for all regions.
    Ram,
}

impl Product {
    /// Every product of this crate.
    pub const ALL: [Product; 4] = [Product::Ecs, Product::Vpc, Product::Sts, Product::Ram];

    /// Returns the name as it stands in host names and, in upper case, in `ALICLOUD_<PRODUCT>_ENDPOINT`.
    pub fn name(self) -> &'static str {
        match self {
            Product::Ecs => "ecs",
            Product::Vpc => "vpc",
            Product::Sts => "sts",
            Product::Ram => "ram",
        }
    }

    /// Returns the version of the API that this crate speaks.
    pub fn version(self) -> &'static str {
        match self {
            Product::Ecs => "2014-05-26",
            Product::Vpc => "2016-04-28",
            Product::Sts => "2015-04-01",
            Product::Ram => "2015-05-01",
        }
    }

    /// Returns whether calls carry `RegionId`; Sts and Ram know no regions.
    pub(crate) fn is_regional(self) -> bool {
        match self {
            Product::Ecs | Product::Vpc => true,
            Product::Sts | Product::Ram => false,
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A scheme, a host and perhaps a port. Plain http exists for loopback addresses only: no other can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
}

impl Endpoint {
    /// Reads a host (`ecs.example.com`, `ecs.example.com:8443`) or a URL without path (`http://127.0.0.1:8080`).
    /// A bare host means https.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for what is no host, for paths, queries and user names, for schemes other than http and
    /// https, and for plain http to anything but `127.0.0.0/8`, `::1` and `localhost`.
    pub fn parse(text: &str) -> Result<Endpoint> {
        let text = text.trim();
        let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        // What stands before an `@` may be a password: it is not repeated.
        let shown = text.rsplit('@').next().unwrap_or_default();
        let wrong = |why: &str| Error::new(ErrorKind::Config, format!("endpoint `{shown}`: {why}"));
        let url = Url::parse(&whole).map_err(|error| wrong("not a host or URL").with_source(error))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("the scheme is https (or http for loopback)"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("there is no host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("an endpoint holds no user name or password"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("only scheme, host and port are wanted, no path"));
        }
        let endpoint = Endpoint { url };
        if !endpoint.is_tls() && !endpoint.is_loopback() {
            return Err(wrong(
                "plain http is for loopback addresses only (127.0.0.0/8, ::1, localhost): requests carry secrets; \
                 use https",
            ));
        }
        Ok(endpoint)
    }

    /// Returns whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Returns whether the host is this machine: `127.0.0.0/8`, `::1` or `localhost`. Such hosts never go through a
    /// proxy.
    pub fn is_loopback(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Returns the value of the `Host` header: the host, with the port unless it is the scheme's own.
    pub fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    pub(crate) fn url(&self) -> Url {
        self.url.clone()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

/// The endpoints of all products: the defaults, and what the caller overrides for every region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    overrides: BTreeMap<Product, Endpoint>,
}

impl Endpoints {
    /// The defaults only.
    pub fn new() -> Endpoints {
        Endpoints::default()
    }

    /// Sends all calls of `product` to `endpoint` (a host or URL, see [`Endpoint::parse`]), whatever the region.
    ///
    /// # Errors
    ///
    /// Those of [`Endpoint::parse`].
    pub fn with(mut self, product: Product, endpoint: &str) -> Result<Endpoints> {
        self.overrides.insert(product, Endpoint::parse(endpoint)?);
        Ok(self)
    }

    /// Takes overrides from variables named `ALICLOUD_<PRODUCT>_ENDPOINT` (`ALICLOUD_ECS_ENDPOINT` …) as `lookup`
    /// knows them; empty ones count as absent. The caller hands in its environment: `|name| std::env::var(name).ok()`.
    ///
    /// # Errors
    ///
    /// Those of [`Endpoint::parse`], with the variable's name.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Endpoints> {
        let mut endpoints = Endpoints::new();
        for product in Product::ALL {
            let variable = format!("ALICLOUD_{}_ENDPOINT", product.name().to_ascii_uppercase());
            if let Some(value) = lookup(&variable).filter(|value| !value.trim().is_empty()) {
                let endpoint = Endpoint::parse(&value).map_err(|error| error.in_context(&variable))?;
                endpoints.overrides.insert(product, endpoint);
            }
        }
        Ok(endpoints)
    }

    /// Returns the override of `product`, if there is one. An overridden Ecs without a Vpc override counts for Vpc
    /// too: a private cloud with one host serves both, and Packer's plug-in makes its VPC calls through Ecs.
    pub fn overridden(&self, product: Product) -> Option<&Endpoint> {
        self.overrides.get(&product).or_else(|| match product {
            Product::Vpc => self.overrides.get(&Product::Ecs),
            Product::Ecs | Product::Sts | Product::Ram => None,
        })
    }

    /// Returns where calls of `product` in `region` go: first choice first, then hosts to try when the name of the
    /// one before does not exist.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when `region` is not made of letters, digits and hyphens: it becomes part of a host name.
    pub fn resolve(&self, product: Product, region: &RegionId) -> Result<Vec<Endpoint>> {
        if let Some(endpoint) = self.overridden(product) {
            return Ok(vec![endpoint.clone()]);
        }
        let name = region.as_str();
        if product != Product::Ram && !is_region_name(name) {
            let why = format!(
                "region `{name}`: a region is made of letters, digits and hyphens, such as cn-beijing"
            );
            return Err(Error::new(ErrorKind::Config, why));
        }
        hosts(product, name).iter().map(|host| Endpoint::parse(host)).collect()
    }
}

fn is_region_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 63 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// The hosts of a product in a region, in the order in which to try them.
fn hosts(product: Product, region: &str) -> Vec<String> {
    let regional = format!("{product}.{region}.aliyuncs.com");
    let central = |host: &str| host.to_owned();
    match (product, region) {
        // Regions whose own host name does not exist: the tables of the official SDKs.
        (Product::Ecs, "cn-shanghai-finance-1" | "cn-shenzhen-finance-1") => {
            vec![central("ecs-cn-hangzhou.aliyuncs.com")]
        }
        (Product::Ecs, "cn-north-2-gov-1" | "cn-hangzhou-finance") => vec![central("ecs.aliyuncs.com")],
        // The central host serves the older regions; the pattern works there today as well.
        (Product::Ecs, "cn-hangzhou") => vec![central("ecs-cn-hangzhou.aliyuncs.com"), regional],
        (Product::Vpc, "cn-hangzhou") => vec![central("vpc.aliyuncs.com"), regional],
        (
            Product::Vpc,
            "cn-shanghai" | "cn-beijing" | "cn-shenzhen" | "cn-qingdao" | "cn-hongkong" | "ap-southeast-1"
            | "us-west-1" | "us-east-1",
        ) => vec![regional, central("vpc.aliyuncs.com")],
        (Product::Sts, _) => vec![regional, central("sts.aliyuncs.com")],
        (Product::Ram, _) => vec![central("ram.aliyuncs.com")],
        (Product::Ecs | Product::Vpc, _) => vec![regional],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(endpoints: &Endpoints, product: Product, region: &str) -> String {
        let list = endpoints.resolve(product, &region.into()).unwrap();
        list.iter().map(Endpoint::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn defaults_per_product_and_region() {
        let cases = [
            (Product::Ecs, "cn-beijing", "https://ecs.cn-beijing.aliyuncs.com"),
            (Product::Ecs, "ap-southeast-5", "https://ecs.ap-southeast-5.aliyuncs.com"),
            (Product::Ecs, "cn-shenzhen-finance-1", "https://ecs-cn-hangzhou.aliyuncs.com"),
            (Product::Ecs, "cn-north-2-gov-1", "https://ecs.aliyuncs.com"),
            (Product::Vpc, "cn-beijing", "https://vpc.cn-beijing.aliyuncs.com https://vpc.aliyuncs.com"),
            (Product::Vpc, "eu-central-1", "https://vpc.eu-central-1.aliyuncs.com"),
            (Product::Sts, "cn-beijing", "https://sts.cn-beijing.aliyuncs.com https://sts.aliyuncs.com"),
            (Product::Ram, "", "https://ram.aliyuncs.com"),
        ];
        for (product, region, expected) in cases {
            assert_eq!(resolved(&Endpoints::new(), product, region), expected);
        }
    }

    #[test]
    fn an_overridden_ecs_serves_vpc_too_unless_vpc_has_its_own() {
        let ecs = Endpoints::new().with(Product::Ecs, "http://127.0.0.1:8080/").unwrap();
        assert_eq!(resolved(&ecs, Product::Vpc, "cn-beijing"), "http://127.0.0.1:8080");
        assert_eq!(resolved(&ecs, Product::Ram, "cn-beijing"), "https://ram.aliyuncs.com");
        let both = ecs.with(Product::Vpc, "vpc.internal.example:8443").unwrap();
        assert_eq!(resolved(&both, Product::Vpc, "cn-beijing"), "https://vpc.internal.example:8443");
    }

    #[test]
    fn variables_override_and_a_wrong_one_is_named() {
        let env = |name: &str| match name {
            "ALICLOUD_ECS_ENDPOINT" => Some("http://[::1]:80".to_owned()),
            "ALICLOUD_STS_ENDPOINT" => Some("  ".to_owned()),
            _ => None,
        };
        let endpoints = Endpoints::from_env(env).unwrap();
        assert_eq!(resolved(&endpoints, Product::Ecs, "any"), "http://[::1]");
        assert_eq!(endpoints.overridden(Product::Sts), None);

        let error = Endpoints::from_env(|name| {
            (name == "ALICLOUD_RAM_ENDPOINT").then(|| "http://ram.example".into())
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "ALICLOUD_RAM_ENDPOINT: endpoint `http://ram.example`: plain http is for loopback addresses only \
             (127.0.0.0/8, ::1, localhost): requests carry secrets; use https"
        );
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in
            ["", "http://10.0.0.1", "http://localhost.example.com", "http://127.0.0.1.example.com", "ftp://a"]
        {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
        for text in [
            "https://a/path",
            "https://a?x=1",
            "https://user:hunter2@a",
            "http://0.0.0.0:80",
            "http://u:hunter2@[",
            "a b",
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        for text in ["http://127.9.9.9:1", "http://[::1]:1", "http://localhost:1", "HTTP://LOCALHOST"] {
            assert!(Endpoint::parse(text).is_ok_and(|endpoint| endpoint.is_loopback()), "{text}");
        }
    }

    #[test]
    fn the_authority_omits_the_schemes_own_port() {
        assert_eq!(Endpoint::parse("https://a.example:443").unwrap().authority(), "a.example");
        assert_eq!(Endpoint::parse("http://127.0.0.1:8080").unwrap().authority(), "127.0.0.1:8080");
    }

    #[test]
    fn a_region_cannot_smuggle_in_a_host() {
        for region in ["evil.example/", "a.b", "", "a@b", "a#"] {
            assert!(Endpoints::new().resolve(Product::Ecs, &region.into()).is_err(), "{region}");
        }
    }
}
