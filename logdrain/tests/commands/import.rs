//! `import` without a server: files of what people had elsewhere; and what is said of what could not be carried over.

use crate::logdrain;
use std::path::{Path, PathBuf};
use std::process::Output;
use testkit::program::errors;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("import-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn exports() -> Vec<String> {
    let names = ["alerts", "services", "spaces", "charts", "papertrail"];
    let of = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../testdata/exports/{name}.json"));
    names.map(|name| of(name).to_str().unwrap().to_owned()).to_vec()
}

fn import(out: &Path, more: &[&str], files: &[String]) -> Output {
    let out = ["import", "--out", out.to_str().unwrap()];
    let files = files.iter().map(String::as_str);
    logdrain(&out.into_iter().chain(more.iter().copied()).chain(files).collect::<Vec<_>>(), b"")
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn an_export_becomes_rules_and_dashboards_once() {
    let out = folder("once");
    let dry = import(&out, &["--dry-run"], &exports());
    assert_eq!(dry.status.code(), Some(1), "{}", errors(&dry));
    assert!(said(&dry).contains("would be made") && std::fs::read_dir(&out).unwrap().next().is_none());
    let first = import(&out, &[], &exports());
    let told = said(&first);
    assert_eq!(first.status.code(), Some(1), "a chart and what wants a server are not there: {told}");
    for line in [
        "dashboards/shop.json: made\n",
        "alerts     2 rules in ",
        "chart      Shop: Smoothed: not carried over: none of its series could be carried over\n",
        "series     Shop: Smoothed: not carried over: there is nothing like moving_average(...) for a chart\n",
        "alert      memory: whom it tells is set up anew: slack \"ops\"\n",
        "service    slack \"ops\": is set up anew: what it needs may be secret and is not carried over (url)\n",
        "group      Shops: not carried over: groups are of a server: name one (--server)\n",
        "\n2 made, ",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let rules = out.join("rules.toml");
    let text = std::fs::read_to_string(&rules).unwrap();
    let board = std::fs::read_to_string(out.join("dashboards/shop.json")).unwrap();
    assert!(!format!("{told}{text}{board}").contains("not-for-anybody"), "a secret");
    // Again, with nothing new.
    let again = said(&import(&out, &[], &exports()));
    assert!(again.contains("shop.json: is there already") && again.contains("\n2 there already, "), "{again}");
    // Somebody changed it.
    std::fs::write(&rules, format!("{text}# mine\n")).unwrap();
    let left = said(&import(&out, &[], &exports()));
    assert!(
        left.contains("rules.toml: is there, and different")
            && std::fs::read_to_string(&rules).unwrap().contains("# mine")
    );
    let replaced = said(&import(&out, &["--replace"], &exports()));
    assert!(replaced.contains("put in place") && std::fs::read_to_string(&rules).unwrap() == text, "{replaced}");
    // They fire on the recording, as docs/migrating.md says.
    let demo = testkit::testdata().join("demo.logplex");
    let checked = logdrain(&["alerts", "check", rules.to_str().unwrap(), demo.to_str().unwrap()], b"");
    assert_eq!(checked.status.code(), Some(0), "{}", errors(&checked));
    assert!(said(&checked).contains("memory: fired"), "{}", said(&checked));
}

#[test]
fn what_is_no_export_is_named() {
    let out = folder("wrong");
    let log = testkit::testdata().join("demo.logplex").to_str().unwrap().to_owned();
    let missing = out.join("missing.json").to_str().unwrap().to_owned();
    for (file, why) in [(log, "this is not JSON"), (missing, "missing.json")] {
        let output = import(&out, &[], &[file]);
        assert_eq!(output.status.code(), Some(2));
        assert!(errors(&output).contains(why), "{}", errors(&output));
    }
}

#[test]
fn a_comparison_wants_a_server_and_an_export() {
    let out = folder("compare");
    let export = out.join("cpu.json");
    std::fs::write(
        &export,
        r#"{"name":"cpu","resolution":60,"series":[{"tags":{},"measurements":[{"time":60,"value":1}]}]}"#,
    )
    .unwrap();
    // One time that is in milliseconds, and one that is none.
    let [far, none] = [("far", "1795990000000"), ("none", "9223372036854775807")].map(|(name, time)| {
        let path = out.join(format!("{name}.json"));
        let measurements = format!(r#"[{{"time":60,"value":1}},{{"time":{},"value":1}}]"#, time);
        std::fs::write(&path, format!(r#"{{"name":"cpu","series":[{{"measurements":{measurements}}}]}}"#)).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let long = out.join("long.json");
    let measurements = r#"[{"time":60,"value":1},{"time":1795990000,"value":1}]"#;
    std::fs::write(&long, format!(r#"{{"name":"cpu","series":[{{"measurements":{measurements}}}]}}"#)).unwrap();
    let long = long.to_str().unwrap();
    for (arguments, why) in [
        (vec!["compare", &far], "cpu: 1795990000000 is no time in seconds since 1970"),
        (vec!["compare", &none], "cpu: 9223372036854775807 is no time in seconds since 1970"),
        (
            vec!["compare", long, "--server", "http://localhost:1"],
            "cpu: the export goes from 1970-01-01T00:01:00Z to 2026-11-29T",
        ),
        (vec!["compare", export.to_str().unwrap()], "no server is named"),
        (vec!["compare", export.to_str().unwrap(), "--from", "someday", "--server", "localhost:1"], "--from: "),
        (vec!["compare", export.to_str().unwrap(), "--tolerance", "2"], "write it as 1%"),
        (vec!["compare", &exports()[0]], "there are no series in it"),
    ] {
        let output = logdrain(&arguments, b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(errors(&output).contains(why), "{arguments:?}: {}", errors(&output));
    }
}
