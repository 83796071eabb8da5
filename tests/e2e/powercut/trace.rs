//! Reads what strace wrote (`-f -y -xx`: with threads, with the paths of descriptors, every string in hexadecimal).

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// System calls that change a file, sync it, or say something to somebody.
const CALLS: &str = "trace=open,openat,creat,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,fsync,fdatasync,\
                     syncfs,ftruncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,mmap,\
                     io_uring_setup,lseek";
/// What an acknowledgement looks like; the rest of the id follows.
const ACKNOWLEDGED: &[u8] = br#"{"id":"evt_"#;
const ID_BYTES: usize = 26;

pub(crate) fn calls() -> &'static str {
    CALLS
}

/// One thing that happened; paths are relative to the data folder.
#[derive(Debug)]
pub(crate) enum Step {
    Opened {
        path: PathBuf,
    },
    Changed {
        path: PathBuf,
        change: Change,
    },
    /// Covers the steps before `begun`.
    Synced {
        path: PathBuf,
        begun: usize,
    },
    SyncedAll {
        begun: usize,
    },
    Renamed {
        from: PathBuf,
        to: PathBuf,
    },
    Removed {
        path: PathBuf,
    },
    Made {
        folder: PathBuf,
    },
    /// Bytes for a socket, a pipe or a file elsewhere.
    Said(Vec<u8>),
}

#[derive(Debug)]
pub(crate) enum Change {
    Write { offset: usize, data: Vec<u8> },
    Resize { size: usize },
    Grow { size: usize },
}

impl Step {
    /// The ids that this step acknowledges.
    pub(crate) fn acknowledged(&self) -> Vec<String> {
        let Step::Said(bytes) = self else { return Vec::new() };
        let found = bytes.windows(ACKNOWLEDGED.len()).enumerate().filter(|(_, window)| *window == ACKNOWLEDGED);
        let ids = found.filter_map(|(at, window)| bytes.get(at + window.len()..)?.get(..ID_BYTES));
        ids.map(|id| format!("evt_{}", String::from_utf8_lossy(id))).collect()
    }
}

/// Everything that happened, in the order in which it was done; what was said counts from when it was begun.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) steps: Vec<Step>,
}

impl Trace {
    /// Of a host that ran in `folder`, with its data in `data` below it.
    pub(crate) fn read(file: &Path, folder: &Path, data: &Path) -> Trace {
        let text = fs::read_to_string(file).unwrap();
        let mut reader = Reader { folder, data, steps: Vec::new(), begun: HashMap::new(), positions: HashMap::new() };
        for line in text.lines() {
            reader.line(line);
        }
        Trace { steps: reader.steps }
    }

    /// For each step, how many writes of one file no sync has covered when it begins, at most.
    pub(crate) fn unsynced(&self) -> Vec<usize> {
        let mut pending: HashMap<&Path, Vec<usize>> = HashMap::new();
        let mut most = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            most.push(pending.values().map(Vec::len).max().unwrap_or(0));
            match step {
                Step::Changed { path, .. } => pending.entry(path).or_default().push(at),
                Step::Synced { path, begun } => pending.entry(path).or_default().retain(|at| at >= begun),
                Step::SyncedAll { begun } => pending.values_mut().for_each(|writes| writes.retain(|at| at >= begun)),
                _ => {}
            }
        }
        most
    }

    pub(crate) fn syncs(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step, Step::Synced { .. } | Step::SyncedAll { .. })).count()
    }
}

/// A call that has not returned.
struct Begun {
    text: String,
    /// How many steps were done before it.
    at: usize,
}

struct Reader<'a> {
    folder: &'a Path,
    data: &'a Path,
    steps: Vec<Step>,
    begun: HashMap<String, Begun>,
    /// Of descriptors, where the kernel keeps one for `write`.
    positions: HashMap<u32, usize>,
}

impl Reader<'_> {
    fn line(&mut self, line: &str) {
        let (thread, rest) = line.split_once(' ').unwrap();
        let rest = rest.trim_start();
        if let Some(text) = rest.strip_suffix("<unfinished ...>") {
            let said = says(text).filter(|_| self.inside_of(text).is_none());
            self.steps.extend(said.map(Step::Said));
            self.begun.insert(thread.to_owned(), Begun { text: text.to_owned(), at: self.steps.len() });
        } else if let Some((_, end)) = rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            let Some(begun) = self.begun.remove(thread) else { return };
            self.call(&(begun.text + end), begun.at, Said::AtItsBegin);
        } else {
            self.call(rest, self.steps.len(), Said::Now);
        }
    }

    fn call(&mut self, text: &str, begun: usize, said: Said) {
        let Some((call, result)) = text.rsplit_once(" = ") else { return };
        let Some((name, arguments)) = call.trim_end().strip_suffix(')').and_then(|call| call.split_once('(')) else {
            return;
        };
        let Some(result) = leading(result).and_then(|number| usize::try_from(number).ok()) else { return };
        match name {
            "io_uring_setup" => panic!("io_uring: its writes are in no trace"),
            "open" | "openat" | "creat" => self.open(arguments, result),
            "rename" | "renameat" | "renameat2" => {
                if let [from, to] = &self.named(arguments)[..] {
                    self.steps.push(Step::Renamed { from: from.clone(), to: to.clone() });
                }
            }
            "unlink" | "unlinkat" => {
                self.steps.extend(self.named(arguments).into_iter().map(|path| Step::Removed { path }))
            }
            "mkdir" | "mkdirat" => {
                self.steps.extend(self.named(arguments).into_iter().map(|folder| Step::Made { folder }))
            }
            _ => match self.inside_of(call) {
                Some(path) => self.change(name, arguments, result, path, begun),
                None if name == "syncfs" => self.steps.push(Step::SyncedAll { begun }),
                None if said == Said::Now => self.steps.extend(says(call).map(Step::Said)),
                None => {}
            },
        }
    }

    fn open(&mut self, arguments: &str, descriptor: usize) {
        let Some(path) = self.named(arguments).pop() else { return };
        assert!(!arguments.contains("O_SYNC") && !arguments.contains("O_DSYNC"), "unknown here: {arguments}");
        assert!(!arguments.contains("O_APPEND"), "unknown here: {arguments}");
        // A folder that is opened is no file.
        if arguments.contains("O_DIRECTORY") || self.data.join(&path).is_dir() {
            return;
        }
        self.positions.insert(u32::try_from(descriptor).unwrap(), 0);
        self.steps.push(Step::Opened { path: path.clone() });
        if arguments.contains("O_TRUNC") {
            self.steps.push(Step::Changed { path, change: Change::Resize { size: 0 } });
        }
    }

    /// A call on a file of the data folder.
    fn change(&mut self, name: &str, arguments: &str, result: usize, path: PathBuf, begun: usize) {
        if name == "mmap" {
            let shared = arguments.contains("MAP_SHARED") && arguments.contains("PROT_WRITE");
            assert!(!shared, "{} is mapped shared and writable: its writes are in no trace", path.display());
            return;
        }
        let descriptor = u32::try_from(leading(arguments).unwrap()).unwrap();
        let last = || number(arguments.rsplit(',').next().unwrap());
        let change = match name {
            "write" | "writev" => {
                let position = self.positions.entry(descriptor).or_default();
                let offset = *position;
                *position += result;
                Change::Write { offset, data: written(arguments, result) }
            }
            "pwrite64" | "pwritev" => Change::Write { offset: last(), data: written(arguments, result) },
            "pwritev2" => {
                let offset = number(arguments.rsplit(',').nth(1).unwrap());
                Change::Write { offset, data: written(arguments, result) }
            }
            "ftruncate" => Change::Resize { size: last() },
            "fallocate" if arguments.contains("KEEP_SIZE") => return,
            "fallocate" => Change::Grow { size: last() + number(arguments.rsplit(',').nth(1).unwrap()) },
            "lseek" => {
                self.positions.insert(descriptor, result);
                return;
            }
            "fsync" | "fdatasync" => return self.steps.push(Step::Synced { path, begun }),
            "syncfs" => return self.steps.push(Step::SyncedAll { begun }),
            other => panic!("unknown here: {other} on {}", path.display()),
        };
        self.steps.push(Step::Changed { path, change });
    }

    /// The file of the data folder that a call's first descriptor is.
    fn inside_of(&self, call: &str) -> Option<PathBuf> {
        let arguments = call.split_once('(')?.1;
        // The descriptor of mmap is its fifth argument, the only one with a path.
        let (_, path) = arguments.split_once('<')?;
        path_of(path.split_once('>')?.0).strip_prefix(self.data).ok().map(Path::to_owned)
    }

    /// The paths that a call names in the data folder; a relative one is relative to the descriptor before it, else
    /// to the folder that the host runs in.
    fn named(&self, arguments: &str) -> Vec<PathBuf> {
        let parts: Vec<&str> = arguments.split('"').collect();
        let paths = parts.chunks_exact(2).map(|two| {
            let base = two[0].split_once('<').and_then(|(_, base)| base.split_once('>'));
            let base = base.map_or_else(|| self.folder.to_owned(), |(base, _)| path_of(base));
            base.join(path_of(two[1]))
        });
        paths.filter_map(|path| path.strip_prefix(self.data).ok().map(Path::to_owned)).collect()
    }
}

/// When what a call says counts.
#[derive(PartialEq, Eq)]
enum Said {
    Now,
    AtItsBegin,
}

/// What is said by a call that says something.
fn says(call: &str) -> Option<Vec<u8>> {
    let (name, arguments) = call.split_once('(')?;
    let says = ["write", "writev", "sendto", "sendmsg"].contains(&name);
    says.then(|| strings(arguments).flat_map(unhex).collect())
}

fn written(arguments: &str, bytes: usize) -> Vec<u8> {
    let mut data: Vec<u8> = strings(arguments).flat_map(unhex).collect();
    data.truncate(bytes);
    assert_eq!(data.len(), bytes, "the trace has all that was written");
    data
}

/// What stands in quotation marks; in hexadecimal, so none is in there.
fn strings(arguments: &str) -> impl Iterator<Item = &str> {
    arguments.split('"').skip(1).step_by(2)
}

/// `\x68\x75` is `hu`. strace 6 writes some paths as they are.
fn unhex(text: &str) -> Vec<u8> {
    if !text.starts_with("\\x") {
        return text.as_bytes().to_vec();
    }
    text.as_bytes().chunks_exact(4).map(|four| digit(four[2]) << 4 | digit(four[3])).collect()
}

fn digit(byte: u8) -> u8 {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap()
}

fn path_of(text: &str) -> PathBuf {
    PathBuf::from(String::from_utf8(unhex(text)).unwrap())
}

/// The number that a text begins with.
fn leading(text: &str) -> Option<i64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
    text[..end].parse().ok()
}

fn number(text: &str) -> usize {
    text.trim().parse().unwrap_or_else(|_| panic!("no number: {text}"))
}
