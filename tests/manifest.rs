//! YAML as kubectl and kustomize read it, and kustomize builds: against a recorded table, and against the
//! `kubectl` on PATH.
//!
//! `DRIFTLAB_TREES=1000 cargo test -p driftlab-tests --test manifest` builds as many random trees both
//! ways; `DRIFTLAB_TREE=17` builds that one, and prints it when the two differ.

#[path = "manifest/kubectl.rs"]
mod kubectl;
#[path = "manifest/readings.rs"]
mod readings;
#[path = "manifest/tree.rs"]
mod tree;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use driftlab::git::Tree;
use driftlab::manifest::{build, build_from, objects, yaml};
use driftlab::object::Object;
use driftlab_tests::rounds;
use kubectl::{Folder, Kubectl};
use readings::{FILES, LATER_FILES, OTHERWISE, VALUES};
use serde_json::{Value, json};
use tree::RandomTree;

type Line = (&'static str, &'static str, &'static str);

/// Whose reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Kubectl,
    Kustomize,
}

use Reader::{Kubectl as OfKubectl, Kustomize as OfKustomize};

/// One line of the tables, for one reader: a file, and the objects in it, if it has any to give.
struct Reading {
    /// The line's first column.
    name: &'static str,
    text: String,
    objects: Option<Vec<Value>>,
}

impl Reading {
    fn value((name, kubectl, kustomize): &Line, reader: Reader) -> Self {
        let (gap, end) = if name.ends_with('\n') { ("", "") } else { (" ", "\n") };
        let head = "apiVersion: v1\nkind: Thing\nmetadata: {name: a}\nspec:";
        let object = |spec| json!({"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec});
        Reading {
            name,
            text: format!("{head}{gap}{name}{end}"),
            objects: expected(kubectl, kustomize, reader).map(|spec| vec![object(spec)]),
        }
    }

    fn file((name, kubectl, kustomize): &Line, reader: Reader) -> Self {
        let objects = expected(kubectl, kustomize, reader);
        let objects = objects.map(|list| list.as_array().expect("a list of objects").clone());
        Reading { name, text: (*name).to_owned(), objects }
    }

    /// All lines of the tables; those of the last only if the kubectl has learned them.
    fn all(reader: Reader, recent: bool) -> Vec<Reading> {
        let values = VALUES.iter().map(|line| Reading::value(line, reader));
        let later = LATER_FILES.iter().filter(|_| recent);
        let files = FILES.iter().chain(later).map(|line| Reading::file(line, reader));
        values.chain(files).collect()
    }

    /// The same with names that no other line has, for several to stand in one build.
    fn renamed(self, number: usize) -> Self {
        let renamed = |text: String| {
            let names = ["name: a", "name: b", r#""name":"a""#, r#""name":"b""#, "'name': 'a'"];
            names.iter().fold(text, |text, name| {
                let at = name.rfind(['a', 'b']).expect("the names end so") + 1;
                text.replace(name, &format!("{}{number}{}", &name[..at], &name[at..]))
            })
        };
        let objects = self.objects.map(|objects| {
            serde_json::from_str(&renamed(json!(objects).to_string())).expect("it was JSON")
        });
        Reading { text: renamed(self.text), objects, ..self }
    }
}

fn expected(kubectl: &str, kustomize: &str, reader: Reader) -> Option<Value> {
    let text = if reader == OfKubectl || kustomize == "=" { kubectl } else { kustomize };
    (text != "refused").then(|| serde_json::from_str(text).expect("the table has JSON"))
}

/// Numbers beyond 64 bits are what they are rounded to.
fn rounded(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.as_i64().is_none_or(|whole| whole == i64::MIN) => {
            json!(number.as_f64())
        }
        Value::Array(items) => items.iter().map(rounded).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), rounded(value))).collect())
        }
        other => other.clone(),
    }
}

fn values(objects: Vec<Object>) -> Vec<Value> {
    objects.into_iter().map(|object| rounded(object.as_value())).collect()
}

fn read(text: &str, reader: Reader) -> Result<Vec<Value>, String> {
    match reader {
        OfKubectl => objects("in.yaml", text).map(values),
        OfKustomize => {
            let kustomization = "resources: [in.yaml]\nsortOptions: {order: fifo}\n";
            let files = [("kustomization.yaml", kustomization), ("in.yaml", text)];
            let tree = Tree::from_files(files).expect("two files");
            build(&tree, "").map(|built| values(built.objects))
        }
    }
    .map_err(|mistake| mistake.to_string())
}

/// The lines that we read otherwise than the reader, each with both readings.
fn differences(reader: Reader) -> Vec<(&'static str, String)> {
    let mut differences = Vec::new();
    for reading in Reading::all(reader, true) {
        let want = reading.objects.map(|objects| objects.iter().map(rounded).collect::<Vec<_>>());
        let got = read(&reading.text, reader);
        if got.as_ref().ok() != want.as_ref() {
            let want = want.map_or("refuses it".into(), |want| json!(want).to_string());
            let got = got.map_or_else(|refusal| refusal, |got| json!(got).to_string());
            let both = format!("{:?}\n  {reader:?}: {want}\n  we: {got}", reading.text);
            differences.push((reading.name, both));
        }
    }
    differences
}

#[test]
fn yaml_is_read_as_kubectl_and_kustomize_read_it() {
    let differences = [differences(OfKubectl), differences(OfKustomize)].concat();
    let is_known = |name: &str| OTHERWISE.iter().any(|(known, _)| *known == name);
    let new: Vec<&str> =
        differences.iter().filter(|(name, _)| !is_known(name)).map(|(_, both)| &**both).collect();
    assert!(new.is_empty(), "{} documents are read otherwise:\n{}", new.len(), new.join("\n"));
    for (known, why) in OTHERWISE {
        let differs = differences.iter().any(|(name, _)| name == known);
        assert!(differs, "{known:?} is read alike now: take it from the list ({why})");
    }
}

/// Does `each` for every item, on two threads.
fn halves<T: Sync>(items: &[T], each: impl Fn(&T) + Sync) {
    let (one, other) = items.split_at(items.len() / 2);
    std::thread::scope(|scope| {
        scope.spawn(|| one.iter().for_each(&each));
        other.iter().for_each(&each);
    });
}

#[test]
fn the_tables_tell_what_kubectl_reads() {
    let Some(kubectl) = Kubectl::find() else { return };
    let (good, mut bad): (Vec<_>, Vec<_>) = Reading::all(OfKubectl, kubectl.is_recent())
        .into_iter()
        .enumerate()
        .partition(|(_, reading)| reading.objects.is_some());
    let folder = Folder::new("good");
    for (number, reading) in &good {
        folder.write(&format!("{number:03}.yaml"), &reading.text);
    }
    let want: Vec<Value> =
        good.into_iter().flat_map(|(_, reading)| reading.objects).flatten().collect();
    let got = kubectl.read(folder.path()).expect("kubectl reads them all");
    for (want, got) in want.iter().zip(&got) {
        assert_eq!(rounded(got), rounded(want));
    }
    assert_eq!(got.len(), want.len());
    let folder = Folder::new("bad");
    for (number, reading) in &bad {
        folder.write(&format!("{number:03}.yaml"), &reading.text);
    }
    // Most complaints name the file; the few others are listened to alone.
    let complaints = kubectl.complaints(folder.path());
    bad.retain(|(number, _)| !complaints.contains(&format!("{number:03}.yaml")));
    halves(&bad, |(number, reading)| {
        let folder = Folder::new(&format!("bad{number}"));
        folder.write("in.yaml", &reading.text);
        assert_eq!(kubectl.read(folder.path()), None, "kubectl reads {:?}", reading.text);
    });
}

#[test]
fn the_tables_tell_what_kustomize_reads() {
    let Some(kubectl) = Kubectl::find() else { return };
    let folder = Folder::new("kustomize");
    let mut resources = String::from("resources:\n");
    let mut want = Vec::new();
    for (number, reading) in Reading::all(OfKustomize, kubectl.is_recent()).into_iter().enumerate()
    {
        let reading = reading.renamed(number);
        // What kubectl would refuse to read from the built objects is left out.
        let readable = |object: &Value| {
            objects("", &yaml::to_string(object)).is_ok_and(|read| read.len() == 1)
        };
        let Some(objects) = reading.objects.filter(|objects| objects.iter().all(readable)) else {
            continue;
        };
        folder.write(&format!("in/{number}.yaml"), &reading.text);
        resources += &format!("- {number}.yaml\n");
        want.extend(objects);
    }
    folder.write("in/kustomization.yaml", &resources);
    let built = kubectl.kustomize(&folder.path().join("in")).expect("kustomize reads them all");
    folder.write("out/built.yaml", &built);
    let got = kubectl.read(&folder.path().join("out")).expect("kubectl reads what it has built");
    let sorted = |objects: Vec<Value>| {
        let mut texts: Vec<String> = objects.iter().map(|o| rounded(o).to_string()).collect();
        texts.sort();
        texts
    };
    for (got, want) in sorted(got).iter().zip(&sorted(want)) {
        assert_eq!(got, want);
    }
}

/// What we print of a build, as `kubectl kustomize` does.
fn print(tree: &RandomTree) -> Result<String, String> {
    let files = tree.files.iter().map(|(path, text)| (path, text.as_str()));
    let files = Tree::from_files(files).expect("the paths are well-formed");
    let built = build_from(&|path| files.get(path), &tree.top).map_err(|m| m.to_string())?;
    let documents: Vec<String> =
        built.objects.iter().map(|object| yaml::to_string(object.as_value())).collect();
    Ok(documents.join("---\n"))
}

/// Both builds of a tree: whether there is one, or else what differs.
fn compare(kubectl: &Kubectl, seed: u64) -> Result<bool, String> {
    let tree = RandomTree::new(seed);
    let folder = Folder::new(&format!("tree{seed}"));
    tree.files.iter().for_each(|(path, text)| folder.write(path, text));
    match (kubectl.kustomize(&folder.path().join(&tree.top)), print(&tree)) {
        (Ok(want), Ok(got)) if want == got => Ok(true),
        (Err(_), Err(_)) => Ok(false),
        (want, got) => {
            let text = |built: Result<String, String>| {
                built.unwrap_or_else(|refusal| format!("refused: {refusal}\n"))
            };
            Err(format!("== tree {seed}\n-- kubectl\n{}-- we\n{}", text(want), text(got)))
        }
    }
}

#[test]
fn random_trees_build_to_what_kustomize_builds() {
    let Some(kubectl) = Kubectl::find() else { return };
    let only = std::env::var("DRIFTLAB_TREE").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = match only {
        Some(seed) => vec![seed],
        None => (0..rounds("DRIFTLAB_TREES", 30) as u64).collect(),
    };
    let (built, differences) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    halves(&seeds, |seed| match compare(&kubectl, *seed) {
        Ok(both) => {
            built.fetch_add(usize::from(both), Ordering::Relaxed);
        }
        Err(difference) => differences.lock().unwrap().push(difference),
    });
    let differences = differences.into_inner().unwrap();
    if only.is_some() && !differences.is_empty() {
        let tree = RandomTree::new(seeds[0]);
        tree.files.iter().for_each(|(path, text)| println!("## {path}\n{text}"));
    }
    let (all, wrong, built) = (seeds.len(), differences.len(), built.into_inner());
    assert!(wrong == 0, "{wrong} of {all} differ:\n{}", differences.join("\n"));
    println!("{all} trees alike, {built} built and {} refused", all - built);
    assert!(only.is_some() || (built > 0 && built < all), "the trees are all alike");
}
