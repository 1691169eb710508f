//! Reading of archives that others wrote: layers of base images, and archives that `ADD` unpacks.
//!
//! Nothing is ever extracted to disk. An archive is read once from its beginning to its end, every
//! number and name in it is checked, and what breaks a rule is refused with the name of the rule.
//!
//! | Rule | Refused |
//! |--|--|
//! | `absolute-path`, `parent-path` | a name that begins with `/`, or has `..` in it |
//! | `path-name`, `path-length` | a name that is empty, not UTF-8 or has a zero byte; over 4,096 bytes |
//! | `link-target` | a hard link to something that is not an earlier file of the archive |
//! | `link-loop` | links that lead round in a circle |
//! | `device` | copying a device, pipe or socket |
//! | `whiteout` | a whiteout that names nothing |
//! | `header`, `number`, `truncated` | a header with a wrong check sum or number; an end too early |
//! | `extension` | an extension header that is malformed or over 1 MiB; a global one that renames |
//! | `kind`, `sparse` | an entry that no specification names; a sparse file |
//! | `entries`, `names`, `size` | too many entries; too many bytes of names; over 64 GiB of content |
//! | `compression` | a stream that cannot be decompressed, or a method that is not known |

mod header;
mod open;
mod path;
mod reader;

pub(crate) use header::is_tar_start;
pub(crate) use open::{Compression, decompress, fail_read};
pub(crate) use path::join;
pub(crate) use reader::{Member, MemberKind, Reader};
