//! A server's runtime API made to measure: it writes down what it is asked, decoded as the server
//! decodes it, and answers as it is told.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The command, or the path of a POST.
    pub command: String,
    /// Its parameters, each list as its items; of a POST, its body alone.
    pub parameters: Vec<(String, Vec<String>)>,
}

impl Asked {
    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, values) = self.parameters.iter().find(|(known, _)| known == name)?;
        values.first().map(String::as_str)
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub enum Reply {
    Data(Value),
    Fail(&'static str),
    Status(u16),
    /// The connection is closed.
    Nothing,
    /// The connection stays open, and nothing comes.
    Silence,
    /// An answer, after some milliseconds.
    Slow(u64, Box<Self>),
}

/// How many calls are under way, and were at most.
type Busy = Arc<Mutex<(usize, usize)>>;
type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The server.
pub struct FakeApi {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    busy: Busy,
}

impl FakeApi {
    pub async fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, busy) = (Arc::<Mutex<Vec<Asked>>>::default(), Busy::default());
        let (book, script, count): (_, Arc<Script>, _) =
            (Arc::clone(&asked), Arc::new(script), Arc::clone(&busy));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (book, script, count) = (Arc::clone(&book), Arc::clone(&script), Arc::clone(&count));
                tokio::spawn(async move {
                    {
                        let mut count = count.lock().unwrap();
                        count.0 += 1;
                        count.1 = count.1.max(count.0);
                    }
                    answer(stream, &book, &*script).await;
                    count.lock().unwrap().0 -= 1;
                });
            }
        });
        Self { port, asked, busy }
    }

    /// All that was asked so far, looks at the configuration left out.
    pub fn asked(&self) -> Vec<Asked> {
        self.all().into_iter().filter(|asked| asked.command != "listConfig").collect()
    }

    pub fn all(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn most_at_once(&self) -> usize {
        self.busy.lock().unwrap().1
    }
}

async fn answer(mut stream: TcpStream, book: &Mutex<Vec<Asked>>, script: &Script) {
    let asked = read(&mut stream).await;
    book.lock().unwrap().push(asked.clone());
    let mut reply = script(&asked);
    while let Reply::Slow(millis, then) = reply {
        tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
        reply = *then;
    }
    let (status, body) = match reply {
        Reply::Data(data) => (200, json!({"data": data, "description": "fine", "status": "SUCCESS"})),
        Reply::Fail(why) => (200, json!({"data": null, "description": why, "status": "FAIL"})),
        Reply::Status(status) => (status, Value::Null),
        Reply::Nothing => return,
        Reply::Silence | Reply::Slow(..) => return std::future::pending().await,
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    // A caller that has gone away is no failure of a test.
    stream.write_all(format!("{head}{body}").as_bytes()).await.ok();
}

async fn read(stream: &mut TcpStream) -> Asked {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            break bytes.len();
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let target = text.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
    let length = text
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    if let Some(length) = length.filter(|_| text.starts_with("POST")) {
        let mut body = bytes.split_off(head + 4);
        while body.len() < length && stream.read_buf(&mut body).await.unwrap_or(0) > 0 {}
        let body = String::from_utf8(body).unwrap();
        return Asked { command: target, parameters: vec![(String::new(), vec![body])] };
    }
    let (command, query) = target.split_once("?params=").unwrap_or((&target, ""));
    let line = String::from_utf8(STANDARD.decode(query).unwrap()).unwrap();
    Asked { command: command.to_owned(), parameters: parameters(&line) }
}

/// Takes a line of parameters apart as the server does.
fn parameters(line: &str) -> Vec<(String, Vec<String>)> {
    assert!(!line.contains(char::is_control), "another command: {line:?}");
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    let (mut name, mut values, mut text, mut in_value) = (String::new(), Vec::new(), String::new(), false);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            '=' if !in_value => (name, in_value) = (std::mem::take(&mut text), true),
            ',' => values.push(std::mem::take(&mut text)),
            ' ' => {
                values.push(std::mem::take(&mut text));
                all.push((std::mem::take(&mut name), std::mem::take(&mut values)));
                in_value = false;
            }
            other => text.push(other),
        }
    }
    if in_value {
        values.push(text);
        all.push((name, values));
    }
    all
}
