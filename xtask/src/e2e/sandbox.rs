//! A folder of its own for a scenario, and what happens in it.
//!
//! Programs run with a home of their own and without the variables that would change what they do.
//! Everything that is run is noted with its answer, and shown when the scenario fails.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::{Result, TaskError};
use crate::peers;
use crate::workspace::Workspace;

/// No single program of a scenario needs this long; one that hangs must not stop the run.
const PROGRAM_SECONDS_MAX: u64 = 180;
/// How often a running program is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(3);
/// What is shown of each answer when a scenario fails, in characters.
const ANSWER_SHOWN_MAX: usize = 1_500;
/// How many of the last calls are shown when a scenario fails.
const CALLS_SHOWN_MAX: usize = 6;

/// A folder with a project, and the programs that work on it.
pub(crate) struct Sandbox {
    workspace: Workspace,
    ring: PathBuf,
    folder: tempfile::TempDir,
    story: RefCell<Vec<String>>,
    runs: RefCell<u32>,
}

/// What a program answered.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Its exit code; 128 and the signal when a signal ended it, as a shell says it.
    pub(crate) code: i32,
    /// What it wrote to stdout.
    pub(crate) stdout: String,
    /// What it wrote to stderr.
    pub(crate) stderr: String,
    /// The call, for messages.
    call: String,
}

impl Run {
    /// Checks the exit code.
    ///
    /// # Errors
    /// The code is another one.
    pub(crate) fn expect(self, code: i32) -> Result<Self> {
        if self.code == code {
            return Ok(self);
        }
        Err(TaskError::new(format!(
            "`{}` ended with {}, not with {code}: {}",
            self.call,
            self.code,
            shorten(self.stderr.trim())
        )))
    }

    /// Checks that stderr holds a text.
    ///
    /// # Errors
    /// It does not.
    pub(crate) fn says(self, text: &str) -> Result<Self> {
        if self.stderr.contains(text) {
            return Ok(self);
        }
        let said = shorten(self.stderr.trim());
        Err(TaskError::new(format!("`{}` does not say `{text}`, it says: {said}", self.call)))
    }

    /// Checks that stdout holds a text.
    ///
    /// # Errors
    /// It does not.
    pub(crate) fn shows(self, text: &str) -> Result<Self> {
        if self.stdout.contains(text) {
            return Ok(self);
        }
        let shown = shorten(self.stdout.trim());
        Err(TaskError::new(format!("`{}` does not show `{text}`, it shows: {shown}", self.call)))
    }

    /// Reads stdout as JSON.
    ///
    /// # Errors
    /// It is not JSON.
    pub(crate) fn json(&self) -> Result<Value> {
        let what = format!("read what `{}` answers: {}", self.call, shorten(&self.stdout));
        serde_json::from_str(&self.stdout).map_err(TaskError::json(what))
    }
}

impl Sandbox {
    /// Makes an empty folder for a scenario that runs this build of the product.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub(crate) fn new(workspace: &Workspace, ring: &Path, name: &str) -> Result<Self> {
        let parent = workspace.target().join("e2e");
        fs::create_dir_all(&parent).map_err(TaskError::at("create", &parent))?;
        let folder = tempfile::Builder::new()
            .prefix(&format!("{name}-"))
            .tempdir_in(&parent)
            .map_err(TaskError::at("create a folder in", &parent))?;
        let sandbox = Self {
            workspace: workspace.clone(),
            ring: ring.to_path_buf(),
            folder,
            story: RefCell::default(),
            runs: RefCell::default(),
        };
        for folder in ["home", "answers"] {
            sandbox.make_folder(folder)?;
        }
        Ok(sandbox)
    }

    /// Returns a path in the folder.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the folder of the project that most scenarios work on.
    pub(crate) fn project(&self) -> PathBuf {
        self.path("project")
    }

    /// Returns the registry of that project.
    pub(crate) fn registry(&self) -> PathBuf {
        self.path("project/.ring/registry")
    }

    /// Returns what was run so far, the last calls with their answers.
    pub(crate) fn story(&self) -> String {
        let story = self.story.borrow();
        let skipped = story.len().saturating_sub(CALLS_SHOWN_MAX);
        let shown = story[skipped..].join("\n");
        if skipped == 0 { shown } else { format!("    ({skipped} calls before)\n{shown}") }
    }

    /// Leaves the folder in place when the sandbox goes away, and returns it.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_path_buf()
    }

    /// Copies an example of the repository to the folder of the project, without what was built in it.
    ///
    /// # Errors
    /// The example is not there, or a file cannot be copied.
    pub(crate) fn copy_example(&self, name: &str) -> Result<()> {
        self.copy_tree(&self.workspace.root().join("examples").join(name), &self.project())
    }

    /// Copies a folder, without `.ring`.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub(crate) fn copy_tree(&self, from: &Path, to: &Path) -> Result<()> {
        let walk = walkdir::WalkDir::new(from).sort_by_file_name().into_iter();
        for entry in walk.filter_entry(|entry| entry.file_name() != ".ring") {
            let entry = entry.map_err(|error| TaskError::new(format!("list {}: {error}", from.display())))?;
            let target = to.join(entry.path().strip_prefix(from).unwrap_or(entry.path()));
            if entry.file_type().is_dir() {
                fs::create_dir_all(&target).map_err(TaskError::at("create", &target))?;
            } else if entry.file_type().is_symlink() {
                let link = fs::read_link(entry.path()).map_err(TaskError::at("read", entry.path()))?;
                std::os::unix::fs::symlink(link, &target).map_err(TaskError::at("link", &target))?;
            } else {
                fs::copy(entry.path(), &target).map_err(TaskError::at("copy to", &target))?;
            }
        }
        Ok(())
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// The system says no.
    pub(crate) fn make_folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::create_dir_all(&path).map_err(TaskError::at("create", &path))?;
        Ok(path)
    }

    /// Writes a file and the folders above it.
    ///
    /// # Errors
    /// The system says no.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(TaskError::at("create", parent))?;
        }
        fs::write(&path, content).map_err(TaskError::at("write", &path))
    }

    /// Reads a text file.
    ///
    /// # Errors
    /// It is not there, or is no text.
    pub(crate) fn read(&self, name: &str) -> Result<String> {
        let path = self.path(name);
        fs::read_to_string(&path).map_err(TaskError::at("read", &path))
    }

    /// Returns a call of `ring` on the project.
    pub(crate) fn ring_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&self.ring);
        command.arg("-C").arg(self.project()).args(arguments);
        command
    }

    /// Runs `ring` on the project.
    ///
    /// # Errors
    /// It does not start, or hangs.
    pub(crate) fn ring(&self, arguments: &[&str]) -> Result<Run> {
        self.run(&mut self.ring_command(arguments))
    }

    /// Runs `ring` with JSON as its answer, and expects success.
    ///
    /// # Errors
    /// It fails, or the answer is not JSON.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let arguments = [arguments, &["-o", "json"]].concat();
        self.ring(&arguments)?.expect(0)?.json()
    }

    /// Returns a call of a foreign program that the scenario has declared.
    ///
    /// # Errors
    /// The program is missing.
    pub(crate) fn peer(&self, program: &str) -> Result<Command> {
        peers::locate(&self.workspace, program).map(|path| self.command(path)).map_err(TaskError::new)
    }

    /// Returns where a foreign program is.
    ///
    /// # Errors
    /// The program is missing.
    pub(crate) fn peer_path(&self, program: &str) -> Result<PathBuf> {
        peers::locate(&self.workspace, program).map_err(TaskError::new)
    }

    /// Returns a call of any program with the environment of the sandbox.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let is_of_ring = name.to_str().is_some_and(|name| name.starts_with("RING_"));
            if is_of_ring {
                command.env_remove(name);
            }
        }
        command.env_remove("CI").env_remove("SOURCE_DATE_EPOCH").env_remove("REGISTRY_AUTH_FILE");
        command.env("HOME", self.path("home")).env("XDG_CONFIG_HOME", self.path("home/.config"));
        command.env("XDG_CACHE_HOME", self.path("home/.cache")).env("NO_COLOR", "1").env("TZ", "UTC");
        command.current_dir(self.folder.path());
        command
    }

    /// Starts a program in the background; its answers go to files.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start(&self, command: &mut Command) -> Result<Running> {
        let number = {
            let mut runs = self.runs.borrow_mut();
            *runs += 1;
            *runs
        };
        let call = describe(command, self.folder.path());
        let stdout = self.path(format!("answers/{number}.out"));
        let stderr = self.path(format!("answers/{number}.err"));
        let create = |path: &Path| fs::File::create(path).map_err(TaskError::at("create", path));
        command.stdin(Stdio::null()).stdout(create(&stdout)?).stderr(create(&stderr)?);
        let child = command.spawn().map_err(TaskError::start(&call))?;
        Ok(Running { child, call, stdout, stderr })
    }

    /// Waits for a program that was started, and notes what it answered.
    ///
    /// # Errors
    /// It hangs, or its answers cannot be read.
    pub(crate) fn finish(&self, mut running: Running) -> Result<Run> {
        let code = running.wait()?;
        let read = |path: &Path| {
            fs::read(path)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .map_err(TaskError::at("read", path))
        };
        let (stdout, stderr) = (read(&running.stdout)?, read(&running.stderr)?);
        let run = Run { code, stdout, stderr, call: running.call.clone() };
        let answer =
            shorten(format!("{}\n{}", run.stdout.trim(), run.stderr.trim()).trim()).replace('\n', "\n      ");
        self.story.borrow_mut().push(format!("    $ {}\n      {answer}\n    = {code}", run.call));
        Ok(run)
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// It does not start, or hangs.
    pub(crate) fn run(&self, command: &mut Command) -> Result<Run> {
        let running = self.start(command)?;
        self.finish(running)
    }
}

/// A program that was started and not yet waited for. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    call: String,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Sends a signal; a program that has ended already does not mind.
    pub(crate) fn signal(&mut self, signal: rustix::process::Signal) {
        if let (Some(id), Ok(None)) =
            (rustix::process::Pid::from_raw(self.child.id().cast_signed()), self.child.try_wait())
        {
            // The process may end between the look and the signal; then there is nothing left to do.
            let _ = rustix::process::kill_process(id, signal);
        }
    }

    fn wait(&mut self) -> Result<i32> {
        use std::os::unix::process::ExitStatusExt as _;
        let deadline = Instant::now() + Duration::from_secs(PROGRAM_SECONDS_MAX);
        loop {
            let status = self.child.try_wait().map_err(TaskError::start(&self.call))?;
            if let Some(status) = status {
                return Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)));
            }
            if Instant::now() > deadline {
                return Err(TaskError::new(format!(
                    "`{}` hangs: {PROGRAM_SECONDS_MAX} s are over",
                    self.call
                )));
            }
            thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only what is still there is ended; both answers say so, and neither matters any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Checks that something holds.
///
/// # Errors
/// It does not; the words say what was expected.
pub(crate) fn check(holds: bool, expected: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(TaskError::Failed(expected())) }
}

/// Checks that two values are the same.
///
/// # Errors
/// They are not.
pub(crate) fn check_same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<()> {
    check(found == expected, || format!("{what}: found {found:?}, expected {expected:?}"))
}

/// Returns a text value of a JSON document.
///
/// # Errors
/// There is none at that place.
pub(crate) fn text_at<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| TaskError::new(format!("no text at {pointer} in {}", shorten(&value.to_string()))))
}

/// Returns a list of a JSON document.
///
/// # Errors
/// There is none at that place.
pub(crate) fn list_at<'a>(value: &'a Value, pointer: &str) -> Result<&'a [Value]> {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found
        .map(Vec::as_slice)
        .ok_or_else(|| TaskError::new(format!("no list at {pointer} in {}", shorten(&value.to_string()))))
}

fn describe(command: &Command, folder: &Path) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = std::iter::once(program.to_string_lossy().into_owned()).chain(words).collect();
    words.join(" ").replace(&*folder.to_string_lossy(), "$HERE")
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(ANSWER_SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
