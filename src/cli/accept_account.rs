//! `accept-account`: an operator confirms which account of the cloud a cloud account refers to from now on. Until then,
//! the gateway sends nothing with a key of another account than before (`docs/vanishing.md`).

use super::{CommandFailure, operator};
use crate::config::Loaded;
use crate::domain::cloud_account::account_id::AccountId;
use crate::domain::identity::caller::Scope;

/// The cloud account, and the account of the cloud that it now belongs to.
#[derive(Debug, clap::Args)]
pub(super) struct AcceptAccountArgs {
    /// The name of the cloud account at the gateway.
    #[arg(long, value_name = "NAME")]
    account: String,
    /// The number of the account at the cloud. Defaults to the account of the current key, as reported by STS.
    #[arg(long, value_name = "NUMBER")]
    id: Option<AccountId>,
}

pub(super) fn run(arguments: &AcceptAccountArgs, loaded: Loaded) -> Result<(), CommandFailure> {
    operator::run(loaded, Scope::PlatformAccounts, async |gateway, caller, call| {
        gateway.cloud_accounts().accept_account(caller, call, &arguments.account, arguments.id.clone()).await
    })
}
