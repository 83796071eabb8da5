//! A host for tests: it has an answer for each connection, in their order, and keeps what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use super::Client;

pub(crate) struct Scripted {
    at: SocketAddr,
    serving: JoinHandle<Vec<String>>,
}

impl Scripted {
    /// The answers as they are sent; of an empty one, the connection is closed instead.
    pub(crate) fn answering(answers: Vec<String>) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let serving = std::thread::spawn(move || {
            answers.iter().map(|answer| exchange(&listener.accept().unwrap().0, answer)).collect()
        });
        Scripted { at, serving }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&format!("http://{}", self.at), Some("hbx_token")).unwrap()
    }

    /// Head and body of each request, once every answer was given.
    pub(crate) fn asked(self) -> Vec<String> {
        self.serving.join().unwrap()
    }
}

pub(crate) fn answer(status: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

pub(crate) fn in_json(body: &Value) -> String {
    answer("200 OK", "application/json", &body.to_string())
}

pub(crate) fn problem(status: &str, detail: &str) -> String {
    answer(status, "application/problem+json", &json!({ "title": "No", "detail": detail }).to_string())
}

fn exchange(stream: &TcpStream, answer: &str) -> String {
    let mut reader = BufReader::new(stream);
    let mut asked = String::new();
    while !asked.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut asked).unwrap(), 0, "the request ends in its head: {asked}");
    }
    let length =
        asked.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let mut stream = stream;
    stream.write_all(answer.as_bytes()).unwrap();
    asked + &String::from_utf8(body).unwrap()
}
