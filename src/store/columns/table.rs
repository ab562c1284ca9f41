//! How a table is written: the columns that [`table!`](table) lists, and the parts of statements that are generated
//! from them.
//!
//! In a statement, the values to write are called `n`, with one column per value: a single row ([`Numbers::one`]), or
//! many rows, each with its `place` counted from 1 ([`Numbers::many`]).
//!
//! [`Numbers::one`]: super::Numbers::one
//!
//! [`Numbers::many`]: super::Numbers::many

use super::{Numbers, StatementParameters};

/// A column that is read or written.
pub(in crate::store) struct Column {
    /// The column's name in the table and in statements.
    pub(in crate::store) name: &'static str,
    /// The PostgreSQL name of its type.
    pub(in crate::store) type_name: fn() -> String,
    /// Whether a value is passed to the statement.
    pub(in crate::store) is_given: bool,
    /// The SQL expression that computes the value; `None` if the passed value is used.
    pub(in crate::store) made: Option<&'static str>,
}

impl Column {
    fn is_written(&self) -> bool {
        self.is_given || self.made.is_some()
    }

    /// The SQL expression for the value to write.
    fn value(&self) -> String {
        self.made.map_or_else(|| format!("n.{}", self.name), str::to_owned)
    }
}

/// Which columns a statement writes.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum ColumnSet {
    /// All columns that are ever written.
    All,
    /// Only these columns.
    Only(&'static [&'static str]),
    /// All columns except these.
    But(&'static [&'static str]),
}

impl ColumnSet {
    /// Whether the set contains this column.
    pub(in crate::store) fn has(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(&name),
            Self::But(names) => !names.contains(&name),
        }
    }
}

/// A table and how it is written.
pub(in crate::store) trait Table: Sized {
    /// The table's name.
    const NAME: &'static str;
    /// The columns that are read or written.
    const COLUMNS: &'static [Column];
    /// The Rust value that a row is written from.
    type From<'a>;

    /// Passes a value for each column to a statement.
    fn give_one(parameters: &mut StatementParameters, which: ColumnSet, new: &Self::From<'_>);

    /// The columns that are written.
    fn written(which: ColumnSet) -> impl Iterator<Item = &'static Column> {
        if let ColumnSet::Only(names) | ColumnSet::But(names) = which {
            let is_known = |name: &&str| Self::COLUMNS.iter().any(|column| column.name == *name && column.is_written());
            debug_assert!(names.iter().all(is_known), "not all of {names:?} are written columns of {}", Self::NAME);
        }
        Self::COLUMNS.iter().filter(move |column| column.is_written() && which.has(column.name))
    }

    /// `a, b`: the names of the columns that are written.
    fn names(which: ColumnSet) -> String {
        Self::written(which).map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    /// `n.a, n.b`: the values that are written.
    fn values(which: ColumnSet) -> String {
        Self::written(which).map(Column::value).collect::<Vec<_>>().join(", ")
    }

    /// `INSERT INTO t (a, b) SELECT n.a, n.b`, to be followed by ` FROM …`.
    fn insert(which: ColumnSet) -> String {
        format!("INSERT INTO {} ({}) SELECT {}", Self::NAME, Self::names(which), Self::values(which))
    }

    /// The statement that inserts one whole row.
    fn insert_one() -> String {
        format!("{} FROM {}", Self::insert(ColumnSet::All), Numbers::default().one::<Self>(ColumnSet::All))
    }

    /// `a = EXCLUDED.a, b = EXCLUDED.b`, for ON CONFLICT on the columns `found_by`.
    fn overwrite(which: ColumnSet, found_by: &[&str]) -> String {
        let changed = Self::written(which).filter(|column| !found_by.contains(&column.name));
        changed.map(|column| format!("{0} = EXCLUDED.{0}", column.name)).collect::<Vec<_>>().join(", ")
    }

    /// `a = n.a, b = n.b`, for an UPDATE of rows found by the columns `found_by`, which are not changed.
    fn set(which: ColumnSet, found_by: &[&str]) -> String {
        let changed = Self::written(which).filter(|column| !found_by.contains(&column.name));
        changed.map(|column| format!("{} = {}", column.name, column.value())).collect::<Vec<_>>().join(", ")
    }
}

/// A table of which one statement can write many rows.
pub(in crate::store) trait BatchTable: Table {
    /// Passes an array for each column to a statement.
    fn give_many(parameters: &mut StatementParameters, which: ColumnSet, all: &[Self::From<'_>]);

    /// The statement that inserts many whole rows.
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

    /// Rows of values from one array per column: `unnest($1::uuid[], …) WITH ORDINALITY AS n (id, …, place)`.
    pub(in crate::store) fn many<T: BatchTable>(&mut self, which: ColumnSet) -> String {
        let given: Vec<_> = T::written(which).filter(|column| column.is_given).collect();
        let names: Vec<_> = given.iter().map(|column| column.name).collect();
        let arrays: Vec<_> =
            given.iter().map(|column| format!("{}::{}[]", self.next(), (column.type_name)())).collect();
        format!("unnest({}) WITH ORDINALITY AS n ({}, place)", arrays.join(", "), names.join(", "))
    }

    /// The same, but the planner cannot see how many rows there are. For 500 rows it would consider reading the whole
    /// table cheaper than looking each one up, until the table is large, and that costs several times as much as
    /// everything else.
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
    /// Adds the parameters of [`Numbers::one`].
    pub(in crate::store) fn one<T: Table>(mut self, which: ColumnSet, new: &T::From<'_>) -> Self {
        T::give_one(&mut self, which, new);
        self
    }

    /// Adds the parameters of [`Numbers::many`].
    pub(in crate::store) fn many<T: BatchTable>(mut self, which: ColumnSet, all: &[T::From<'_>]) -> Self {
        T::give_many(&mut self, which, all);
        self
    }
}

/// The PostgreSQL name of the type of `T`.
pub(in crate::store) fn type_name<T: sqlx::Type<sqlx::Postgres>>() -> String {
    T::type_info().to_string().to_lowercase()
}

/// Whether a value is given.
macro_rules! given {
    () => {
        false
    };
    ($value:expr) => {
        true
    };
}
pub(in crate::store) use given;

/// The expression, if one is given.
macro_rules! made {
    () => {
        None
    };
    ($made:literal) => {
        Some($made)
    };
}
pub(in crate::store) use made;

/// Defines a [`Table`]: for each column its name and type, `= value` if a value is passed with the statement, and `=>
/// "expression"` if the statement computes it from the values of `n`. With a struct, the row that is read comes first;
/// its fields that have neither are only read. `written one by one` means that the table is not a [`BatchTable`],
/// because PostgreSQL has no arrays of arrays.
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
