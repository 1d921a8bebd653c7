//! Writes the generated files of `testdata/`; a test of `testkit` fails when they are not what this writes.

fn main() -> std::io::Result<()> {
    let folder = testkit::testdata();
    for (name, bytes) in [("demo.logplex", testkit::demo::logplex()), ("demo.txt", testkit::demo::rendered())] {
        std::fs::write(folder.join(name), &bytes)?;
        println!("{name}: {} bytes", bytes.len());
    }
    println!("{} frames, {} of them as text", testkit::demo::frame_count(), testkit::demo::rendered_count());
    Ok(())
}
