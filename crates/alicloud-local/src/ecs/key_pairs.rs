//! Key pairs: made by the cloud (RSA, as there) or imported.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use russh::keys::ssh_key::private::{KeypairData, RsaKeypair};
use russh::keys::ssh_key::{HashAlg, PrivateKey, PublicKey};
use serde_json::{Value, json};

use crate::api::{Action, Answer, ApiError, Cx, Kind, PAGE_50, ecs_tags, read, refuse, write};
use crate::model::KeyPair;

/// The actions of key pairs.
pub const ACTIONS: &[Action] = &[
    Action {
        name: "CreateKeyPair",
        kind: Kind::WriteWithKey,
        required: &["RegionId", "KeyPairName"],
        run: create,
    },
    write("ImportKeyPair", &["RegionId", "KeyPairName", "PublicKeyBody"], import),
    read("DescribeKeyPairs", &["RegionId"], describe),
    write("DeleteKeyPairs", &["RegionId", "KeyPairNames"], delete),
    write("AttachKeyPair", &["RegionId", "KeyPairName", "InstanceIds"], attach),
    write("DetachKeyPair", &["RegionId", "KeyPairName", "InstanceIds"], detach),
];

/// How long the cloud's RSA keys are.
const BITS: usize = 2048;

/// A key just made: its private half leaves with the answer and is not kept.
pub struct FreshKey {
    private_pem: String,
    public: PublicKey,
}

impl FreshKey {
    /// Makes a key. It takes a while: not to be called on a runtime thread.
    pub fn make(seed: [u8; 32]) -> Option<FreshKey> {
        use rand::SeedableRng as _;
        let mut random = rand::rngs::StdRng::from_seed(seed);
        let pair = RsaKeypair::random(&mut random, BITS).ok()?;
        let key = PrivateKey::new(KeypairData::from(pair), "").ok()?;
        let mut pkcs8 = Vec::new();
        russh::keys::encode_pkcs8_pem(&key, &mut pkcs8).ok()?;
        let private_pem = pkcs1_of_pkcs8(std::str::from_utf8(&pkcs8).ok()?)?;
        Some(FreshKey { private_pem, public: key.public_key().clone() })
    }
}

/// Takes the PKCS#1 key out of its PKCS#8 wrapping, since the cloud hands out `BEGIN RSA PRIVATE KEY`.
fn pkcs1_of_pkcs8(pem: &str) -> Option<String> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(body).ok()?;
    // SEQUENCE { INTEGER version, SEQUENCE algorithm, OCTET STRING { the key } }
    let (outer, _) = der_element(&der, 0x30)?;
    let (_, rest) = der_element(outer, 0x02)?;
    let (_, rest) = der_element(rest, 0x30)?;
    let (key, _) = der_element(rest, 0x04)?;
    let mut text = String::from("-----BEGIN RSA PRIVATE KEY-----\n");
    for line in STANDARD.encode(key).as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.push_str("-----END RSA PRIVATE KEY-----\n");
    Some(text)
}

/// Splits the first element, which must have this tag, from what follows it.
fn der_element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (&short, mut rest) = rest.split_first()?;
    let mut length = usize::from(short);
    if short & 0x80 != 0 {
        let count = usize::from(short & 0x7f);
        let digits = rest.get(..count)?;
        length = digits.iter().fold(0_usize, |sum, digit| (sum << 8) | usize::from(*digit));
        rest = &rest[count..];
    }
    (first == tag && rest.len() >= length).then(|| rest.split_at(length))
}

fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Returns where a key pair stands in its account.
pub fn place(region: &str, name: &str) -> String {
    format!("{region}/{name}")
}

fn insert(cx: &mut Cx<'_>, public: &PublicKey) -> Answer {
    let region = cx.region()?;
    let name = cx.params.text("KeyPairName");
    let wrong = |letter: char| !(letter.is_alphanumeric() || ":_-.".contains(letter));
    if !(2..=128).contains(&name.chars().count())
        || !name.chars().next().is_some_and(char::is_alphabetic)
        || name.contains(wrong)
        || name.starts_with("http://")
        || name.starts_with("https://")
    {
        return Err(refuse("InvalidKeyPairName.Malformed"));
    }
    if cx.account().key_pairs.contains_key(&place(&region.id, &name)) {
        return Err(refuse("KeyPair.AlreadyExist"));
    }
    let tags = cx.params.tags()?;
    let has = cx.account().key_pairs.values().filter(|pair| pair.region == region.id).count();
    cx.within_quota("key_pair", 500, has, "QuotaExceed.KeyPair")?;
    let pair = KeyPair {
        id: cx.new_id("ssh", region),
        region: region.id.clone(),
        public_key: public.to_openssh().map_err(|_| refuse("InvalidPublicKeyBody.Malformed"))?,
        fingerprint: fingerprint(public),
        name: name.clone(),
        tags,
        created: cx.now(),
    };
    let answer =
        json!({"KeyPairName": pair.name, "KeyPairId": pair.id, "KeyPairFingerPrint": pair.fingerprint});
    cx.account_mut().key_pairs.insert(place(&region.id, &name), pair);
    Ok(answer)
}

fn create(cx: &mut Cx<'_>) -> Answer {
    let key = cx.key.take().ok_or_else(|| refuse("InternalError"))?;
    let mut public = key.public;
    public.set_comment(cx.params.text("KeyPairName"));
    let mut answer = insert(cx, &public)?;
    answer["PrivateKeyBody"] = json!(key.private_pem);
    Ok(answer)
}

fn import(cx: &mut Cx<'_>) -> Answer {
    let body = cx.params.text("PublicKeyBody");
    let public =
        PublicKey::from_openssh(body.trim()).map_err(|_| refuse("InvalidPublicKeyBody.Malformed"))?;
    insert(cx, &public)
}

fn describe(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let params = cx.params;
    let name_fits = |name: &str| match params.get("KeyPairName") {
        None => true,
        // An asterisk at an end stands for anything.
        Some(wanted) => match (wanted.strip_prefix('*'), wanted.strip_suffix('*')) {
            (Some(_), Some(_)) => name.contains(wanted.trim_matches('*')),
            (Some(end), None) => name.ends_with(end),
            (None, Some(start)) => name.starts_with(start),
            (None, None) => name == wanted,
        },
    };
    let pairs = cx.account().key_pairs.values().filter(|pair| {
        pair.region == region.id
            && name_fits(&pair.name)
            && params.get("KeyPairFingerPrint").is_none_or(|wanted| wanted == pair.fingerprint)
            && params.wants(&pair.tags)
    });
    let items: Vec<Value> = pairs
        .map(|pair| {
            json!({
                "KeyPairName": pair.name, "KeyPairId": pair.id, "KeyPairFingerPrint": pair.fingerprint,
                "PublicKey": pair.public_key, "CreationTime": pair.created.to_seconds(), "ResourceGroupId": "",
                "Tags": ecs_tags(&pair.tags),
            })
        })
        .collect();
    cx.page("KeyPairs", "KeyPair", items, PAGE_50)
}

fn delete(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let names = cx.params.json_list("KeyPairNames")?.unwrap_or_default();
    if names.is_empty() || names.len() > 100 {
        return Err(ApiError::invalid("KeyPairNames"));
    }
    for name in &names {
        if !cx.account().key_pairs.contains_key(&place(&region.id, name)) {
            return Err(refuse("InvalidKeyPairName.NotFound"));
        }
        let bound = |instance: &&crate::model::Instance| {
            instance.region == region.id && instance.key_pair.as_deref() == Some(name) && !instance.deleting
        };
        if cx.account().instances.values().any(|instance| bound(&instance)) {
            return Err(refuse("InvalidParameter.KeypairAlreadyAttachedInstance"));
        }
    }
    for name in &names {
        cx.account_mut().key_pairs.remove(&place(&region.id, name));
    }
    Ok(json!({}))
}

fn attach(cx: &mut Cx<'_>) -> Answer {
    bind(cx, true)
}

fn detach(cx: &mut Cx<'_>) -> Answer {
    bind(cx, false)
}

/// Binds or unbinds. It takes effect when the instance is started the next time, as in the real cloud.
fn bind(cx: &mut Cx<'_>, attach: bool) -> Answer {
    let region = cx.region()?;
    let name = cx.params.text("KeyPairName");
    if !cx.account().key_pairs.contains_key(&place(&region.id, &name)) {
        return Err(refuse("InvalidKeyPairName.NotFound"));
    }
    let ids = cx.params.json_list("InstanceIds")?.unwrap_or_default();
    if ids.is_empty() || ids.len() > 50 {
        return Err(ApiError::invalid("InstanceIds"));
    }
    let mut results = Vec::new();
    let mut failed = 0;
    for id in &ids {
        let verdict = bind_one(cx, &region.id, &name, id, attach);
        failed += u32::from(verdict.is_err());
        results.push(match verdict {
            Ok(()) => json!({"InstanceId": id, "Code": "200", "Message": "successful", "Success": "true"}),
            Err(error) => {
                json!({"InstanceId": id, "Code": error.code, "Message": error.message, "Success": "false"})
            }
        });
    }
    // A single instance that cannot have a key at all is refused as a whole.
    if let [only] = results.as_slice()
        && only["Code"] == "DependencyViolation.WindowsInstance"
    {
        return Err(refuse("DependencyViolation.WindowsInstance"));
    }
    Ok(json!({
        "KeyPairName": name, "TotalCount": ids.len(), "FailCount": failed, "Results": {"Result": results},
    }))
}

fn bind_one(cx: &mut Cx<'_>, region: &str, name: &str, id: &str, attach: bool) -> Result<(), ApiError> {
    let found =
        cx.account().instances.get(id).filter(|instance| instance.region == region && !instance.deleting);
    let instance = found.ok_or_else(|| refuse("InvalidInstanceId.NotFound"))?;
    let base = super::images::base_of(cx.state, &instance.image_id);
    if attach && base.is_some_and(|base| base.os_type == "windows") {
        return Err(refuse("DependencyViolation.WindowsInstance"));
    }
    if attach && instance.stage.now == crate::model::InstanceStatus::Pending {
        return Err(refuse("IncorrectInstanceStatus.Initializing"));
    }
    if let Some(instance) = cx.account_mut().instances.get_mut(id) {
        if attach {
            instance.key_pair = Some(name.to_owned());
        } else if instance.key_pair.as_deref() == Some(name) {
            instance.key_pair = None;
        }
    }
    Ok(())
}

/// Returns the line of `authorized_keys` for an instance's key pair.
pub fn public_line(account: &crate::model::Account, region: &str, name: &str) -> Option<String> {
    account.key_pairs.get(&place(region, name)).map(|pair| pair.public_key.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_is_pkcs1_and_its_halves_belong_together() {
        let key = FreshKey::make([7; 32]).unwrap();
        assert!(key.private_pem.starts_with("-----BEGIN RSA PRIVATE KEY-----\nMII"));
        let read = russh::keys::decode_secret_key(&key.private_pem, None).unwrap();
        assert_eq!(read.public_key().key_data(), key.public.key_data());
    }
}
