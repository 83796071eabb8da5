//! The roots that this machine trusts, in a process of its own: they are set by its environment.

use std::path::Path;
use std::process::Command;

use super::*;

/// Asks a server whose port is in a file, and leaves what came of it in another.
#[tokio::test]
#[ignore = "the other test of this file runs it"]
async fn asks_as_a_plugin_would() {
    let port = std::fs::read_to_string("port").unwrap();
    let places = Places::default().of(&plugin("a"));
    let client = Client::new(egress(&format!("https://*:{port}")), Arc::new(Here), tls(), places);
    let answered = client.request(get(&format!("https://a.example:{port}/"))).await;
    let told = answered.map(|answer| answer.status().as_u16()).map_err(|refusal| refusal.error);
    std::fs::write("answer", format!("{told:?}")).unwrap();
}

fn ask_trusting(roots: &str, folder: &Path) -> String {
    let file = folder.join("roots.pem");
    std::fs::write(&file, roots).unwrap();
    let asking = "egress::client::tests::roots::asks_as_a_plugin_would";
    let asked = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", asking, "--ignored"])
        .env("SSL_CERT_FILE", &file)
        .env_remove("SSL_CERT_DIR")
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stdout));
    std::fs::read_to_string(folder.join("answer")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_verified_against_the_roots_of_the_system() {
    let own = |name: &str| generate_simple_self_signed([name.to_owned()]).unwrap();
    let (trusted, other) = (own("a.example"), own("a.example"));
    let server = server_of(trusted.cert.der().clone(), &trusted.signing_key);
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        loop {
            let Ok(mut stream) = acceptor.accept(listener.accept().await.unwrap().0).await else { continue };
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            if stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {
                stream.write_all(answer).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("port"), port.to_string()).unwrap();
    let ask = async |roots: String| {
        let folder = folder.path().to_owned();
        tokio::task::spawn_blocking(move || ask_trusting(&roots, &folder)).await.unwrap()
    };
    assert_eq!(ask(trusted.cert.pem()).await, "Ok(200)");
    assert_eq!(ask(other.cert.pem()).await, "Err(TlsCertificateError)");
    assert_eq!(ask(String::new()).await, "Err(TlsCertificateError)");
    serving.abort();
}
