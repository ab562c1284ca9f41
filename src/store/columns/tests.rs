//! What the list of an example table turns into in statements.

use super::{ColumnSet, Numbers, Table as _, table};

table! {
    struct Pair of "twos" {
        one: i32 = new.0,
        two: Option<String> = new.1 => "upper(n.two)",
        read: bool,
    }
    written from |new: (i32, Option<&'a str>)| {
        made: i64 => "n.one + 1",
    }
}

#[test]
fn the_columns_are_those_of_the_struct() {
    let row = Pair { one: 1, two: None, read: true };
    assert_eq!((Pair::columns("t").as_str(), row.one, row.two, row.read), ("t.one, t.two, t.read", 1, None, true));
}

#[test]
fn one_list_makes_the_statements() {
    assert_eq!(Pair::insert(ColumnSet::All), "INSERT INTO twos (one, two, made) SELECT n.one, upper(n.two), n.one + 1");
    assert_eq!(Pair::set(ColumnSet::All, &["one"]), "two = upper(n.two), made = n.one + 1");
    let mut numbers = Numbers::default();
    assert_eq!(numbers.one::<Pair>(ColumnSet::All), "(SELECT $1::int4 AS one, $2::text AS two) AS n");
    let many = "unnest($3::int4[]) WITH ORDINALITY AS n (one, place)";
    assert_eq!(numbers.many::<Pair>(ColumnSet::Only(&["one", "made"])), many);
    let few = "(SELECT n.* FROM (SELECT $4::int4[] AS one, $5::text[] AS two OFFSET 0) AS v
                CROSS JOIN LATERAL unnest(v.one, v.two) WITH ORDINALITY AS n (one, two, place)) AS n";
    assert_eq!(numbers.few::<Pair>(ColumnSet::All), few);
}
