//! Draws the engine's events on stderr.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ringsite_engine::{Event, Observer};

use crate::args::{GlobalArgs, Output, Progress};

/// Returns the observer that draws progress as `args` ask for.
pub(crate) fn observer(args: &GlobalArgs) -> Observer {
    let verbose = args.verbose > 0;
    // Who asks for a document reads stderr as one, too: an error there is the only thing on it.
    let is_document = matches!(args.output, Output::Json | Output::Yaml);
    let form = match (args.progress, args.quiet) {
        (Progress::Auto, _) if is_document => return Observer::new(move |event| phases(event, verbose)),
        (_, true) | (Progress::None, _) => return Observer::new(move |event| phases(event, verbose)),
        (Progress::Auto, _) if std::io::stderr().is_terminal() => Progress::Auto,
        _ => Progress::Plain,
    };
    if form == Progress::Plain {
        return Observer::new(move |event| {
            plain(event);
            phases(event, verbose);
        });
    }
    let bar: Mutex<Option<ProgressBar>> = Mutex::new(None);
    Observer::new(move |event| {
        draw(&bar, event);
        phases(event, verbose);
    })
}

fn line(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

fn phases(event: &Event, verbose: bool) {
    if let (Event::Phase { name, duration }, true) = (event, verbose) {
        line(&format!("{:>9} ms  {name}", milliseconds(*duration)));
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1000.0)
}

fn plain(event: &Event) {
    match event {
        Event::BuildDone { image, version, duration, .. } => {
            line(&format!("built {image} {version} in {} ms", milliseconds(*duration)));
        }
        Event::Pulling { reference } => line(&format!("copying {reference} into the project's registry")),
        Event::Again { attempt, by } => {
            line(&format!("{by} was quicker; deciding again (attempt {attempt})"))
        }
        Event::Note { message } => line(&format!("note: {message}")),
        _ => {}
    }
}

fn draw(slot: &Mutex<Option<ProgressBar>>, event: &Event) {
    let Ok(mut slot) = slot.lock() else { return };
    match event {
        Event::Building { images } if *images > 0 => {
            let length = u64::try_from(*images).unwrap_or(u64::MAX);
            let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
                bar.set_style(style);
            }
            *slot = Some(bar);
        }
        Event::BuildStarted { image, version } => {
            if let Some(bar) = &*slot {
                bar.set_message(format!("building {image} {version}"));
            }
        }
        Event::BuildDone { .. } => {
            if let Some(bar) = &*slot {
                bar.inc(1);
            }
        }
        Event::Recorded { .. } => {
            if let Some(bar) = slot.take() {
                bar.finish_and_clear();
            }
        }
        Event::Pulling { .. } | Event::Again { .. } | Event::Note { .. } => match &*slot {
            Some(bar) => bar.suspend(|| plain(event)),
            None => plain(event),
        },
        Event::Phase { .. } | Event::Building { .. } | Event::Placed { .. } => {}
    }
}
