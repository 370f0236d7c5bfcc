//! Where each operation lives: the one table of paths (design §6), every entry overridable.
//!
//! The vendor's reference is not public, so these paths are an assumption; everything that assumes them is here.

use reqwest::Url;

use super::RestError;

/// The path templates, relative to the base URL. `{...}` marks where the one parameter goes, percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// `POST`: `frontend_register`.
    pub frontend_register: String,
    /// `DELETE`: takes a registration away; has `{name}`.
    pub frontend_deregister: String,
    /// `POST`: `insert_location`.
    pub insert_location: String,
    /// `DELETE`: removes a location; has `{impu}`.
    pub delete_location: String,
    /// `POST`: `insert_message`.
    pub insert_message: String,
    /// `GET`: `get_queue`.
    pub get_queue: String,
    /// `PATCH`: `process_message`; has `{id}`.
    pub process_message: String,
    /// `GET`: one message's history; has `{id}`. Only the embedded store serves it.
    pub message_history: String,
    /// `GET`: a number's newest messages, by `?msisdn=`. Only the embedded store serves it.
    pub msisdn_history: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            frontend_register: "/api/frontends/register".into(),
            frontend_deregister: "/api/frontends/{name}".into(),
            insert_location: "/api/locations".into(),
            delete_location: "/api/locations/{impu}".into(),
            insert_message: "/api/messages".into(),
            get_queue: "/api/messages/get_queue".into(),
            process_message: "/api/messages/{id}".into(),
            message_history: "/api/messages/{id}/history".into(),
            msisdn_history: "/api/messages/history".into(),
        }
    }
}

impl Endpoints {
    /// Overrides the template of `operation` (a field's name), for tables that come out of a configuration file.
    ///
    /// # Errors
    /// `operation` is none of the fields; the template itself is checked by
    /// [`RestBackend::new`](super::RestBackend::new).
    pub fn set(&mut self, operation: &str, template: impl Into<String>) -> Result<(), RestError> {
        let field = match operation {
            "frontend_register" => &mut self.frontend_register,
            "frontend_deregister" => &mut self.frontend_deregister,
            "insert_location" => &mut self.insert_location,
            "delete_location" => &mut self.delete_location,
            "insert_message" => &mut self.insert_message,
            "get_queue" => &mut self.get_queue,
            "process_message" => &mut self.process_message,
            "message_history" => &mut self.message_history,
            "msisdn_history" => &mut self.msisdn_history,
            _ => {
                return Err(RestError::Endpoint {
                    operation: operation.to_owned(),
                    detail: "there is no such operation".into(),
                });
            }
        };
        *field = template.into();
        Ok(())
    }
}

/// The templates joined to a base URL and parsed once.
pub(super) struct Table {
    pub(super) frontend_register: Endpoint,
    pub(super) frontend_deregister: Endpoint,
    pub(super) insert_location: Endpoint,
    pub(super) delete_location: Endpoint,
    pub(super) insert_message: Endpoint,
    pub(super) get_queue: Endpoint,
    pub(super) process_message: Endpoint,
    pub(super) message_history: Endpoint,
    pub(super) msisdn_history: Endpoint,
}

impl Table {
    pub(super) fn new(base: &Url, endpoints: &Endpoints) -> Result<Self, RestError> {
        let Endpoints {
            frontend_register,
            frontend_deregister,
            insert_location,
            delete_location,
            insert_message,
            get_queue,
            process_message,
            message_history,
            msisdn_history,
        } = endpoints;
        Ok(Self {
            frontend_register: Endpoint::new(base, "frontend_register", frontend_register, None)?,
            frontend_deregister: Endpoint::new(
                base,
                "frontend_deregister",
                frontend_deregister,
                Some("name"),
            )?,
            insert_location: Endpoint::new(base, "insert_location", insert_location, None)?,
            delete_location: Endpoint::new(base, "delete_location", delete_location, Some("impu"))?,
            insert_message: Endpoint::new(base, "insert_message", insert_message, None)?,
            get_queue: Endpoint::new(base, "get_queue", get_queue, None)?,
            process_message: Endpoint::new(base, "process_message", process_message, Some("id"))?,
            message_history: Endpoint::new(base, "message_history", message_history, Some("id"))?,
            msisdn_history: Endpoint::new(base, "msisdn_history", msisdn_history, None)?,
        })
    }
}

/// One template, ready to make URLs: cloning one and setting its path spares parsing host and port each time.
pub(super) struct Endpoint {
    /// The finished URL, but for a parameter.
    url: Url,
    /// Path and query before and behind the parameter.
    around: Option<(String, String)>,
}

impl Endpoint {
    fn new(base: &Url, operation: &str, template: &str, parameter: Option<&str>) -> Result<Self, RestError> {
        let error = |detail: String| RestError::Endpoint { operation: operation.to_owned(), detail };
        if !template.starts_with('/') {
            return Err(error(format!("{template:?} does not begin with '/'")));
        }
        let literal = match parameter {
            Some(name) => template.replacen(&format!("{{{name}}}"), "", 1),
            None => template.to_owned(),
        };
        if parameter.is_some() && literal == template {
            return Err(error(format!("{template:?} lacks {{{}}}", parameter.unwrap_or_default())));
        }
        if literal
            .contains(|c: char| matches!(c, '{' | '}' | '#' | '\\') || c.is_whitespace() || c.is_control())
        {
            return Err(error(format!("{template:?} has a stray brace, '#', '\\' or space")));
        }
        // The base may have a path of its own (a gateway's prefix).
        let full = format!("{}{template}", base.path().trim_end_matches('/'));
        let around = parameter.and_then(|name| {
            let (before, behind) = full.split_once(&format!("{{{name}}}"))?;
            Some((before.to_owned(), behind.to_owned()))
        });
        let mut url = base.clone();
        if around.is_none() {
            set(&mut url, &full);
        }
        Ok(Self { url, around })
    }

    /// The URL with `query` added. Absent query values are left out.
    pub(super) fn url(&self, query: &[(&str, Option<&str>)]) -> Url {
        let mut url = self.url.clone();
        add_query(&mut url, query);
        url
    }

    /// The URL with `parameter` in its place. `Err` says why the parameter cannot be part of a path.
    pub(super) fn url_with(&self, parameter: &str, query: &[(&str, Option<&str>)]) -> Result<Url, String> {
        // Empty and dot segments would address another resource (RFC 3986 §5.2.4), percent-encoded or not.
        if matches!(parameter, "" | "." | "..") {
            return Err(format!("{parameter:?} cannot be a path segment"));
        }
        let mut url = self.url.clone();
        if let Some((before, behind)) = &self.around {
            let mut full = String::with_capacity(before.len() + parameter.len() * 2 + behind.len());
            full.push_str(before);
            push_encoded(&mut full, parameter);
            full.push_str(behind);
            set(&mut url, &full);
        }
        add_query(&mut url, query);
        Ok(url)
    }
}

fn set(url: &mut Url, path_and_query: &str) {
    match path_and_query.split_once('?') {
        Some((path, query)) => {
            url.set_path(path);
            url.set_query(Some(query));
        }
        None => url.set_path(path_and_query),
    }
}

fn add_query(url: &mut Url, query: &[(&str, Option<&str>)]) {
    let mut text = url.query().unwrap_or_default().to_owned();
    for (name, value) in query {
        let Some(value) = value else { continue };
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        push_encoded(&mut text, value);
    }
    if !text.is_empty() {
        url.set_query(Some(&text));
    }
}

/// Percent-encodes everything but the unreserved characters (RFC 3986 §2.3).
fn push_encoded(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(octet >> 4)]));
            out.push(char::from(HEX[usize::from(octet & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base(url: &str) -> Url {
        Url::parse(url).unwrap()
    }

    fn endpoint(template: &str, parameter: Option<&str>) -> Result<Endpoint, RestError> {
        Endpoint::new(&base("https://10.5.198.200:8443"), "op", template, parameter)
    }

    #[test]
    fn the_default_table_joins_to_a_base_with_and_without_a_path() {
        for (prefix, path) in
            [("https://h:8443", ""), ("https://h:8443/", ""), ("https://h:8443/omni/", "/omni")]
        {
            let table = Table::new(&base(prefix), &Endpoints::default()).unwrap();
            assert_eq!(
                table.get_queue.url(&[("limit", Some("20"))]).as_str(),
                format!("https://h:8443{path}/api/messages/get_queue?limit=20")
            );
            assert_eq!(
                table.message_history.url_with("a/b", &[]).unwrap().as_str(),
                format!("https://h:8443{path}/api/messages/a%2Fb/history")
            );
        }
    }

    #[test]
    fn an_identity_and_the_removal_condition_are_encoded() {
        let table = Table::new(&base("http://h"), &Endpoints::default()).unwrap();
        let query = [("s_cscf", Some("sip:s.ims;lr")), ("call_id", None), ("cseq", Some("7"))];
        assert_eq!(
            table.delete_location.url_with("sip:+447700900123@ims.example", &query).unwrap().as_str(),
            "http://h/api/locations/sip%3A%2B447700900123%40ims.example?s_cscf=sip%3As.ims%3Blr&cseq=7"
        );
    }

    #[test]
    fn an_override_may_move_the_parameter_into_the_query() {
        let endpoint = endpoint("/v2/location?tenant=7&impu={impu}", Some("impu")).unwrap();
        assert_eq!(
            endpoint.url_with("a&b=c", &[("cseq", Some("1"))]).unwrap().as_str(),
            "https://10.5.198.200:8443/v2/location?tenant=7&impu=a%26b%3Dc&cseq=1"
        );
    }

    #[test]
    fn templates_that_cannot_work_are_refused_by_name() {
        let refusal = |template, parameter| endpoint(template, parameter).err().unwrap().to_string();
        assert_eq!(refusal("api/x", None), "endpoint op: \"api/x\" does not begin with '/'");
        assert_eq!(refusal("/api/x", Some("id")), "endpoint op: \"/api/x\" lacks {id}");
        assert_eq!(
            refusal("/api/{who}", None),
            "endpoint op: \"/api/{who}\" has a stray brace, '#', '\\' or space"
        );
        assert_eq!(
            Endpoints::default().set("get_que", "/x").unwrap_err().to_string(),
            "endpoint get_que: there is no such operation"
        );
    }

    #[test]
    fn parameters_that_would_address_another_resource_are_refused() {
        let endpoint = endpoint("/api/messages/{id}", Some("id")).unwrap();
        assert_eq!(["", ".", ".."].map(|id| endpoint.url_with(id, &[]).is_err()), [true; 3]);
        assert_eq!(endpoint.url_with("%2e%2E", &[]).unwrap().path(), "/api/messages/%252e%252E");
    }

    proptest! {
        #[test]
        fn any_parameter_stays_one_segment(id in "\\PC{1,20}") {
            prop_assume!(id != "." && id != "..");
            let url = endpoint("/api/messages/{id}/history", Some("id")).unwrap().url_with(&id, &[]).unwrap();
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            prop_assert_eq!(segments.len(), 4);
            prop_assert_eq!((segments[0], segments[1], segments[3]), ("api", "messages", "history"));
            prop_assert_eq!((url.query(), url.fragment()), (None, None));
        }
    }
}
