//! `/api/docs`: the OpenAPI document as JSON and as a page for people, without any file from elsewhere.

use std::fmt::Write as _;

use axum::Json;
use axum::response::Html;
use serde_json::Value;

use super::openapi::document;

pub(super) async fn openapi() -> Json<Value> {
    Json(document())
}

pub(super) async fn page() -> Html<String> {
    Html(render(&document()))
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\
    h2{border-top:1px solid #8884;padding-top:1em}code,pre{font:14px/1.4 ui-monospace,monospace}\
    pre{background:#8881;padding:.8em;overflow:auto}table{border-collapse:collapse}\
    td,th{text-align:left;vertical-align:top;padding:.2em 1em .2em 0}.verb{text-transform:uppercase}";

/// The document as one page. Writing to a string cannot fail, so the results of `write!` are of no interest.
fn render(document: &Value) -> String {
    let info = &document["info"];
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style><h1>{title}</h1><p>{text}</p>\
         <p>For programs: <a href=\"/api/docs/openapi.json\">openapi.json</a></p>",
        title = escaped(&info["title"]),
        text = escaped(&info["description"]),
    );
    for (path, verbs) in document["paths"].as_object().into_iter().flatten() {
        for (verb, operation) in verbs.as_object().into_iter().flatten() {
            render_operation(&mut page, path, verb, operation);
        }
    }
    page.push_str("<h1>Records</h1>");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        render_schema(&mut page, name, schema);
    }
    page.push_str("</html>");
    page
}

fn render_operation(page: &mut String, path: &str, verb: &str, operation: &Value) {
    let _ = write!(
        page,
        "<h2 id=\"{id}\"><code><span class=\"verb\">{verb}</span> {path}</code></h2><p>{summary}</p><table>",
        id = escaped(&operation["operationId"]),
        summary = escaped(&operation["summary"]),
    );
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let _ = write!(
            page,
            "<tr><td>{}<td><code>{}</code><td>{}",
            escaped(&parameter["in"]),
            escaped(&parameter["name"]),
            escaped(&parameter["description"])
        );
    }
    if let Some(name) = record(&operation["requestBody"]["content"]) {
        let _ = write!(page, "<tr><td>body<td>{name}<td>");
    }
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        let name = record(&answer["content"]).unwrap_or_default();
        let _ = write!(page, "<tr><td>{status}<td>{name}<td>{}", escaped(&answer["description"]));
    }
    page.push_str("</table>");
}

/// A link to the record a JSON content is, or is a list of.
fn record(content: &Value) -> Option<String> {
    let schema = &content["application/json"]["schema"];
    let (reference, list) = match schema["items"]["$ref"].as_str() {
        Some(reference) => (reference, "list of "),
        None => (schema["$ref"].as_str()?, ""),
    };
    let name = reference.rsplit('/').next()?;
    Some(format!("{list}<a href=\"#{name}\">{name}</a>"))
}

fn render_schema(page: &mut String, name: &str, schema: &Value) {
    let _ = write!(page, "<h2 id=\"{name}\">{name}</h2><table>");
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (field, property) in schema["properties"].as_object().into_iter().flatten() {
        let need = if required.contains(&field.as_str()) { "required" } else { "" };
        let values: Vec<String> = property["enum"].as_array().into_iter().flatten().map(escaped).collect();
        let kind = if values.is_empty() { escaped(&property["type"]) } else { values.join(" | ") };
        let _ = write!(page, "<tr><td><code>{field}</code><td>{kind}<td>{need}");
    }
    let example = serde_json::to_string_pretty(&schema["example"]).unwrap_or_default();
    let _ = write!(page, "</table><pre>{}</pre>", escape(&example));
}

fn escaped(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_every_operation_and_record_and_loads_nothing_from_elsewhere() {
        let document = document();
        let page = render(&document);
        for (path, verbs) in document["paths"].as_object().unwrap() {
            for verb in verbs.as_object().unwrap().keys() {
                assert!(
                    page.contains(&format!("<span class=\"verb\">{verb}</span> {path}<")),
                    "{verb} {path}"
                );
            }
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(page.contains(&format!("<h2 id=\"{name}\">")), "{name}");
        }
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));
    }
}
