//! Plain syslog in datagrams: each is a line. Nobody waits for anybody: what finds no room is counted and gone.

use super::Port;
use super::framing::LONGEST;
use super::token::Stripped;
use crate::counters::Refused;
use crate::event::{Body, Layout};
use crate::intake::Intake;
use crate::intake::body::Room;
use crate::intake::recorded::{self, Known};
use crate::intake::syslog::{ENOUGH, GATHERED};
use crate::journal::{Answer, Message};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::{Instant, sleep, timeout_at};

/// Senders whose lines are gathered at a time.
const SENDERS: usize = 64;
/// Deliveries that are on their way to the journal.
const ON_THE_WAY: u32 = 64;
/// After an error of the socket.
const AGAIN: Duration = Duration::from_millis(20);

/// Lines of one sender.
struct Gathered {
    peer: IpAddr,
    layout: Layout,
    room: Room,
    since: Instant,
}

/// Takes datagrams until `stop` says so.
pub async fn receive(socket: UdpSocket, port: Arc<Port>, intake: Arc<Intake>, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(ON_THE_WAY as usize));
    let mut buffer = vec![0; LONGEST + 1];
    let mut all: Vec<Gathered> = Vec::new();
    loop {
        let due = all.iter().map(|gathered| gathered.since + GATHERED).min();
        let due = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3_600));
        let received = tokio::select! {
            received = timeout_at(due, socket.recv_from(&mut buffer)) => received,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match received {
            Ok(Ok((len, from))) => {
                let from = from.ip().to_canonical();
                take(&port, &intake, &places, from, &buffer[..len], &mut all);
            }
            Ok(Err(_)) => sleep(AGAIN).await,
            Err(_) => {}
        }
        let is_due = |gathered: &mut Gathered| gathered.since.elapsed() >= GATHERED || gathered.room.len() >= ENOUGH;
        for gathered in all.extract_if(.., is_due) {
            hand_on(gathered, &port, &intake, &places);
        }
    }
    drop(socket);
    for gathered in all {
        hand_on(gathered, &port, &intake, &places);
    }
    // What is on its way arrives.
    let _ = places.acquire_many(ON_THE_WAY).await;
}

fn take(
    port: &Port,
    intake: &Arc<Intake>,
    places: &Arc<Semaphore>,
    from: IpAddr,
    line: &[u8],
    all: &mut Vec<Gathered>,
) {
    if !port.allows(from) {
        return intake.counters.port_refused.add(1);
    }
    intake.counters.port_cut.add((line.len() > LONGEST).into());
    let line = &line[..line.len().min(LONGEST)];
    let ends = line.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r' | 0)).count();
    let line = &line[..line.len() - ends];
    let stripped;
    let line = match &port.settings.token {
        None => line,
        Some(token) => match token.strip(line) {
            Stripped::Right(rest) => {
                stripped = rest;
                &stripped
            }
            Stripped::Missing => return intake.refuse_credentials(from),
        },
    };
    if line.is_empty() {
        return;
    }
    let layout = port.layout(line, intake);
    let is_his = |gathered: &Gathered| gathered.peer == from && gathered.layout == layout;
    let length = format!("{} ", line.len());
    let index = match all.iter().position(is_his) {
        Some(index) => index,
        None => {
            if all.len() >= SENDERS {
                // The one that waits longest stands first.
                hand_on(all.remove(0), port, intake, places);
            }
            all.push(Gathered { peer: from, layout, room: Room::new(intake), since: Instant::now() });
            all.len() - 1
        }
    };
    let Some(own) = all.get_mut(index) else { return };
    match own.room.reserve(length.len() + line.len()) {
        Ok(()) => {
            let _ = own.room.extend(length.as_bytes());
            let _ = own.room.extend(line);
            intake.counters.port_lines.add(1);
        }
        Err(why) => {
            intake.counters.refuse(why);
            if own.room.len() == 0 {
                all.remove(index);
            }
        }
    }
}

/// Gives lines to the journal, if it takes them now.
fn hand_on(gathered: Gathered, port: &Port, intake: &Arc<Intake>, places: &Arc<Semaphore>) {
    let Ok(place) = places.clone().try_acquire_owned() else { return intake.counters.refuse(Refused::Queue) };
    let known = Known { drain: port.key.clone(), msg_count: None, peer: gathered.peer, layout: gathered.layout };
    let (intake, body) = (intake.clone(), gathered.room.into_body());
    tokio::spawn(async move {
        if let Err(why) = keep(&intake, known, body).await {
            intake.counters.refuse(why);
        }
        drop::<OwnedSemaphorePermit>(place);
    });
}

async fn keep(intake: &Intake, known: Known, body: Body) -> Result<(), Refused> {
    let bytes = body.bytes().len() as u64;
    let drain = known.drain.clone();
    let record = recorded::record(intake, known, body, Instant::now() + intake.limits.answer_within).await?;
    let (answer, answered) = oneshot::channel();
    let queue = intake.queue_of(&drain).ok_or(Refused::CannotStore)?;
    queue.try_send(Message::Delivery { key: None, record, answer }).map_err(|_| Refused::Queue)?;
    drop(queue);
    match answered.await {
        Ok(Answer::Kept | Answer::Duplicate) => {
            intake.counters.kept.add(1);
            intake.counters.octets.add(bytes);
            Ok(())
        }
        Ok(Answer::CannotStore) => Err(Refused::CannotStore),
        Ok(_) => Err(Refused::TooManyDrains),
        Err(_) => Err(Refused::Stopping),
    }
}
