//! What a user agent says of itself, by the words that it uses: the browsers, systems and tools that make nearly all of the traffic, and robots by their names.
//!
//! A table and not a list of all agents: it needs no updates to know a new version, takes no file and under a microsecond. Agents say what they like, so
//! this is for statistics, not for security. What it does not know has no browser or system, and the device `other`.

use std::borrow::Cow;

use crate::form::Part;

pub const FIELDS: [(&str, &str); 6] = [
    ("browser", "text"),
    ("browser_version", "text"),
    ("system", "text"),
    ("system_version", "text"),
    ("device", "text"),
    ("bot", "bool"),
];

/// The word before the version, and the name; the first one that is there counts, since most agents also say that they are their predecessors.
const BROWSERS: [(&str, &str); 19] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("OPiOS/", "Opera"),
    ("Opera/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("YaBrowser/", "Yandex"),
    ("Vivaldi/", "Vivaldi"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("MSIE ", "Internet Explorer"),
    ("Trident/7.0; rv:", "Internet Explorer"),
];

/// Programs that are no browsers; these stand at the beginning.
const TOOLS: [(&str, &str); 14] = [
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("HTTPie/", "HTTPie"),
    ("PostmanRuntime/", "Postman"),
    ("python-requests/", "python-requests"),
    ("Python-urllib/", "Python-urllib"),
    ("python-httpx/", "python-httpx"),
    ("Go-http-client/", "Go-http-client"),
    ("okhttp/", "okhttp"),
    ("Apache-HttpClient/", "Apache-HttpClient"),
    ("Java/", "Java"),
    ("axios/", "axios"),
    ("node-fetch/", "node-fetch"),
    ("reqwest/", "reqwest"),
];

/// In this order: an Android is a Linux too, an iPhone is "like Mac OS X".
const SYSTEMS: [(&str, &str); 8] = [
    ("Windows NT ", "Windows"),
    ("iPhone OS ", "iOS"),
    ("CPU OS ", "iOS"),
    ("Android ", "Android"),
    ("Mac OS X ", "macOS"),
    ("CrOS ", "ChromeOS"),
    ("Android", "Android"),
    ("Linux", "Linux"),
];

const BOT_WORDS: [&str; 6] = ["bot", "crawler", "spider", "crawl", "slurp", "preview"];

#[derive(Debug, Default, PartialEq)]
pub struct Agent<'a> {
    browser: Option<&'a str>,
    browser_version: Option<&'a str>,
    system: Option<&'static str>,
    system_version: Option<Cow<'a, str>>,
    device: &'static str,
}

impl<'a> Agent<'a> {
    /// None where the text is empty.
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.trim().is_empty() {
            return None;
        }
        let mut agent = Self { device: "other", ..Self::default() };
        if let Some((name, word, at)) =
            SYSTEMS.iter().find_map(|(word, name)| Some((*name, *word, text.find(word)?)))
        {
            agent.system = Some(name);
            agent.system_version =
                version(text, at + word.len()).filter(|_| word.ends_with(' ')).map(|version| {
                    if version.contains('_') {
                        Cow::Owned(version.replace('_', "."))
                    } else {
                        Cow::Borrowed(version)
                    }
                });
        }
        if let Some((name, version)) = bot(text) {
            (agent.browser, agent.browser_version, agent.device) = (Some(name), version, "bot");
            return Some(agent);
        }
        if let Some((word, name)) = TOOLS.iter().find(|(word, _)| text.starts_with(word)) {
            (agent.browser, agent.browser_version, agent.device) =
                (Some(*name), version(text, word.len()), "tool");
            return Some(agent);
        }
        (agent.browser, agent.browser_version) = browser(text);
        agent.device = device(text, agent.system);
        Some(agent)
    }

    pub fn part(&self, name: &str) -> Part<'a> {
        match name {
            "browser" => self.browser.map(Cow::Borrowed),
            "browser_version" => self.browser_version.map(Cow::Borrowed),
            "system" => self.system.map(Cow::Borrowed),
            "system_version" => self.system_version.clone(),
            "device" => Some(Cow::Borrowed(self.device)),
            "bot" => Some(Cow::Borrowed(if self.device == "bot" { "true" } else { "false" })),
            _ => None,
        }
    }
}

fn browser(text: &str) -> (Option<&str>, Option<&str>) {
    let known = BROWSERS.iter().find_map(|(word, name)| Some((*name, text.find(word)? + word.len())));
    match known {
        Some((name, at)) => (Some(name), version(text, at)),
        // Safari says its version beside its name.
        None if text.contains("Safari/") && text.contains("AppleWebKit/") => {
            (Some("Safari"), text.find("Version/").and_then(|at| version(text, at + "Version/".len())))
        }
        None => (None, None),
    }
}

/// The first word with a robot's name in it, and the version behind its slash.
fn bot(text: &str) -> Option<(&str, Option<&str>)> {
    let words =
        text.split([' ', ';', '(', ')', ',']).filter(|word| !word.contains("://") && !word.contains("@"));
    let word = words.into_iter().find(|word| {
        let name = word.split('/').next().unwrap_or_default().to_ascii_lowercase();
        BOT_WORDS.iter().any(|known| name.contains(known)) && name != "cubot"
    })?;
    match word.split_once('/') {
        Some((name, rest)) => Some((name, version(rest, 0))),
        None => Some((word, None)),
    }
}

fn device(text: &str, system: Option<&str>) -> &'static str {
    match system {
        _ if text.contains("iPad") || text.contains("Tablet") => "tablet",
        _ if text.contains("iPhone") || text.contains("iPod") || text.contains("Mobile") => "phone",
        Some("Android") => "tablet",
        Some("Windows" | "macOS" | "Linux" | "ChromeOS") => "desktop",
        _ => "other",
    }
}

/// Digits, points and underscores from there on, or what the next word is where a system has its kind first ("CrOS x86_64 14541").
fn version(text: &str, from: usize) -> Option<&str> {
    let rest = text.get(from..)?;
    let end =
        rest.find(|sign: char| !sign.is_ascii_digit() && sign != '.' && sign != '_').unwrap_or(rest.len());
    rest.get(..end).map(|version| version.trim_end_matches('.')).filter(|version| !version.is_empty())
}
