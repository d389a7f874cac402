//! Key pairs: by name, without client tokens.

use alicloud_api::ecs::{DeleteKeyPairs, DescribeKeyPairs, ImportKeyPair, ListTagResources, ResourceType};

use super::place::{everywhere, refused};

/// Its private half was thrown away.
const PUBLIC: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCMjKfaCRby/hEgCF0hYKy1b9GRo0o8Xat3YuIoUdrOPMBiD8PWlF7a+3RDcFZf+bZur3wC2K+6Usm6N6pdDU89TyUqgtXyKFZIWgGwSw4IPG/c1AWsSu2ZCxRGhB6G9QtWrktlQkc++1DF6gxWadPdAP//cqzn+fpUDaQlNiiRy9eU5cDCCfKzbZLQbU0R5q2M7ppitdcoYMNG4LcCPSwe1C9hbvG8ol/HZ64XVUOtDcUg7Mn5vG6K3S2iFYd8Yezp1vt1J6dtoFK/s7aPqAEOpZyB2nGzEN4eNyti7uNvmEdbpLEVVTVugUCKt9sRaewM4X1Ef9MvaUQheI0KGM+F kiln-conformance";

#[tokio::test]
async fn a_name_is_taken_once() {
    everywhere(async |place| {
        let ecs = place.ecs();
        let request = ImportKeyPair {
            key_pair_name: place.run.clone(),
            public_key_body: PUBLIC.to_owned(),
            tags: place.tags(),
            ..Default::default()
        };
        let made = ecs.import_key_pair(&request).await.unwrap();
        assert_eq!(made.key_pair_name, place.run);
        let error = refused(ecs.import_key_pair(&request).await);
        assert!(error.is("KeyPair.AlreadyExist"), "{error}");

        let look = DescribeKeyPairs { key_pair_name: Some(place.run.clone()), ..Default::default() };
        let found = ecs.describe_key_pairs(&look).await.unwrap().key_pairs;
        let [found] = &found[..] else { panic!("{found:?}") };
        assert_eq!(found.key_pair_finger_print, made.key_pair_finger_print);
        let by_tag = ecs.all(&DescribeKeyPairs { tags: place.tags(), ..Default::default() }).await.unwrap();
        assert_eq!(by_tag.len(), 1, "{by_tag:?}");
        let listed = ListTagResources {
            resource_type: ResourceType::KeyPair,
            tags: place.tags(),
            ..Default::default()
        };
        let listed = ecs.all(&listed).await.unwrap();
        assert_eq!(listed.iter().map(|it| &it.resource_id).collect::<Vec<_>>(), [&place.run]);

        let delete = DeleteKeyPairs { key_pair_names: vec![place.run.clone()] };
        ecs.delete_key_pairs(&delete).await.unwrap();
        assert!(ecs.describe_key_pairs(&look).await.unwrap().key_pairs.is_empty());
        // Deleting what is gone is success, or at least told as "not found".
        assert!(ecs.delete_key_pairs(&delete).await.is_ok_or_gone());
    })
    .await;
}

trait Gone {
    fn is_ok_or_gone(&self) -> bool;
}

impl<T> Gone for alicloud_api::Result<T> {
    fn is_ok_or_gone(&self) -> bool {
        self.as_ref().err().is_none_or(alicloud_api::Error::is_not_found)
    }
}
