//! Who may ask, and what every answer says about itself.
//!
//! In: each request before its handler. A foreign page in the operator's browser must not read or change anything: the `Host` must be one of ours (DNS
//! rebinding), an `Origin` must be the very place that was asked (CSRF, cross-site WebSockets), and a browser must not call what it sends cross-site.
//! Programs send neither `Origin` nor `Sec-Fetch-Site` and pass. Out: 400, 403 or 421 as JSON, or the answer with the security headers.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::ApiError;

/// Which names the server answers to.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Beside the loopback names; compared without port.
    pub hosts: Vec<String>,
    /// That the server listens on: a loopback name must be asked for with it.
    pub port: u16,
}

const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

pub async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let checked = guard.check(request.method(), request.headers());
    let mut response = match checked.and_then(|()| guard.check_target(request.uri())) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

impl Guard {
    fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else {
            return Err(ApiError::bad_request("the request needs one `Host` header"));
        };
        if !self.is_ours(host) {
            return Err(self.not_ours());
        }
        if let Some(origin) = headers.get(header::ORIGIN) {
            let place = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            let same = place.is_some_and(|(scheme, place)| {
                matches!(scheme, "http" | "https") && place.eq_ignore_ascii_case(host)
            });
            if !same {
                return Err(ApiError::new(
                    StatusCode::FORBIDDEN,
                    "origin_not_allowed",
                    "pages of another origin may not use this server",
                ));
            }
        }
        let reads = matches!(*method, Method::GET | Method::HEAD) && !headers.contains_key(header::UPGRADE);
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        if !reads && !matches!(site, None | Some(b"same-origin" | b"none")) {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "cross_site",
                "a browser may change something only from this server's own page",
            ));
        }
        Ok(())
    }

    /// A loopback name or address with our port, or a configured name with any port.
    /// A request whose line names a server (`GET http://name/ HTTP/1.1`) means that one, whatever its `Host` says (RFC 9112, section 3.2.2).
    fn check_target(&self, target: &Uri) -> Result<(), ApiError> {
        match target.authority() {
            Some(authority) if authority.as_str().contains('@') || !self.is_ours(authority.as_str()) => {
                Err(self.not_ours())
            }
            _ => Ok(()),
        }
    }

    fn not_ours(&self) -> ApiError {
        ApiError::new(
            StatusCode::MISDIRECTED_REQUEST,
            "host_not_allowed",
            format!("this server answers to localhost:{} and to the names in `server.hosts`", self.port),
        )
    }

    fn is_ours(&self, host: &str) -> bool {
        let (name, port) = split_port(host);
        if self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return true;
        }
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let loopback = name.eq_ignore_ascii_case("localhost")
            || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        loopback && port.map_or(self.port == 80, |port| port.parse() == Ok(self.port))
    }
}

/// `name:port`, `name`, `[v6]:port` or `[v6]`.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status of a request with these headers, 200 where it passes.
    fn check(method: &str, headers: &[(&str, &str)]) -> u16 {
        let guard = Guard { hosts: vec!["weir.example".into()], port: 7070 };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        guard.check(&method.parse().unwrap(), &map).map_or_else(|error| error.status.as_u16(), |()| 200)
    }

    #[test]
    fn only_our_own_names_are_answered() {
        for host in [
            "localhost:7070",
            "LOCALHOST:7070",
            "127.0.0.1:7070",
            "127.8.0.1:7070",
            "[::1]:7070",
            "weir.example",
            "weir.example:443",
        ] {
            assert_eq!(check("GET", &[("host", host)]), 200, "{host}");
        }
        for host in [
            "evil.example:7070",
            "localhost:7071",
            "localhost",
            "127.0.0.1.evil.example:7070",
            "10.0.0.1:7070",
            "",
            "[::2]:7070",
            "localhost.evil:7070",
            "::1",
            "localhost:70 70",
        ] {
            assert_eq!(check("GET", &[("host", host)]), 421, "{host}");
        }
        assert_eq!(check("GET", &[]), 400);
        assert_eq!(check("GET", &[("host", "localhost:7070"), ("host", "localhost:7070")]), 400);
    }

    #[test]
    fn a_target_that_names_another_server_is_refused() {
        let guard = Guard { hosts: vec!["weir.example".into()], port: 7070 };
        let passes = |target: &str| guard.check_target(&target.parse().unwrap()).is_ok();
        assert!(
            passes("/api/streams")
                && passes("http://localhost:7070/api/streams")
                && passes("http://weir.example/")
        );
        assert!(!passes("http://evil.example/api/streams") && !passes("http://localhost:7070@evil.example/"));
    }

    #[test]
    fn a_foreign_page_may_neither_change_nor_listen() {
        let host = ("host", "localhost:7070");
        assert_eq!(check("POST", &[host]), 200);
        assert_eq!(
            check("POST", &[host, ("origin", "http://localhost:7070"), ("sec-fetch-site", "same-origin")]),
            200
        );
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost:3000",
            "http://127.0.0.1:7070",
            "ftp://localhost:7070",
        ] {
            assert_eq!(check("POST", &[host, ("origin", origin)]), 403, "{origin}");
            assert_eq!(check("GET", &[host, ("upgrade", "websocket"), ("origin", origin)]), 403, "{origin}");
        }
        for site in ["cross-site", "same-site", ""] {
            assert_eq!(check("POST", &[host, ("sec-fetch-site", site)]), 403, "{site}");
            assert_eq!(
                check("GET", &[host, ("upgrade", "websocket"), ("sec-fetch-site", site)]),
                403,
                "{site}"
            );
            assert_eq!(check("GET", &[host, ("sec-fetch-site", site)]), 200, "a link from elsewhere: {site}");
        }
    }
}
