//! What an instance shows to whoever cannot log in: `GetInstanceConsoleOutput` and `GetInstanceScreenshot`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::instances::{owned, owned_mut, wants_status};
use crate::api::{Action, Answer, Cx, read, refuse};
use crate::model::InstanceStatus;
use crate::screenshot;

/// The actions of consoles.
pub const ACTIONS: &[Action] = &[
    read("GetInstanceConsoleOutput", &["RegionId", "InstanceId"], output),
    read("GetInstanceScreenshot", &["RegionId", "InstanceId"], picture),
];

/// How long one has to wait between two pictures of an instance.
const BETWEEN_PICTURES: Duration = Duration::from_secs(10);

/// The zone of `LastUpdateTime`, which is the one time of the API that is not UTC.
const BEIJING: Duration = Duration::from_secs(8 * 3600);

fn output(cx: &mut Cx<'_>) -> Answer {
    let plain = cx.params.flag("RemoveSymbols")?;
    let instance = owned(cx)?;
    let console = cx.consoles.console(&instance.id);
    let text = if plain { without_symbols(&console.text).into_bytes() } else { console.text };
    let updated = if text.is_empty() {
        String::new()
    } else {
        cx.now().minus(console.silent).plus(BEIJING).to_plain_seconds()
    };
    Ok(json!({
        "InstanceId": instance.id, "ConsoleOutput": STANDARD.encode(text), "LastUpdateTime": updated,
    }))
}

fn picture(cx: &mut Cx<'_>) -> Answer {
    // Nothing here sleeps, so that nothing is woken; what the switch says must be a switch all the same.
    cx.params.flag("WakeUp")?;
    let instance = owned(cx)?;
    wants_status(instance, InstanceStatus::Running)?;
    let (id, now) = (instance.id.clone(), cx.now());
    let wait = cx.clock.scaled(BETWEEN_PICTURES);
    if instance.screenshot_at.is_some_and(|last| last.plus(wait) > now) {
        return Err(refuse("Throttling"));
    }
    owned_mut(cx, &id)?.screenshot_at = Some(now);
    let text = without_symbols(&cx.consoles.console(&id).text);
    Ok(json!({"InstanceId": id, "Screenshot": STANDARD.encode(screenshot::of_text(&text))}))
}

/// Returns a text without colours and other control sequences (`ESC [ … letter`), lines and tabs kept.
fn without_symbols(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut letters = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => {
                if letters.next() == Some('[') {
                    letters.by_ref().find(|letter| ('\u{40}'..='\u{7e}').contains(letter));
                }
            }
            '\n' | '\t' => plain.push(letter),
            _ if letter.is_control() => {}
            _ => plain.push(letter),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    #[test]
    fn symbols_are_taken_out() {
        assert_eq!(super::without_symbols(b"\x1b[1;32mok\x1b[0m\r\n\x07a\tb\x1b"), "ok\na\tb");
    }
}
