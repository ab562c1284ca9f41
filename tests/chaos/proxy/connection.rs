//! One connection through the proxy: two pumps, each under the conditions of its direction.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::sync::CancellationToken;

use super::postgres::{Commit, PostgresAnswers};
use super::{ProxyState, ProxyTarget, Shot};

/// The maximum size of a chunk in bytes.
const PIECE: usize = 1 << 16;

type ByteReader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// Why a pump stopped.
enum PumpEnd {
    /// One side has closed its direction, or is gone.
    Closed,
    /// Both directions are broken.
    Broken,
}

/// Forwards one connection until it ends.
pub(super) async fn carry(mut client: TcpStream, target: ProxyTarget, state: Arc<ProxyState>) {
    let far = if state.sky.borrow().refused { None } else { reach(&target).await };
    let Some((from_far, to_far)) = far else { return reset(&client) };
    let broken = CancellationToken::new();
    // Resets after this count.
    let mut storms = state.storms.subscribe();
    {
        let (from_client, to_client) = client.split();
        let up = Pump { way: Direction::Up, state: &state, broken: &broken, answers: None, left: None };
        let answers = matches!(target, ProxyTarget::Postgres(_)).then(PostgresAnswers::default);
        let down = Pump { way: Direction::Down, state: &state, broken: &broken, answers, left: None };
        let both = async { tokio::join!(up.run(from_client, to_far), down.run(from_far, to_client)) };
        tokio::select! {
            _ = both => {}
            // The sender is part of the state, which we hold.
            _ = storms.changed() => broken.cancel(),
        }
    }
    if broken.is_cancelled() {
        reset(&client);
    }
}

async fn reach(target: &ProxyTarget) -> Option<(ByteReader, Writer)> {
    match target {
        ProxyTarget::Tcp(address) => {
            let (reader, writer) = TcpStream::connect(address).await.ok()?.into_split();
            Some((Box::new(reader), Box::new(writer)))
        }
        ProxyTarget::Postgres(socket) => {
            let (reader, writer) = UnixStream::connect(socket).await.ok()?.into_split();
            Some((Box::new(reader), Box::new(writer)))
        }
    }
}

/// Closes the connection with an RST: data in transit are lost.
fn reset(client: &TcpStream) {
    // It may be gone already.
    drop(client.set_zero_linger());
}

struct Pump<'a> {
    way: Direction,
    state: &'a ProxyState,
    broken: &'a CancellationToken,
    answers: Option<PostgresAnswers>,
    /// How many bytes may still pass before a cut.
    left: Option<usize>,
}

impl Pump<'_> {
    async fn run(mut self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        let broken = self.broken.clone();
        tokio::select! {
            end = self.pump(&mut from, &mut to) => match end {
                // The other direction continues: what was sent before still arrives.
                PumpEnd::Closed => drop(to.shutdown().await),
                PumpEnd::Broken => broken.cancel(),
            },
            () = broken.cancelled() => {}
        }
    }

    async fn pump(&mut self, from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> PumpEnd {
        let mut bytes = vec![0; PIECE];
        loop {
            let Ok(read @ 1..) = from.read(&mut bytes).await else { return PumpEnd::Closed };
            self.weather().await;
            let (pass, end) = self.judge(&bytes[..read]);
            if to.write_all(&bytes[..pass]).await.is_err() {
                return PumpEnd::Closed;
            }
            if end {
                drop(to.flush().await);
                return PumpEnd::Broken;
            }
        }
    }

    /// Waits according to the conditions.
    async fn weather(&self) {
        let mut sky = self.state.sky.subscribe();
        let now = *sky.borrow_and_update();
        let delay = if self.way == Direction::Up { now.up } else { now.down };
        if delay > Duration::ZERO {
            tokio::time::sleep(delay).await;
        }
        // The sender is part of the state, which we hold.
        drop(sky.wait_for(|sky| !sky.silent).await);
    }

    /// How many bytes of the chunk pass, and whether the connection is reset after them.
    fn judge(&mut self, piece: &[u8]) -> (usize, bool) {
        if let Some(answers) = &mut self.answers {
            let state = self.state;
            let lost = answers.read(piece, |commit| state.take(|shot| fits(shot, commit)).is_some());
            if let Some((pass, end)) = lost {
                if end {
                    state.note_lost();
                }
                return (pass, end);
            }
        }
        let way = self.way;
        if self.left.is_none() {
            self.left = self.state.take(|shot| match (shot, way) {
                (Shot::CutUp(left), Direction::Up) | (Shot::CutDown(left), Direction::Down) => Some(*left),
                _ => None,
            });
        }
        match &mut self.left {
            Some(left) if *left <= piece.len() => {
                self.state.note_hit();
                (*left, true)
            }
            Some(left) => {
                *left -= piece.len();
                (piece.len(), false)
            }
            None => (piece.len(), false),
        }
    }
}

fn fits(shot: &Shot, commit: Commit) -> Option<()> {
    let fits =
        matches!((shot, commit), (Shot::LoseCommit, Commit::Transaction) | (Shot::LoseStatement, Commit::Statement));
    fits.then_some(())
}
