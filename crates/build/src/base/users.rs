//! Owners: `--chown=user:group` by number or by the names of the image itself.

use crate::base::view::{Kept, View};
use crate::error::BuildError;
use crate::layer::{Contents, Entry};
use crate::limits::USERS_BYTES_MAX;

/// Who owns an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The user.
    pub(crate) uid: u32,
    /// The group.
    pub(crate) gid: u32,
}

/// Reads `user[:group]`. A number of a user alone is the group's number, too; a name alone has the
/// group of its line in `/etc/passwd`.
///
/// # Errors
/// A message when a name is not in the image, or a number is too large; what reading says.
pub(crate) fn owner(
    text: &str,
    view: &View,
    contents: &Contents,
) -> Result<Result<Owner, String>, BuildError> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let mut own_group = None;
    let uid = match number(user) {
        Some(Ok(uid)) => uid,
        Some(Err(message)) => return Ok(Err(message)),
        None => {
            let passwd = read(view, contents, "etc/passwd")?;
            let Some(line) = line_of(&passwd, user) else { return Ok(Err(missing("user", user, "passwd"))) };
            own_group = field(&line, 3);
            match field(&line, 2) {
                Some(uid) => uid,
                None => return Ok(Err(missing("user", user, "passwd"))),
            }
        }
    };
    let gid = match group.filter(|group| !group.is_empty()) {
        None => own_group.unwrap_or(uid),
        Some(group) => match number(group) {
            Some(Ok(gid)) => gid,
            Some(Err(message)) => return Ok(Err(message)),
            None => {
                let groups = read(view, contents, "etc/group")?;
                match line_of(&groups, group).and_then(|line| field(&line, 2)) {
                    Some(gid) => gid,
                    None => return Ok(Err(missing("group", group, "group"))),
                }
            }
        },
    };
    Ok(Ok(Owner { uid, gid }))
}

fn missing(kind: &str, name: &str, file: &str) -> String {
    format!("the {kind} `{name}` is not in /etc/{file} of the image")
}

fn number(text: &str) -> Option<Result<u32, String>> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().map_err(|_| format!("`{text}` is too large for a user or group")))
}

fn read(view: &View, contents: &Contents, path: &str) -> Result<String, BuildError> {
    let bytes = match view.kept(path) {
        None => return Ok(String::new()),
        Some(Kept::Bytes(bytes)) => bytes.to_vec(),
        Some(Kept::Entry(entry)) => read_entry(contents, entry)?,
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read_entry(contents: &Contents, entry: &Entry) -> Result<Vec<u8>, BuildError> {
    match contents.open(entry)? {
        Some(reader) => crate::layer::read_small(&entry.path, reader, USERS_BYTES_MAX),
        None => Ok(Vec::new()),
    }
}

/// Returns the line whose first field is `name`.
fn line_of(text: &str, name: &str) -> Option<String> {
    text.lines().find(|line| line.split(':').next() == Some(name)).map(str::to_owned)
}

fn field(line: &str, index: usize) -> Option<u32> {
    line.split(':').nth(index)?.trim().parse().ok()
}
