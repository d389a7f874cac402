//! The one task that owns the renderer.
//!
//! Writing blocks, so it has a thread of its own. A closed pipe is no error to tell anybody about: the run is asked
//! to stop, the rest of the events is read and dropped, so that clean-up never waits for a reader that has left.

use std::io;
use std::time::Duration;

use kiln_core::event::Event;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::Renderer;

/// How often moving parts are redrawn.
const TICK: Duration = Duration::from_millis(120);

/// Something asked of the desk besides showing events.
#[derive(Debug)]
pub enum Request {
    /// Show a question behind everything that has happened so far.
    Ask {
        /// The question.
        query: String,
        /// Told when it stands there.
        shown: oneshot::Sender<()>,
    },
    /// The question is over.
    Answered {
        /// Whether the line has to be ended.
        newline: bool,
    },
}

/// The running desk.
pub struct Desk {
    thread: std::thread::JoinHandle<io::Result<()>>,
    /// Where requests go.
    pub requests: mpsc::Sender<Request>,
}

/// Starts the desk on `events`. `gone` is set when nobody reads what is written any more.
pub fn open(
    renderer: Box<dyn Renderer>,
    events: mpsc::Receiver<Event>,
    gone: CancellationToken,
) -> io::Result<Desk> {
    // Questions are asked one at a time.
    let (requests, asked) = mpsc::channel(4);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let thread = std::thread::Builder::new()
        .name("renderer".to_owned())
        .spawn(move || runtime.block_on(serve(renderer, events, asked, gone)))?;
    Ok(Desk { thread, requests })
}

impl Desk {
    /// Waits until every event has been shown. All [`kiln_core::Events`] must have been dropped.
    pub fn close(self) -> io::Result<()> {
        drop(self.requests);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the renderer broke down")))
    }
}

async fn serve(
    mut renderer: Box<dyn Renderer>,
    mut events: mpsc::Receiver<Event>,
    mut asked: mpsc::Receiver<Request>,
    gone: CancellationToken,
) -> io::Result<()> {
    let result = show(renderer.as_mut(), &mut events, &mut asked).await;
    if result.is_err() {
        gone.cancel();
        asked.close();
        while events.recv().await.is_some() {}
    }
    result
}

async fn show(
    renderer: &mut dyn Renderer,
    events: &mut mpsc::Receiver<Event>,
    asked: &mut mpsc::Receiver<Request>,
) -> io::Result<()> {
    let mut ticks = tokio::time::interval(TICK);
    let mut asking = false;
    loop {
        tokio::select! {
            biased;
            event = events.recv() => {
                let Some(event) = event else {
                    return renderer.finish();
                };
                // The end of a question stands before what the answer brought about.
                while asking && let Ok(request) = asked.try_recv() {
                    asking = serve_request(renderer, request)?;
                }
                renderer.event(&event)?;
            }
            // A question stands behind everything that led to it.
            Some(request) = asked.recv() => asking = serve_request(renderer, request)?,
            _ = ticks.tick() => renderer.tick()?,
        }
    }
}

/// Returns whether a question stands now.
fn serve_request(renderer: &mut dyn Renderer, request: Request) -> io::Result<bool> {
    match request {
        Request::Ask { query, shown } => {
            renderer.ask(&query)?;
            // Whoever asked may have withdrawn the question.
            let _ = shown.send(());
            Ok(true)
        }
        Request::Answered { newline } => {
            renderer.answered(newline)?;
            Ok(false)
        }
    }
}
