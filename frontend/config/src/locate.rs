//! Finds the line and column of a key path, by walking the text once more with the YAML reader itself.
//!
//! The reader tells places only in its errors, so the walk stops at the key wanted with an error of its own.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::problem::{KeyPath, Position, Step};

/// What the walk fails with at its goal.
const FOUND: &str = "the end of the path";

/// The place of the key (or list element) at `path`; of the nearest thing around it if the path is not in the text.
pub(crate) fn position(text: &str, path: &KeyPath) -> Option<Position> {
    (1..=path.0.len()).rev().find_map(|steps| {
        let error =
            Value { path: &path.0[..steps] }.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
        error.to_string().contains(FOUND).then(|| of_error(&error)).flatten()
    })
}

/// The place an error names.
pub(crate) fn of_error(error: &serde_yaml::Error) -> Option<Position> {
    error.location().map(|place| Position { line: place.line(), column: place.column() })
}

/// Walks a value; at the end of the path it fails.
struct Value<'p> {
    path: &'p [Step],
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value at the path")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let wanted = match self.path {
            [] => return Err(A::Error::custom(FOUND)),
            [Step::Key(key), ..] => Some(key.as_str()),
            [Step::Index(_), ..] => None,
        };
        let last = self.path.len() == 1;
        while let Some(matches) = map.next_key_seed(Key { wanted, last })? {
            if matches {
                map.next_value_seed(Value { path: &self.path[1..] })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let wanted = match self.path {
            [] => return Err(A::Error::custom(FOUND)),
            [Step::Index(index), ..] => Some(*index),
            [Step::Key(_), ..] => None,
        };
        for at in 0.. {
            let more = if wanted == Some(at) {
                seq.next_element_seed(Value { path: &self.path[1..] })?
            } else {
                seq.next_element::<IgnoredAny>()?.map(|_| ())
            };
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.scalar()
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.scalar()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar()
    }
}

impl Value<'_> {
    fn scalar<E: Error>(self) -> Result<(), E> {
        if self.path.is_empty() { Err(E::custom(FOUND)) } else { Ok(()) }
    }
}

/// Reads a key and says whether it is the one wanted; fails if the path ends with it.
struct Key<'p> {
    wanted: Option<&'p str>,
    last: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        match self.wanted == Some(key) {
            true if self.last => Err(E::custom(FOUND)),
            matches => Ok(matches),
        }
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# a file\nlocation: a.b\npolling:\n  # how often\n  interval: 2s\nlisten:\n  - udp:127.0.0.1:5060\n  \
                        - tcp:127.0.0.1:5060\nstore: {routes: [{prefix: \"44\", location: x.y}]}\n";

    #[test]
    fn keys_and_list_elements_are_found_where_they_stand() {
        let routes = KeyPath::from("store.routes").index(0);
        for (path, line, column) in [
            (KeyPath::from("location"), 2, 1),
            (KeyPath::from("polling.interval"), 5, 3),
            (KeyPath::from("listen").index(1), 8, 5),
            (routes.key("location"), 9, 33),
        ] {
            assert_eq!(position(TEXT, &path), Some(Position { line, column }), "{path}");
        }
    }

    #[test]
    fn what_is_missing_is_placed_at_the_nearest_thing_around_it() {
        assert_eq!(position(TEXT, &KeyPath::from("polling.batch")), Some(Position { line: 3, column: 1 }));
        assert_eq!(position(TEXT, &KeyPath::from("ims_domain")), None);
    }
}
