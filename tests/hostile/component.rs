//! Makes a component of the world `plugin` from a few lines of WebAssembly text.
//!
//! A guest is one core module. Strings are written `@"text"` and become their place and length. What an import is
//! called, and how its values lie in memory, is that of the canonical ABI; [`imports`](crate::imports) lists those that may be
//! called.

use std::fmt::Write;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

use crate::imports::IMPORTS;

/// Where texts and the description lie. Below is room for results: an answer of the handler at 64, of imports at 256.
const DATA: usize = 1024;

/// What a guest may do otherwise than an honest one, each as WebAssembly text.
pub(crate) struct Text {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) handlers: Vec<String>,
    pub(crate) options: usize,
    /// Of `describe`: it returns the place of the description, `$info`.
    pub(crate) describe: String,
    /// Of `run-job`: it returns the place of the answer, such as `(call $done)`.
    pub(crate) job: String,
    /// Before a new piece of memory is given out.
    pub(crate) realloc: String,
    /// After the answers of `describe` and `run-job` were read.
    pub(crate) post_describe: String,
    pub(crate) post_job: String,
    /// More of the module: tables, globals, functions, `start`.
    pub(crate) more: String,
    /// Pages of memory beside what the texts take.
    pub(crate) pages: usize,
}

impl Text {
    pub(crate) fn new(name: &str) -> Text {
        Text {
            name: name.to_owned(),
            version: "1".to_owned(),
            handlers: vec!["job".to_owned()],
            options: 0,
            describe: "(global.get $info)".to_owned(),
            job: "(call $done)".to_owned(),
            realloc: String::new(),
            post_describe: String::new(),
            post_job: String::new(),
            more: String::new(),
            pages: 2,
        }
    }

    pub(crate) fn component(&self) -> Vec<u8> {
        let mut data = Data(Vec::new());
        let info = data.description(self);
        let bodies = [&self.describe, &self.job, &self.realloc, &self.post_describe, &self.post_job, &self.more];
        let [describe, job, realloc, post_describe, post_job, more] = bodies.map(|body| data.placed(body));
        let all = [describe.as_str(), &job, &realloc, &post_describe, &post_job, &more].join("\n");
        let called = |name: &str| all.contains(&format!("${name} ")) || all.contains(&format!("${name})"));
        let mut imports = String::new();
        for (name, interface, function, kind) in IMPORTS.iter().filter(|import| called(import.0)) {
            let _ = writeln!(imports, "(import {interface:?} {function:?} (func ${name} {kind}))");
        }
        let content_type = data.place(b"text/plain");
        let unknown = data.place(b"unknown-handler");
        let fine = data.place(b"fine");
        let heap = (DATA + data.0.len()).next_multiple_of(1 << 16);
        let pages = heap / (1 << 16) + self.pages;
        let bytes: String = data.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let text = format!(
            r#"(module
{imports}
(memory (export "memory") {pages})
(data (i32.const {DATA}) "{bytes}")
(global $info i32 (i32.const {info}))
(global $heap (mut i32) (i32.const {heap}))
(func $realloc (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
  {realloc}
  (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
  (global.get $heap)
  (global.set $heap (i32.add (global.get $heap) (local.get $new)))
  (loop $again
    (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536)))
      (then (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable))) (br $again)))))
(func $done (result i32)
  (memory.fill (i32.const 64) (i32.const 0) (i32.const 40))
  (i32.const 64))
(func $say (param $text i32) (param $bytes i32) (result i32)
  (drop (call $done))
  (i32.store8 (i32.const 76) (i32.const 1))
  (i32.store (i32.const 80) (i32.const {}))
  (i32.store (i32.const 84) (i32.const {}))
  (i32.store (i32.const 88) (local.get $text))
  (i32.store (i32.const 92) (local.get $bytes))
  (i32.const 64))
;; A number of one digit; 9 is that or more.
(func $digit (param $number i32) (result i32)
  (if (i32.gt_u (local.get $number) (i32.const 9)) (then (local.set $number (i32.const 9))))
  (i32.store8 (i32.const 128) (i32.add (i32.const 48) (local.get $number)))
  (call $say (i32.const 128) (i32.const 1)))
;; Whether the result of kv or queue that lies there is an error, and its words.
(func $answer (param $at i32) (result i32)
  (if (i32.eqz (i32.load8_u (local.get $at))) (then (return (call $say (i32.const {}) (i32.const {})))))
  (if (i32.eqz (i32.load8_u (i32.add (local.get $at) (i32.const 4))))
    (then
      (if (i32.eqz (i32.load (i32.add (local.get $at) (i32.const 12))))
        (then (return (call $say (i32.const {}) (i32.const {})))))))
  (call $say
    (i32.load (i32.add (local.get $at) (i32.const 8)))
    (i32.load (i32.add (local.get $at) (i32.const 12)))))
(func (export "hookbox:plugin/guest@0.1.0#describe") (result i32) {describe})
(func (export "cabi_post_hookbox:plugin/guest@0.1.0#describe") (param i32) {post_describe})
(func (export "hookbox:plugin/guest@0.1.0#handle-event") (param $input i32) (result i32) (unreachable))
(func $job (export "hookbox:plugin/guest@0.1.0#run-job") (param $input i32) (result i32)
  (local $n i32) (local $m i32)
  {job})
(func (export "cabi_post_hookbox:plugin/guest@0.1.0#run-job") (param i32) {post_job})
{more})"#,
            content_type.0, content_type.1, fine.0, fine.1, unknown.0, unknown.1,
        );
        let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", self.name));
        let (resolve, world) = world();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        let mut encoder = ComponentEncoder::default();
        encoder.module(&module).unwrap_or_else(|error| panic!("{}: {error:?}", self.name));
        encoder.encode().unwrap_or_else(|error| panic!("{}: {error:?}", self.name))
    }
}

fn world() -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    for file in ["wit/plugin.wit", "host/sandbox/wit-drafts/keyvalue-0.2.0-draft2/keyvalue.wit"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
        resolve.push_str(&file, &std::fs::read_to_string(&file).unwrap()).unwrap();
    }
    let package = resolve.push_str("world.wit", include_str!("world.wit")).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    (resolve, world)
}

/// Line ends and escapes, which would otherwise end up in the text of the module.
fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\r", "\r").replace("\\0", "\0").replace("\\e", "\u{1b}")
}

/// What lies in memory from [`DATA`] on.
struct Data(Vec<u8>);

impl Data {
    /// Where the bytes lie, and how many they are.
    fn place(&mut self, bytes: &[u8]) -> (usize, usize) {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let at = DATA + self.0.len();
        self.0.extend_from_slice(bytes);
        (at, bytes.len())
    }

    /// Every `@"text"` as its place and length.
    fn placed(&mut self, body: &str) -> String {
        let mut parts = body.split("@\"");
        let mut placed = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (text, rest) = part.split_once('"').unwrap();
            let (at, bytes) = self.place(unescaped(text).as_bytes());
            let _ = write!(placed, "(i32.const {at}) (i32.const {bytes}){rest}");
        }
        placed
    }

    /// A `plugin-info` of handlers that are started by hand.
    fn description(&mut self, text: &Text) -> usize {
        let words = |pairs: &[(usize, usize)]| -> Vec<u8> {
            let numbers = pairs.iter().flat_map(|(at, length)| [*at, *length]);
            numbers.flat_map(|number| u32::try_from(number).unwrap().to_le_bytes()).collect()
        };
        let mut handlers = Vec::new();
        for name in &text.handlers {
            let name = self.place(name.as_bytes());
            handlers.extend(words(&[name]));
            handlers.extend([2, 0, 0, 0, 0, 0, 0, 0]);
            handlers.extend([0; 24]);
            handlers.extend(words(&[(0, 0)]));
        }
        let handlers = (self.place(&handlers).0, text.handlers.len());
        let option = self.place(b"option");
        let options: Vec<u8> = (0..text.options).flat_map(|_| words(&[option, option])).collect();
        let options = (self.place(&options).0, text.options);
        let (name, version) = (self.place(text.name.as_bytes()), self.place(text.version.as_bytes()));
        let mut info = words(&[name, version]);
        info.extend([0; 12]);
        info.extend(words(&[handlers, options]));
        self.place(&info).0
    }
}

/// The component with so many instances of one more core module in it.
pub(crate) fn with_instances(mut component: Vec<u8>, module: &str, count: u32) -> Vec<u8> {
    let index = modules(&component);
    let module = wat::parse_str(module).unwrap();
    section(&mut component, 1, &module);
    let mut instances = leb(count);
    for _ in 0..count {
        instances.push(0);
        instances.extend(leb(index));
        instances.push(0);
    }
    section(&mut component, 2, &instances);
    component
}

/// Core modules that a component has at its top.
fn modules(component: &[u8]) -> u32 {
    let (mut rest, mut count) = (&component[8..], 0);
    while let [id, tail @ ..] = rest {
        count += u32::from(*id == 1);
        let length = tail.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let size = tail[..length].iter().rev().fold(0, |size, byte| size << 7 | usize::from(byte & 0x7f));
        rest = &tail[length + size..];
    }
    count
}

fn section(component: &mut Vec<u8>, id: u8, content: &[u8]) {
    component.push(id);
    component.extend(leb(u32::try_from(content.len()).unwrap()));
    component.extend_from_slice(content);
}

fn leb(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
