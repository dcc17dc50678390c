//! kubectl's command line.

use serde_json::Value;

use super::flags::{COMMANDS, GLOBAL, REFUSED};
use super::parse_targets::{Need, files, needed_files, pairs, split_pairs, targets};
use super::{
    Deletion, DryRun, Kubectl, MetaField, Output, PatchType, Rollout, ServerSide, Until, Verb,
    Victims, View, jsonpath, make,
};
use crate::manifest::yaml;
use crate::scenario::commands::flags::{Args, Flag, parse as sort};
use crate::scenario::commands::words::Word;
use crate::scenario::mistake::Mistake;
use crate::time::Duration;

pub(super) fn parse(tool: &Word, words: &[Word]) -> Result<Kubectl, Mistake> {
    let at = command_position(words);
    let Some(command) = words.get(at) else {
        return Err(tool.mistake("kubectl needs a command").expected(one_of(names())));
    };
    let Some((_, known)) = COMMANDS.iter().find(|(name, _)| *name == command.text) else {
        return Err(unknown_command(command));
    };
    let others: Vec<Word> = [&words[..at], &words[at + 1..]].concat();
    let flags: Vec<&[Flag]> = [&[GLOBAL], *known].concat();
    let args = sort(command, &others, &flags)?;
    let namespace = args.value("namespace").cloned();
    Ok(Kubectl { namespace, verb: verb(command, args)? })
}

fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(name, _)| *name)
}

/// Where the command stands: global flags may stand before it.
fn command_position(words: &[Word]) -> usize {
    let mut at = 0;
    while words.get(at).is_some_and(|word| word.text.starts_with('-')) {
        let text = &words[at].text;
        let alone = text.contains('=') || !text.starts_with("--") && text.len() > 2;
        at += if alone { 1 } else { 2 };
    }
    at
}

fn unknown_command(word: &Word) -> Mistake {
    if let Some((_, why)) = REFUSED.iter().find(|(name, _)| *name == word.text) {
        return word.mistake(format!("kubectl {} cannot be simulated", word.text)).hint(*why);
    }
    word.mistake(format!("unknown command {:?} for \"kubectl\"", word.text))
        .expected(one_of(names()))
        .did_you_mean(&word.text, names())
}

fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    format!("expected one of: {}", names.into_iter().collect::<Vec<_>>().join(", "))
}

fn verb(command: &Word, args: Args) -> Result<Verb, Mistake> {
    match command.text.as_str() {
        "apply" => Ok(Verb::Apply {
            files: needed_files(&args)?,
            server_side: server_side(&args),
            dry_run: dry_run(&args)?,
        }),
        "create" => create(args),
        "replace" => Ok(Verb::Replace { files: needed_files(&args)?, dry_run: dry_run(&args)? }),
        "get" => Ok(Verb::Get { targets: of(&args, Need::Kinds)?, view: view(&args)? }),
        "describe" => Ok(Verb::Describe { targets: of(&args, Need::Kinds)? }),
        "delete" => delete(&args),
        "scale" => scale(&args),
        "patch" => patch(&args),
        "set" => set(args),
        "label" => metadata(&args, MetaField::Labels),
        "annotate" => metadata(&args, MetaField::Annotations),
        "rollout" => rollout(args),
        "wait" => wait(&args),
        "diff" => Ok(Verb::Diff { files: needed_files(&args)?, server_side: server_side(&args) }),
        "cordon" => Ok(Verb::Cordon { nodes: nodes(&args)?, unschedulable: true }),
        "uncordon" => Ok(Verb::Cordon { nodes: nodes(&args)?, unschedulable: false }),
        "drain" => drain(&args),
        "autoscale" => autoscale(&args),
        other => unreachable!("{other} is not in the table of commands"),
    }
}

fn of(args: &Args, need: Need) -> Result<super::Targets, Mistake> {
    targets(args, &args.arguments, need)
}

fn server_side(args: &Args) -> Option<ServerSide> {
    args.has("server-side").then(|| ServerSide {
        force: args.has("force-conflicts"),
        manager: args.text("field-manager").unwrap_or_else(|| "kubectl".into()),
    })
}

fn dry_run(args: &Args) -> Result<DryRun, Mistake> {
    Ok(match args.one_of("dry-run", &["none", "client", "server", "unchanged"])? {
        None | Some("none") => DryRun::No,
        Some("server") => DryRun::Server,
        Some(_) => DryRun::Client,
    })
}

fn create(mut args: Args) -> Result<Verb, Mistake> {
    let (files, dry_run) = (files(&args)?, dry_run(&args)?);
    if !files.is_empty() {
        return Ok(Verb::Create { files, dry_run });
    }
    const KINDS: [&str; 4] = ["namespace", "deployment", "configmap", "secret"];
    let Some(kind) = args.take_first() else {
        return Err(args.missing("-f, or a kind to create").expected(one_of(KINDS)));
    };
    if kind.text == "secret" {
        match args.take_first() {
            Some(of) if of.text != "generic" => {
                return Err(of
                    .mistake(format!("{} secrets are not simulated", of.text))
                    .expected("expected: generic"));
            }
            _ => {}
        }
    }
    let Some(name) = args.take_first() else {
        return Err(kind.mistake(format!("create {} needs a name", kind.text)));
    };
    args.at_most(0)?;
    let object = match kind.text.as_str() {
        "namespace" | "ns" => make::namespace(&name.text),
        "deployment" | "deploy" => {
            let image = args.text("image").ok_or_else(|| args.missing("--image"))?;
            make::deployment(&name.text, &image, args.number("replicas")?.unwrap_or(1))
        }
        "configmap" | "cm" => make::config_map(&name.text, &literals(&args)?),
        "secret" => make::secret(&name.text, &literals(&args)?),
        other => {
            return Err(kind
                .mistake(format!("kubectl create {other} is not simulated"))
                .expected(one_of(KINDS))
                .did_you_mean(other, KINDS));
        }
    };
    Ok(Verb::CreateObject { object, dry_run })
}

fn literals(args: &Args) -> Result<Vec<(String, String)>, Mistake> {
    let literal = |word: &Word| match word.text.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(word
            .mistake(format!("invalid literal source {:?}", word.text))
            .expected("expected key=value")),
    };
    args.values("from-literal").map(literal).collect()
}

fn view(args: &Args) -> Result<View, Mistake> {
    let output = args.value("output").map_or(Ok(Output::Table { wide: false }), output)?;
    Ok(View {
        output,
        show_labels: args.has("show-labels"),
        no_headers: args.has("no-headers"),
        ignore_not_found: args.has("ignore-not-found"),
        managed_fields: args.has("show-managed-fields"),
    })
}

fn output(word: &Word) -> Result<Output, Mistake> {
    const FORMATS: [&str; 6] =
        ["wide", "yaml", "json", "name", "jsonpath=TEMPLATE", "custom-columns=NAME:.path,…"];
    let (format, template) = word.text.split_once('=').unwrap_or((&word.text, ""));
    match (format, template) {
        ("wide", "") => Ok(Output::Table { wide: true }),
        ("yaml", "") => Ok(Output::Yaml),
        ("json", "") => Ok(Output::Json),
        ("name", "") => Ok(Output::Name),
        ("jsonpath", template) => Ok(Output::JsonPath(path(word, template)?)),
        ("custom-columns", columns) if !columns.is_empty() => {
            let columns = columns.split(',').map(|column| self::column(word, column));
            Ok(Output::Columns(columns.collect::<Result<_, _>>()?))
        }
        _ => Err(word
            .mistake(format!("no printer for the output format {:?}", word.text))
            .expected(one_of(FORMATS))
            .did_you_mean(format, FORMATS)),
    }
}

fn path(word: &Word, template: &str) -> Result<jsonpath::Template, Mistake> {
    jsonpath::parse(template).map_err(|message| word.mistake(message))
}

fn column(word: &Word, column: &str) -> Result<(String, jsonpath::Template), Mistake> {
    let Some((name, path)) = column.split_once(':') else {
        return Err(word
            .mistake(format!("{column:?} is no column"))
            .expected("expected NAME:.path"));
    };
    Ok((name.into(), self::path(word, &format!("{{{path}}}"))?))
}

fn delete(args: &Args) -> Result<Verb, Mistake> {
    let files = files(args)?;
    let what = match files.is_empty() {
        true => Victims::Targets(of(args, Need::Names)?),
        false => Victims::Files(files),
    };
    let grace_period = args.number("grace-period")?.filter(|seconds| *seconds >= 0);
    let options = Deletion {
        ignore_not_found: args.has("ignore-not-found") || args.has("all"),
        wait: args.value("wait").is_none_or(|word| word.text != "false"),
        timeout: limit(args)?,
        cascade: args
            .one_of("cascade", &["background", "orphan", "foreground"])?
            .unwrap_or("background"),
        grace_period: if args.has("now") { Some(1) } else { grace_period },
        dry_run: dry_run(args)?,
    };
    Ok(Verb::Delete { what, options })
}

/// `--timeout`; zero is for ever.
fn limit(args: &Args) -> Result<Option<Duration>, Mistake> {
    Ok(args.duration("timeout")?.filter(|span| !span.is_zero()))
}

fn scale(args: &Args) -> Result<Verb, Mistake> {
    let Some(replicas) = args.number("replicas")? else { return Err(args.missing("--replicas")) };
    if replicas < 0 {
        let word = args.value("replicas").expect("it was given");
        return Err(word.mistake("--replicas is negative").expected("expected 0 or more"));
    }
    let current = args.number("current-replicas")?.filter(|count| *count >= 0);
    Ok(Verb::Scale { targets: of(args, Need::Names)?, replicas, current })
}

fn patch(args: &Args) -> Result<Verb, Mistake> {
    let word = args.value("patch").ok_or_else(|| args.missing("-p"))?;
    let body = yaml::documents("-p", &word.text)
        .map_err(|error| word.mistake(format!("no JSON or YAML: {}", error.message)))?
        .pop()
        .map_or(Value::Null, |document| document.value);
    let kind = match args.one_of("type", &["strategic", "merge", "json"])? {
        Some("merge") => PatchType::Merge,
        Some("json") => PatchType::Json,
        _ => PatchType::Strategic,
    };
    match kind {
        PatchType::Json if !body.is_array() => {
            return Err(word.mistake("no JSON patch").expected("expected a list of operations"));
        }
        PatchType::Strategic | PatchType::Merge if !body.is_object() => {
            return Err(word.mistake("no patch").expected("expected an object"));
        }
        _ => {}
    }
    Ok(Verb::Patch {
        targets: of(args, Need::Names)?,
        body,
        kind,
        subresource: args.text("subresource"),
        dry_run: dry_run(args)?,
    })
}

fn set(mut args: Args) -> Result<Verb, Mistake> {
    const WHAT: [&str; 2] = ["image", "env"];
    let Some(what) = args.take_first() else {
        return Err(args.missing("what to set").expected(one_of(WHAT)));
    };
    let (names, mut given) = split_pairs(&args.arguments);
    given.append(&mut args.rest);
    if given.is_empty() {
        return Err(what.mistake(format!("set {} needs a NAME=VALUE", what.text)));
    }
    let targets = targets(&args, &names, Need::Names)?;
    let pairs = pairs(&given)?;
    match what.text.as_str() {
        "image" => Ok(Verb::SetImage { targets, images: pairs }),
        "env" => Ok(Verb::SetEnv { targets, container: args.text("containers"), variables: pairs }),
        other => Err(what
            .mistake(format!("kubectl set {other} is not simulated"))
            .expected(one_of(WHAT))
            .did_you_mean(other, WHAT)),
    }
}

fn metadata(args: &Args, field: MetaField) -> Result<Verb, Mistake> {
    let (names, given) = split_pairs(&args.arguments);
    if given.is_empty() {
        return Err(args.missing("a KEY=VALUE, or KEY- to remove it"));
    }
    Ok(Verb::Metadata {
        targets: targets(args, &names, Need::Names)?,
        field,
        changes: pairs(&given)?,
        overwrite: args.has("overwrite"),
    })
}

fn rollout(mut args: Args) -> Result<Verb, Mistake> {
    const WHAT: [&str; 6] = ["status", "undo", "restart", "history", "pause", "resume"];
    let Some(word) = args.take_first() else {
        return Err(args.missing("to know what").expected(one_of(WHAT)));
    };
    let what = match word.text.as_str() {
        "status" => Rollout::Status {
            timeout: limit(&args)?,
            watch: args.value("watch").is_none_or(|word| word.text != "false"),
        },
        "undo" => Rollout::Undo { to_revision: args.number("to-revision")?.filter(|n| *n > 0) },
        "restart" => Rollout::Restart,
        "history" => Rollout::History,
        "pause" => Rollout::Pause(true),
        "resume" => Rollout::Pause(false),
        other => {
            return Err(word
                .mistake(format!("unknown command {other:?} for \"kubectl rollout\""))
                .expected(one_of(WHAT))
                .did_you_mean(other, WHAT));
        }
    };
    Ok(Verb::Rollout { targets: of(&args, Need::Names)?, what })
}

fn wait(args: &Args) -> Result<Verb, Mistake> {
    let word = args.value("for").ok_or_else(|| args.missing("--for"))?;
    let until = match word.text.split_once('=') {
        None if word.text.eq_ignore_ascii_case("delete") => Until::Deleted,
        None if word.text.eq_ignore_ascii_case("create") => Until::Created,
        Some(("condition", rest)) if !rest.is_empty() => {
            let (name, status) = rest.split_once('=').unwrap_or((rest, "True"));
            Until::Condition { name: name.into(), status: status.into() }
        }
        Some(("jsonpath", rest)) => {
            let (path, value) = rest.rsplit_once('=').unwrap_or((rest, ""));
            Until::Path { template: self::path(word, path)?, value: value.into() }
        }
        _ => {
            return Err(word
                .mistake(format!("unrecognized condition {:?}", word.text))
                .expected("expected create, delete, condition=NAME or jsonpath={.path}=VALUE"));
        }
    };
    let timeout = args.duration("timeout")?.unwrap_or(Duration::from_secs(30));
    Ok(Verb::Wait { targets: of(args, Need::Names)?, until, timeout })
}

fn nodes(args: &Args) -> Result<Vec<String>, Mistake> {
    if args.arguments.is_empty() {
        return Err(args.missing("a node"));
    }
    let name = |word: &Word| word.text.strip_prefix("node/").unwrap_or(&word.text).to_owned();
    Ok(args.arguments.iter().map(name).collect())
}

fn drain(args: &Args) -> Result<Verb, Mistake> {
    Ok(Verb::Drain {
        nodes: nodes(args)?,
        ignore_daemonsets: args.has("ignore-daemonsets"),
        force: args.has("force"),
        timeout: limit(args)?,
    })
}

fn autoscale(args: &Args) -> Result<Verb, Mistake> {
    let Some(max) = args.number("max")? else { return Err(args.missing("--max")) };
    let cpu = match args.value("cpu") {
        None => args.number("cpu-percent")?,
        Some(word) => Some(word.text.trim_end_matches('%').parse().map_err(|_| {
            word.mistake(format!("--cpu is {:?}", word.text))
                .expected("expected a share such as 80%")
        })?),
    };
    Ok(Verb::Autoscale {
        targets: of(args, Need::Names)?,
        min: args.number("min")?.filter(|count| *count > 0),
        max,
        cpu,
        name: args.text("name"),
    })
}
