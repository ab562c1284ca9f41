//! What image caches cost, by the operator's own price table: the gateway does not look up the cloud's prices.
//!
//! A cache costs a price per GiB and month, one per month for each standard snapshot beyond the first and for each
//! local (Flash) snapshot, and one for each build. A month has 30 days. What has no price costs nothing.

use std::collections::BTreeMap;

use super::money::Money;
use super::shape::Shape;
use crate::domain::region::Region;

/// The number of days in a month.
const MONTH_DAYS: i64 = 30;
/// The names of the prices.
pub const NAMES: [&str; 4] = ["gib_month", "standard_copy_month", "flash_copy_month", "build"];

/// The price table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prices {
    /// The name of the currency, such as `CNY`: displayed, never used in calculations.
    pub currency: String,
    everywhere: BTreeMap<&'static str, Money>,
    regions: BTreeMap<Region, BTreeMap<&'static str, Money>>,
}

/// The format of an entry.
pub const PRICES: &str = "a price such as gib_month=0.12 or cn-hangzhou.build=0.05, of gib_month, standard_copy_month, \
                          flash_copy_month and build";

/// An invalid entry of the price table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {PRICES}")]
pub struct PriceError;

/// The cost of one image cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// The cost of a month.
    pub month: Money,
    /// The cost of the build.
    pub build: Money,
    /// The cost from the build to the end of its retention; none if it never expires.
    pub whole: Option<Money>,
}

impl Prices {
    /// Parses the entries of the table, each `name=amount` or `region.name=amount`.
    pub fn read<'a>(currency: &str, entries: impl IntoIterator<Item = &'a str>) -> Result<Self, PriceError> {
        let mut prices = Self { currency: currency.to_owned(), ..Self::default() };
        for entry in entries {
            let (name, amount) = entry.split_once('=').ok_or(PriceError)?;
            let amount: Money = amount.trim().parse().map_err(|_| PriceError)?;
            let (region, name) =
                name.trim().rsplit_once('.').map_or((None, name.trim()), |(region, name)| (Some(region), name));
            let name = NAMES.into_iter().find(|known| *known == name).ok_or(PriceError)?;
            match region {
                Some(region) => {
                    let region: Region = region.parse().map_err(|_| PriceError)?;
                    prices.regions.entry(region).or_default().insert(name, amount);
                }
                None => drop(prices.everywhere.insert(name, amount)),
            }
        }
        Ok(prices)
    }

    /// Whether there is any price.
    pub fn is_set(&self) -> bool {
        !self.everywhere.is_empty() || !self.regions.is_empty()
    }

    fn of(&self, region: &Region, name: &str) -> Money {
        let here = self.regions.get(region).and_then(|prices| prices.get(name));
        here.or_else(|| self.everywhere.get(name)).copied().unwrap_or_default()
    }

    /// The cost of such a cache for a month.
    pub fn month(&self, shape: &Shape) -> Money {
        let price = |name| self.of(&shape.region, name);
        let room = price("gib_month").times(i64::from(shape.size_gib));
        let standard = price("standard_copy_month").times(i64::from(shape.standard_copies) - 1);
        room.plus(standard).plus(price("flash_copy_month").times(i64::from(shape.flash_copies)))
    }

    /// The cost of a build in the region.
    pub fn build(&self, region: &Region) -> Money {
        self.of(region, "build")
    }

    /// All costs of such a cache that is retained for so many days.
    pub fn cost(&self, shape: &Shape, retention_days: Option<i32>) -> Cost {
        let (month, build) = (self.month(shape), self.build(&shape.region));
        let whole = retention_days.map(|days| month.share(i64::from(days), MONTH_DAYS).plus(build));
        Cost { month, build, whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_its_own_price_or_the_common_one() {
        let entries =
            ["gib_month=0.5", "flash_copy_month=3", "standard_copy_month=2", "build=0.1", "cn-beijing.gib_month=1"];
        let prices = Prices::read("CNY", entries).unwrap();
        let shape = |region: &str, standard_copies, flash_copies| Shape {
            region: region.parse().unwrap(),
            size_gib: 20,
            standard_copies,
            flash_copies,
        };
        let month = |shape: &Shape| prices.month(shape).to_string();
        assert_eq!(month(&shape("cn-hangzhou", 1, 0)), "10.00");
        assert_eq!(month(&shape("cn-beijing", 1, 0)), "20.00");
        assert_eq!(month(&shape("cn-hangzhou", 3, 2)), "20.00");
        let cost = prices.cost(&shape("cn-hangzhou", 1, 0), Some(15));
        assert_eq!(
            (cost.build.to_string(), cost.whole.map(|whole| whole.to_string())),
            ("0.10".into(), Some("5.10".into()))
        );
        assert_eq!(prices.cost(&shape("cn-hangzhou", 1, 0), None).whole, None);
        assert!(prices.is_set() && !Prices::default().is_set());
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for bad in ["gib_month", "gib=1", "gib_month=-1", "X.gib_month=1", "gib_month=", "=1"] {
            assert_eq!(Prices::read("CNY", [bad]), Err(PriceError), "{bad}");
        }
    }
}
