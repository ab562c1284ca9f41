//! The final state of the cloud, read directly from the stand-in.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use eci_cache_gateway::domain::clock::SystemClock;
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::region::Region;
use eci_cache_gateway::eci::{self, Client, CredentialSource, Credentials, DescribeQuery};
use eci_cache_gateway::egress::Egress;

use crate::settings::{ACCESS_KEY, ACCESS_SECRET};

/// The regions that the scenarios use.
const REGIONS: [&str; 2] = ["cn-hangzhou", "cn-beijing"];

/// A client of the cloud's own API at `endpoint`, which is the stand-in or a gateway.
pub(crate) fn client(endpoint: String, credentials: Credentials) -> anyhow::Result<Client> {
    let limit = Duration::from_secs(15);
    let settings = eci::ClientSettings {
        endpoint,
        connect_timeout: limit,
        timeout: limit,
        keep_idle: eci::KEEP_IDLE,
        max_answer_bytes: 1 << 20,
        egress: Egress::default(),
    };
    Ok(Client::new(settings, CredentialSource::Own(credentials), Arc::new(SystemClock), Arc::new(Entropy::from_os()))?)
}

/// The ids of all image caches in the stand-in.
pub(crate) async fn held(standin: &str) -> anyhow::Result<BTreeSet<String>> {
    let credentials = Credentials {
        access_key_id: ACCESS_KEY.into(),
        access_key_secret: ACCESS_SECRET.to_owned().into(),
        security_token: None,
    };
    let client = client(standin.to_owned(), credentials)?;
    let mut ids = BTreeSet::new();
    for region in REGIONS {
        let (region, mut query): (Region, _) = (region.parse()?, DescribeQuery::default());
        loop {
            let page = client.describe(&region, &query).await.map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
            ids.extend(page.caches.into_iter().map(|seen| seen.eci_cache_id));
            query.next_token = page.next_token;
            if query.next_token.is_none() {
                break;
            }
        }
    }
    Ok(ids)
}
