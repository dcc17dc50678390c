//! Changing an image's tag in configuration files, as `sed` or `kustomize edit set image` does.

use crate::git::{Mode, Tree};

/// The tree with an image's tag set in every file below a folder that names the image: as
/// `IMAGE:TAG` anywhere, and as `newTag` of an entry of a kustomization's `images`. `None` when nothing
/// names it with another tag.
pub(super) fn set_tag(tree: &Tree, folder: &str, image: &str, tag: &str) -> Option<Tree> {
    let mut changed = tree.clone();
    for (path, mode, blob) in tree.folder(folder)?.files() {
        let Some(text) = blob.as_text().filter(|_| mode != Mode::Symlink) else { continue };
        let edited = set_new_tag(&set_suffix(text, image, tag), image, tag);
        if edited != text {
            let folder = folder.trim_start_matches("./").trim_matches('/');
            let full = if matches!(folder, "" | ".") { path } else { format!("{folder}/{path}") };
            changed = changed.with_file(&full, edited).expect("a path from a tree is one");
        }
    }
    (changed != *tree).then_some(changed)
}

/// `IMAGE:old` and `IMAGE@sha256:…` become `IMAGE:new`.
fn set_suffix(text: &str, image: &str, tag: &str) -> String {
    let (mut edited, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(image) {
        let whole = !edited_ends_in_name(&edited, &rest[..at]);
        let (before, after) = rest.split_at(at + image.len());
        edited.push_str(before);
        rest = after;
        if whole && after.starts_with([':', '@']) && !after.starts_with(": ") {
            let end = after.find(|c: char| !is_of_reference(c)).unwrap_or(after.len());
            edited.push_str(&format!(":{tag}"));
            rest = &after[end..];
        }
    }
    edited + rest
}

fn edited_ends_in_name(edited: &str, next: &str) -> bool {
    let last = next.chars().next_back().or_else(|| edited.chars().next_back());
    last.is_some_and(|c| is_of_reference(c) || c == '/')
}

fn is_of_reference(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-:@".contains(c)
}

/// The `newTag` below `name: IMAGE` in a list of images.
fn set_new_tag(text: &str, image: &str, tag: &str) -> String {
    let mut inside = false;
    let lines = text.split_inclusive('\n').map(|line| {
        let field = line.trim_start().trim_start_matches("- ").trim_end();
        if line.trim_start().starts_with("- ") || field.starts_with("name:") {
            inside = value_of(field, "name") == Some(image)
                || inside && !line.trim_start().starts_with("- ");
        }
        match inside && value_of(field, "newTag").is_some() {
            true => {
                let start = line.find("newTag:").expect("found above");
                let end = if line.ends_with('\n') { "\n" } else { "" };
                format!("{}newTag: \"{tag}\"{end}", &line[..start])
            }
            false => line.to_owned(),
        }
    });
    lines.collect()
}

fn value_of<'a>(field: &'a str, name: &str) -> Option<&'a str> {
    let value = field.strip_prefix(name)?.strip_prefix(':')?;
    Some(value.trim().trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let tree = Tree::from_files([("apps/a.yaml", text)]).unwrap();
        let changed = set_tag(&tree, "./apps", "acme/hello", "abc").unwrap_or(tree);
        assert_eq!(changed.text("apps/a.yaml"), Some(expected));
    }

    #[test]
    fn the_tag_is_set_wherever_the_image_is_named() {
        check("image: acme/hello:v1\n", "image: acme/hello:abc\n");
        check("image: \"acme/hello:v1\" # x\n", "image: \"acme/hello:abc\" # x\n");
        check("- acme/hello@sha256:00\n", "- acme/hello:abc\n");
        check("image: acme/hello-web:v1\n", "image: acme/hello-web:v1\n");
        check("image: x/acme/hello:v1\n", "image: x/acme/hello:v1\n");
        check("# acme/hello: the app\n", "# acme/hello: the app\n");
        check(
            "images:\n- name: acme/hello\n  newTag: v1\n",
            "images:\n- name: acme/hello\n  newTag: \"abc\"\n",
        );
        check("images:\n- newTag: v1\n  name: b\n", "images:\n- newTag: v1\n  name: b\n");
        check(
            "images:\n- name: a\n  newTag: v1\n- name: acme/hello\n  newTag: 'v1'",
            "images:\n- name: a\n  newTag: v1\n- name: acme/hello\n  newTag: \"abc\"",
        );
    }
}
