//! Bodies about teams and region profiles. Unknown fields are refused.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::input::{NewTeam, TeamChanges};
use crate::domain::clock::Instant;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::policy::{Policy, ProfileId, RegionProfile};
use crate::http::extract::JsonBody;
use crate::http::rest::image_caches::bodies::given;

/// A team to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TeamCreate)]
pub(in crate::http::rest) struct NewTeamBody {
    /// The id of the team, as it appears in tokens: 1 to 63 characters from a-z, 0-9, - and _.
    #[schema(min_length = 1, max_length = 63, example = "web")]
    id: String,
    /// The display name of the team, for human readers: 1 to 128 characters.
    #[schema(min_length = 1, max_length = 128)]
    display_name: String,
    /// Whom to contact about the team: up to 10 entries of up to 256 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 10)]
    contacts: Option<Vec<String>>,
    /// The cost centre that pays for the team: 1 to 64 characters. Image caches created for the team are tagged with
    /// it.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 1, max_length = 64)]
    cost_centre: Option<String>,
    /// The team's own policy. If it is left out, the default policy applies.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    policy: Option<Policy>,
    /// Whether the team starts disabled, so that its requests are refused.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    disabled: Option<bool>,
}

/// Changes to a team. Fields that are left out are not changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TeamUpdate)]
pub(in crate::http::rest) struct TeamChangesBody {
    /// The new display name.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 1, max_length = 128)]
    display_name: Option<String>,
    /// The new contacts, which replace all current ones.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 10)]
    contacts: Option<Vec<String>>,
    /// The new cost centre. Empty removes it.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_length = 64)]
    cost_centre: Option<String>,
    /// Whether the requests of the team are refused. Requests that use a scope of the platform are still served.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    disabled: Option<bool>,
}

/// Values that creates in a region of a cloud account use for fields that they leave out. The whole profile is
/// replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegionProfilePut)]
pub(in crate::http::rest) struct RegionProfileBody {
    /// The ids of the vSwitches, up to 10.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 10)]
    vswitch_ids: Option<Vec<String>>,
    /// The id of the security group.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    security_group_id: Option<String>,
    /// The id of the EIP.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    eip_instance_id: Option<String>,
    /// The id of the resource group.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    resource_group_id: Option<String>,
    /// The id of the zone. It is used only together with the vSwitches.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    zone_id: Option<String>,
}

impl TryFrom<NewTeamBody> for NewTeam {
    type Error = Vec<FieldError>;

    fn try_from(body: NewTeamBody) -> Result<Self, Vec<FieldError>> {
        let id = body.id.parse::<crate::domain::identity::caller::TeamId>();
        Ok(Self {
            id: id.map_err(|error| vec![FieldError::new("/id", FieldCode::Invalid, error.to_string())])?,
            display_name: body.display_name,
            contacts: body.contacts.unwrap_or_default(),
            cost_centre: body.cost_centre,
            policy: body.policy,
            disabled: body.disabled.unwrap_or(false),
        })
    }
}

impl JsonBody for NewTeamBody {
    fn value_errors(self) -> Vec<FieldError> {
        NewTeam::try_from(self).err().unwrap_or_default()
    }
}

impl JsonBody for TeamChangesBody {}
impl JsonBody for RegionProfileBody {}

impl JsonBody for Policy {
    fn value_errors(self) -> Vec<FieldError> {
        // Whether builds have a price is for the settings to say.
        self.check(true).err().unwrap_or_default()
    }
}

impl From<TeamChangesBody> for TeamChanges {
    fn from(body: TeamChangesBody) -> Self {
        Self {
            display_name: body.display_name,
            contacts: body.contacts,
            cost_centre: body.cost_centre,
            disabled: body.disabled,
        }
    }
}

impl RegionProfileBody {
    /// The profile of that place.
    pub(in crate::http::rest) fn of(self, id: ProfileId) -> RegionProfile {
        RegionProfile {
            id,
            vswitch_ids: self.vswitch_ids.unwrap_or_default(),
            security_group_id: self.security_group_id,
            eip_instance_id: self.eip_instance_id,
            resource_group_id: self.resource_group_id,
            zone_id: self.zone_id,
            version: 0,
            updated_at: Instant::UNIX_EPOCH,
        }
    }
}
