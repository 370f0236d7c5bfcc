//! Finds the lines and columns of key paths, by walking the text once more with the YAML reader itself.
//!
//! The reader tells places only in its errors. So what is wanted fails where it stands, the error is read, and the walk
//! goes on behind it: however many paths there are, the text is walked once.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::problem::{KeyPath, Position, Step};

/// What a key or an element fails with that is wanted.
const FOUND: &str = "the place of what is wanted";

/// The place of the key (or list element) at each path; of the nearest thing around it if the path is not in the text.
/// A list element that is a list or mapping itself stands where the first thing in it does.
pub(crate) fn positions(text: &str, paths: &[&KeyPath]) -> Vec<Option<Position>> {
    let places = RefCell::new(vec![(0, None); paths.len()]);
    let paths = paths.iter().enumerate().map(|(number, path)| (number, &path.0[..]));
    let walk = Walk {
        wanted: paths.filter(|(_, path)| !path.is_empty()).collect(),
        depth: 0,
        places: &places,
        first: &Cell::new(None),
    };
    // Of a text that cannot be read to its end, what was found before counts.
    let _ = walk.deserialize(serde_yaml::Deserializer::from_str(text));
    places.into_inner().into_iter().map(|(_, place)| place).collect()
}

/// The place of one path.
pub(crate) fn position(text: &str, path: &KeyPath) -> Option<Position> {
    positions(text, &[path]).pop().flatten()
}

/// The place an error names.
pub(crate) fn of_error(error: &serde_yaml::Error) -> Option<Position> {
    error.location().map(|place| Position { line: place.line(), column: place.column() })
}

/// The place that the reader added to an error of ours; None if it is not one of ours.
fn told(error: &impl fmt::Display) -> Option<Position> {
    let said = error.to_string();
    let (_, place) = said.split_once(FOUND)?;
    let Some((line, column)) = place.strip_prefix(" at line ").and_then(|place| place.split_once(" column "))
    else {
        // The very beginning is told otherwise.
        return Some(Position { line: 1, column: 1 });
    };
    Some(Position { line: line.parse().ok()?, column: column.parse().ok()? })
}

/// The number of a path, and what is left of it.
type Wanted<'p> = (usize, &'p [Step]);

/// Walks a value.
struct Walk<'w, 'p> {
    /// The paths that lead to or into this value.
    wanted: Vec<Wanted<'p>>,
    depth: usize,
    /// For each path the deepest place on its way, and how deep that is.
    places: &'w RefCell<Vec<(usize, Option<Position>)>>,
    /// Where the first thing in this value stands, to be told to who walks around it.
    first: &'w Cell<Option<Position>>,
}

impl<'p> Walk<'_, 'p> {
    /// The paths that take this step.
    fn behind(&self, takes: impl Fn(&Step) -> bool) -> Vec<Wanted<'p>> {
        let rest = |(number, path): &Wanted<'p>| {
            let (step, rest) = path.split_first()?;
            takes(step).then_some((*number, rest))
        };
        self.wanted.iter().filter_map(rest).collect()
    }

    fn note(&self, wanted: &[Wanted<'p>], place: Option<Position>) {
        if self.first.get().is_none() {
            self.first.set(place);
        }
        let mut places = self.places.borrow_mut();
        for (number, _) in wanted {
            if place.is_some() && places[*number].0 <= self.depth {
                places[*number] = (self.depth, place);
            }
        }
    }

    fn inside<'w>(&'w self, wanted: Vec<Wanted<'p>>, first: &'w Cell<Option<Position>>) -> Walk<'w, 'p> {
        Walk { wanted, depth: self.depth + 1, places: self.places, first }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value on the way")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        loop {
            let said = RefCell::new(None);
            let all = self.first.get().is_none();
            let key = Key { wanted: &self.wanted, all, said: &said };
            let error = match map.next_key_seed(key) {
                Ok(Some(())) => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                Ok(None) => return Ok(()),
                Err(error) => error,
            };
            let Some(key) = said.take() else { return Err(error) };
            let mut behind = self.behind(|step| matches!(step, Step::Key(own) if *own == key));
            self.note(&behind, told(&error));
            behind.retain(|(_, rest)| !rest.is_empty());
            if behind.is_empty() {
                map.next_value::<IgnoredAny>()?;
            } else if let Err(error) = map.next_value_seed(self.inside(behind, &Cell::new(None))) {
                // A scalar where a path leads on.
                told(&error).ok_or(error)?;
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        for at in 0.. {
            let behind = self.behind(|step| matches!(step, Step::Index(own) if *own == at));
            if behind.is_empty() && self.first.get().is_some() {
                if list.next_element::<IgnoredAny>()?.is_none() {
                    break;
                }
                continue;
            }
            let first = Cell::new(None);
            match list.next_element_seed(self.inside(behind.clone(), &first)) {
                Ok(None) => break,
                Ok(Some(())) => self.note(&behind, first.get()),
                Err(error) => self.note(&behind, Some(told(&error).ok_or(error)?)),
            }
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Err(E::custom(FOUND))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Err(E::custom(FOUND))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Err(E::custom(FOUND))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Err(E::custom(FOUND))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Err(E::custom(FOUND))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Err(E::custom(FOUND))
    }
}

/// Reads a key; fails, and leaves its text behind, if a path leads through it or the place of all keys is asked for.
struct Key<'w, 'p> {
    wanted: &'w [Wanted<'p>],
    all: bool,
    said: &'w RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<(), E> {
        let leads = |(_, path): &Wanted<'_>| matches!(path.first(), Some(Step::Key(own)) if own == key);
        if !self.all && !self.wanted.iter().any(leads) {
            return Ok(());
        }
        self.said.replace(Some(key.to_owned()));
        Err(E::custom(FOUND))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
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

    #[test]
    fn all_paths_are_found_in_one_walk() {
        let paths = [
            KeyPath::from("listen").index(0),
            KeyPath::from("listen"),
            KeyPath::from("store.routes").index(0),
            KeyPath::from("store.routes").index(0).key("prefix"),
            KeyPath::from("listen").index(1),
            KeyPath::from("location.none"),
            KeyPath::from("none"),
        ];
        let found: Vec<_> = positions(TEXT, &paths.iter().collect::<Vec<_>>())
            .into_iter()
            .map(|place| place.map(|place| (place.line, place.column)))
            .collect();
        let expected =
            [Some((7, 5)), Some((6, 1)), Some((9, 19)), Some((9, 19)), Some((8, 5)), Some((2, 1)), None];
        assert_eq!(found, expected);
    }
}
