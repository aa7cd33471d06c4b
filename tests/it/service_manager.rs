//! Messages to the service manager: `serve` runs with a notification socket of this test's.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use tempfile::TempDir;
use testkit::DEADLINE;
use testkit::process::{Process, Signal, run};

use crate::support::PROGRAM;

struct Service {
    process: Process,
    socket: UnixDatagram,
    folder: TempDir,
}

impl Service {
    fn start(watchdog: Option<Duration>) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let flags = ["serve", "--log.level=error", "--web.listen-address=127.0.0.1:0"];
        let mut command = PROGRAM.command(&flags);
        command.env("NOTIFY_SOCKET", &path);
        if let Some(patience) = watchdog {
            command.env("WATCHDOG_USEC", patience.as_micros().to_string());
        }
        Self { process: Process::start(&mut command), socket, folder }
    }

    /// The next message.
    fn message(&self) -> String {
        let mut message = [0; 1024];
        let length = self.socket.recv(&mut message).expect("the exporter sends a message");
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    /// Waits until it is ready, and returns the reported address.
    fn ready(&self) -> SocketAddr {
        let status = self.message();
        let address =
            status.strip_prefix("READY=1\nSTATUS=listening on ").unwrap_or_else(|| panic!("{status}"));
        address.trim_end().parse().unwrap()
    }
}

#[test]
fn it_is_ready_once_it_listens_and_reports_its_stop() {
    let mut service = Service::start(None);
    TcpStream::connect(service.ready()).expect("it listens once it is ready");
    service.process.signal(Signal::TERM);
    assert_eq!(service.message(), "STOPPING=1\n");
    assert!(service.process.wait().success());
}

#[test]
fn it_feeds_the_watchdog_for_as_long_as_it_lives() {
    let service = Service::start(Some(Duration::from_millis(200)));
    service.ready();
    for _ in 0..5 {
        assert_eq!(service.message(), "WATCHDOG=1\n");
    }
    service.process.signal(Signal::STOP);
    service.socket.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
    let mut message = [0; 64];
    // What was sent before it was stopped is still on its way.
    let silent = (0..10).any(|_| service.socket.recv(&mut message).is_err());
    assert!(silent, "a stopped process cannot feed the watchdog");
}

#[test]
fn it_is_not_ready_when_its_port_is_taken() {
    let mut first = Service::start(None);
    let address = first.ready();
    let path = first.folder.path().join("notify");
    let mut second = PROGRAM.command(&["--web.listen-address", &address.to_string()]);
    assert!(!run(second.env("NOTIFY_SOCKET", path), b"").status.success());
    first.process.signal(Signal::TERM);
    assert_eq!(first.message(), "STOPPING=1\n", "the second has sent nothing");
    assert!(first.process.wait().success());
}
