//! Two readings of one message, compared.

use crate::reading::{Field, Reading};

/// The names of the fields of a reading.
pub const FIELDS: [&str; 13] = [
    "start line",
    "header lines",
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Route",
    "P-Asserted-Identity",
    "Content-Type",
    "Content-Length",
    "body",
];

/// The names of the fields in which two readings differ, in the order of [`FIELDS`]; none if they are equal.
pub fn differences(ours: &Reading, theirs: &Reading) -> Vec<&'static str> {
    // No `..`: a field that is added is compared.
    let Reading {
        start,
        lines,
        vias,
        from,
        to,
        call_id,
        cseq,
        contacts,
        routes,
        asserted,
        content_type,
        content_length,
        body,
    } = ours;
    let equal = [
        *start == theirs.start,
        *lines == theirs.lines,
        same(vias, &theirs.vias),
        same(from, &theirs.from),
        same(to, &theirs.to),
        same(call_id, &theirs.call_id),
        same(cseq, &theirs.cseq),
        same(contacts, &theirs.contacts),
        same(routes, &theirs.routes),
        same(asserted, &theirs.asserted),
        *content_type == theirs.content_type,
        *content_length == theirs.content_length,
        *body == theirs.body,
    ];
    FIELDS.into_iter().zip(equal).filter(|(_, equal)| !equal).map(|(name, _)| name).collect()
}

/// Two readers that both find a header absent or beyond understanding agree, whatever they call it.
fn same<T: PartialEq>(ours: &Field<T>, theirs: &Field<T>) -> bool {
    match (ours, theirs) {
        (Err(_), Err(_)) => true,
        (ours, theirs) => ours == theirs,
    }
}
