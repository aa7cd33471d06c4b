//! The file of `--web.config.file`: what it may say, and what it does on real sockets.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ems_exporter::auth::Guard;
use ems_exporter::config::{Config, Faults, Ingest, web};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use testkit::http::exchange_on;
use testkit::process::{self, Process};
use testkit::wait::{holds, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::http::{Exporter, TIMER};
use crate::support::PROGRAM;

/// A directory with a CA, a certificate for localhost by it, and one for a client.
struct Certificates {
    directory: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let certificates = Self { directory: tempfile::tempdir().unwrap(), authority };
        fs::write(certificates.path().join("ca.crt"), certificates.authority.pem()).unwrap();
        for name in ["localhost", "client"] {
            certificates.issue(name);
        }
        certificates
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a new certificate and its key.
    fn issue(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        fs::write(self.path().join(format!("{name}.crt")), certificate.pem()).unwrap();
        fs::write(self.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// Writes the web configuration, with TLS and whatever else.
    fn file(&self, tls: &str, more: &str) -> std::path::PathBuf {
        let path = self.path().join("web.yml");
        let tls = format!("tls_server_config:\n  cert_file: localhost.crt\n  key_file: localhost.key\n{tls}");
        fs::write(&path, format!("{tls}{more}")).unwrap();
        path
    }

    /// What trusts our CA, and shows the client's certificate if asked to.
    fn client(&self, known: bool) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path().join("ca.crt")).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = if known {
            let certificate = CertificateDer::from_pem_file(self.path().join("client.crt")).unwrap();
            let key = PrivateKeyDer::from_pem_file(self.path().join("client.key")).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        TlsConnector::from(Arc::new(config))
    }
}

fn with_file(file: std::path::PathBuf) -> Config {
    Config { web_file: Some(file), lifecycle: true, ..Config::default() }
}

/// Sends a request over TLS and reads the whole answer.
async fn ask(address: SocketAddr, client: &TlsConnector, request: &[u8]) -> std::io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    let mut stream = client.connect(ServerName::try_from("localhost").unwrap(), stream).await?;
    exchange_on(&mut stream, request).await
}

fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

fn basic(login: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(login))
}

fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}

#[tokio::test]
async fn pages_come_over_tls_and_the_broken_header_too() {
    let certificates = Certificates::new();
    let exporter = Exporter::with(&with_file(certificates.file("  min_version: TLS13\n", ""))).await;
    let client = certificates.client(false);
    let length = TIMER.len();
    let post = format!(
        "POST /events HTTP/1.1\r\nHost: x\r\n\0tail Content-Type: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{TIMER}"
    )
    .replace("tail ", "tail");
    let answer = ask(exporter.address, &client, post.as_bytes()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let page = ask(exporter.address, &client, &get("/metrics", "")).await.unwrap();
    assert!(page.contains("\nems_timers_triggered_total{server=\"ems\"} 1\n"), "{page}");
    // Plain HTTP is not answered, and is counted.
    let mut plain = TcpStream::connect(exporter.address).await.unwrap();
    plain.write_all(&get("/metrics", "")).await.unwrap();
    let mut bytes = Vec::new();
    plain.read_to_end(&mut bytes).await.ok();
    assert!(!bytes.starts_with(b"HTTP"));
    assert_eq!(exporter.app.exporter_metrics.handshake_failures.get(), 1);
}

#[tokio::test]
async fn the_demo_serves_tls_when_events_have_an_address_of_their_own() {
    let certificates = Certificates::new();
    let web_file = certificates.file("", "");
    let flags = ["demo", "--web.listen-address", "127.0.0.1:0", "--web.config.file"];
    let mut command = PROGRAM.command(&flags);
    command.arg(&web_file);
    let rejected = process::run(&mut command, b"");
    assert_eq!(rejected.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&rejected.stderr),
        "ems-exporter: the demo cannot post its events over TLS: set ingest.listen_address, such as 127.0.0.1:10778, which accepts plain HTTP\n"
    );
    let config = certificates.path().join("config.yml");
    fs::write(&config, "ingest: {listen_address: '127.0.0.1:0'}\n").unwrap();
    let mut demo = Process::start(command.arg("--config.file").arg(config));
    let address: SocketAddr = demo.wait_for_output(|output| {
        let (before, _) = output.split_once("/metrics\n")?;
        before.rsplit_once("https://")?.1.parse().ok()
    });
    let client = certificates.client(false);
    until("the first stream", async || {
        let page = ask(address, &client, &get("/metrics", "")).await.unwrap();
        holds(page.contains("\nems_stream_up{"), page)
    })
    .await;
}

#[tokio::test]
async fn a_client_that_never_shakes_hands_delays_no_other() {
    let certificates = Certificates::new();
    let exporter = Exporter::with(&with_file(certificates.file("", ""))).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(exporter.address).await.unwrap());
    }
    let answer = ask(exporter.address, &certificates.client(false), &get("/-/healthy", "")).await.unwrap();
    assert!(answer.ends_with("ok\n"), "{answer}");
}

#[tokio::test]
async fn certificates_of_clients_are_verified() {
    let certificates = Certificates::new();
    let required = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n";
    let exporter = Exporter::with(&with_file(certificates.file(required, ""))).await;
    assert!(exporter.app.web.load().requires_authentication());
    let request = get("/-/healthy", "");
    let answer = ask(exporter.address, &certificates.client(true), &request).await.unwrap();
    assert!(answer.ends_with("ok\n"), "{answer}");
    assert!(ask(exporter.address, &certificates.client(false), &request).await.is_err());
    let stranger = Certificates::new();
    fs::copy(certificates.path().join("ca.crt"), stranger.path().join("ca.crt")).unwrap();
    assert!(ask(exporter.address, &stranger.client(true), &request).await.is_err());
    let optional = required.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven");
    let exporter = Exporter::with(&with_file(certificates.file(&optional, ""))).await;
    for known in [true, false] {
        assert!(
            ask(exporter.address, &certificates.client(known), &request).await.unwrap().ends_with("ok\n")
        );
    }
    assert!(ask(exporter.address, &stranger.client(true), &request).await.is_err());
}

#[tokio::test]
async fn pages_need_a_user_and_events_and_health_pages_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("web.yml");
    let headers = "http_server_config: {http2: false, headers: {X-Frame-Options: deny}}\n";
    fs::write(&file, format!("{headers}basic_auth_users:\n  me: {}\n", hash("secret"))).unwrap();
    let exporter = Exporter::with(&with_file(file.clone())).await;
    for path in ["/metrics", "/", "/anything", "/events", "/metrics?/-/healthy"] {
        let answer = exporter.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{path}: {answer}");
        assert!(answer.contains("www-authenticate: Basic realm="), "{answer}");
        assert!(answer.contains("x-frame-options: deny\r\n"), "{answer}");
    }
    let reload = exporter.post("/-/reload", "").await;
    assert!(reload.starts_with("HTTP/1.1 401"), "{reload}");
    let wrong = exporter.raw(&get("/metrics", &basic("me:guess"))).await;
    assert!(wrong.starts_with("HTTP/1.1 401"), "{wrong}");
    let page = exporter.raw(&get("/metrics", &basic("me:secret"))).await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("x-frame-options: deny\r\n"), "{page}");
    for path in ["/events", "/events/west", "/"] {
        assert!(exporter.post(path, TIMER).await.starts_with("HTTP/1.1 200"), "{path}");
    }
    for path in ["/-/healthy", "/-/ready"] {
        assert!(exporter.get(path).await.starts_with("HTTP/1.1 200"), "{path}");
    }
    let closed = Exporter::with(&Config {
        ingest: Ingest { guard: Guard { protect_health: true, ..Guard::default() }, ..Ingest::default() },
        ..with_file(file)
    })
    .await;
    assert!(closed.get("/-/healthy").await.starts_with("HTTP/1.1 401"));
    assert!(closed.raw(&get("/-/healthy", &basic("me:secret"))).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_new_file_takes_effect_and_a_broken_one_does_not() {
    let certificates = Certificates::new();
    let exporter = Exporter::with(&with_file(certificates.file("", ""))).await;
    let client = certificates.client(false);
    let healthy = get("/-/healthy", "");
    let reload = b"POST /-/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let before = fs::read(certificates.path().join("localhost.crt")).unwrap();
    certificates.issue("localhost");
    let answer = ask(exporter.address, &client, reload).await.unwrap();
    assert!(answer.contains("the web configuration was read again\n"), "{answer}");
    assert!(ask(exporter.address, &client, &healthy).await.unwrap().ends_with("ok\n"));
    // A certificate that is not the key's.
    fs::write(certificates.path().join("localhost.crt"), before).unwrap();
    let answer = ask(exporter.address, &client, reload).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(answer.contains("web.yml:2:14: tls_server_config.cert_file cannot be used:"), "{answer}");
    let page = ask(exporter.address, &client, &get("/metrics", "")).await.unwrap();
    assert!(page.contains("\nems_exporter_web_config_last_reload_successful 0\n"), "{page}");
    // The poll notices that the fault is gone.
    certificates.issue("localhost");
    until("the next poll to load the certificate", async || {
        let page = ask(exporter.address, &client, &get("/metrics", "")).await.unwrap();
        holds(page.contains("last_reload_successful 1\n"), page)
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_half_written_takes_no_protection_away() {
    let certificates = Certificates::new();
    let clients = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n";
    let users = format!("basic_auth_users:\n  me: {}\n  you: {}\n", hash("mine"), hash("yours"));
    let path = certificates.file(clients, &users);
    let whole = fs::read_to_string(&path).unwrap();
    let exporter = Exporter::with(&with_file(path.clone())).await;
    let mut refused = 0;
    let reversed = format!("{users}{}", whole.strip_suffix(&users).unwrap());
    for text in [&whole, &reversed] {
        for end in 0..text.len() {
            fs::write(&path, &text[..end]).unwrap();
            let done = exporter.app.reloader.reload().await;
            refused += usize::from(done.is_err_and(|sentence| sentence.contains("is missing now")));
            let web = exporter.app.web.load();
            assert!(web.tls.is_some() && web.users.is_some() && web.knows_clients, "{}", &text[..end]);
        }
    }
    assert!(refused > 0);
    fs::write(&path, &whole).unwrap();
    exporter.app.reloader.reload().await.unwrap();
}

#[tokio::test]
async fn an_emptied_file_is_a_failed_reload() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("web.yml");
    fs::write(&file, format!("basic_auth_users: {{me: {}}}\n", hash("secret"))).unwrap();
    let exporter = Exporter::with(&with_file(file.clone())).await;
    fs::write(&file, "").unwrap();
    let page = async || exporter.raw(&get("/metrics", &basic("me:secret"))).await;
    until("the next poll to refuse the file", async || {
        let page = page().await;
        holds(page.contains("\nems_exporter_web_config_last_reload_successful 0\n"), page)
    })
    .await;
    assert!(exporter.get("/metrics").await.starts_with("HTTP/1.1 401"));
    let request =
        format!("POST /-/reload HTTP/1.1\r\nHost: x\r\n{}Content-Length: 0\r\n\r\n", basic("me:secret"));
    let answer = exporter.raw(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(
        answer.ends_with(
            "the web configuration stays as it was: the configuration has 1 fault:\n  a reload does not remove \
             protection, and basic_auth_users is missing now: restart to go without it\n"
        ),
        "{answer}"
    );
}

#[tokio::test]
async fn reloading_over_http_must_be_turned_on() {
    let exporter = Exporter::start().await;
    let answer = exporter.post("/-/reload", "").await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("--web.enable-lifecycle"), "{answer}");
    assert!(exporter.get("/-/reload").await.starts_with("HTTP/1.1 405"));
}

fn faults(text: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("web.yml");
    fs::write(&path, text).unwrap();
    let faults = web::load(&path).1.unwrap_err();
    Faults(faults).to_string().replace(&directory.path().display().to_string(), "")
}

#[test]
fn an_empty_file_requires_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("web.yml");
    for text in ["", "tls_server_config: {}\nbasic_auth_users: {}\n", "http_server_config: {http2: true}\n"] {
        fs::write(&path, text).unwrap();
        let setup = web::load(&path).1.unwrap();
        assert!(setup.tls.is_none() && !setup.requires_authentication() && setup.headers.is_empty());
    }
}

#[test]
fn all_faults_come_at_once_and_no_secret_is_among_them() {
    let told = faults(
        "tls_server_config:\n  cert_file: no.crt\n  client_auth_type: RequireAnyClientCert\n  client_ca_file: ca.crt\n  \
         min_version: TLS10\n  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n  curve_preferences: [CurveP521, X25519]\n  \
         client_allowed_sans: [me]\n  port: 1\n\
         http_server_config:\n  headers: {X-Frame-Options: allow, Server: me}\n\
         basic_auth_users: {me: s3cret, you: 7}\nrate_limit: {burst: 1}\nusers: 1\n",
    );
    let expected = [
        "the configuration has 15 faults:",
        "/web.yml:2:3: tls_server_config.key_file is missing: TLS needs it",
        "/web.yml:2:14: tls_server_config.cert_file: /no.crt cannot be read: No such file or directory (os error 2)",
        "/web.yml:3:21: tls_server_config.client_auth_type: RequireAnyClientCert is not supported: it accepts unverified certificates; use VerifyClientCertIfGiven or RequireAndVerifyClientCert",
        "/web.yml:4:19: tls_server_config.client_ca_file: /ca.crt cannot be read: No such file or directory (os error 2)",
        "/web.yml:5:16: tls_server_config.min_version: TLS10 is obsolete: use TLS12 or TLS13",
        "/web.yml:6:19: tls_server_config.cipher_suites: TLS_RSA_WITH_RC4_128_SHA is not one of TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "/web.yml:7:23: tls_server_config.curve_preferences: CurveP521 is not one of X25519, CurveP256, CurveP384",
        "/web.yml:8:25: tls_server_config.client_allowed_sans: me is not supported: use a client CA that signs only allowed clients",
    ];
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    assert_eq!(lines[..expected.len()], expected);
    for expected in [
        "tls_server_config.port is not a known key",
        "http_server_config.headers.X-Frame-Options: allow is not deny or sameorigin",
        "http_server_config.headers.Server is not a known key: known here are Content-Security-Policy,",
        "basic_auth_users.me is not a bcrypt hash",
        "basic_auth_users.you is not a bcrypt hash",
        "rate_limit is not supported",
        "14:1: users is not a known key: known here are tls_server_config, http_server_config, basic_auth_users, rate_limit",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert!(!told.contains("s3cret"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_check_speaks_tls_too() {
    let certificates = Certificates::new();
    let users = format!("basic_auth_users: {{me: {}}}\n", hash("pass"));
    let file = certificates.file("", &users);
    let exporter = Exporter::with(&with_file(file.clone())).await;
    let asked = |with: Option<&Path>| {
        let address = exporter.address.to_string();
        let file: Vec<&str> =
            with.iter().flat_map(|file| ["--web.config.file", file.to_str().unwrap()]).collect();
        PROGRAM.run(&[&["healthcheck", "--web.listen-address", &address], &*file].concat())
    };
    let healthy = asked(Some(&file));
    assert!(healthy.status.success(), "{}", String::from_utf8_lossy(&healthy.stderr));
    assert!(!asked(None).status.success(), "plain HTTP is not answered");
}
