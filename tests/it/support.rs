//! What the tests share.

pub(crate) mod answer;
pub(crate) mod cloud;
pub(crate) mod database;
pub(crate) mod folder;
pub(crate) mod gate;
pub(crate) mod gateway;
pub(crate) mod hook;
pub(crate) mod listener;
pub(crate) mod pair;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod receiver;
pub(crate) mod server;
pub(crate) mod setup;
pub(crate) mod virtual_cloud;
