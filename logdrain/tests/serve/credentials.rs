//! A service whose secrets come from systemd, and one that is named by `localhost`.

use crate::harness::{PATIENCE, scratch};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;

#[test]
fn files_may_lie_in_the_folder_of_credentials_and_localhost_is_an_address() {
    let dir = scratch("credentials");
    let folder = dir.join("run");
    std::fs::create_dir_all(&folder).unwrap();
    let key = rcgen::generate_simple_self_signed(vec!["drain.example.com".to_owned()]).unwrap();
    std::fs::write(folder.join("fullchain.pem"), key.cert.pem()).unwrap();
    std::fs::write(folder.join("privkey.pem"), key.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("shop.password"), "a-long-password-of-the-shop\n").unwrap();
    let config = dir.join("logdrain.toml");
    std::fs::write(
        &config,
        "listen = \"localhost:0\"\n\
         [tls]\ncertificate = \"${CREDENTIALS_DIRECTORY}/fullchain.pem\"\nkey = \"${CREDENTIALS_DIRECTORY}/privkey.pem\"\n\
         [[drain]]\nname = \"shop\"\nuser = \"shop\"\npassword_file = \"${CREDENTIALS_DIRECTORY}/shop.password\"\n",
    )
    .unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .args(["serve", "--config", config.to_str().unwrap(), "--store", dir.join("store").to_str().unwrap()])
        .env("CREDENTIALS_DIRECTORY", &folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let line = loop {
        let line = lines.recv_timeout(PATIENCE).unwrap();
        if line.contains("listen=") {
            break line;
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("listen=127.0.0.1:") && line.contains("tls=true") && line.contains("open=false"), "{line}");
}
