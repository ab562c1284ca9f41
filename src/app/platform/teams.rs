//! Teams, their policies and the default policy, as the platform's administrators manage them; and what a team may read
//! about its own.

use super::policy::AccountChoice;
use crate::app::cursor::{CursorList, one_more, unreadable};
use crate::app::input::{NewTeam, TeamChanges};
use crate::app::platform::Platform;
use crate::app::precondition::moved;
use crate::app::precondition::{Precondition, Versions};
use crate::app::view::{AmountsView, PolicyView, TeamPolicyView, TeamView};
use crate::app::{Call, Error, access};
use crate::domain::event::EventType;
use crate::domain::filter::{Page, Slice};
use crate::domain::identity::caller::{Caller, TeamId};
use crate::domain::policy::Policy;
use crate::domain::policy::team::{PolicySource, Team, policy_of};
use crate::domain::problem::Code;
use crate::store::once_committed;

const CREATE: &str = "create_team";
const UPDATE: &str = "update_team";
const PUT: &str = "put_team_policy";
const DELETE: &str = "delete_team_policy";
const PUT_DEFAULT: &str = "put_default_policy";

impl Platform {
    /// Registers a team.
    pub async fn create_team(&self, caller: &Caller, call: &Call, new: NewTeam) -> Result<TeamView, Error> {
        access::check(caller, CREATE)?;
        let now = self.base.now();
        let team = Team {
            display_name: new.display_name,
            contacts: new.contacts,
            cost_centre: new.cost_centre,
            policy: new.policy,
            disabled_at: new.disabled.then_some(now),
            ..Team::unnamed(new.id, now)
        };
        team.check()?;
        self.check_policy(team.policy.as_ref(), "/policy")?;
        let detail = format!("the team {} is already registered", team.id);
        let added = self.add_team(caller, call, CREATE, team).await?;
        added.map(Into::into).ok_or(Error::Conflict { code: Code::TeamExists, detail })
    }

    /// The registered teams, by id.
    pub async fn list_teams(&self, caller: &Caller, page: &Page) -> Result<Slice<TeamView>, Error> {
        access::check(caller, "list_teams")?;
        let list = CursorList::new(&self.base, caller, "teams", &());
        let after = list.place(page)?.map(|place| place.parse().map_err(|_| unreadable())).transpose()?;
        let teams = self.base.store().teams(after.as_ref(), one_more(page)).await?;
        Ok(list.slice(teams, page, |team| team.id.to_string()))
    }

    /// One team.
    pub async fn get_team(&self, caller: &Caller, id: &TeamId) -> Result<TeamView, Error> {
        access::check(caller, "get_team")?;
        Ok(self.registered(id, &Precondition::default()).await?.into())
    }

    /// Applies the given changes. A disabled team is refused at once here, and everywhere within a second. Disabling a
    /// team that was active but never registered registers it too, so that whoever contains it need not know the
    /// difference.
    pub async fn update_team(
        &self,
        caller: &Caller,
        call: &Call,
        id: &TeamId,
        changes: TeamChanges,
        precondition: &Precondition,
    ) -> Result<TeamView, Error> {
        access::check(caller, UPDATE)?;
        let registered = self.registered(id, precondition).await;
        let is_new = changes.disabled == Some(true) && matches!(registered, Err(Error::NotFound(_)));
        let mut team = if is_new { self.unregistered(id, precondition).await? } else { registered? };
        team.display_name = changes.display_name.unwrap_or(team.display_name);
        team.contacts = changes.contacts.unwrap_or(team.contacts);
        if let Some(centre) = changes.cost_centre {
            team.cost_centre = Some(centre).filter(|centre| !centre.is_empty());
        }
        if let Some(disabled) = changes.disabled {
            team.disabled_at = disabled.then(|| team.disabled_at.unwrap_or_else(|| self.base.now()));
        }
        team.check()?;
        if is_new {
            return self.add_team(caller, call, UPDATE, team).await?.map(Into::into).ok_or_else(moved);
        }
        Ok(self.write_team(caller, call, UPDATE, team).await?.into())
    }

    /// The policy that applies to a registered team.
    pub async fn get_team_policy(&self, caller: &Caller, id: &TeamId) -> Result<TeamPolicyView, Error> {
        access::check(caller, "get_team_policy")?;
        let team = self.registered(id, &Precondition::default()).await?;
        let default = self.base.store().default_policy().await?.map(|(policy, _)| policy);
        let (policy, source) = policy_of(Some(&team), default.as_ref());
        Ok(TeamPolicyView { source: source.as_str().to_owned(), policy, version: team.version })
    }

    /// Gives a team a policy of its own.
    pub async fn put_team_policy(
        &self,
        caller: &Caller,
        call: &Call,
        id: &TeamId,
        policy: Policy,
        precondition: &Precondition,
    ) -> Result<TeamPolicyView, Error> {
        access::check(caller, PUT)?;
        self.check_policy(Some(&policy), "")?;
        let team = Team { policy: Some(policy.clone()), ..self.registered(id, precondition).await? };
        let version = self.write_team(caller, call, PUT, team).await?.version;
        Ok(TeamPolicyView { source: PolicySource::Team.as_str().to_owned(), policy, version })
    }

    /// Deletes a team's own policy, so that the default policy applies to it.
    pub async fn delete_team_policy(
        &self,
        caller: &Caller,
        call: &Call,
        id: &TeamId,
        precondition: &Precondition,
    ) -> Result<(), Error> {
        access::check(caller, DELETE)?;
        let team = Team { policy: None, ..self.registered(id, precondition).await? };
        self.write_team(caller, call, DELETE, team).await.map(drop)
    }

    /// The policy of teams that have none of their own.
    pub async fn get_default_policy(&self, caller: &Caller) -> Result<TeamPolicyView, Error> {
        access::check(caller, "get_default_policy")?;
        let (policy, version) = self.base.store().default_policy().await?.unwrap_or_default();
        let source = if version == 0 { PolicySource::BuiltIn } else { PolicySource::Default };
        Ok(TeamPolicyView { source: source.as_str().to_owned(), policy, version })
    }

    /// Writes the policy of teams that have none of their own.
    pub async fn put_default_policy(
        &self,
        caller: &Caller,
        call: &Call,
        policy: Policy,
        precondition: &Precondition,
    ) -> Result<TeamPolicyView, Error> {
        access::check(caller, PUT_DEFAULT)?;
        self.check_policy(Some(&policy), "")?;
        let current = self.base.store().default_policy().await?.map_or(0, |(_, version)| version);
        // It always exists: version 0 while nobody has written one.
        if precondition.matching != Some(Versions::Any) {
            precondition.check(current)?;
        }
        let entry = self.base.admin_entry(caller, call, PUT_DEFAULT, "default");
        let told = self.told.platform_events(EventType::DefaultPolicyChanged, &entry).await?;
        if !self.base.store().put_default_policy(&policy, current, self.base.now(), &told, Some(&entry)).await? {
            return Err(moved());
        }
        call.set_audited();
        Ok(TeamPolicyView { source: PolicySource::Default.as_str().to_owned(), policy, version: current + 1 })
    }

    /// Allows everything in the default policy unless somebody has written one: for `dev`, where everything belongs to
    /// the user.
    pub async fn ensure_open_policy(&self) -> Result<(), Error> {
        // An existing policy stays.
        let _written = self.base.store().put_default_policy(&Policy::open(), 0, self.base.now(), &[], None).await?;
        Ok(())
    }

    /// What the caller's team may do, and how much it uses of what is limited.
    pub async fn get_policy(&self, caller: &Caller) -> Result<PolicyView, Error> {
        access::check(caller, "get_policy")?;
        let ruling = self.policies.ruling(&caller.team, None, AccountChoice::Of(&self.base.settings().account)).await?;
        let prices = &self.base.settings().prices;
        let usage = self.base.store().holdings(&caller.team, ruling.since()).await?.usage(prices);
        Ok(PolicyView {
            team: caller.team.to_string(),
            source: ruling.source.as_str().to_owned(),
            used: AmountsView::used(&usage, prices),
            limits: AmountsView::limits(&ruling.policy),
            policy: ruling.policy,
            currency: prices.is_set().then(|| prices.currency.clone()),
            contact: self.base.settings().policy_contact.clone(),
        })
    }

    async fn registered(&self, id: &TeamId, precondition: &Precondition) -> Result<Team, Error> {
        let team = self.base.store().team(id).await?.ok_or(Error::NotFound("team"))?;
        precondition.check(team.version)?;
        Ok(team)
    }

    /// Whether this is an unregistered team that was ever active here, as opposed to a mistyped id.
    async fn unregistered(&self, id: &TeamId, precondition: &Precondition) -> Result<Team, Error> {
        precondition.check(0)?;
        let was_here = self.base.store().has_met_team(id).await?;
        if was_here { Ok(Team::unnamed(id.clone(), self.base.now())) } else { Err(Error::NotFound("team")) }
    }

    /// Registers a team. `None` if it is already registered.
    async fn add_team(&self, caller: &Caller, call: &Call, action: &str, team: Team) -> Result<Option<Team>, Error> {
        let entry = self.base.admin_entry(caller, call, action, &team.id.to_string());
        if !self.base.store().add_team(&team, &entry).await? {
            return Ok(None);
        }
        call.set_audited();
        self.forget_disabled().await;
        Ok(Some(team))
    }

    async fn write_team(&self, caller: &Caller, call: &Call, action: &str, team: Team) -> Result<Team, Error> {
        let team = Team { updated_at: self.base.now(), ..team };
        let entry = self.base.admin_entry(caller, call, action, &team.id.to_string());
        if !self.base.store().change_team(&team, &entry).await? {
            return Err(moved());
        }
        call.set_audited();
        self.forget_disabled().await;
        Ok(Team { version: team.version + 1, ..team })
    }

    /// Which teams are disabled is read again, once the change is committed.
    async fn forget_disabled(&self) {
        let policies = self.policies.clone();
        once_committed(async move { policies.forget_disabled().await }).await;
    }

    /// Checks a policy that an administrator wrote; `at` is its position in the body.
    fn check_policy(&self, policy: Option<&Policy>, at: &str) -> Result<(), Error> {
        let Some(policy) = policy else { return Ok(()) };
        policy.check(self.base.settings().prices.is_set()).map_err(|mut errors| {
            for error in &mut errors {
                error.field.insert_str(0, at);
            }
            Error::Invalid(errors)
        })
    }
}
