//! One run in every form: fixed events in, everything that was written out.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kiln_core::event::{ArtifactSummary, BuildResult, Event, EventKind, Outcome, OutputStream};

use super::Renderer;
use super::human::Human;
use super::json::Json;
use super::machine::Machine;
use super::packer::Reader;

/// A stream that is read afterwards.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Returns the text with escape characters and times made visible.
    fn visible(&self) -> String {
        let lines = self.text();
        let lines = lines.lines().map(|line| match line.split_once(',') {
            Some((time, rest)) if time.len() == 10 && time.bytes().all(|byte| byte.is_ascii_digit()) => {
                format!("[TIME],{rest}")
            }
            _ => line.replace('\x1b', "␛"),
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

struct Story {
    events: Vec<Event>,
    millis: i64,
}

impl Story {
    fn add(&mut self, build: Option<&str>, post_processor: Option<&str>, kind: EventKind) {
        self.millis += 500;
        let time = jiff::Timestamp::from_millisecond(1_795_217_157_000 + self.millis).unwrap();
        self.events.push(Event {
            sequence: self.events.len() as u64,
            time: time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            build: build.map(str::to_owned),
            post_processor: post_processor.map(str::to_owned),
            kind,
        });
    }
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// Two builds: one makes a file, one fails.
fn story() -> Vec<Event> {
    let mut story = Story { events: Vec::new(), millis: 0 };
    let artifact = ArtifactSummary {
        builder_id: text("packer.file"),
        id: text("File"),
        text: text("Stored file: a,b.txt"),
        files: vec![text("a,b.txt")],
    };
    let failure = text("Script exited with non-zero exit status: 2. Allowed exit codes are: [0]");
    let (file, two) = (Some("file"), Some("null.two"));
    let step = |kind: fn(String) -> EventKind| kind(text("provisioner 1 (shell)"));
    let builds = vec![text("file"), text("null.two")];
    story.add(None, None, EventKind::RunStarted { run: text("7f3a"), builds, debug: true });
    story.add(file, None, EventKind::BuildStarted);
    story.add(two, None, EventKind::BuildStarted);
    story.add(file, None, EventKind::Say { text: text("Making it\nin two lines  ") });
    story.add(two, None, step(|step| EventKind::StepStarted { step }));
    story.add(two, None, EventKind::RemoteOutput { stream: OutputStream::Stdout, line: text("out, C:\\x") });
    story.add(two, None, EventKind::RemoteOutput { stream: OutputStream::Stderr, line: text("err") });
    story.add(two, None, EventKind::Message { text: text("") });
    story.add(file, Some("manifest"), EventKind::Message { text: text("written") });
    let elapsed = Duration::from_millis(2000);
    let finished =
        EventKind::StepFinished { step: text("provisioner 1 (shell)"), outcome: Outcome::Failed, elapsed };
    story.add(two, None, finished);
    story.add(two, None, EventKind::Hint { text: text("the script is in.sh") });
    let outcome = Outcome::Failed;
    let elapsed = Duration::from_millis(4004);
    let (error, artifacts) = (Some(failure.clone()), Vec::new());
    story.add(two, None, EventKind::BuildFinished { outcome, elapsed, error, artifacts });
    let (outcome, error, artifacts) = (Outcome::Done, None, vec![artifact.clone()]);
    story.add(file, None, EventKind::BuildFinished { outcome, elapsed, error, artifacts });
    let results = vec![
        BuildResult { build: text("file"), error: None, artifacts: vec![artifact] },
        BuildResult { build: text("null.two"), error: Some(failure), artifacts: Vec::new() },
    ];
    let elapsed = Duration::from_millis(5013);
    let outcome = Outcome::Failed;
    story.add(None, None, EventKind::RunFinished { outcome, elapsed, interrupted: false, results });
    story.events
}

fn show(mut renderer: impl Renderer, events: &[Event]) {
    for event in events {
        renderer.event(event).unwrap();
    }
    renderer.finish().unwrap();
}

#[test]
fn people_get_packers_lines_and_kilns_on_the_other_stream() {
    let (out, aside) = (Page::default(), Page::default());
    show(Human::new(Reader::new(false, false), false, out.clone(), aside.clone()), &story());
    insta::assert_snapshot!(out.visible(), @r"
    Debug mode enabled. Builds will not be parallelized.
    ==> file: Making it
    ==> file: in two lines
    ==> null.two: out, C:\x
    ==> null.two: err
    ==> null.two:
    ==> file (manifest): written
    Build 'null.two' errored after 4 seconds 4 milliseconds: Script exited with non-zero exit status: 2. Allowed exit codes are: [0]
    Build 'file' finished after 4 seconds 4 milliseconds.

    ==> Wait completed after 5 seconds 13 milliseconds

    ==> Some builds didn't complete successfully and had errors:
    --> null.two: Script exited with non-zero exit status: 2. Allowed exit codes are: [0]

    ==> Builds finished. The artifacts of successful builds are:
    --> file: Stored file: a,b.txt
    ");
    insta::assert_snapshot!(aside.visible(), @r"
    ==> null.two: the script is in.sh

    ==> Where the time went (* the build waited for it; the rest ran alongside):
        null.two                         4.0s
            provisioner 1 (shell)        2.5s   62%  failed
            the rest                     4.0s  100%
    ");
}

#[test]
fn each_build_has_its_colour_and_errors_are_red() {
    let (out, aside) = (Page::default(), Page::default());
    show(Human::new(Reader::new(false, true), true, out.clone(), aside), &story());
    insta::assert_snapshot!(out.visible(), @r"
    Debug mode enabled. Builds will not be parallelized.
    ␛[1;32mfile: output will be in this color.␛[0m
    ␛[1;36mnull.two: output will be in this color.␛[0m

    ␛[1;32m==> file: Making it
    ==> file: in two lines␛[0m
    ␛[1;36m==> null.two: out, C:\x␛[0m
    ␛[1;31m==> null.two: err␛[0m
    ␛[1;36m==> null.two:␛[0m
    ␛[1;32m==> file (manifest): written␛[0m
    ␛[1;31mBuild 'null.two' errored after 4 seconds 4 milliseconds: Script exited with non-zero exit status: 2. Allowed exit codes are: [0]␛[0m
    ␛[1;32mBuild 'file' finished after 4 seconds 4 milliseconds.␛[0m

    ==> Wait completed after 5 seconds 13 milliseconds

    ==> Some builds didn't complete successfully and had errors:
    --> null.two: Script exited with non-zero exit status: 2. Allowed exit codes are: [0]

    ==> Builds finished. The artifacts of successful builds are:
    --> file: Stored file: a,b.txt
    ");
}

#[test]
fn programs_get_a_line_for_each_call_and_datum() {
    let (out, aside) = (Page::default(), Page::default());
    show(Machine::new(Reader::new(false, false), out.clone(), aside), &story());
    insta::assert_snapshot!(out.visible(), @r"
    [TIME],,ui,say,Debug mode enabled. Builds will not be parallelized.
    [TIME],,ui,say,==> file: Making it\n==> file: in two lines
    [TIME],,ui,say,==> null.two: out%!(PACKER_COMMA) C:\x
    [TIME],,ui,error,==> null.two: err
    [TIME],,ui,say,==> null.two:
    [TIME],,ui,say,==> file (manifest): written
    [TIME],,ui,error,Build 'null.two' errored after 4 seconds 4 milliseconds: Script exited with non-zero exit status: 2. Allowed exit codes are: [0]
    [TIME],,ui,say,Build 'file' finished after 4 seconds 4 milliseconds.
    [TIME],,ui,say,\n==> Wait completed after 5 seconds 13 milliseconds
    [TIME],,error-count,1
    [TIME],,ui,error,\n==> Some builds didn't complete successfully and had errors:
    [TIME],null.two,error,Script exited with non-zero exit status: 2. Allowed exit codes are: [0]
    [TIME],,ui,error,--> null.two: Script exited with non-zero exit status: 2. Allowed exit codes are: [0]
    [TIME],,ui,say,\n==> Builds finished. The artifacts of successful builds are:
    [TIME],file,artifact-count,1
    [TIME],file,artifact,0,builder-id,packer.file
    [TIME],file,artifact,0,id,File
    [TIME],file,artifact,0,string,Stored file: a%!(PACKER_COMMA)b.txt
    [TIME],file,artifact,0,files-count,1
    [TIME],file,artifact,0,file,0,a%!(PACKER_COMMA)b.txt
    [TIME],file,artifact,0,end
    [TIME],,ui,say,--> file: Stored file: a%!(PACKER_COMMA)b.txt
    ");
}

#[test]
fn json_lines_are_the_events_and_can_be_read_back() {
    let out = Page::default();
    let events = story();
    show(Json::new(out.clone()), &events);
    let read: Vec<Event> = out.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, events);
    insta::assert_snapshot!(out.text().lines().take(2).collect::<Vec<_>>().join("\n"), @r#"
    {"sequence":0,"time":"2026-11-20T23:25:57.500Z","build":null,"post_processor":null,"event":"run_started","run":"7f3a","builds":["file","null.two"],"debug":true}
    {"sequence":1,"time":"2026-11-20T23:25:58.000Z","build":"file","post_processor":null,"event":"build_started"}
    "#);
}

#[test]
fn an_interrupted_run_says_so_and_nothing_else() {
    let (out, aside) = (Page::default(), Page::default());
    let mut story = Story { events: Vec::new(), millis: 0 };
    story.add(
        None,
        None,
        EventKind::RunStarted { run: text("7f3a"), builds: vec![text("null")], debug: false },
    );
    story.add(None, None, EventKind::Error { text: text("Cancelling build after receiving interrupt") });
    let results =
        vec![BuildResult { build: text("null"), error: Some(text("cancelled")), artifacts: Vec::new() }];
    let (outcome, elapsed) = (Outcome::Cancelled, Duration::from_millis(2016));
    story.add(None, None, EventKind::RunFinished { outcome, elapsed, interrupted: true, results });
    show(Human::new(Reader::new(false, true), true, out.clone(), aside), &story.events);
    insta::assert_snapshot!(out.visible(), @r"
    ␛[1;32mnull: output will be in this color.␛[0m

    ␛[1;31mCancelling build after receiving interrupt␛[0m

    ==> Wait completed after 2 seconds 16 milliseconds
    Cleanly cancelled builds after being interrupted.
    ");
}

#[test]
fn time_stands_before_the_first_line_of_a_call() {
    let (out, aside) = (Page::default(), Page::default());
    let events: Vec<Event> =
        story().into_iter().filter(|event| matches!(event.kind, EventKind::Say { .. })).collect();
    show(Human::new(Reader::new(true, true), false, out.clone(), aside), &events);
    let text = out.text();
    let (time, rest) = text.split_once(": ").unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    assert_eq!(rest, "==> file: Making it\n==> file: in two lines\n");
}

#[test]
fn a_closed_pipe_is_reported_to_the_desk_and_to_nobody_else() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (events, receiver) = kiln_core::Events::channel(kiln_core::secret::SecretFilter::default());
    let gone = tokio_util::sync::CancellationToken::new();
    let human = Human::new(Reader::new(false, false), false, Closed, Page::default());
    let desk = super::desk::open(Box::new(human), receiver, gone.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // Far more than the channel holds: nobody must wait for a reader that has left.
    runtime.block_on(async {
        for _ in 0..5000 {
            events.say("x").await;
        }
    });
    assert!(gone.is_cancelled());
    drop(events);
    assert_eq!(desk.close().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}
