//! Where the suite runs.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `KILN_CONFORMANCE_ENDPOINT` | run on this endpoint as well: a cloud that `kiln cloud serve` serves, a private one |
//! | `KILN_CONFORMANCE_REAL` | `1`: run on the real cloud as well |
//! | `ALICLOUD_ACCESS_KEY`, `ALICLOUD_SECRET_KEY`, `SECURITY_TOKEN`, `ALICLOUD_REGION` | whose account, and where |

use std::sync::Arc;
use std::time::Duration;

use alicloud_api::ecs::{self, Tag};
use alicloud_api::{
    Client, ClientConfig, Credentials, Endpoints, Error, Pace, Product, RegionId, Result, Verdict, VpcId,
    Wait, ZoneId, vpc, wait_until,
};
use alicloud_local::{Cloud, CloudOptions, HelperProgram};
use tokio_util::sync::CancellationToken;

/// On everything that is made, with the test's own number.
const TAG: &str = "kiln-conformance";
/// States pass this many times as fast in the embedded cloud.
const SPEED: f64 = 1000.0;
/// How long a state may take, and a deletion until whatever depends on the resource is gone.
const DEADLINE: Duration = Duration::from_secs(180);

/// A cloud, an account and a region in it.
pub struct Place {
    /// What it is called in failures.
    pub name: &'static str,
    pub client: Client,
    pub region: RegionId,
    /// Tells what one test made from everything else, in names too.
    pub run: String,
}

/// Runs `check` in the embedded cloud, and where else is wished.
pub async fn everywhere<F, Fut>(check: F)
where
    F: Fn(Arc<Place>) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let helper = HelperProgram { path: "/nonexistent".into(), args: Vec::new() };
    let options = CloudOptions { speed: SPEED, allow_no_sandbox: true, ..CloudOptions::new(helper) };
    let cloud = Cloud::start(options).await.unwrap();
    let (key, secret) = cloud.credentials();
    let place = Place::at(
        "the embedded cloud",
        Some(&cloud.endpoint()),
        Credentials::new(key, secret),
        "cn-hangzhou",
    );
    place.checked(&check).await;
    cloud.shutdown().await;
    match wished() {
        Ok(places) => {
            for place in places {
                place.checked(&check).await;
            }
        }
        Err(why) => eprintln!("skipped on the real cloud: {why}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "nobody hands a test the environment")]
fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn wished() -> std::result::Result<Vec<Place>, &'static str> {
    let endpoint = env("KILN_CONFORMANCE_ENDPOINT");
    let real = env("KILN_CONFORMANCE_REAL").is_some_and(|value| value == "1");
    if endpoint.is_none() && !real {
        return Err(
            "KILN_CONFORMANCE_REAL=1 is not set (it makes networks and key pairs, and deletes them again)",
        );
    }
    let keys = env("ALICLOUD_ACCESS_KEY").zip(env("ALICLOUD_SECRET_KEY"));
    let (key, secret) = keys.ok_or("ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY are not set")?;
    let credentials = match env("SECURITY_TOKEN") {
        Some(token) => Credentials::new(key, secret).with_security_token(token),
        None => Credentials::new(key, secret),
    };
    let region = env("ALICLOUD_REGION").unwrap_or_else(|| "cn-hangzhou".to_owned());
    let other = endpoint.map(|it| Place::at("the endpoint", Some(&it), credentials.clone(), &region));
    let real = real.then(|| Place::at("the real cloud", None, credentials.clone(), &region));
    Ok(other.into_iter().chain(real).collect())
}

impl Place {
    fn at(name: &'static str, endpoint: Option<&str>, credentials: Credentials, region: &str) -> Place {
        let mut config = ClientConfig::new(credentials, region);
        if let Some(endpoint) = endpoint {
            for product in [Product::Ecs, Product::Vpc, Product::Sts] {
                config.endpoints = config.endpoints.with(product, endpoint).unwrap();
            }
            config.poll_floor = Duration::from_millis(5);
        } else {
            config.endpoints = Endpoints::new();
        }
        let run = format!("kc-{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        Place { name, client: Client::new(config).unwrap(), region: region.into(), run }
    }

    /// Runs the check; what it made goes, even if it panicked.
    async fn checked<F, Fut>(self, check: &F)
    where
        F: Fn(Arc<Place>) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let place = Arc::new(self);
        let result = tokio::spawn(check(Arc::clone(&place))).await;
        let swept = place.sweep().await;
        if let Err(error) = result {
            eprintln!("on {}:", place.name);
            std::panic::resume_unwind(error.into_panic());
        }
        swept.unwrap();
    }

    pub fn ecs(&self) -> ecs::Ecs {
        self.client.ecs(&self.region)
    }

    pub fn vpc(&self) -> vpc::Vpc {
        self.client.vpc(&self.region)
    }

    /// The tag of everything that is made.
    pub fn tags(&self) -> Vec<Tag> {
        vec![Tag::new(TAG, &self.run)]
    }

    /// Returns the request for a network of this test.
    pub fn network(&self, token: &str) -> vpc::CreateVpc {
        vpc::CreateVpc {
            client_token: Some(format!("{}-{token}", self.run)),
            cidr_block: Some("172.16.0.0/16".to_owned()),
            vpc_name: Some(self.run.clone()),
            tags: self.tags(),
            ..Default::default()
        }
    }

    /// Makes a network and waits until it can be used.
    pub async fn make_vpc(&self) -> VpcId {
        let id = self.vpc().create_vpc(&self.network("vpc")).await.unwrap().vpc_id;
        self.until("the VPC to be there", &[], || async {
            let request = vpc::DescribeVpcs { vpc_id: Some(id.clone()), ..Default::default() };
            let found = self.vpc().describe_vpcs(&request).await?;
            Ok(match found.vpcs.first().map(|vpc| vpc.status.clone()) {
                Some(status) if status == "Available" => Verdict::Done(()),
                status => Verdict::not_yet(status.unwrap_or_default()),
            })
        })
        .await
        .unwrap();
        id
    }

    /// Returns a zone in which vSwitches can be made and instances sold.
    pub async fn zone(&self) -> ZoneId {
        let request = ecs::DescribeAvailableResource {
            destination_resource: "InstanceType".to_owned(),
            ..Default::default()
        };
        let zones = self.ecs().describe_available_resource(&request).await.unwrap().available_zones;
        zones.into_iter().find(|zone| zone.status == "Available").unwrap().zone_id
    }

    /// Waits until `probe` is done.
    pub async fn until<T, F, Fut>(
        &self,
        what: &str,
        tolerated: &'static [&'static str],
        probe: F,
    ) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<Verdict<T>>>,
    {
        let pace: Pace = self.client.pace();
        let cancel = CancellationToken::new();
        wait_until(Wait { what: what.to_owned(), deadline: DEADLINE, pace, tolerated, cancel }, probe).await
    }

    /// Deletes until it is gone: what depends on it may still be going.
    pub async fn delete<F, Fut, T>(&self, what: &str, call: F) -> Result<()>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let call = &call;
        self.until(what, BUSY, || async move {
            match call().await {
                Ok(_) => Ok(Verdict::Done(())),
                Err(error) if error.is_not_found() => Ok(Verdict::Done(())),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Deletes what bears the test's tag.
    async fn sweep(&self) -> Result<()> {
        let (ecs, vpc, tags) = (&self.ecs(), &self.vpc(), self.tags());
        for pair in ecs.all(&ecs::DescribeKeyPairs { tags: tags.clone(), ..Default::default() }).await? {
            let request = ecs::DeleteKeyPairs { key_pair_names: vec![pair.key_pair_name] };
            self.delete("the key pair to go", || ecs.delete_key_pairs(&request)).await?;
        }
        for group in
            ecs.all(&ecs::DescribeSecurityGroups { tags: tags.clone(), ..Default::default() }).await?
        {
            let request = ecs::DeleteSecurityGroup { security_group_id: group.security_group_id };
            self.delete("the security group to go", || ecs.delete_security_group(&request)).await?;
        }
        for vswitch in vpc.all(&vpc::DescribeVSwitches { tags: tags.clone(), ..Default::default() }).await? {
            let request = vpc::DeleteVSwitch { vswitch_id: vswitch.vswitch_id };
            self.delete("the vSwitch to go", || vpc.delete_vswitch(&request)).await?;
        }
        for found in vpc.all(&vpc::DescribeVpcs { tags, ..Default::default() }).await? {
            let request = vpc::DeleteVpc { vpc_id: found.vpc_id, ..Default::default() };
            self.delete("the VPC to go", || vpc.delete_vpc(&request)).await?;
        }
        Ok(())
    }
}

/// Something that depends on the resource is still there, or the resource not yet as it should be.
const BUSY: &[&str] = &[
    "DependencyViolation",
    "DependencyViolation.VSwitch",
    "DependencyViolation.SecurityGroup",
    "IncorrectVSwitchStatus",
    "IncorrectVpcStatus",
    "TaskConflict",
];

/// Returns the code of a refusal.
#[track_caller]
pub fn refused<T>(result: Result<T>) -> Error {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error,
    }
}
