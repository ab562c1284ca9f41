//! Any valid create or update, flattened and read back, is the same value; nothing panics.

use secrecy::ExposeSecret as _;

use super::*;
use crate::domain::clock::Instant;
use crate::domain::entropy::Entropy;
use crate::domain::ids::OperationId;
use crate::domain::image_cache::spec::OPERATION_TAG;
use crate::domain::policy::team::TEAM_TAG;
use crate::domain::poll::bucket::BUCKET_TAG;
use crate::eci::client::Attempt;
use crate::eci::params;

/// Draws values; the same seed gives the same ones.
struct Draw(Entropy);

impl Draw {
    fn below(&self, end: usize) -> usize {
        usize::try_from(u32::from_le_bytes(self.0.bytes())).expect("32 bits") % end
    }

    fn maybe<T>(&self, value: impl FnOnce(&Self) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| value(self))
    }

    fn many<T>(&self, most: usize, value: impl Fn(&Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| value(self)).collect()
    }

    fn letters(&self, from: &str, most: usize) -> String {
        let letters: Vec<_> = from.chars().collect();
        (0..=self.below(most)).map(|_| letters[self.below(letters.len())]).collect()
    }

    /// Anything that may stand in a name, blanks and quotes and commas among it.
    fn text(&self) -> String {
        self.letters("aZ09 ,\"'&=+%*~/é键🚀._-", 20)
    }

    fn id(&self) -> String {
        self.letters("abcXYZ0189-_", 20)
    }

    fn host(&self) -> String {
        self.letters("abcz09.-:[]_", 20)
    }

    fn number(&self, from: i32, to: i32) -> i32 {
        let span = usize::try_from(to - from + 1).expect("a range");
        from + i32::try_from(self.below(span)).expect("within the range")
    }

    fn images(&self) -> Vec<String> {
        let one = |place: usize| {
            let (host, port, repository) =
                (self.letters("abcz09", 20), self.number(1, 65_535), self.letters("abcz09", 20));
            format!("{host}.example:{port}/{repository}:{place}")
        };
        (0..=self.below(19)).map(one).collect()
    }

    fn acr(&self, roles: bool) -> AcrRegistry {
        let arn = |draw: &Self| format!("acs:ram::{}:role/x", draw.id());
        AcrRegistry {
            instance_id: self.id(),
            instance_name: self.maybe(Self::text),
            region_id: self.maybe(Self::id),
            domains: self.many(20, Self::host),
            arn_service: self.maybe(arn).filter(|_| roles),
            arn_user: self.maybe(arn).filter(|_| roles),
        }
    }

    fn strategy(&self) -> EliminationStrategy {
        [EliminationStrategy::Keep, EliminationStrategy::Lru][self.below(2)]
    }

    fn login(&self) -> RegistryCredential {
        RegistryCredential { server: self.host(), user_name: self.text(), password: self.text().into() }
    }

    fn tags(&self) -> std::collections::BTreeMap<String, String> {
        self.many(20, |draw| (format!("k{}", draw.text()), draw.maybe(Self::text).unwrap_or_default()))
            .into_iter()
            .collect()
    }

    fn create(&self) -> NewImageCache {
        let spec = ImageCacheSpec {
            name: self.text(),
            region: ["cn-beijing", "ap-southeast-1"][self.below(2)].parse().expect("a region"),
            images: self.images(),
            vswitch_ids: self.many(10, Self::id),
            security_group_id: self.maybe(Self::id),
            eip_instance_id: self.maybe(Self::id),
            size_gib: self.maybe(|draw| draw.number(20, 32_768)),
            retention_days: self.maybe(|draw| draw.number(1, 65_536)),
            flash: self.maybe(|draw| draw.below(2) == 0),
            reuse_layers: self.maybe(|draw| draw.below(2) == 0),
            tags: self.tags(),
            zone_id: self.maybe(Self::id),
            resource_group_id: self.maybe(Self::id),
            acr_registries: self.many(20, |draw| draw.acr(true)),
            plain_http_registries: self.many(20, Self::host),
            insecure_registries: self.many(20, Self::host),
            annotations: self.maybe(Self::text),
            os_type: self.maybe(|draw| [OsType::Linux, OsType::Windows][draw.below(2)]),
            standard_copy_count: self.maybe(|draw| draw.number(1, 100)),
            flash_copy_count: self.maybe(|draw| draw.number(1, 100)),
            elimination_strategy: self.maybe(Self::strategy),
        };
        NewImageCache { cloud_account: None, spec, registry_credentials: self.many(20, Self::login) }
    }

    fn changes(&self) -> ImageCacheChanges {
        ImageCacheChanges {
            name: self.maybe(Self::text),
            images: self.maybe(Self::images),
            vswitch_ids: given(self.many(10, Self::id)),
            size_gib: self.maybe(|draw| draw.number(20, 32_768)),
            elimination_strategy: self.maybe(Self::strategy),
            acr_registries: given(self.many(20, |draw| draw.acr(false))),
            registry_credentials: self.many(20, Self::login),
            tags: Some(self.tags()).filter(|tags| !tags.is_empty()),
            ..ImageCacheChanges::default()
        }
    }

    fn attempt(&self) -> Attempt {
        let operation = OperationId::new(Instant::UNIX_EPOCH, &self.0);
        let bucket = self.maybe(Self::id);
        let marks = if self.below(2) == 0 { vec![(TEAM_TAG.to_owned(), "web".to_owned())] } else { Vec::new() };
        Attempt { operation, client_token: self.id(), signed_at: Instant::UNIX_EPOCH, bucket, marks }
    }
}

fn bare(logins: &[RegistryCredential]) -> Vec<(&str, &str, &str)> {
    logins
        .iter()
        .map(|login| (login.server.as_str(), login.user_name.as_str(), login.password.expose_secret()))
        .collect()
}

#[test]
fn any_valid_create_reads_back_as_itself() {
    for seed in 0..2_000 {
        let draw = Draw(Entropy::from_seed(seed));
        let (new, attempt) = (draw.create(), draw.attempt());
        assert_eq!(new.check(), Ok(()), "seed {seed}");
        let params = params::create(&new.spec, &new.registry_credentials, &attempt).into_inner();
        let (mut read, token) = read_create(&params).unwrap_or_else(|refused| panic!("seed {seed}: {refused}"));
        let own = read.spec.tags.remove(OPERATION_TAG);
        assert_eq!(own.is_some(), new.spec.tags.len() < MAX_TAGS, "seed {seed}");
        let bucket = read.spec.tags.remove(BUCKET_TAG);
        let before = new.spec.tags.len() + 1 + usize::from(attempt.bucket.is_some());
        let mark = read.spec.tags.remove(TEAM_TAG);
        assert_eq!(mark.is_some(), !attempt.marks.is_empty() && before < MAX_TAGS, "seed {seed}");
        assert_eq!(bucket, attempt.bucket.filter(|_| new.spec.tags.len() + 2 <= MAX_TAGS), "seed {seed}");
        assert_eq!(read.spec, new.spec, "seed {seed}");
        assert_eq!(bare(&read.registry_credentials), bare(&new.registry_credentials), "seed {seed}");
        assert_eq!(token, Some(attempt.client_token), "seed {seed}");
    }
}

#[test]
fn any_update_reads_back_as_itself() {
    for seed in 0..1_000 {
        let draw = Draw(Entropy::from_seed(seed));
        let (changes, attempt, id) = (draw.changes(), draw.attempt(), draw.id());
        let region: Region = "cn-beijing".parse().expect("a region");
        let params = params::update(&region, &id, &changes, &changes.registry_credentials, &attempt).into_inner();
        let (target, _, mut read, _) = read_update(&params).unwrap_or_else(|refused| panic!("seed {seed}: {refused}"));
        if let Some(tags) = &mut read.tags {
            tags.remove(OPERATION_TAG);
            tags.remove(BUCKET_TAG);
            tags.remove(TEAM_TAG);
        }
        assert_eq!(target, id);
        let plain = |changes| serde_json::to_value(changes).expect("JSON");
        assert_eq!(plain(&read), plain(&changes), "seed {seed}");
        assert_eq!(bare(&read.registry_credentials), bare(&changes.registry_credentials), "seed {seed}");
    }
}

#[test]
fn nothing_panics() {
    let names = ["Image", "Tag", "AcrRegistryInfo", "ImageRegistryCredential", "MatchImage", "Limit", "ImageCacheSize"];
    for seed in 0..5_000 {
        let draw = Draw(Entropy::from_seed(seed));
        let params = draw.many(30, |draw| {
            let tail = draw.letters("0123456789..DomainKeyValue-é+ ", 12);
            (format!("{}.{tail}", names[draw.below(names.len())]), draw.text())
        });
        let least = [("RegionId", "cn-beijing"), ("ImageCacheName", "web"), ("Image.1", "x"), ("ImageCacheId", "y")];
        let own = least.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let params = [params, own.to_vec()].concat();
        // Whatever they say, they say it.
        let _read = (read_create(&params), read_update(&params), read_describe(&params), read_list_usage(&params));
    }
}
