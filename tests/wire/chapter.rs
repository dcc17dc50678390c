//! A chapter's commands, typed one after the other.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use driftlab::apiserver::Users;
use driftlab::serve::kubeconfig;

use super::{Lab, SETTINGS};

/// Somebody who reads a chapter and types what it says.
struct Reader<'l> {
    lab: &'l Lab,
    kubectl: PathBuf,
    config: PathBuf,
    /// The folder below the lab's.
    folder: String,
}

impl Lab {
    /// Types the commands of a chapter, from its second block of commands on, and holds what they print
    /// against what it says; `address` stands for the lab's. There must be more than so many. `false`
    /// where there is no `kubectl`.
    ///
    /// # Panics
    ///
    /// When the chapter is wrong.
    pub fn follow(&self, chapter: &str, address: &str, commands: usize) -> bool {
        let Some(kubectl) = crate::tool("kubectl") else { return false };
        let config = self.folder.join("kubeconfig");
        let text = kubeconfig(&format!("http://{}", self.addr), "", &Users::default());
        std::fs::write(&config, text).expect("writable");
        let mut reader = Reader { lab: self, kubectl, config, folder: ".".into() };
        let blocks = chapter.split("```console\n").skip(2);
        let blocks = blocks.map(|block| block.split("```").next().expect("a beginning"));
        let typed: Vec<(&str, &str)> = blocks
            .flat_map(|block| block.split("$ ").skip(1))
            .map(|typed| typed.split_once('\n').expect("a line"))
            .collect();
        assert!(typed.len() > commands, "the chapter has commands");
        for (line, expected) in typed {
            reader.type_in(&line.replace(address, &self.addr.to_string()), expected);
        }
        true
    }
}

impl Reader<'_> {
    fn type_in(&mut self, line: &str, expected: &str) {
        let args = crate::words(line);
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        match words[0] {
            "cd" => self.folder = words[1].into(),
            // It says where the command is, which we know.
            "alias" => {}
            _ => self.run(line, &words, expected),
        }
    }

    fn run(&self, line: &str, words: &[&str], expected: &str) {
        let mut told = String::new();
        for attempt in 0.. {
            told = self.told(words);
            // What is asked for may need a while to come about.
            let waits = words[0] == "kubectl" && words[1] == "get" && attempt < 100;
            if !waits || holds(&told, expected) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(holds(&told, expected), "{line}: {expected} is not in {told}");
    }

    fn told(&self, words: &[&str]) -> String {
        let output = match words[0] {
            "git" => return self.lab.try_args(&self.folder, &words[1..]).1,
            "kubectl" => self.output(Command::new(&self.kubectl), words),
            "driftlab" => self.output(Command::new(crate::driftlab()), words),
            program => {
                let output = self.output(Command::new(program), words);
                assert!(output.status.success(), "{words:?}");
                output
            }
        };
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    fn output(&self, mut command: Command, words: &[&str]) -> Output {
        command.current_dir(self.lab.folder.join(&self.folder)).args(&words[1..]);
        command.envs(SETTINGS).env("KUBECONFIG", &self.config).env_remove("DRIFTLAB_TOKEN");
        command.output().expect("it runs")
    }
}

/// Whether every line is there, ages aside.
fn holds(told: &str, expected: &str) -> bool {
    let bare = |line: &str| -> Vec<String> {
        let is_age =
            |word: &str| word.ends_with('s') && word.starts_with(|c: char| c.is_ascii_digit());
        line.split_whitespace().filter(|word| !is_age(word)).map(str::to_owned).collect()
    };
    let lines: Vec<_> = told.lines().map(bare).collect();
    expected.lines().map(bare).all(|line| line.is_empty() || lines.contains(&line))
}
