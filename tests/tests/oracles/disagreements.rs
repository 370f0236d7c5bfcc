//! Where a reader says otherwise than we do, and the clause that decides for us: one table a reader, each row with what it
//! says in place of what is right. A row that no case needs any more fails the test, as does a difference without a row.

/// One kind of difference.
pub(crate) struct Row<Read, Right> {
    /// What the reader does.
    pub(crate) what: &'static str,
    /// The clause that decides.
    pub(crate) clause: &'static str,
    /// Puts right what was read if it differs in exactly this way; says whether it did.
    pub(crate) mend: fn(&mut Read, &Right) -> bool,
}

/// Puts right what the table knows of, in its order, and counts what each row was needed for.
pub(crate) fn mend<Read, Right>(
    table: &[Row<Read, Right>],
    needed: &mut [usize],
    read: &mut Read,
    right: &Right,
) {
    for (row, needed) in table.iter().zip(needed) {
        *needed += usize::from((row.mend)(read, right));
    }
}

/// Prints the table with its counts; fails if a row was not needed.
pub(crate) fn conclude<Read, Right>(reader: &str, table: &[Row<Read, Right>], needed: &[usize]) {
    for (row, needed) in table.iter().zip(needed) {
        println!("{reader}: {needed} times otherwise: {}: {}", row.what, row.clause);
    }
    let idle = table.iter().zip(needed).filter(|(_, needed)| **needed == 0).map(|(row, _)| row.what);
    let idle: Vec<_> = idle.collect();
    assert!(idle.is_empty(), "{reader} no longer disagrees there: {idle:?}");
}
