//! The OpenAPI document. Its records are made from examples of the very types that travel, so field names and what
//! is required cannot differ from what the code reads and writes.

use serde_json::{Map, Value, json};

use super::examples::{RECORDS, Record};

/// Where a parameter goes.
type Place = &'static str;

/// One operation: verb, path, name, summary, parameters, body, answers.
struct Operation {
    verb: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    parameters: &'static [(Place, &'static str, &'static str)],
    body: Option<&'static str>,
    answers: &'static [(&'static str, &'static str, Option<Content>)],
}

/// What an answer holds.
#[derive(Clone, Copy)]
enum Content {
    One(&'static str),
    List(&'static str),
}

use Content::{List, One};

const REFUSED: (&str, &str, Option<Content>) =
    ("400", "Refused for good; the text says why.", Some(One("Problem")));
const LATER: (&str, &str, Option<Content>) =
    ("429", "At a cap: nothing was stored; come back after Retry-After.", Some(One("Problem")));
const BROKEN: (&str, &str, Option<Content>) =
    ("503", "The database failed: nothing was stored; come back after Retry-After.", Some(One("Problem")));
const ABSENT: (&str, &str, Option<Content>) = ("404", "There is no such message.", Some(One("Problem")));
const ID: (Place, &str, &str) = ("path", "id", "The message.");
const LIMIT: (Place, &str, &str) = ("query", "limit", "Rows at most; 50 if not given.");

const OPERATIONS: &[Operation] = &[
    Operation {
        verb: "post",
        path: "/api/frontends/register",
        id: "frontend_register",
        summary: "Registers a frontend or refreshes it.",
        parameters: &[],
        body: Some("FrontendRegistration"),
        answers: &[("200", "Registered.", None), REFUSED, LATER, BROKEN],
    },
    Operation {
        verb: "delete",
        path: "/api/frontends/{name}",
        id: "frontend_deregister",
        summary: "Takes a frontend's registration away; absent is success.",
        parameters: &[("path", "name", "The frontend_name it registered with.")],
        body: None,
        answers: &[("200", "It is not registered.", None), BROKEN],
    },
    Operation {
        verb: "get",
        path: "/api/frontends",
        id: "frontends",
        summary: "The registered frontends.",
        parameters: &[],
        body: None,
        answers: &[("200", "By name.", Some(List("RegisteredFrontend"))), BROKEN],
    },
    Operation {
        verb: "post",
        path: "/api/locations",
        id: "insert_location",
        summary: "Records where a subscriber can be reached, and makes what waits for it due at once.",
        parameters: &[],
        body: Some("Location"),
        answers: &[("200", "Recorded, or overtaken by a newer one.", None), REFUSED, LATER, BROKEN],
    },
    Operation {
        verb: "delete",
        path: "/api/locations/{impu}",
        id: "delete_location",
        summary: "Forgets where a subscriber is, if the stored S-CSCF is that one and the stored CSeq is older.",
        parameters: &[
            ("path", "impu", "The public identity."),
            ("query", "s_cscf", "Only a location written for this S-CSCF."),
            ("query", "call_id", "Call-ID of the de-registration."),
            ("query", "cseq", "CSeq of the de-registration."),
        ],
        body: None,
        answers: &[("204", "Gone, or not what is stored.", None), REFUSED, BROKEN],
    },
    Operation {
        verb: "post",
        path: "/api/messages",
        id: "insert_message",
        summary: "Hands a message over. 201 means that it is stored durably, now or by an earlier request.",
        parameters: &[("header", "Idempotency-Key", "Repeats with the same key are one message.")],
        body: Some("NewMessage"),
        answers: &[("201", "Stored.", Some(One("Accepted"))), REFUSED, LATER, BROKEN],
    },
    Operation {
        verb: "get",
        path: "/api/messages",
        id: "list",
        summary: "Messages, newest first, by pages.",
        parameters: &[
            (
                "query",
                "state",
                "all, open, dead (failed or expired), queued, held (no route), in_flight, delivered, failed, expired.",
            ),
            ("query", "before", "The next of the page before."),
            LIMIT,
        ],
        body: None,
        answers: &[("200", "A page.", Some(One("MessagePage"))), REFUSED, BROKEN],
    },
    Operation {
        verb: "get",
        path: "/api/messages/get_queue",
        id: "get_queue",
        summary: "Leases due messages to a location. Each waits for its report until the lease runs out.",
        parameters: &[("header", "smsc", "The location."), LIMIT],
        body: None,
        answers: &[("200", "The messages.", Some(List("QueuedMessage"))), REFUSED, BROKEN],
    },
    Operation {
        verb: "get",
        path: "/api/messages/history",
        id: "msisdn_history",
        summary: "The newest messages from or to a number, with their attempts.",
        parameters: &[("query", "msisdn", "The number.")],
        body: None,
        answers: &[("200", "Newest first.", Some(List("MessageHistory"))), REFUSED, BROKEN],
    },
    Operation {
        verb: "get",
        path: "/api/messages/{id}",
        id: "message",
        summary: "One message in short.",
        parameters: &[ID],
        body: None,
        answers: &[("200", "The message.", Some(One("MessageSummary"))), ABSENT, BROKEN],
    },
    Operation {
        verb: "patch",
        path: "/api/messages/{id}",
        id: "process_message",
        summary: "Reports what one attempt came to. Of late reports only delivered counts.",
        parameters: &[ID],
        body: Some("AttemptReport"),
        answers: &[
            ("200", "Recorded, or too late to count.", None),
            ("409", "The message was final already; nothing changed.", Some(One("Problem"))),
            REFUSED,
            ABSENT,
            BROKEN,
        ],
    },
    Operation {
        verb: "get",
        path: "/api/messages/{id}/history",
        id: "message_history",
        summary: "One message with its attempts and everything else that happened to it.",
        parameters: &[ID],
        body: None,
        answers: &[("200", "The message.", Some(One("MessageHistory"))), ABSENT, BROKEN],
    },
    Operation {
        verb: "post",
        path: "/api/messages/{id}/replay",
        id: "replay",
        summary: "Queues a dead letter again, with its full validity.",
        parameters: &[ID],
        body: None,
        answers: &[
            ("200", "Queued.", Some(One("MessageSummary"))),
            ("409", "No dead letter, or its content was erased.", Some(One("Problem"))),
            ABSENT,
            LATER,
            BROKEN,
        ],
    },
    Operation {
        verb: "get",
        path: "/api/summary",
        id: "summary",
        summary: "How much the store holds.",
        parameters: &[],
        body: None,
        answers: &[("200", "Counts.", Some(One("Summary"))), BROKEN],
    },
];

/// The document, version 3.1.0 of the specification.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.verb] = describe(operation);
    }
    let schemas: Map<String, Value> =
        RECORDS.iter().map(|record| (record.name.to_owned(), schema(record))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "SMS store",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The backend contract of the SMS frontends. Fields that are absent are omitted, unknown \
                            fields are ignored. Text is UTF-8, octets are lowercase hex, times are RFC 3339 UTC.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{}, { "token": [] }],
    })
}

fn describe(operation: &Operation) -> Value {
    let parameters: Vec<Value> = operation
        .parameters
        .iter()
        .map(|(place, name, description)| {
            let integer = matches!(*name, "limit" | "before" | "cseq");
            json!({
                "in": place,
                "name": name,
                "description": description,
                "required": *place == "path" || matches!(*name, "smsc" | "msisdn"),
                "schema": { "type": if integer { "integer" } else { "string" } },
            })
        })
        .collect();
    let mut answers = Map::new();
    for (status, description, content) in operation.answers {
        let mut answer = json!({ "description": description });
        if let Some(content) = content {
            answer["content"] = json!({ "application/json": { "schema": match content {
                One(name) => reference(name),
                List(name) => json!({ "type": "array", "items": reference(name) }),
            } } });
        }
        answers.insert((*status).to_owned(), answer);
    }
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": answers,
    });
    if let Some(name) = operation.body {
        described["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": reference(name) } } });
    }
    described
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn schema(record: &Record) -> Value {
    let full = (record.full)();
    let mut schema = shape(&full, &(record.least)());
    for (field, values) in record.words {
        schema["properties"][field]["enum"] = values();
    }
    schema["example"] = full;
    schema
}

/// The schema of a value: its fields are the properties, those that `least` has too are required.
fn shape(full: &Value, least: &Value) -> Value {
    match full {
        Value::Object(fields) => {
            let properties: Map<String, Value> =
                fields.iter().map(|(name, value)| (name.clone(), shape(value, &least[name]))).collect();
            let mut required: Vec<&String> = fields.keys().filter(|name| least.get(name).is_some()).collect();
            required.sort();
            json!({ "type": "object", "properties": properties, "required": required })
        }
        Value::Array(items) => {
            let item = items.first().map_or(json!({}), |item| shape(item, item));
            json!({ "type": "array", "items": item })
        }
        Value::Number(_) => json!({ "type": "integer" }),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => {
            json!({ "type": "string", "format": "date-time" })
        }
        Value::String(_) => json!({ "type": "string" }),
        Value::Null => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_that_is_named_is_described_and_every_record_is_named() {
        let text = document().to_string();
        for record in RECORDS {
            assert!(
                text.contains(&format!("\"#/components/schemas/{}\"", record.name)),
                "{} unused",
                record.name
            );
        }
        for (at, _) in text.match_indices("#/components/schemas/") {
            let name = text[at..].trim_start_matches("#/components/schemas/").split('"').next().unwrap();
            assert!(RECORDS.iter().any(|record| record.name == name), "{name} undescribed");
        }
    }

    #[test]
    fn required_is_what_the_type_insists_on() {
        let document = document();
        let required = &document["components"]["schemas"]["AttemptReport"]["required"];
        assert_eq!(required, &json!(["attempt", "dest_smsc", "status"]));
        let status = &document["components"]["schemas"]["AttemptReport"]["properties"]["status"]["enum"];
        let words = ["delivered", "failed", "absent", "memory_full", "rejected", "unknown", "released"];
        assert_eq!(status, &json!(words));
    }

    #[test]
    fn every_example_is_read_back_by_its_type() {
        for record in RECORDS {
            for example in [(record.full)(), (record.least)()] {
                assert_ne!(example, Value::Null, "{}", record.name);
            }
        }
    }
}
