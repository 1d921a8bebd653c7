//! Files that are looked for by their names, beside an oracle that has them all.

use super::*;
use std::collections::BTreeMap;

#[test]
fn ranges_sums_and_folders_are_those_of_all_names() {
    let Some(house) = House::start("looking") else { return };
    let tier = house.tier();
    let files = house.own(&tier, 0);
    // Letters that come before and behind `/`, a file beside a folder of its name, and more folders than a page has.
    let mut names: Vec<String> = (0..600).map(|n| format!("archives/many-{n}/x")).collect();
    let folders = ["a", "a-b", "a.b", "a0", "ab", "a b", "ä", "z"];
    names.extend(folders.iter().flat_map(|folder| ["1", "2/3", "~"].map(|file| format!("archives/{folder}/{file}"))));
    names.extend(
        ["archives/a-c", "archives/z", "archives0", "archivesx/a/b", "logs/a/1", "archiv/b"].map(str::to_owned),
    );
    for name in &names {
        files.write(name, name.as_bytes()).unwrap();
    }
    names.sort_unstable();
    let mut wanted = BTreeMap::new();
    for name in &names {
        if let Some((folder, _)) = name.strip_prefix("archives/").and_then(|rest| rest.split_once('/')) {
            wanted.insert(folder.to_owned(), name.clone());
        }
    }
    let mut found = BTreeMap::new();
    files
        .folders("archives/", &mut |folder, last| {
            assert!(found.insert(folder.to_owned(), last.to_owned()).is_none(), "{folder} twice");
        })
        .unwrap();
    assert_eq!(found, wanted);
    let mut none = 0;
    files.folders("nothing/", &mut |_, _| none += 1).unwrap();
    assert_eq!(none, 0);
    let at = |name: &str| names.iter().position(|known| known == name).unwrap();
    for (first, last) in [
        ("archives/a/1", "archives/z/~"),
        ("archives/a-b/1", "archives/a-b/1"),
        ("archives/many-7/x", "archives/many-8/x"),
    ] {
        let (range, wanted) = (first.to_owned()..=last.to_owned(), &names[at(first)..=at(last)]);
        for most in [0, 1, 2, 250, usize::MAX] {
            for notes in [false, true] {
                let mut found = Vec::new();
                files.each(&range, most, notes, &mut |file| found.push(file.name)).unwrap();
                assert_eq!(found, wanted[..wanted.len().min(most)], "{range:?} {most}");
            }
        }
        assert_eq!(files.bytes_of(&range).unwrap(), wanted.iter().map(|name| name.len() as u64).sum::<u64>());
    }
    let none = "archives/a".to_owned()..="archives/".to_owned();
    assert_eq!(files.bytes_of(&none).unwrap(), 0);
    files.each(&none, usize::MAX, false, &mut |file| panic!("{file:?}")).unwrap();
}

#[test]
fn a_note_is_of_the_file_that_was_there_and_large_ones_come_page_by_page() {
    let Some(house) = House::start("notes") else { return };
    let tier = house.tier();
    let files = house.own(&tier, 0);
    let all = "n/0".to_owned()..="n/9".to_owned();
    let listed = |files: &Files, notes| {
        let mut found = Vec::new();
        files.each(&all, usize::MAX, notes, &mut |file| found.push(file)).unwrap();
        found
    };
    for number in 0..9 {
        files.write(&format!("n/{number}"), b"content").unwrap();
    }
    let before = listed(&files, true);
    let note = |number: u8| vec![number; 200 << 10];
    for (number, file) in before.iter().enumerate() {
        assert!(files.note(&file.name, file.written, &note(number as u8)).unwrap());
        assert!(!files.note(&file.name, file.written - 1, b"of another one").unwrap());
    }
    assert!(!files.note("n/else", before[0].written, b"of none").unwrap());
    let after = listed(&files, true);
    assert_eq!(after.len(), 9);
    for (number, (before, after)) in before.iter().zip(&after).enumerate() {
        assert!(after.about == note(number as u8), "{number}");
        assert_eq!((after.len, after.written), (before.len, before.written), "it is the same file");
        assert_eq!(read(&files, &after.name).unwrap(), b"content");
    }
    assert!(listed(&files, false).iter().all(|file| file.about.is_empty()));
    // What is put there again has no note of what was there.
    files.write("n/3", b"another").unwrap();
    assert!(!files.note("n/3", before[3].written, b"late").unwrap());
    assert!(listed(&files, true)[3].about.is_empty());
    // Who was the owner asks for nothing any more.
    let next = house.own(&tier, 0);
    let error = files.note("n/4", before[4].written, b"late").unwrap_err();
    assert!(super::super::is_fenced(&error), "{error}");
    for asked in
        [files.each(&all, 1, false, &mut |_| {}), files.folders("n/", &mut |_, _| {}), files.bytes_of(&all).map(drop)]
    {
        assert!(super::super::is_fenced(&asked.unwrap_err()));
    }
    assert_eq!(listed(&next, true)[4].about, note(4));
}
