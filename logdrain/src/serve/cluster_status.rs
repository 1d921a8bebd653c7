//! `logdrain cluster status`: the nodes that share a journal, and who of them counts which partition.

use crate::args::{ClusterAction, ClusterArgs};
use logdrain_terms::failure::{Failure, Status};

#[cfg(not(feature = "postgres"))]
pub(crate) fn run(args: &ClusterArgs) -> Result<Status, Failure> {
    let ClusterAction::Status { .. } = &args.action;
    Err(Failure::Config("this program was made without the feature postgres".to_owned()))
}

#[cfg(feature = "postgres")]
pub(crate) use with_database::run;

#[cfg(feature = "postgres")]
mod with_database {
    use super::{ClusterAction, ClusterArgs, Failure, Status};
    use crate::args::{ServeArgs, StatusFormat};
    use crate::serve::config::Config;
    use logdrain_drain::journal::{NodeView, PartView, View, view_of};
    use logdrain_terms::escape::Escaped;
    use std::fmt::Write as _;
    use std::io::Write as _;
    use std::time::Duration;

    pub(crate) fn run(args: &ClusterArgs) -> Result<Status, Failure> {
        let ClusterAction::Status { config, format } = &args.action;
        let args = ServeArgs { config: Some(config.clone()), ..ServeArgs::default() };
        let config = Config::from_text(&args, &Config::text(&args)?)?;
        let (Some(address), Some(_)) = (&config.journal, &config.cluster) else {
            return Err(Failure::Config(
                "[cluster] is missing in the configuration: it is not one of a node".to_owned(),
            ));
        };
        let view = view_of(address).map_err(|error| Failure::Config(error.to_string()))?;
        let text = match format {
            StatusFormat::Table => table(&view),
            StatusFormat::Json => format!("{}\n", json(&view)),
        };
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Write)?;
        let is_counted = view.parts.iter().all(|part| part.free.is_none());
        Ok(if is_counted { Status::Done } else { Status::BadInput })
    }

    fn table(view: &View) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{} of {} nodes live", view.live(), view.nodes.len());
        for node in &view.nodes {
            let NodeView { node: id, name, version, age, silent, spooled, oldest, url } = node;
            let own = view.parts.iter().filter(|part| part.owner == *id && part.free.is_none());
            let own: Vec<String> = own.map(|part| part.part.number().to_string()).collect();
            let how = match silent {
                None if own.is_empty() => format!("up {}, counts none", span(*age)),
                None => format!("up {}, counts {}", span(*age), own.join(" ")),
                Some(silent) => format!("gone for {}", span(*silent)),
            };
            let waits = match oldest {
                Some(oldest) if *spooled > 0 => {
                    format!(", {spooled} deliveries in its spool, the oldest {} old", span(*oldest))
                }
                _ => String::new(),
            };
            let at = if url.is_empty() { String::new() } else { format!("  at {}", Escaped(url)) };
            let _ =
                writeln!(text, "  {}  {}  version {}  {how}{waits}{at}", short(id), Escaped(name), Escaped(version));
        }
        let _ =
            writeln!(text, "\n{:>9}  {:>12}  {:>12}  {:>6}  counted by", "partition", "events", "not out yet", "epoch");
        for PartView { part, head, emitted, epoch, owner, name, free, .. } in &view.parts {
            let by = match free {
                None => format!("{}  {}", short(owner), Escaped(name)),
                Some(_) if *epoch == 0 => "nobody yet".to_owned(),
                Some(free) => format!("nobody for {}", span(*free)),
            };
            let behind = head.saturating_sub(*emitted);
            let _ = writeln!(text, "{:>9}  {head:>12}  {behind:>12}  {epoch:>6}  {by}", part.number());
        }
        text
    }

    fn json(view: &View) -> serde_json::Value {
        let seconds = |span: Duration| serde_json::json!(span.as_secs_f64());
        let nodes = view.nodes.iter().map(|node| {
            serde_json::json!({
                "node": node.node, "name": node.name, "version": node.version, "is_live": node.silent.is_none(),
                "age_seconds": seconds(node.age), "silent_seconds": node.silent.map(seconds),
                "spooled_deliveries": node.spooled, "spooled_age_seconds": node.oldest.map(seconds),
                "url": (!node.url.is_empty()).then_some(&node.url),
            })
        });
        let parts = view.parts.iter().map(|part| {
            serde_json::json!({
                "partition": part.part.number(), "head": part.head, "emitted": part.emitted, "epoch": part.epoch,
                "node": part.free.is_none().then_some(&part.owner),
                "free_seconds": part.free.filter(|_| part.epoch > 0).map(seconds),
            })
        });
        serde_json::json!({
            "nodes": nodes.collect::<Vec<_>>(), "partitions": parts.collect::<Vec<_>>(), "now_unix_micros": view.now,
        })
    }

    /// The beginning of a node's number, which is enough to tell it from others.
    fn short(id: &str) -> &str {
        id.get(..8).unwrap_or(id)
    }

    fn span(span: Duration) -> String {
        match span.as_secs() {
            0 => format!("{} ms", span.as_millis()),
            seconds @ 1..=119 => format!("{seconds} s"),
            seconds @ 120..=7_199 => format!("{} min", seconds / 60),
            seconds => format!("{} h", seconds / 3_600),
        }
    }
}
