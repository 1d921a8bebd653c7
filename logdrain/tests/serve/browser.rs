//! A real browser, told what to do: Debian's Chromium, by its driver, which speaks WebDriver: JSON over HTTP.
//!
//! Each browser is a program of its own with a driver of its own, on a port that the driver chose. Both end with it, also when
//! a test fails on its way. A driver that is killed, or does not answer, would leave its browser behind: what still works on
//! the browser's own folder then is ended by its number.

use crate::harness::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the end of a session is waited for: what takes longer is ended without it.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Keys that have no letter.
#[allow(dead_code, reason = "not every test presses each")]
pub(crate) mod key {
    pub(crate) const ENTER: &str = "\u{e007}";
    pub(crate) const ESCAPE: &str = "\u{e00c}";
    pub(crate) const TAB: &str = "\u{e004}";
}

/// What a script comes to while a page comes or goes.
const MOVING: &str = "a page comes or goes";

/// What the driver says when the page that it asked has gone meanwhile.
const PASSING: [&str; 4] =
    ["navigated or closed", "Cannot find context", "context was destroyed", "Promise was collected"];

/// The name under which WebDriver tells an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one page. It ends with this.
pub(crate) struct Browser {
    driver: Driver,
    /// What begins the paths of its commands.
    session: String,
    /// What pages said in their console, and what broke in them.
    said: Vec<String>,
}

/// The program between, which ends with this.
struct Driver {
    child: Child,
    port: u16,
    /// The folder of its browser, which no other has.
    profile: PathBuf,
}

impl Browser {
    /// Starts the one that `LOGDRAIN_BROWSER` names; `None`, with a word about it, if it names none.
    pub(crate) fn start(dir: &Path) -> Option<Self> {
        let Ok(browser) = std::env::var("LOGDRAIN_BROWSER") else {
            println!("LOGDRAIN_BROWSER names no browser: not run");
            return None;
        };
        let driver = Driver::start(dir);
        let options = json!({
            "binary": found(&browser),
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--force-device-scale-factor=1", "--lang=en", "--window-size=1400,1000",
                format!("--user-data-dir={}", driver.profile.display()),
            ],
        });
        let wanted = json!({"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}});
        let made = driver.ask("POST", "/session", &json!({"capabilities": {"alwaysMatch": wanted}})).unwrap();
        let session = format!("/session/{}", made["sessionId"].as_str().unwrap());
        Some(Self { driver, session, said: Vec::new() })
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.driver.ask(method, &format!("{}/{path}", self.session), body);
        answer.unwrap_or_else(|error| panic!("{path} {body}: {error}"))
    }

    /// One command of the browser's own tools; answers what came of it.
    pub(crate) fn call(&self, method: &str, parameters: Value) -> Value {
        self.ask("POST", "goog/cdp/execute", &json!({"cmd": method, "params": parameters}))
    }

    /// Goes to an address, and waits until the page is there. On a busy machine the driver answers while the page before is
    /// still in sight.
    pub(crate) fn go(&mut self, address: &str) {
        self.leave(|browser| {
            browser.ask("POST", "url", &json!({"url": address}));
        });
    }

    /// Does what leads to another page, and waits until that is there.
    pub(crate) fn leave(&mut self, step: impl FnOnce(&Self)) {
        self.value("window.isLeft = true");
        step(self);
        self.until("window.isLeft !== true");
    }

    /// What a piece of script comes to, on a page that is whole.
    pub(crate) fn value(&mut self, script: &str) -> Value {
        self.evaluated(script, false)
    }

    /// What the promise of a piece of script comes to.
    pub(crate) fn promised(&mut self, script: &str) -> Value {
        self.evaluated(script, true)
    }

    fn evaluated(&self, script: &str, waits: bool) -> Value {
        let result = wait_until(script, || self.tried(script, waits));
        assert!(result["exceptionDetails"].is_null(), "{script}: {result}");
        result["result"]["value"].clone()
    }

    /// What a piece of script comes to; `None` while one page goes and another comes. Its first word is whether the page is
    /// whole, so that none goes between the two.
    fn tried(&self, script: &str, waits: bool) -> Option<Value> {
        let whole = format!("document.readyState === 'complete' ? (0, eval)({}) : {MOVING:?}", json!(script));
        let body = json!({"expression": whole, "returnByValue": true, "awaitPromise": waits});
        let body = json!({"cmd": "Runtime.evaluate", "params": body});
        match self.driver.ask("POST", &format!("{}/goog/cdp/execute", self.session), &body) {
            Ok(result) => (result["result"]["value"] != MOVING).then_some(result),
            Err(error) if PASSING.iter().any(|words| error.contains(words)) => None,
            Err(error) => panic!("{script}: {error}"),
        }
    }

    /// Waits until a piece of script is true. Where it fails, the page is not there yet.
    pub(crate) fn until(&mut self, script: &str) {
        wait_until(script, || self.tried(script, false).filter(|result| result["result"]["value"] == true));
    }

    /// Waits until a piece of script comes to a text; when it does not, says where, and to what it comes instead.
    pub(crate) fn comes_to(&mut self, what: &str, script: &str, text: &str) {
        let began = Instant::now();
        loop {
            let found = self.tried(script, false).unwrap_or_default();
            let found = if found["exceptionDetails"].is_null() { &found["result"]["value"] } else { &found };
            if found == text {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {found} instead of {text:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Collects what pages have said; answers all of it.
    pub(crate) fn listen(&mut self) -> &[String] {
        let told = self.ask("POST", "se/log", &json!({"type": "browser"}));
        self.said.extend(told.as_array().into_iter().flatten().map(Value::to_string));
        &self.said
    }

    /// Does something to what a selector finds first; once more where the page is drawn anew in between.
    fn with_element(&self, selector: &str, command: &str, body: &Value) {
        let find = json!({"using": "css selector", "value": selector});
        let find = || self.driver.ask("POST", &format!("{}/element", self.session), &find);
        wait_until(selector, || {
            let element = match find() {
                Ok(found) => found[ELEMENT].as_str().unwrap().to_owned(),
                Err(error) if error.starts_with("no such element") => return None,
                Err(error) => panic!("{selector}: {error}"),
            };
            match self.driver.ask("POST", &format!("{}/element/{element}/{command}", self.session), body) {
                Ok(_) => Some(()),
                Err(error) if error.starts_with("stale element reference") => None,
                Err(error) => panic!("{command} {selector}: {error}"),
            }
        });
    }

    /// Clicks on what a selector finds, as a person does: what is covered cannot be clicked.
    pub(crate) fn click(&self, selector: &str) {
        self.with_element(selector, "click", &json!({}));
    }

    /// Clicks on what leads to another page, and waits until that is there: on a busy machine the click is answered before the
    /// browser has set out.
    pub(crate) fn follow(&mut self, selector: &str) {
        self.leave(|browser| browser.click(selector));
    }

    /// Types into what a selector finds, in place of what stands there.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        self.with_element(selector, "clear", &json!({}));
        self.with_element(selector, "value", &json!({"text": text}));
    }

    /// Presses keys where the focus is; see [`key`].
    pub(crate) fn press(&self, keys: &str) {
        let focus = self.ask("GET", "element/active", &Value::Null);
        let focus = focus[ELEMENT].as_str().unwrap().to_owned();
        self.ask("POST", &format!("element/{focus}/value"), &json!({"text": keys}));
    }

    #[allow(dead_code, reason = "for tests that drag")]
    /// Moves the pointer to a point of the window, with the button down if it drags there from another one.
    pub(crate) fn point(&self, from: Option<(i64, i64)>, to: (i64, i64)) {
        let go = |(x, y): (i64, i64)| json!({"type": "pointerMove", "duration": 40, "x": x, "y": y});
        let press = |kind: &str| json!({"type": kind, "button": 0});
        let steps = match from {
            Some(from) => vec![go(from), press("pointerDown"), go(to), press("pointerUp")],
            None => vec![go(to)],
        };
        let mouse = json!({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps});
        self.ask("POST", "actions", &json!({"actions": [mouse]}));
    }

    /// How large the page is (narrow ones are phones), and whether it is dark.
    pub(crate) fn look(&mut self, width: u32, height: u32, scheme: &str) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", size);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Whether scripts run.
    pub(crate) fn scripts(&mut self, run: bool) {
        self.call("Emulation.setScriptExecutionDisabled", json!({"value": !run}));
    }

    /// Keeps a picture of what is in sight.
    pub(crate) fn picture(&mut self, file: &Path) {
        use base64::Engine as _;
        let tools = format!("{}/goog/cdp/execute", self.session);
        // On a busy machine the browser draws for longer than its driver waits.
        let draw = || self.driver.ask("POST", &tools, &json!({"cmd": "Page.captureScreenshot", "params": {}}));
        let picture =
            (0..3).find_map(|_| draw().ok()).unwrap_or_else(|| self.call("Page.captureScreenshot", json!({})));
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        assert!(bytes.len() > 3_000, "an empty page");
        std::fs::write(file, bytes).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session, and the driver behind it.
        let _ = self.driver.ask_within(ENDS_WITHIN, "DELETE", &self.session, &Value::Null);
    }
}

impl Driver {
    fn start(dir: &Path) -> Self {
        // Another program may take the port between the driver's choice and its use: then it ends without a word.
        let (child, port) = (0..5).find_map(|_| Self::try_start()).expect("a driver that listens");
        Self { child, port, profile: dir.join(format!("profile-{port}")) }
    }

    fn try_start() -> Option<(Child, u16)> {
        let name = std::env::var("LOGDRAIN_DRIVER").unwrap_or_else(|_| "chromedriver".to_owned());
        let mut child = Command::new(&name)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}; Debian's package is chromium-driver"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            line.split("started successfully on port ").nth(1)?.trim_end_matches('.').parse::<u16>().ok()
        });
        let Some(port) = port else {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        };
        // Somebody reads what else it says, so that it never waits.
        std::thread::spawn(move || lines.for_each(drop));
        Some((child, port))
    }

    /// One command; answers its value, or what was wrong.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        self.ask_within(PATIENCE, method, path, body)
    }

    fn ask_within(&self, time: Duration, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let answer = self.answer(time, method, path, body).map_err(|error| error.to_string())?;
        let mut answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", value["message"].as_str().unwrap_or_default())),
            None => Ok(value),
        }
    }

    fn answer(&self, time: Duration, method: &str, path: &str, body: &Value) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(time))?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\n", self.port);
        write!(stream, "{head}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
        let mut answer = BufReader::new(stream);
        let (mut line, mut len) = (String::new(), 0);
        while answer.read_line(&mut line)? > 2 {
            let pair = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            len = pair.and_then(|(_, len)| len.trim().parse().ok()).unwrap_or(len);
            line.clear();
        }
        let mut text = vec![0; len];
        answer.read_exact(&mut text)?;
        Ok(text)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Mostly nobody is left. A browser starts more of itself while it ends: it is looked for until there is none.
        let began = Instant::now();
        loop {
            let left = working_on(&self.profile);
            if left.is_empty() || began.elapsed() > ENDS_WITHIN {
                break;
            }
            for number in left {
                let _ = Command::new("kill").args(["-9", &number.to_string()]).stderr(Stdio::null()).status();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The numbers of the processes that name a folder in their arguments; where there is no `/proc`, none is known.
fn working_on(folder: &Path) -> Vec<u32> {
    let name = folder.display().to_string();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    processes
        .filter_map(number)
        .filter(|number| {
            let arguments = std::fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&arguments).contains(&name)
        })
        .collect()
}

/// The path of a program.
fn found(program: &str) -> String {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).map(|folder| folder.join(program)).find(|path| path.is_file());
    found.map_or_else(|| program.to_owned(), |path| path.display().to_string())
}
