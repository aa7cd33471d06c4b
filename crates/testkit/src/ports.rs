//! Ports for programs that must know of each other before they run. All others listen on port 0 and report the port.

use std::net::TcpListener;
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that the system gives to connections, one of which might take it before the program does.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// A port of 127.0.0.1 that is free, and that is handed out once in this process.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Runs side by side begin at different ports.
    let begin = (process::id() % u32::from(COUNT)) as u16;
    let mut candidates = (0..COUNT).map(|_| NEXT.fetch_add(1, Ordering::Relaxed));
    let free = |offset: u16| {
        let port = FIRST + begin.wrapping_add(offset) % COUNT;
        TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    };
    candidates.find_map(free).expect("one port of ten thousand is free")
}
