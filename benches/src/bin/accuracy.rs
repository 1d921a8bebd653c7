//! Writes `docs/accuracy.svg`, and the table of `docs/accuracy.md`, anew: `cargo run -p family-benches --bin accuracy`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    std::fs::write(docs.join("accuracy.svg"), family_benches::accuracy::picture())?;
    let page = docs.join("accuracy.md");
    let text = std::fs::read_to_string(&page)?;
    // The table is all lines of the page that begin as lines of tables do.
    let (before, rest) =
        text.split_once("\n| an hour").ok_or_else(|| std::io::Error::other("the page has no table"))?;
    let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
    std::fs::write(page, format!("{before}\n{}\n{after}", family_benches::accuracy::table()))
}
