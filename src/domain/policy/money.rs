//! Amounts of money, exact: millionths of the currency's unit, written as decimal text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number of millionths in one unit.
const MILLIONTHS: i64 = 1_000_000;
/// The number of decimal digits.
const DECIMALS: usize = 6;

/// An amount of 0 or more: at most 9,223,372,036,854 units. Sums and products stop there instead of wrapping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Money(i64);

/// A string that is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a decimal number such as 120.50, with at most 12 digits before the point and 6 behind it")]
pub struct MoneyError;

impl Money {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; zero if the other is larger.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }

    /// The amount multiplied by `count`.
    #[must_use]
    pub fn times(self, count: i64) -> Self {
        Self(self.0.saturating_mul(count.max(0)))
    }

    /// The fraction `part` / `whole` of the amount, rounded down; `whole` must not be 0.
    #[must_use]
    pub fn share(self, part: i64, whole: i64) -> Self {
        let exact = i128::from(self.0) * i128::from(part.max(0)) / i128::from(whole.max(1));
        Self(i64::try_from(exact).unwrap_or(i64::MAX))
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits =
            |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole, 12) || !digits(part, DECIMALS) {
            return Err(MoneyError);
        }
        let whole: i64 = whole.parse().map_err(|_| MoneyError)?;
        let part: i64 = format!("{part:0<DECIMALS$}").parse().map_err(|_| MoneyError)?;
        Ok(Self(whole * MILLIONTHS + part))
    }
}

impl TryFrom<String> for Money {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

impl From<Money> for String {
    fn from(money: Money) -> Self {
        money.to_string()
    }
}

impl fmt::Display for Money {
    /// At least two digits after the point, and no trailing zeros beyond them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = format!("{:06}", self.0 % MILLIONTHS);
        let kept = part.trim_end_matches('0').len().max(2);
        write!(f, "{}.{}", self.0 / MILLIONTHS, &part[..kept])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_reads_back_as_itself() {
        for (text, shown) in [("0", "0.00"), ("12.5", "12.50"), ("0.000001", "0.000001"), ("1.230", "1.23")] {
            assert_eq!(text.parse::<Money>().unwrap().to_string(), shown);
        }
        for bad in ["", ".5", "5.", "-1", "1e3", "1,5", "0.0000001", "1234567890123", " 1"] {
            assert_eq!(bad.parse::<Money>(), Err(MoneyError), "{bad}");
        }
    }

    #[test]
    fn sums_never_wrap() {
        let most = Money(i64::MAX);
        assert_eq!((most.plus(most), most.times(9), Money(1).less(most)), (most, most, Money::ZERO));
        assert_eq!("10".parse::<Money>().unwrap().share(7, 30).to_string(), "2.333333");
        assert_eq!(most.share(60, 30), most);
    }
}
