//! Images of somebody else: pinned on first use, kept, refreshed only on request.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::project::{release, verify, write_mini};
use super::sandbox::{Running, Sandbox, check, check_same};
use super::{Scenario, Verdict};
use crate::error::{Result, TaskError};

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    name: "external-base-is-pinned-kept-and-refreshed",
    peers: &["docker-registry", "skopeo"],
    run: external_base,
}];

/// How often the registry is asked whether it is up, and how long to wait between.
const LOOKS_MAX: u32 = 200;
const LOOK_AGAIN: Duration = Duration::from_millis(25);

fn external_base(sandbox: &Sandbox) -> Result<Verdict> {
    let port = free_port()?;
    let mut server = serve(sandbox, port)?;
    write_mini(sandbox)?;
    release(sandbox)?;
    push(sandbox, port, "acme/mini/base:0.1.0")?;
    let upstream = sandbox.path("upstream");
    fs::rename(sandbox.project(), &upstream).map_err(TaskError::at("rename", &upstream))?;

    write_mini(sandbox)?;
    let base = format!("127.0.0.1:{port}/library/base:1");
    sandbox.write("project/images/api/Containerfile", format!("FROM {base}\nCOPY app.conf /app.conf\n"))?;
    let mut locked = sandbox.ring_command(&["release", "--plain-http"]);
    let refused = sandbox.run(locked.env("CI", "true"))?;
    check(refused.code == 2 || refused.code == 3, || format!("CI must not pin by itself: {}", refused.code))?;
    refused.says("rings.lock")?;
    sandbox.ring(&["release", "--plain-http"])?.expect(0)?;
    let lock = sandbox.read("project/rings.lock")?;
    check(lock.contains(&base) && lock.contains("sha256:"), || {
        format!("rings.lock does not pin {base}: {lock}")
    })?;
    let mut again = sandbox.ring_command(&["release", "-o", "json"]);
    let again = sandbox.run(again.env("CI", "true"))?.expect(0)?.json()?;
    check(again["changed"] == false, || "with the pin written, CI has nothing to do".into())?;

    // Without the registry the project still builds: it keeps what it has pinned.
    server.signal(rustix::process::Signal::TERM);
    drop(server);
    sandbox.write("project/images/api/app.conf", "port = 1\n")?;
    sandbox.ring(&["release", "--offline"])?.expect(0)?;
    check_same("rings.lock after an offline build", sandbox.read("project/rings.lock")?, lock.clone())?;
    sandbox.write(
        "project/images/base/Containerfile",
        format!("FROM 127.0.0.1:{port}/library/other:1\nCOPY etc /etc\n"),
    )?;
    sandbox.ring(&["release", "--plain-http"])?.expect(7)?.says("library/other")?;
    sandbox.write("project/images/base/Containerfile", "FROM scratch\nCOPY etc /etc\n")?;

    // A moved tag changes nothing until somebody asks for it.
    let _server = serve(sandbox, port)?;
    replace_upstream(sandbox, port)?;
    let report = sandbox.ask(&["release"])?;
    check(report["changed"] == false, || "a moved tag upstream must not rebuild anything".into())?;
    let update = sandbox.ask(&["update", "--plain-http"])?;
    check(update["changed"] == true, || "the refreshed pin is another one".into())?;
    let plan = sandbox.ask(&["plan", "release"])?;
    check(plan.to_string().contains("inputs-changed"), || {
        format!("no step is caused by the new base: {plan}")
    })?;
    sandbox.ring(&["release", "--plain-http"])?.expect(0)?;
    verify(sandbox)?;
    Ok(Verdict::Passed)
}

/// Releases the upstream project again with another file, and moves the tag to it.
fn replace_upstream(sandbox: &Sandbox, port: u16) -> Result<()> {
    sandbox.write("upstream/images/base/etc/motd", "newer\n")?;
    let ring = sandbox.ring_command(&[]);
    let mut command = sandbox.command(ring.get_program());
    sandbox.run(command.arg("-C").arg(sandbox.path("upstream")).arg("release"))?.expect(0)?;
    let source = format!("oci:{}:acme/mini/base:0.1.1", sandbox.path("upstream/.ring/registry").display());
    copy(sandbox, port, &source)
}

fn push(sandbox: &Sandbox, port: u16, name: &str) -> Result<()> {
    copy(sandbox, port, &format!("oci:{}:{name}", sandbox.registry().display()))
}

fn copy(sandbox: &Sandbox, port: u16, source: &str) -> Result<()> {
    let target = format!("docker://127.0.0.1:{port}/library/base:1");
    let mut skopeo = sandbox.peer("skopeo")?;
    skopeo.args(["--insecure-policy", "copy", "--dest-tls-verify=false", source, &target]);
    sandbox.run(&mut skopeo)?.expect(0)?;
    Ok(())
}

/// Starts a registry over a folder of the sandbox and waits until it listens.
fn serve(sandbox: &Sandbox, port: u16) -> Result<Running> {
    let folder = sandbox.make_folder("registry")?;
    let configuration = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: \"{}\"}}}}\nhttp: {{addr: \"127.0.0.1:{port}\"}}\n",
        folder.display()
    );
    sandbox.write("registry.yml", configuration)?;
    let mut command = sandbox.peer("docker-registry")?;
    let running = sandbox.start(command.arg("serve").arg(sandbox.path("registry.yml")))?;
    for _ in 0..LOOKS_MAX {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(running);
        }
        thread::sleep(LOOK_AGAIN);
    }
    Err(TaskError::new(format!("docker-registry does not listen on port {port}")))
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0));
    let port = listener.and_then(|listener| listener.local_addr()).map(|address| address.port());
    port.map_err(|source| TaskError::Io { what: "find a free port".into(), source })
}
