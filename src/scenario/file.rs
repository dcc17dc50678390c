//! A scenario file, brought from the disk.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::mistake::{Mistake, Place};
use crate::manifest::yaml::MAX_BYTES;

/// The text of a file. Whatever it is, no more is read than a scenario may have.
pub(super) fn read(path: &Path) -> Result<String, Mistake> {
    let shown = path.display().to_string();
    let bytes = bytes(path).map_err(|error| unreadable(&shown, &error))?;
    if bytes.len() > MAX_BYTES {
        let message = format!("it has more than {} MiB", MAX_BYTES >> 20);
        return Err(Mistake::in_file(&shown, message).hint(
            "a scenario names large repositories ('from: DIR') instead of holding their files",
        ));
    }
    String::from_utf8(bytes).map_err(|error| no_utf8(&shown, error.as_bytes(), error.utf8_error()))
}

fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(file: &str, error: &std::io::Error) -> Mistake {
    let message = match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase(),
    };
    Mistake::in_file(file, message)
        .hint("name a scenario, or a folder or Git repository of manifests")
}

fn no_utf8(file: &str, bytes: &[u8], error: std::str::Utf8Error) -> Mistake {
    let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
    let text = String::from_utf8_lossy(bytes);
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let place = Place {
        file: file.into(),
        line: line + 1,
        column: column + 1,
        length: 1,
        text: text.lines().nth(line).unwrap_or_default().to_owned(),
        path: String::new(),
    };
    Mistake::at("", "a byte that is no UTF-8").hint("save the file as UTF-8").with_place(place)
}
