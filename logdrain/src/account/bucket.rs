//! The bucket that archives are put into, by the API of a server.

use super::served::{ask, get, server, text};
use crate::args::account::{AccountArgs, BucketAction};
use crate::server::Server;
use hyper::Method;
use logdrain_terms::failure::{Failure, Status};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;

const PATH: &str = "/api/v2/bucket";

pub(super) fn run(args: &AccountArgs, action: &BucketAction) -> Result<Status, Failure> {
    match action {
        BucketAction::Show(at) => show(&server(args, at)?),
        BucketAction::Set { bucket, region, endpoint, prefix, key_id, secret_file, server: at } => {
            let secret = secret_file.as_deref().map(|path| {
                let text = fs::read_to_string(path).map_err(|error| Failure::open(path, error))?;
                Ok::<_, Failure>(text.trim().to_owned())
            });
            let said = json!({
                "bucket": bucket, "region": region, "endpoint": endpoint, "prefix": prefix, "key_id": key_id,
                "secret_key": secret.transpose()?,
            });
            let server = server(args, at)?;
            told(&ask(&server, Method::PUT, PATH, Some(&said))?)
        }
        BucketAction::Test(at) => {
            let told = ask(&server(args, at)?, Method::POST, "/api/v2/bucket/test", None)?;
            match told["ok"].as_bool() {
                Some(true) => {
                    writeln!(std::io::stdout(), "An object was written and removed.")?;
                    Ok(Status::Done)
                }
                _ => Err(Failure::Config(text(&told["why"]))),
            }
        }
        BucketAction::Remove(at) => {
            ask(&server(args, at)?, Method::DELETE, PATH, None)?;
            writeln!(std::io::stdout(), "Nothing is uploaded any more. What is in the bucket stays there.")?;
            Ok(Status::Done)
        }
    }
}

fn show(server: &Server) -> Result<Status, Failure> {
    told(&get(server, PATH, &[])?)?;
    let archives = get(server, "/api/v2/archives", &[])?;
    let count = |state: &str| {
        let all = archives["archives"].as_array().into_iter().flatten();
        all.filter(|archive| archive["upload"].as_str() == Some(state)).count()
    };
    let (uploaded, waiting) = (count("uploaded"), count("waiting") + count("failed"));
    writeln!(std::io::stdout(), "archives  {uploaded} uploaded, {waiting} to go")?;
    Ok(Status::Done)
}

fn told(told: &Value) -> Result<Status, Failure> {
    let mut out = std::io::stdout().lock();
    let bucket = &told["bucket"];
    if bucket.is_null() {
        writeln!(out, "There is no bucket: archives stay where they are.")?;
        return Ok(Status::Done);
    }
    for (key, what) in [
        ("bucket", "bucket"),
        ("region", "region"),
        ("endpoint", "endpoint"),
        ("prefix", "prefix"),
        ("key_id", "key id"),
    ] {
        writeln!(out, "{what:<9} {}", text(&bucket[key]))?;
    }
    if !told["trouble"].is_null() {
        writeln!(out, "trouble   {}", text(&told["trouble"]))?;
    }
    Ok(Status::Done)
}
