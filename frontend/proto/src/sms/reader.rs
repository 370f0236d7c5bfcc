//! A cursor that never reads past the end and says what it wanted.

use super::error::{DecodeError, ErrorKind};

/// Name of a field and the clause that defines it, for errors.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) clause: &'static str,
}

impl Field {
    pub(crate) const fn new(name: &'static str, clause: &'static str) -> Field {
        Field { name, clause }
    }

    /// Makes the error for a length outside of `min..=max`.
    pub(crate) fn length_error(self, octet: usize, length: usize, min: usize, max: usize) -> DecodeError {
        DecodeError {
            octet,
            clause: self.clause,
            kind: ErrorKind::Length { field: self.name, length, min, max },
        }
    }
}

pub(crate) struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Reader<'a> {
        Reader { octets, at: 0 }
    }

    /// Offset of the next octet.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.octets.len()
    }

    pub(crate) fn left(&self) -> usize {
        self.octets.len() - self.at
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.octets[self.at..]
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    pub(crate) fn octet(&mut self, field: Field) -> Result<u8, DecodeError> {
        match self.octets.get(self.at) {
            Some(&octet) => {
                self.at += 1;
                Ok(octet)
            }
            None => Err(self.truncated(field, 1)),
        }
    }

    pub(crate) fn take(&mut self, count: usize, field: Field) -> Result<&'a [u8], DecodeError> {
        match self.octets[self.at..].get(..count) {
            Some(octets) => {
                self.at += count;
                Ok(octets)
            }
            None => Err(self.truncated(field, count)),
        }
    }

    pub(crate) fn array<const N: usize>(&mut self, field: Field) -> Result<[u8; N], DecodeError> {
        match self.octets[self.at..].first_chunk::<N>() {
            Some(octets) => {
                self.at += N;
                Ok(*octets)
            }
            None => Err(self.truncated(field, N)),
        }
    }

    fn truncated(&self, field: Field, needed: usize) -> DecodeError {
        DecodeError {
            octet: self.at,
            clause: field.clause,
            kind: ErrorKind::Truncated { field: field.name, needed, left: self.left() },
        }
    }
}
