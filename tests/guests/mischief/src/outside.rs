//! Tries to reach what a plugin must not.

use std::fs;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

#[expect(clippy::disallowed_methods, reason = "the environment that it must not see")]
pub(crate) fn reach() -> String {
    let tries = [
        ("read", fs::read("/etc/passwd").is_ok()),
        ("list", fs::read_dir("/").is_ok() || fs::read_dir(".").is_ok()),
        ("write", fs::write("/tmp/mischief", "x").is_ok() || fs::write("mischief", "x").is_ok()),
        ("environment", std::env::vars().next().is_some()),
        ("arguments", std::env::args().next().is_some()),
        ("tcp", TcpStream::connect("127.0.0.1:22").is_ok()),
        ("listen", TcpListener::bind("127.0.0.1:0").is_ok()),
        ("udp", UdpSocket::bind("127.0.0.1:0").is_ok()),
        ("names", ("localhost", 80).to_socket_addrs().is_ok()),
        ("stdin", std::io::stdin().lines().next().is_some_and(|line| line.is_ok())),
    ];
    let open: Vec<&str> = tries.iter().filter(|(_, reached)| *reached).map(|(name, _)| *name).collect();
    format!("reached: [{}]", open.join(" "))
}
