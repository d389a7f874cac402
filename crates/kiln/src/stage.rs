//! Where something that takes time happens: events with their renderer, signals, a prompt.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use kiln_core::event::Events;
use kiln_core::prompt::Prompt;
use kiln_core::secret::SecretFilter;
use kiln_engine::Interrupt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::env_vars::{Environment, PACKER_NO_COLOR};
use crate::failure::Failure;
use crate::prompt::{Nobody, Terminal};
use crate::render::desk::{self, Desk};
use crate::render::human::Human;
use crate::render::json::Json;
use crate::render::live::Live;
use crate::render::machine::Machine;
use crate::render::packer::Reader;
use crate::render::{Format, Renderer};
use crate::signals;
use crate::ui;

/// How events are shown.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// In which form.
    pub format: Format,
    /// `-color`.
    pub colours: bool,
    /// `-timestamp-ui`.
    pub timestamps: bool,
    /// What a first signal does, in words.
    pub stopping: &'static str,
}

/// An open stage.
pub struct Stage {
    /// Where to say what happens.
    pub events: Events,
    /// How the user stops it.
    pub interrupt: Interrupt,
    /// Whom to ask.
    pub prompt: Arc<dyn Prompt>,
    desk: Desk,
    helpers: Vec<JoinHandle<()>>,
}

impl Stage {
    /// Opens the stage for run `run`. Must be called inside a runtime.
    pub fn open(
        look: Look,
        environment: &Environment,
        secrets: SecretFilter,
        run: &str,
    ) -> io::Result<Stage> {
        let (events, receiver) = Events::channel(secrets);
        let interrupt = Interrupt::default();
        let gone = CancellationToken::new();
        let desk = desk::open(renderer(look, environment), receiver, gone.clone())?;
        let prompt: Arc<dyn Prompt> = match look.format {
            Format::Human => Arc::new(Terminal::new(desk.requests.clone(), interrupt.stop.clone())),
            Format::Machine | Format::Json => Arc::new(Nobody),
        };
        let stop = interrupt.stop.clone();
        let reader_left = tokio::spawn(async move {
            gone.cancelled().await;
            stop.cancel();
        });
        let signals = signals::watch(interrupt.clone(), events.clone(), look.stopping, run.to_owned())?;
        Ok(Stage { events, interrupt, prompt, desk, helpers: vec![reader_left, signals] })
    }

    /// Says how the work ended, shows every event that is still on its way, and returns the exit code.
    pub async fn close(self, outcome: Result<u8, Failure>) -> Result<u8, Failure> {
        let Stage { events, desk, helpers, prompt, .. } = self;
        let outcome = match outcome {
            Ok(code) => Ok(code),
            Err(failure) => {
                tell(&failure, &events).await;
                Err(Failure::Silent)
            }
        };
        for helper in helpers {
            helper.abort();
            // An aborted task has dropped its events by the time it is joined.
            let _ = helper.await;
        }
        drop((events, prompt));
        let shown = tokio::task::spawn_blocking(|| desk.close()).await;
        shown.unwrap_or_else(|error| Err(io::Error::other(error)))?;
        outcome
    }
}

async fn tell(failure: &Failure, events: &Events) {
    match failure {
        Failure::Silent => {}
        Failure::Template(diagnostics) => ui::emit(diagnostics, events).await,
        Failure::Usage { help, reason } => {
            events.say(help).await;
            if let Some(reason) = reason {
                events.error(reason).await;
            }
        }
        Failure::Told { text, hints } => {
            events.error(text).await;
            for text in hints.iter().cloned() {
                events.emit(kiln_core::EventKind::Hint { text }).await;
            }
        }
    }
}

/// Where colours are off there is no live progress either: nothing but plain lines.
fn renderer(look: Look, environment: &Environment) -> Box<dyn Renderer> {
    let (out, aside) = (io::stdout(), io::stderr());
    let colours = look.colours && environment.filled(PACKER_NO_COLOR).is_none();
    let dumb = environment.get("TERM").is_none_or(|terminal| terminal == "dumb");
    match look.format {
        Format::Json => Box::new(Json::new(out)),
        Format::Machine => Box::new(Machine::new(Reader::new(look.timestamps, false), out, aside)),
        Format::Human => {
            let terminal = colours && aside.is_terminal();
            let human = Human::new(Reader::new(look.timestamps, look.colours), colours, out, aside);
            let human = human.with_aside_colours(terminal);
            match terminal && !dumb {
                true => Box::new(Live::new(human)),
                false => Box::new(human),
            }
        }
    }
}
