//! Who asks.

use alicloud_api::ecs::DescribeRegions;
use alicloud_api::sts::GetCallerIdentity;
use alicloud_api::{Client, ClientConfig, Credentials, Product, SignatureMethod};

use super::place::{Place, everywhere, refused};

/// Returns the client of a place with another key, or another signature.
async fn client(place: &Place, change: impl FnOnce(&mut ClientConfig)) -> Client {
    let credentials = place.client.credentials().await.unwrap();
    let mut config = ClientConfig::new(credentials, &place.region);
    for product in [Product::Ecs, Product::Vpc, Product::Sts] {
        if let Some(endpoint) = place.client.endpoints().overridden(product) {
            let url = format!("http{}://{}", if endpoint.is_tls() { "s" } else { "" }, endpoint.authority());
            config.endpoints = config.endpoints.with(product, &url).unwrap();
        }
    }
    change(&mut config);
    Client::new(config).unwrap()
}

#[tokio::test]
async fn both_signatures_are_accepted() {
    everywhere(async |place| {
        for method in [SignatureMethod::Acs3, SignatureMethod::RpcV1] {
            let client = client(&place, |config| config.signature = method).await;
            let regions =
                client.ecs(&place.region).describe_regions(&DescribeRegions::default()).await.unwrap();
            assert!(!regions.regions.is_empty(), "{method:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_key_are_told_apart() {
    everywhere(async |place| {
        let known = place.client.credentials().await.unwrap();
        let wrong = Credentials::new(known.access_key_id.clone(), "not-the-secret".to_owned());
        let client_of_wrong = client(&place, |config| config.credentials = wrong.into()).await;
        let error =
            refused(client_of_wrong.ecs(&place.region).describe_regions(&DescribeRegions::default()).await);
        assert!(error.is_any(&["SignatureDoesNotMatch", "IncompleteSignature"]), "{error}");
        let unknown = Credentials::new("LTAI5tKilnConformanceNone".to_owned(), "secret".to_owned());
        let client_of_unknown = client(&place, |config| config.credentials = unknown.into()).await;
        let error =
            refused(client_of_unknown.ecs(&place.region).describe_regions(&DescribeRegions::default()).await);
        assert!(error.is_any(&["InvalidAccessKeyId.NotFound", "InvalidAccessKeyId"]), "{error}");
    })
    .await;
}

#[tokio::test]
async fn the_account_is_named() {
    everywhere(async |place| {
        let who = place.client.sts().get_caller_identity(&GetCallerIdentity::default()).await.unwrap();
        assert!(!who.account_id.is_empty() && who.arn.starts_with("acs:"), "{who:?}");
    })
    .await;
}
