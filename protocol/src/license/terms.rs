//! From TOML to [`License`].

use toml::{Table, Value};

use super::{BorrowTerms, Date, Downgrade, License, LicenseError, Lost, Share};
use crate::id::{Feature, IdError, Name, SiteId, Version};
use crate::limits;

/// Every key that may stand in a license, with a line that shows how to write it.
const KEYS: [(&str, &str); 18] = [
    ("license", r#"license = "ALP-2026-000123""#),
    ("vendor", r#"vendor = "example-vendor""#),
    ("customer", r#"customer = "Example Ltd""#),
    ("issued", "issued = 2025-12-20"),
    ("product", r#"product = "allplan-engineering""#),
    ("title", r#"title = "Allplan Engineering""#),
    ("version", r#"version = "2026""#),
    ("downgrade", r#"downgrade = ["2025", "2024"]"#),
    ("seats", "seats = 3"),
    ("features", r#"features = ["bim"]"#),
    ("valid_from", "valid_from = 2026-01-01"),
    ("valid_until", "valid_until = 2027-01-01"),
    ("site", r#"site = "<the site id that `seatkeeper site show` prints>""#),
    ("ttl", r#"ttl = "90s""#),
    ("share", r#"share = "user-device""#),
    ("replaces", r#"replaces = ["ALP-2025-000088"]"#),
    ("borrow", "borrow = { max_days = 30, max_seats = 2 }"),
    ("lost", r#"lost = "at-end""#),
];

/// Reads the terms of a normalized text.
pub(super) fn parse(text: &str) -> Result<License, LicenseError> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| syntax(text, &error))?;
    // Before anything else: what is not known must not be half understood.
    if let Some(unknown) = table.keys().find(|key| !KEYS.iter().any(|(known, _)| known == key)) {
        return Err(LicenseError::UnknownKey(unknown.chars().take(64).collect()));
    }
    let terms = Terms(&table);
    let (valid_from, valid_until) = (terms.date("valid_from")?, terms.date("valid_until")?);
    if let (Some(from), Some(until)) = (valid_from, valid_until)
        && until < from
    {
        return Err(LicenseError::EndsBeforeStart { from, until });
    }
    let license_id: Name = terms.required("license", Terms::id)?;
    let replaces = terms.replaces("replaces")?;
    if replaces.contains(&license_id) {
        return Err(LicenseError::ReplacesItself);
    }
    let seats = terms.required("seats", Terms::seats)?;
    Ok(License {
        id: license_id,
        vendor: terms.required("vendor", Terms::id)?,
        customer: terms.required("customer", Terms::id)?,
        issued: terms.required("issued", Terms::date)?,
        product: terms.required("product", Terms::id)?,
        title: terms.required("title", Terms::id)?,
        version: terms.required("version", Terms::id)?,
        downgrade: terms.downgrade("downgrade")?,
        seats,
        features: terms.features("features")?,
        valid_from,
        valid_until,
        site: terms.id::<SiteId>("site")?,
        ttl_ms: terms.ttl("ttl")?.unwrap_or(limits::TTL_MS_DEFAULT),
        share: terms.share("share")?.unwrap_or_default(),
        replaces,
        borrow: terms.borrow("borrow", seats)?,
        lost: terms.lost("lost")?.unwrap_or_default(),
    })
}

fn syntax(text: &str, error: &toml::de::Error) -> LicenseError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    LicenseError::Syntax {
        line: before.matches('\n').count() + 1,
        message: error.message().replace('\n', ", "),
    }
}

/// A table whose keys are all known.
struct Terms<'a>(&'a Table);

impl<'a> Terms<'a> {
    fn required<T>(
        &self,
        key: &'static str,
        read: fn(&Self, &'static str) -> Result<Option<T>, LicenseError>,
    ) -> Result<T, LicenseError> {
        read(self, key)?.ok_or_else(|| LicenseError::Missing { key, example: example(key) })
    }

    /// The value of `key` by `read`, which says `None` to another type.
    fn typed<T>(
        &self,
        key: &'static str,
        read: fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, LicenseError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| LicenseError::WrongType { key, example: example(key) })
    }

    fn id<T: std::str::FromStr<Err = IdError>>(&self, key: &'static str) -> Result<Option<T>, LicenseError> {
        self.typed(key, Value::as_str)?.map(|text| id(key, text)).transpose()
    }

    fn date(&self, key: &'static str) -> Result<Option<Date>, LicenseError> {
        let Some(value) = self.typed(key, Value::as_datetime)? else { return Ok(None) };
        match (value.date, value.time, value.offset) {
            (Some(day), None, None) => Date::new(day.year, day.month, day.day),
            _ => None,
        }
        .map(Some)
        .ok_or_else(|| LicenseError::BadDate { key, example: example(key) })
    }

    fn seats(&self, key: &'static str) -> Result<Option<u32>, LicenseError> {
        let Some(number) = self.typed(key, Value::as_integer)? else { return Ok(None) };
        match u32::try_from(number) {
            Ok(seats) if (1..=limits::SEATS_PER_LICENSE_MAX).contains(&seats) => Ok(Some(seats)),
            _ => Err(LicenseError::Seats(number)),
        }
    }

    fn features(&self, key: &'static str) -> Result<Vec<Feature>, LicenseError> {
        let Some(values) = self.typed(key, Value::as_array)? else { return Ok(Vec::new()) };
        each_once(
            key,
            values,
            limits::FEATURES_MAX,
            LicenseError::TooManyFeatures,
            LicenseError::FeatureTwice,
        )
    }

    fn replaces(&self, key: &'static str) -> Result<Vec<Name>, LicenseError> {
        let Some(values) = self.typed(key, Value::as_array)? else { return Ok(Vec::new()) };
        each_once(
            key,
            values,
            limits::REPLACES_MAX,
            LicenseError::TooManyReplaces,
            LicenseError::ReplacesTwice,
        )
    }

    fn downgrade(&self, key: &'static str) -> Result<Downgrade, LicenseError> {
        match self.0.get(key) {
            None => Ok(Downgrade::None),
            Some(Value::String(text)) if text == "any" => Ok(Downgrade::Any),
            Some(Value::String(text)) => Err(LicenseError::Downgrade(text.chars().take(32).collect())),
            Some(Value::Array(values)) => {
                let (many, twice) = (LicenseError::TooManyDowngrades, LicenseError::DowngradeTwice);
                let versions: Vec<Version> = each_once(key, values, limits::DOWNGRADES_MAX, many, twice)?;
                Ok(if versions.is_empty() { Downgrade::None } else { Downgrade::To(versions) })
            }
            Some(_) => Err(LicenseError::WrongType { key, example: example(key) }),
        }
    }

    fn ttl(&self, key: &'static str) -> Result<Option<u64>, LicenseError> {
        let Some(text) = self.typed(key, Value::as_str)? else { return Ok(None) };
        match duration_ms(text) {
            Some(ms) if (limits::TTL_MS_MIN..=limits::TTL_MS_MAX).contains(&ms) => Ok(Some(ms)),
            _ => Err(LicenseError::Ttl(text.chars().take(32).collect())),
        }
    }

    fn borrow(&self, key: &'static str, seats: u32) -> Result<Option<BorrowTerms>, LicenseError> {
        let Some(table) = self.typed(key, Value::as_table)? else { return Ok(None) };
        let wrong = |what: String| LicenseError::Borrow(what);
        if let Some(unknown) = table.keys().find(|key| !["max_days", "max_seats"].contains(&key.as_str())) {
            let unknown: String = unknown.chars().take(64).collect();
            return Err(wrong(format!("`{unknown}` is not known to this version of Seatkeeper")));
        }
        let number = |name: &str, max: u32| {
            let Some(value) = table.get(name) else { return Ok(None) };
            let number = value.as_integer().and_then(|value| u32::try_from(value).ok());
            let fits = number.filter(|number| (1..=max).contains(number));
            fits.map(Some).ok_or_else(|| wrong(format!("`{name}` is {value}, not a number from 1 to {max}")))
        };
        let max_days = number("max_days", limits::BORROW_DAYS_MAX)?;
        let max_days = max_days.ok_or_else(|| wrong("`max_days` is missing".to_owned()))?;
        let max_seats = number("max_seats", seats)?.unwrap_or(seats);
        Ok(Some(BorrowTerms { max_days, max_seats }))
    }

    fn lost(&self, key: &'static str) -> Result<Option<Lost>, LicenseError> {
        let Some(text) = self.typed(key, Value::as_str)? else { return Ok(None) };
        let unknown = || LicenseError::Lost(text.chars().take(64).collect());
        Lost::from_text(text).map(Some).ok_or_else(unknown)
    }

    fn share(&self, key: &'static str) -> Result<Option<Share>, LicenseError> {
        let Some(text) = self.typed(key, Value::as_str)? else { return Ok(None) };
        match Share::from_text(text) {
            Some(share) => Ok(Some(share)),
            None => Err(LicenseError::Share(text.chars().take(32).collect())),
        }
    }
}

/// The texts of a list, each once and at most `max`.
fn each_once<T: std::str::FromStr<Err = IdError> + PartialEq>(
    key: &'static str,
    values: &[Value],
    max: usize,
    too_many: LicenseError,
    twice: fn(T) -> LicenseError,
) -> Result<Vec<T>, LicenseError> {
    if values.len() > max {
        return Err(too_many);
    }
    let mut found = Vec::with_capacity(values.len());
    for value in values {
        let text = value.as_str().ok_or_else(|| LicenseError::WrongType { key, example: example(key) })?;
        let one: T = id(key, text)?;
        if found.contains(&one) {
            return Err(twice(one));
        }
        found.push(one);
    }
    Ok(found)
}

fn id<T: std::str::FromStr<Err = IdError>>(key: &'static str, text: &str) -> Result<T, LicenseError> {
    text.parse().map_err(|error| LicenseError::BadText { key, error, example: example(key) })
}

fn example(key: &str) -> &'static str {
    KEYS.iter().find(|(known, _)| *known == key).map_or("", |(_, example)| example)
}

/// Digits and one of `s`, `m`, `h`, in milliseconds.
fn duration_ms(text: &str) -> Option<u64> {
    let (number, unit_ms) = [("s", 1_000), ("m", 60_000), ("h", 3_600_000)]
        .into_iter()
        .find_map(|(unit, ms)| text.strip_suffix(unit).map(|number| (number, ms)))?;
    // `parse` alone would take a sign.
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(unit_ms)
}
