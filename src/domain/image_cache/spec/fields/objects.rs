//! The same for the members of objects that stand in lists: ACR Enterprise registries, and logins.

/// Hands the rows to the macro `$made`: those that an ACR Enterprise registry cannot do without, and those that it may
/// leave out.
///
/// A row is: the member, its type, its type in a REST body; its parameter behind that of the list; what the OpenAPI
/// document says of its values; whether an update takes it; what it is for; {the same where it is shown}.
macro_rules! acr_registry_members {
    ($made:ident! { $( $more:tt )* }) => { $made! { { $( $more )* }
{
    instance_id: String as String, "InstanceId", (), [true], "The id of the registry instance (`InstanceId`)." like "cri-nwj395hgf6f3****",
        { always "The id of the registry instance (`InstanceId`)." };
}
{
    instance_name: Option<String> as String, "InstanceName", (), [true], "The name of the registry instance (`InstanceName`).",
        { if_set "The name of the registry instance (`InstanceName`)." };

    region_id: Option<String> as String, "RegionId", (), [true],
        "The region of the registry (`RegionId`). Defaults to the region of the image cache.", { if_set "The region of the registry (`RegionId`)." };

    domains: Vec<String> as Vec<String>, "Domain.N", (max_items = 20), [true],
        "The domains of the registry (`Domain.M`). Defaults to all of them.", { if_any "The domains of the registry (`Domain.M`)." };

    arn_service: Option<String> as String, "ArnService", (), [false],
        "The role with which the service reads the registry (`ArnService`). Not allowed in an update.",
        { if_set "The role with which the service reads the registry (`ArnService`)." };

    arn_user: Option<String> as String, "ArnUser", (), [false],
        "The role in the account that owns the registry (`ArnUser`). Not allowed in an update.",
        { if_set "The role in the account that owns the registry (`ArnUser`)." };
}
    } };
}
pub(crate) use acr_registry_members;

use super::{FIELDS, Field, Schema, schema};

/// What is known of a member beside its value.
#[derive(Debug)]
pub struct Member {
    /// As REST spells it.
    pub name: &'static str,
    /// As the cloud's API spells it behind the place of the object, `N` being a place in a list.
    pub wire: &'static str,
    /// What the OpenAPI document says of its values.
    pub schema: Schema,
    /// Whether an update takes it.
    pub in_update: bool,
}

impl Member {
    const fn of_login(name: &'static str, wire: &'static str) -> Self {
        Self { name, wire, schema: Schema::NONE, in_update: true }
    }

    /// Its parameter without the place in a list: `Domain.N` is `Domain`.
    pub fn parameter(&self) -> &'static str {
        self.wire.strip_suffix(".N").unwrap_or(self.wire)
    }

    /// The most values.
    pub const fn most(&self) -> usize {
        if let Some(most) = self.schema.max_items { most } else { usize::MAX }
    }
}

macro_rules! statics {
    ( {} { $( $must:tt )* } { $( $may:tt )* } ) => { statics! { $( $must )* $( $may )* } };
    ( $( $member:ident: $type:ty as $json:ty, $wire:literal, $schema:tt, [$in_update:literal],
        $purpose:literal $( like $example:literal )?, $shown:tt; )* ) => {
        /// The members of an ACR Enterprise registry by name.
        #[derive(Debug)]
        pub struct AcrRegistryMembers {
            $( #[doc = $purpose] pub $member: Member, )*
        }

        /// The members of an ACR Enterprise registry.
        pub static ACR_REGISTRY: AcrRegistryMembers = AcrRegistryMembers { $(
            $member: Member {
                name: stringify!($member),
                wire: $wire,
                schema: schema! $schema,
                in_update: $in_update,
            },
        )* };

        /// The same in the order in which they are documented.
        pub static ACR_REGISTRY_MEMBERS: &[&Member] = &[$( &ACR_REGISTRY.$member, )*];
    };
}
acr_registry_members!(statics! {});

/// The members of a login by name.
#[derive(Debug)]
pub struct LoginMembers {
    /// The registry's host.
    pub server: Member,
    /// The user name.
    pub user_name: Member,
    /// The password, the one secret of them.
    pub password: Member,
}

/// The members of a login.
pub static LOGIN: LoginMembers = LoginMembers {
    server: Member::of_login("server", "Server"),
    user_name: Member::of_login("user_name", "UserName"),
    password: Member::of_login("password", "Password"),
};

/// The same in the order in which they are documented.
pub static LOGIN_MEMBERS: &[&Member] = &[&LOGIN.server, &LOGIN.user_name, &LOGIN.password];

/// The members of the objects of a list of objects; none of any other field.
pub fn members_of(field: &Field) -> &'static [&'static Member] {
    let of = |other: &Field| field.name == other.name;
    match () {
        () if of(&FIELDS.acr_registries) => ACR_REGISTRY_MEMBERS,
        () if of(&FIELDS.registry_credentials) => LOGIN_MEMBERS,
        () => &[],
    }
}
