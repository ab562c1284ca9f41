//! The part of the scenario about the platform: teams and policies, cloud accounts.

use crate::generated::types::{
    CloudAccountPut, CloudAccountRolePut, CloudAccountUpdate, ImageCacheCreate, Policy, RegionProfilePut, TeamCreate,
    TeamUpdate,
};
use crate::{CallError, IMAGE, Story, StoryResult, demand};

impl Story {
    pub(crate) async fn keep_policies(&mut self) -> StoryResult<()> {
        let id = format!("team-{}", std::process::id());
        let new = TeamCreate::builder().id(id.as_str()).display_name("Story");
        // In a second run, the team exists already.
        let team = match self.admin.create_team().body(new).send().await {
            Ok(made) => made.into_inner().id,
            Err(CallError::ErrorResponse(refusal)) if refusal.status() == 409 => id,
            Err(error) => return Err(format!("create_team: {error}").into()),
        };
        self.called.insert("create_team".to_owned());
        let changes = TeamUpdate::builder().disabled(false);
        let changed = call!(self.update_team.team_id(&team).body(changes) as admin);
        demand(!changed.disabled, "disabled")?;
        let again = call!(self.get_team.team_id(&team) as admin);
        demand(again.version == changed.version, "another version")?;
        demand(!call!(self.list_teams.limit(100) as admin).items.is_empty(), "no team")?;
        let own = call!(self.get_me).team.clone();
        let costs = call!(self.list_team_costs.limit(100) as admin).items;
        let used = costs.iter().find(|item| item.team == own).and_then(|item| item.used.image_caches);
        demand(used.is_some_and(|used| used > 0), "the team has an image cache and costs nothing")?;
        let policy = Policy::builder().max_size_gib(100);
        let put = call!(self.put_team_policy.team_id(&team).body(policy) as admin);
        demand(put.source == "team", "not the team's own policy")?;
        let kept = call!(self.get_team_policy.team_id(&team) as admin);
        demand(kept.policy.max_size_gib == Some(100), "another policy")?;
        call!(self.delete_team_policy.team_id(&team) as admin);
        let default = call!(self.get_default_policy as admin).policy.clone();
        let again = call!(self.put_default_policy.body(default.clone()) as admin);
        demand(again.source == "default", "not the default policy")?;
        self.fill_in_a_region().await?;
        demand(call!(self.get_policy).used.image_caches.is_some(), "nothing is counted")?;
        let new = ImageCacheCreate::builder().name("try").region("cn-hangzhou").images([format!("{IMAGE}:try")]);
        let told = call!(self.dry_run_image_cache.body(new));
        demand(told.allowed && told.image_cache.name == "try", "the dry run refuses")
    }

    async fn fill_in_a_region(&mut self) -> StoryResult<()> {
        let place = "default:cn-nowhere-1";
        let profile = RegionProfilePut::builder().vswitch_ids(vec!["vsw-1".to_owned()]);
        let put = call!(self.put_region_profile.region_profile_id(place).body(profile) as admin);
        demand(put.region == "cn-nowhere-1", "another region")?;
        let kept = call!(self.get_region_profile.region_profile_id(place) as admin);
        demand(kept.vswitch_ids.len() == 1, "another profile")?;
        let listed = call!(self.list_region_profiles.limit(100) as admin);
        demand(listed.items.iter().any(|item| item.id == place), "not in the list")?;
        call!(self.delete_region_profile.region_profile_id(place) as admin);
        Ok(())
    }

    pub(crate) async fn keep_cloud_accounts(&mut self) -> StoryResult<()> {
        let name = format!("story-{}", std::process::id());
        let role = CloudAccountRolePut::try_from(CloudAccountRolePut::builder().arn("acs:ram::1:role/story"))?;
        let new = CloudAccountPut::builder().access_key_id("story").access_key_secret("secret".to_owned());
        let new = new.role(role.clone());
        let made = call!(self.put_cloud_account.cloud_account_name(&name).body(new) as admin);
        demand(made.usable && made.role.is_some(), "another account")?;
        // Its secret is kept, because the role is the same.
        let same = CloudAccountPut::builder().access_key_id("story").role(role);
        let changed = call!(self.put_cloud_account.cloud_account_name(&name).body(same) as admin);
        demand(changed.version == made.version + 1 && changed.usable, "not replaced")?;
        let disabled = CloudAccountUpdate::builder().disabled(true);
        let changed = call!(self.update_cloud_account.cloud_account_name(&name).body(disabled) as admin);
        demand(changed.version == made.version + 2 && !changed.usable, "not disabled")?;
        demand(call!(self.get_cloud_account.cloud_account_name(&name) as admin).role.is_some(), "no role any more")?;
        demand(!call!(self.list_cloud_accounts.limit(100) as admin).items.is_empty(), "no account")?;
        call!(self.delete_cloud_account.cloud_account_name(&name) as admin);
        Ok(())
    }
}
