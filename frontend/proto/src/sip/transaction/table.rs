//! A capped table of transactions, found by key or by id.
//!
//! Slots are reused; the generation in an id tells the old user of a slot from the new one.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::key::Key;

/// A slot and which of its users.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Id {
    slot: u32,
    generation: u32,
}

impl Id {
    #[cfg(test)]
    pub(super) fn new(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }
}

pub(super) struct Table<T> {
    slots: Vec<Slot<T>>,
    vacant: Option<u32>,
    // Keys are already the output of a secret hash, so the quick unkeyed hasher is safe here.
    index: HashMap<Key, u32, FxBuildHasher>,
    open: usize,
    cap: usize,
}

struct Slot<T> {
    generation: u32,
    entry: Entry<T>,
}

enum Entry<T> {
    Occupied { key: Key, value: T },
    Vacant { next: Option<u32> },
}

impl<T> Table<T> {
    pub(super) fn new(cap: usize) -> Self {
        let cap = cap.min(u32::MAX as usize);
        Self { slots: Vec::new(), vacant: None, index: HashMap::default(), open: 0, cap }
    }

    pub(super) fn len(&self) -> usize {
        self.open
    }

    pub(super) fn is_full(&self) -> bool {
        self.open >= self.cap
    }

    /// Adds a transaction, or returns `None` at the cap. An older one with the same key is no longer found by it.
    pub(super) fn insert(&mut self, key: Key, value: T) -> Option<Id> {
        if self.is_full() {
            return None;
        }
        let entry = Entry::Occupied { key, value };
        let slot = match self.vacant {
            Some(slot) => {
                let reused = &mut self.slots[slot as usize];
                if let Entry::Vacant { next } = reused.entry {
                    self.vacant = next;
                }
                reused.entry = entry;
                slot
            }
            None => {
                let slot = u32::try_from(self.slots.len()).expect("the cap fits 32 bits");
                self.slots.push(Slot { generation: 0, entry });
                slot
            }
        };
        self.index.insert(key, slot);
        self.open += 1;
        Some(Id { slot, generation: self.slots[slot as usize].generation })
    }

    pub(super) fn find(&self, key: &Key) -> Option<Id> {
        let slot = *self.index.get(key)?;
        Some(Id { slot, generation: self.slots[slot as usize].generation })
    }

    pub(super) fn get(&self, id: Id) -> Option<&T> {
        match self.slots.get(id.slot as usize)? {
            Slot { generation, entry: Entry::Occupied { value, .. } } if *generation == id.generation => {
                Some(value)
            }
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        match self.slots.get_mut(id.slot as usize)? {
            Slot { generation, entry: Entry::Occupied { value, .. } } if *generation == id.generation => {
                Some(value)
            }
            _ => None,
        }
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<T> {
        self.get(id)?;
        let slot = &mut self.slots[id.slot as usize];
        let left = std::mem::replace(&mut slot.entry, Entry::Vacant { next: self.vacant });
        slot.generation = slot.generation.wrapping_add(1);
        self.vacant = Some(id.slot);
        self.open -= 1;
        let Entry::Occupied { key, value } = left else { return None };
        if self.index.get(&key) == Some(&id.slot) {
            self.index.remove(&key);
        }
        Some(value)
    }

    /// Every transaction with its id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.slots.iter().zip(0u32..).filter_map(|(Slot { generation, entry }, slot)| match entry {
            Entry::Occupied { value, .. } => Some((Id { slot, generation: *generation }, value)),
            Entry::Vacant { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> Key {
        Key::from_parts(n, !n)
    }

    #[test]
    fn an_id_names_one_transaction_even_after_its_slot_was_reused() {
        let mut table = Table::new(1);
        let first = table.insert(key(1), "first").unwrap();
        assert_eq!(table.insert(key(2), "too many"), None);
        assert_eq!(table.remove(first), Some("first"));
        let second = table.insert(key(2), "second").unwrap();
        assert_eq!(table.get(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(
            (table.get(second), table.find(&key(2)), table.find(&key(1))),
            (Some(&"second"), Some(second), None)
        );
        assert_eq!((table.len(), table.slots.len()), (1, 1));
    }

    #[test]
    fn the_end_of_an_older_transaction_leaves_a_newer_one_with_its_key_findable() {
        let mut table = Table::new(2);
        let older = table.insert(key(1), "older").unwrap();
        let newer = table.insert(key(1), "newer").unwrap();
        assert_eq!(table.find(&key(1)), Some(newer));
        table.remove(older);
        assert_eq!(table.find(&key(1)), Some(newer));
        assert_eq!(table.iter().collect::<Vec<_>>(), [(newer, &"newer")]);
    }
}
