use serde::{Deserialize, de::DeserializeOwned};
use std::path::PathBuf;

/// One case of a `testdata/<area>.toml` file.
///
/// ```toml
/// [[case]]
/// name = "a frame without LF"
/// input = "5 junk!"          # or input_hex = "ff00", or parts = [["a", 1000], ["b", 1]]
/// source = "the rule or the document it is from"
/// [case.expect]
/// frames = 0                 # whatever the area's driver reads
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Case {
    /// What the case shows; unique in its file.
    pub name: String,
    /// The bytes to read.
    pub input: Vec<u8>,
    /// Where the rule comes from.
    pub source: String,
    expect: toml::Table,
}

#[derive(Deserialize)]
struct File {
    case: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    source: String,
    input: Option<String>,
    input_hex: Option<String>,
    parts: Option<Vec<(String, usize)>>,
    expect: toml::Table,
}

impl Case {
    /// The expectation in the form the driver of the area asks for.
    ///
    /// # Panics
    /// When the table has another shape; the case's name is in the message.
    pub fn expect<T: DeserializeOwned>(&self) -> T {
        self.expect.clone().try_into().unwrap_or_else(|error| panic!("case {:?}: {error}", self.name))
    }
}

/// The folder `testdata/` of the workspace.
pub fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata")
}

/// The folder of the conformance corpus, where a checkout has one beside it.
pub fn corpus() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    folder.is_dir().then_some(folder)
}

/// All cases of `testdata/<area>.toml`.
///
/// # Panics
/// When the file is missing or malformed, a name repeats, or there are no cases: a test without cases tests nothing.
pub fn cases(area: &str) -> Vec<Case> {
    let path = testdata().join(format!("{area}.toml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut names = std::collections::BTreeSet::new();
    let cases: Vec<Case> = file
        .case
        .into_iter()
        .map(|raw| {
            assert!(names.insert(raw.name.clone()), "{area}: two cases are called {:?}", raw.name);
            let input = match (raw.input, raw.input_hex, raw.parts) {
                (Some(text), None, None) => text.into_bytes(),
                (None, Some(hex), None) => unhex(&hex),
                (None, None, Some(parts)) => {
                    parts.iter().flat_map(|(text, times)| text.as_bytes().repeat(*times)).collect()
                }
                _ => panic!("{area}: case {:?} wants one of input, input_hex, parts", raw.name),
            };
            Case { name: raw.name, input, source: raw.source, expect: raw.expect }
        })
        .collect();
    assert!(!cases.is_empty(), "{area}: no cases");
    cases
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    assert!(digits.len().is_multiple_of(2), "an odd number of hex digits: {hex}");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
