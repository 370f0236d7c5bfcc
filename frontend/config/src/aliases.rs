//! Aliases (`*name`) let a few octets of YAML stand for a tree of any size: such a text is recognised before it is read.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Whether aliases make the tree larger than a text of this length can be without them.
pub(crate) fn blow_up(text: &str) -> bool {
    if !text.contains('*') {
        return false;
    }
    // Without aliases a node takes an octet at least, and a scalar hardly grows when its escapes are resolved.
    let left = Cell::new(2 * text.len() + 64);
    let counted = Count { left: &left }.deserialize(serde_yaml::Deserializer::from_str(text));
    // Whatever else is wrong is told by who reads it.
    counted.is_err() && left.get() == 0
}

/// Walks a value and counts down for each node, and for each four octets of text; fails at zero.
#[derive(Clone, Copy)]
struct Count<'c> {
    left: &'c Cell<usize>,
}

impl Count<'_> {
    fn spend<E: Error>(self, cost: usize) -> Result<(), E> {
        self.left.set(self.left.get().saturating_sub(cost));
        if self.left.get() == 0 { Err(E::custom("aliases")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Count<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Count<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.spend(1)?;
        while map.next_entry_seed(self, self)?.is_some() {}
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.spend(1)?;
        while list.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let ((), value) = tagged.variant_seed(self)?;
        value.newtype_variant_seed(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.spend(1 + text.len() / 4)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.spend(1)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.spend(1)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.spend(1)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.spend(1)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.spend(1)
    }
}

#[cfg(test)]
mod tests {
    use super::blow_up;

    #[test]
    fn aliases_that_multiply_are_seen_and_others_are_not() {
        let bomb = (1..8).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, level| {
            let inner = vec![format!("*a{}", level - 1); 9].join(",");
            format!("{text}a{level}: &a{level} [{inner}]\n")
        });
        assert!(blow_up(&bomb));
        assert!(!blow_up("a: &a {b: c, d: [e, f]}\ng: *a\nh: *a\n"));
        assert!(!blow_up("trusted_peers: ['*', !tag x, 1, -1, 1.5, true, ~]\n"));
        assert!(!blow_up("a: [*nobody"));
    }

    #[test]
    fn no_text_without_aliases_is_taken_for_a_bomb() {
        for text in [
            "[*".to_owned() + &"{a,".repeat(100),
            "*".repeat(9),
            "[".repeat(99) + "'*'",
            "{a,b,c,d,'*'}".to_owned(),
        ] {
            assert!(!blow_up(&text), "{text}");
        }
    }
}
