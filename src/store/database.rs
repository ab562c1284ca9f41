//! The database itself: connections, sessions, migrations, privileges, and whether it can be reached.

pub(super) mod connectivity;
pub(super) mod feed_position;
pub(super) mod grants;
pub(super) mod migrations;
pub(super) mod pool;
pub(super) mod session;
