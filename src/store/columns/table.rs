//! What is written of a table: the list that [`table!`](table) makes, and the pieces of statements that come from it.
//!
//! In a statement, what is written is called `n`, with a column for each value: of one row ([`Numbers::one`]), or of
//! many, each with its `place` from 1 on ([`Numbers::many`]).
//!
//! [`Numbers::one`]: super::Numbers::one
//! [`Numbers::many`]: super::Numbers::many

use super::{Numbers, StatementParameters};

/// A column that is read or written.
pub(in crate::store) struct Column {
    /// As the table and the statements name it.
    pub(in crate::store) name: &'static str,
    /// The type of its values, in PostgreSQL's word.
    pub(in crate::store) type_name: fn() -> String,
    /// Whether a value is given with the statement.
    pub(in crate::store) is_given: bool,
    /// How it is made in the statement; none: it is what is given.
    pub(in crate::store) made: Option<&'static str>,
}

impl Column {
    fn is_written(&self) -> bool {
        self.is_given || self.made.is_some()
    }

    /// What is written into it, of `n`.
    fn value(&self) -> String {
        self.made.map_or_else(|| format!("n.{}", self.name), str::to_owned)
    }
}

/// Which columns a statement writes.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum ColumnSet {
    /// All that are ever written.
    All,
    /// These and no others.
    Only(&'static [&'static str]),
    /// All but these.
    But(&'static [&'static str]),
}

impl ColumnSet {
    /// Whether this one is among them.
    pub(in crate::store) fn has(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(&name),
            Self::But(names) => !names.contains(&name),
        }
    }
}

/// A table, and what is written of it.
pub(in crate::store) trait Table: Sized {
    /// As statements name the table.
    const NAME: &'static str;
    /// Its columns, as far as they are read or written.
    const COLUMNS: &'static [Column];
    /// What a row of it is written from.
    type From<'a>;

    /// Gives a statement a value for each column.
    fn give_one(parameters: &mut StatementParameters, which: ColumnSet, new: &Self::From<'_>);

    /// The columns that are written.
    fn written(which: ColumnSet) -> impl Iterator<Item = &'static Column> {
        if let ColumnSet::Only(names) | ColumnSet::But(names) = which {
            let is_known = |name: &&str| Self::COLUMNS.iter().any(|column| column.name == *name && column.is_written());
            debug_assert!(names.iter().all(is_known), "not all of {names:?} are written columns of {}", Self::NAME);
        }
        Self::COLUMNS.iter().filter(move |column| column.is_written() && which.has(column.name))
    }

    /// `a, b`: where it is written.
    fn names(which: ColumnSet) -> String {
        Self::written(which).map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    /// `n.a, n.b`: what is written there.
    fn values(which: ColumnSet) -> String {
        Self::written(which).map(Column::value).collect::<Vec<_>>().join(", ")
    }

    /// `INSERT INTO t (a, b) SELECT n.a, n.b`, to go on with ` FROM …`.
    fn insert(which: ColumnSet) -> String {
        format!("INSERT INTO {} ({}) SELECT {}", Self::NAME, Self::names(which), Self::values(which))
    }

    /// The statement that writes one whole row.
    fn insert_one() -> String {
        format!("{} FROM {}", Self::insert(ColumnSet::All), Numbers::default().one::<Self>(ColumnSet::All))
    }

    /// `a = EXCLUDED.a, b = EXCLUDED.b`, for ON CONFLICT with a row that is found by `found_by`.
    fn overwrite(which: ColumnSet, found_by: &[&str]) -> String {
        let changed = Self::written(which).filter(|column| !found_by.contains(&column.name));
        changed.map(|column| format!("{0} = EXCLUDED.{0}", column.name)).collect::<Vec<_>>().join(", ")
    }

    /// `a = n.a, b = n.b`, for an UPDATE of rows that are found by `found_by`, which stays as it is.
    fn set(which: ColumnSet, found_by: &[&str]) -> String {
        let changed = Self::written(which).filter(|column| !found_by.contains(&column.name));
        changed.map(|column| format!("{} = {}", column.name, column.value())).collect::<Vec<_>>().join(", ")
    }
}

/// A table of which one statement writes many rows.
pub(in crate::store) trait BatchTable: Table {
    /// Gives a statement an array for each column.
    fn give_many(parameters: &mut StatementParameters, which: ColumnSet, all: &[Self::From<'_>]);

    /// The statement that writes many whole rows.
    fn insert_many() -> String {
        format!("{} FROM {}", Self::insert(ColumnSet::All), Numbers::default().many::<Self>(ColumnSet::All))
    }
}

impl Numbers {
    /// One row of values: `(SELECT $1::uuid AS id, …) AS n`.
    pub(in crate::store) fn one<T: Table>(&mut self, which: ColumnSet) -> String {
        let value = |column: &Column| format!("{}::{} AS {}", self.next(), (column.type_name)(), column.name);
        let values: Vec<_> = T::written(which).filter(|column| column.is_given).map(value).collect();
        format!("(SELECT {}) AS n", values.join(", "))
    }

    /// Rows of values, from an array for each column: `unnest($1::uuid[], …) WITH ORDINALITY AS n (id, …, place)`.
    pub(in crate::store) fn many<T: BatchTable>(&mut self, which: ColumnSet) -> String {
        let given: Vec<_> = T::written(which).filter(|column| column.is_given).collect();
        let names: Vec<_> = given.iter().map(|column| column.name).collect();
        let arrays: Vec<_> =
            given.iter().map(|column| format!("{}::{}[]", self.next(), (column.type_name)())).collect();
        format!("unnest({}) WITH ORDINALITY AS n ({}, place)", arrays.join(", "), names.join(", "))
    }

    /// The same where the planner must not see how many they are. Of 500 it would think that reading the whole table is
    /// cheaper than looking each up, until the table is large; which costs several times the rest.
    pub(in crate::store) fn few<T: BatchTable>(&mut self, which: ColumnSet) -> String {
        let given: Vec<_> = T::written(which).filter(|column| column.is_given).collect();
        let names: Vec<_> = given.iter().map(|column| column.name).collect();
        let arrays: Vec<_> = given
            .iter()
            .map(|column| format!("{}::{}[] AS {}", self.next(), (column.type_name)(), column.name))
            .collect();
        format!(
            "(SELECT n.* FROM (SELECT {} OFFSET 0) AS v
                CROSS JOIN LATERAL unnest(v.{}) WITH ORDINALITY AS n ({}, place)) AS n",
            arrays.join(", "),
            names.join(", v."),
            names.join(", ")
        )
    }
}

impl StatementParameters {
    /// With those of [`Numbers::one`].
    pub(in crate::store) fn one<T: Table>(mut self, which: ColumnSet, new: &T::From<'_>) -> Self {
        T::give_one(&mut self, which, new);
        self
    }

    /// With those of [`Numbers::many`].
    pub(in crate::store) fn many<T: BatchTable>(mut self, which: ColumnSet, all: &[T::From<'_>]) -> Self {
        T::give_many(&mut self, which, all);
        self
    }
}

/// PostgreSQL's word for the type that values of `T` have.
pub(in crate::store) fn type_name<T: sqlx::Type<sqlx::Postgres>>() -> String {
    T::type_info().to_string().to_lowercase()
}

/// Whether there is a value.
macro_rules! given {
    () => {
        false
    };
    ($value:expr) => {
        true
    };
}
pub(in crate::store) use given;

/// How it is made, if it is.
macro_rules! made {
    () => {
        None
    };
    ($made:literal) => {
        Some($made)
    };
}
pub(in crate::store) use made;

/// Defines a [`Table`]: for each column its name and type, `= value` where a value is given with the statement, and
/// `=> "expression"` where the statement makes it, from the values of `n`. With a struct, a row that is read comes
/// first; of its fields, those with neither are only read. `written one by one`: it is not [`BatchTable`], for there
/// are no arrays of arrays.
macro_rules! table {
    (
        $(#[$meta:meta])* $vis:vis struct $name:ident of $table:literal {
            $($(#[$of:meta])* $part:vis $field:ident: $type:ty $(= $value:expr)? $(=> $made:literal)?,)*
        }
        written $($way:ident)+ |$new:ident: $from:ty| {
            $($column:ident: $column_type:ty $(= $column_value:expr)? $(=> $column_made:literal)?,)*
        }
    ) => {
        crate::store::columns::row! {
            $(#[$meta])* $vis struct $name { $($(#[$of])* $part $field: $type,)* }
        }

        crate::store::columns::table! {
            impl $name of $table written $($way)+ |$new: $from| {
                $($field: $type $(= $value)? $(=> $made)?,)*
                $($column: $column_type $(= $column_value)? $(=> $column_made)?,)*
            }
        }
    };
    (
        impl $name:ident of $table:literal written from |$new:ident: $from:ty| {
            $($column:ident: $type:ty $(= $value:expr)? $(=> $made:literal)?,)*
        }
    ) => {
        crate::store::columns::table! {
            impl $name of $table written one by one from |$new: $from| {
                $($column: $type $(= $value)? $(=> $made)?,)*
            }
        }

        impl crate::store::columns::BatchTable for $name {
            fn give_many(
                parameters: &mut crate::store::columns::StatementParameters,
                which: crate::store::columns::ColumnSet,
                all: &[Self::From<'_>],
            ) {
                $($(if which.has(stringify!($column)) {
                    parameters.add(all.iter().map(|$new| $value).collect::<Vec<_>>());
                })?)*
            }
        }
    };
    (
        impl $name:ident of $table:literal written one by one from |$new:ident: $from:ty| {
            $($column:ident: $type:ty $(= $value:expr)? $(=> $made:literal)?,)*
        }
    ) => {
        impl crate::store::columns::Table for $name {
            const NAME: &'static str = $table;
            const COLUMNS: &'static [crate::store::columns::Column] = &[$(crate::store::columns::Column {
                name: stringify!($column),
                type_name: crate::store::columns::type_name::<$type>,
                is_given: crate::store::columns::given!($($value)?),
                made: crate::store::columns::made!($($made)?),
            },)*];
            type From<'a> = $from;

            fn give_one(
                parameters: &mut crate::store::columns::StatementParameters,
                which: crate::store::columns::ColumnSet,
                $new: &Self::From<'_>,
            ) {
                $($(if which.has(stringify!($column)) {
                    parameters.add($value);
                })?)*
            }
        }
    };
}
pub(in crate::store) use table;
