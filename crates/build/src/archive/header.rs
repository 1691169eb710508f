//! The 512 bytes before each entry of a tar archive, as others write them.

/// Size of a block of a tar archive.
pub(crate) const BLOCK: usize = 512;

/// A header block whose check sum is right.
pub(crate) struct Header<'b>(pub(crate) &'b [u8; BLOCK]);

impl Header<'_> {
    /// Returns whether the check sum is the one of the block.
    pub(crate) fn has_right_sum(&self) -> bool {
        let Some(said) = octal(&self.0[148..156]) else { return false };
        let sum = |signed: bool| -> i64 {
            let value = |byte: u8| if signed { i64::from(byte.cast_signed()) } else { i64::from(byte) };
            let around = self.0[..148].iter().chain(&self.0[156..]);
            around.map(|byte| value(*byte)).sum::<i64>() + 8 * i64::from(b' ')
        };
        // Very old writers summed signed bytes.
        i64::try_from(said).is_ok_and(|said| said == sum(false) || said == sum(true))
    }

    /// Returns the kind of the entry.
    pub(crate) fn kind(&self) -> u8 {
        self.0[156]
    }

    /// Returns the name, with the prefix that POSIX writers split off.
    pub(crate) fn name(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let is_posix = &self.0[257..263] == b"ustar\0";
        let prefix = if is_posix { text(&self.0[345..500]) } else { &[] };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    /// Returns the target of a link.
    pub(crate) fn link(&self) -> &[u8] {
        text(&self.0[157..257])
    }

    /// Returns the permission bits.
    pub(crate) fn mode(&self) -> Option<u64> {
        number(&self.0[100..108])
    }

    /// Returns the user.
    pub(crate) fn uid(&self) -> Option<u64> {
        number(&self.0[108..116])
    }

    /// Returns the group.
    pub(crate) fn gid(&self) -> Option<u64> {
        number(&self.0[116..124])
    }

    /// Returns the size of the content.
    pub(crate) fn size(&self) -> Option<u64> {
        number(&self.0[124..136])
    }
}

/// Returns whether a file that begins so is a tar archive.
pub(crate) fn is_tar_start(start: &[u8]) -> bool {
    let Some(block) = start.first_chunk::<BLOCK>() else { return false };
    block[0] != 0 && Header(block).has_right_sum()
}

/// Returns a field up to its first zero byte.
fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

/// Reads an octal number, or the binary one that GNU writes when octal digits do not suffice.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 == 0 {
        return octal(field);
    }
    let (head, tail) = field.split_at(field.len() - 8);
    let is_positive_and_fits = head.iter().enumerate().all(|(index, byte)| match index {
        0 => *byte == 0x80,
        _ => *byte == 0,
    });
    // The fields of eight bytes have their mark in the number itself.
    match head.is_empty() {
        true => Some(u64::from_be_bytes(tail.try_into().ok()?) & !(0xff << 56)),
        false => is_positive_and_fits.then_some(u64::from_be_bytes(tail.try_into().ok()?)),
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = text(field).trim_ascii();
    digits.iter().try_fold(0_u64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}
