//! A real browser, told what to do: any Chromium, by the protocol of its own tools, over a pair of pipes.

use crate::harness::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

/// A browser with one page. It ends with this.
pub(crate) struct Browser {
    child: Child,
    to: File,
    answers: Receiver<Value>,
    session: String,
    number: u64,
    /// What pages said in their console, and what broke in them.
    pub(crate) said: Vec<String>,
}

impl Browser {
    /// Starts the one that `LOGDRAIN_BROWSER` names; `None`, with a word about it, if it names none.
    pub(crate) fn start(dir: &Path) -> Option<Self> {
        let Ok(browser) = std::env::var("LOGDRAIN_BROWSER") else {
            println!("LOGDRAIN_BROWSER names no browser: not run");
            return None;
        };
        let pipes = ["to", "from"].map(|name| dir.join(format!("browser-{name}")));
        assert!(Command::new("mkfifo").args(&pipes).status().unwrap().success());
        // The browser reads commands from file 3 and writes to file 4.
        let child = Command::new("sh")
            .args(["-c", "to=$1 from=$2; shift 2; exec \"$0\" \"$@\" 3<\"$to\" 4>\"$from\"", &browser])
            .args(&pipes)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--remote-debugging-pipe", "--force-device-scale-factor=1", "--lang=en"])
            .arg(format!("--user-data-dir={}", dir.join("profile").display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (to, from) = (File::create(&pipes[0]).unwrap(), File::open(&pipes[1]).unwrap());
        let (heard, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for message in BufReader::new(from).split(0).map_while(Result::ok) {
                let _ = heard.send(serde_json::from_slice(&message).unwrap());
            }
        });
        let mut browser = Self { child, to, answers, session: String::new(), number: 0, said: Vec::new() };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached = browser.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// One command; answers what came of it.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut answer = self.answers.recv_timeout(PATIENCE).unwrap();
            if answer["id"] == self.number {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
            let method = answer["method"].as_str().unwrap_or_default();
            if ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"].contains(&method) {
                self.said.push(answer["params"].to_string());
            }
        }
    }

    /// Goes to an address, and waits until the page is there.
    pub(crate) fn go(&mut self, address: &str) {
        self.call("Page.navigate", json!({"url": address}));
        wait_until("a page", || {
            let is_there = format!("location.href === {} && document.readyState === 'complete'", json!(address));
            (self.value(&is_there) == true).then_some(())
        });
    }

    /// What a piece of script comes to.
    pub(crate) fn value(&mut self, script: &str) -> Value {
        let result = self.call("Runtime.evaluate", json!({"expression": script, "returnByValue": true}));
        assert!(result["exceptionDetails"].is_null(), "{script}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until a piece of script is true.
    pub(crate) fn until(&mut self, script: &str) {
        wait_until(script, || (self.value(script) == true).then_some(()));
    }

    /// How large the page is, and whether it is dark.
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
        let picture = self.call("Page.captureScreenshot", json!({}));
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        assert!(bytes.len() > 5_000, "an empty page");
        std::fs::write(file, bytes).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
