//! Two servers of this machine, at one port of two addresses. Guests of the arena may be granted the shop's address; the
//! vault stands for everything that nobody granted, and no request may ever come to it.

use std::net::Ipv4Addr;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Duration, sleep};

use crate::arena::HIDDEN;

pub(crate) const SHOP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
pub(crate) const VAULT: Ipv4Addr = Ipv4Addr::LOCALHOST;
const SETTLE: &str = "/settle";
const HEAD_BYTES_MAX: usize = 128 << 10;
static CHUNK: [u8; 32 << 10] = [b'x'; 32 << 10];

/// What came to one of them, byte for byte, as far as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) by: Ipv4Addr,
    pub(crate) text: String,
}

static HEARD: Mutex<Vec<Heard>> = Mutex::new(Vec::new());
/// Connections that are not closed yet.
static OPEN: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

/// Both are started when the first guest wants to know where they are, on a thread of their own that stays.
pub(crate) fn port() -> u16 {
    static PORT: LazyLock<u16> = LazyLock::new(|| {
        let (tell, told) = sync_channel(1);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(&tell));
        });
        told.recv().unwrap()
    });
    *PORT
}

/// Host and port, as a URL has them.
pub(crate) fn at(host: &str) -> String {
    format!("{host}:{}", port())
}

/// What came since it was asked last.
pub(crate) fn heard() -> Vec<Heard> {
    std::mem::take(&mut *book())
}

/// Returns when whoever came before was served, and has gone: what a guest leaves may be heard a little after its end.
pub(crate) async fn settle() {
    for server in [SHOP, VAULT] {
        let mut stream = TcpStream::connect((server, port())).await.unwrap();
        stream.write_all(format!("GET {SETTLE} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
        drop(until_gone(&mut stream).await);
    }
    let gone = OPEN.subscribe().wait_for(|open| *open == 0).await.map(drop);
    gone.unwrap();
}

fn book() -> MutexGuard<'static, Vec<Heard>> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(tell: &SyncSender<u16>) {
    let (vault, shop) = loop {
        let vault = TcpListener::bind((VAULT, 0)).await.unwrap();
        if let Ok(shop) = TcpListener::bind((SHOP, vault.local_addr().unwrap().port())).await {
            break (vault, shop);
        }
    };
    tell.send(vault.local_addr().unwrap().port()).unwrap();
    loop {
        let (stream, by) = tokio::select! {
            accepted = vault.accept() => (accepted, VAULT),
            accepted = shop.accept() => (accepted, SHOP),
        };
        if let Ok((stream, _)) = stream {
            // A client that has gone is no fault of the server's.
            OPEN.send_modify(|open| *open += 1);
            tokio::spawn(async move {
                drop(answer(stream, by).await);
                OPEN.send_modify(|open| *open -= 1);
            });
        }
    }
}

/// One request; then the connection is closed.
async fn answer(mut stream: TcpStream, by: Ipv4Addr) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if bytes.len() > HEAD_BYTES_MAX || stream.read_buf(&mut bytes).await? == 0 {
            write_down(by, &bytes);
            return Ok(());
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    if path == SETTLE {
        return whole(&mut stream, "200 OK", "", "settled").await;
    }
    if path == "/unread" {
        write_down(by, &bytes);
        return hint(&mut stream).await;
    }
    let length = text.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let chunked = text.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let is_whole = |bytes: &[u8]| match length {
        Some(length) => bytes.len() - head >= length,
        None => !chunked || bytes.ends_with(b"0\r\n\r\n"),
    };
    while !is_whole(&bytes) && bytes.len() < head + HEAD_BYTES_MAX {
        if stream.read_buf(&mut bytes).await? == 0 {
            break;
        }
    }
    write_down(by, &bytes);
    match by {
        VAULT => whole(&mut stream, "200 OK", "", HIDDEN).await,
        _ => of_shop(&mut stream, &path).await,
    }
}

fn write_down(by: Ipv4Addr, bytes: &[u8]) {
    book().push(Heard { by, text: String::from_utf8_lossy(bytes).into_owned() });
}

async fn whole(stream: &mut TcpStream, status: &str, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// Says without end that the answer is still to come.
async fn hint(stream: &mut TcpStream) -> std::io::Result<()> {
    loop {
        stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await?;
        sleep(Duration::from_millis(1)).await;
    }
}

/// Until the other side has closed the connection.
async fn until_gone(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

/// What a server may do to whoever asks it.
async fn of_shop(stream: &mut TcpStream, path: &str) -> std::io::Result<()> {
    let head: &[u8] = b"HTTP/1.1 200 OK\r\n";
    let chunked: &[u8] = b"transfer-encoding: chunked\r\n\r\n";
    match path {
        "/redirect" => {
            let to = format!("location: http://{}/hidden\r\n", at("127.0.0.1"));
            whole(stream, "302 Found", &to, "go there").await
        }
        "/silence" => until_gone(stream).await,
        "/flood" => {
            stream.write_all(head).await?;
            stream.write_all(b"\r\n").await?;
            loop {
                stream.write_all(&CHUNK).await?;
            }
        }
        "/drip" => {
            stream.write_all(head).await?;
            stream.write_all(b"\r\n").await?;
            loop {
                stream.write_all(b"x").await?;
                sleep(Duration::from_millis(5)).await;
            }
        }
        "/headers" => {
            stream.write_all(head).await?;
            for n in 0_u64.. {
                stream.write_all(format!("x-{n}: {n}\r\n").as_bytes()).await?;
            }
            Ok(())
        }
        "/header" => {
            stream.write_all(head).await?;
            stream.write_all(b"x-long: ").await?;
            loop {
                stream.write_all(&CHUNK).await?;
            }
        }
        "/hints" => hint(stream).await,
        "/chunk" => {
            stream.write_all(head).await?;
            stream.write_all(chunked).await?;
            stream.write_all(b"ffffffffffffffff\r\nx").await?;
            until_gone(stream).await
        }
        "/trailers" => {
            stream.write_all(head).await?;
            stream.write_all(chunked).await?;
            stream.write_all(b"1\r\nx\r\n0\r\n").await?;
            for n in 0_u64.. {
                stream.write_all(format!("x-{n}: {n}\r\n").as_bytes()).await?;
            }
            Ok(())
        }
        "/short" => {
            stream.write_all(head).await?;
            stream.write_all(b"content-length: 1000000000000\r\n\r\nshort").await?;
            stream.shutdown().await
        }
        "/noise" => {
            stream.write_all(b"\0\xff\xfenoise that is no answer\r\n\r\n").await?;
            stream.shutdown().await
        }
        "/switch" => {
            stream
                .write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: anything\r\n\r\n")
                .await?;
            until_gone(stream).await
        }
        _ => whole(stream, "200 OK", "", "welcome to the shop").await,
    }
}
