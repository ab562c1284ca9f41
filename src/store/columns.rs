//! The columns of each table, listed once: for the row that is read, for the statement that writes one row, and for the
//! statement that writes many.
//!
//! What must stay true: no statement uses `*` of a table. A column that a later version adds would change the result of
//! such a statement, and PostgreSQL refuses to run it again where it is prepared ("cached plan must not change result
//! type"), so every connection of a running gateway would fail. And no statement numbers its parameters by hand:
//! numbers come from [`Numbers`], values from [`StatementParameters`], both in the order in which tables are named to
//! them.
//!
//! [`super::rows`], which has the tables, uses it, and so do the other files of `store`.

mod parameters;
mod table;

pub(in crate::store) use parameters::{Numbers, StatementParameters, sql};
pub(in crate::store) use table::{BatchTable, Column, ColumnSet, Table, given, made, table, type_name};

/// Defines a struct that is read from a row, and `columns`, the names of its columns for a statement. The first column
/// identifies the row in a log line.
macro_rules! row {
    (
        $(#[$meta:meta])* $vis:vis struct $name:ident {
            $(#[$of_key:meta])* $part_of_key:vis $key:ident: $type_of_key:ty,
            $($(#[$of:meta])* $part:vis $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        $vis struct $name {
            $(#[$of_key])* $part_of_key $key: $type_of_key,
            $($(#[$of])* $part $field: $type,)*
        }

        impl $name {
            /// Its columns, for a statement in which the table is called `table`.
            pub(in crate::store) fn columns(table: &str) -> String {
                crate::store::columns::named(table, &[stringify!($key), $(stringify!($field)),*])
            }
        }

        impl crate::store::unreadable::Keyed for $name {
            fn key(&self) -> String {
                self.$key.to_string()
            }
        }
    };
}
pub(in crate::store) use row;

/// These columns of the table: `t.a, t.b`.
pub(in crate::store) fn named(table: &str, columns: &[&str]) -> String {
    let mut list = String::with_capacity(columns.len() * 24);
    for column in columns {
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(table);
        list.push('.');
        list.push_str(column);
    }
    list
}

#[cfg(test)]
mod tests;
