//! A scripted server: takes one request per connection, records it, and replies as it was told; with connections that
//! break where the script says so, which a proper HTTP library would not do.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use alicloud_api::{Client, ClientConfig, Credentials, Endpoints, Product, RetryPolicy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

pub const KEY: &str = "LTAI5tExampleKeyId01";
pub const SECRET: &str = "exampleSecret0123456789ABCDEFGH";

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers.
    Answer(u16, String),
    /// Reads the request, then closes the connection.
    Close,
    /// Sends the head and half of the body, then closes.
    Truncate,
    /// Reads the request, then waits for [`Fake::release`] and answers `{}`.
    Hold,
}

pub fn ok(body: serde_json::Value) -> Reply {
    Reply::Answer(200, body.to_string())
}

pub fn refuse(status: u16, code: &str) -> Reply {
    let body = serde_json::json!({
        "RequestId": "4C1A0000", "HostId": "ecs.aliyuncs.com", "Code": code, "Message": "Told to.",
        "Recommend": "https://error-center.aliyun.com/x",
    });
    Reply::Answer(status, body.to_string())
}

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// `POST /path`, without the query.
    pub line: String,
    pub query: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Seen {
    /// Parameters of query and body together.
    pub fn params(&self) -> BTreeMap<String, String> {
        let all = format!("http://x/?{}&{}", self.query, self.body);
        let url = reqwest::Url::parse(&all).unwrap();
        url.query_pairs().into_owned().filter(|(name, _)| !name.is_empty()).collect()
    }

    pub fn action(&self) -> String {
        let header = self.headers.get("x-acs-action").cloned();
        header.unwrap_or_else(|| self.params()["Action"].clone())
    }
}

#[derive(Default)]
struct State {
    script: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Seen>>,
    arrived: Notify,
    released: Notify,
}

pub struct Fake {
    state: Arc<State>,
    pub port: u16,
}

impl Fake {
    /// Starts a server that goes through `script`; what comes after it is answered with `{}`.
    pub async fn start(script: impl IntoIterator<Item = Reply>) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State { script: Mutex::new(script.into_iter().collect()), ..State::default() });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Fake { state, port }
    }

    /// Settings of a client whose every product is this server; retries pause for a millisecond.
    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new(Credentials::new(KEY, SECRET), "cn-beijing");
        let address = format!("http://127.0.0.1:{}", self.port);
        for product in Product::ALL {
            config.endpoints =
                std::mem::replace(&mut config.endpoints, Endpoints::new()).with(product, &address).unwrap();
        }
        let pause = Duration::from_millis(1);
        config.retry =
            RetryPolicy { first_pause: pause, pause_max: pause, attempts_max: 4, ..RetryPolicy::default() };
        config
    }

    pub fn client(&self) -> Client {
        Client::new(self.config()).unwrap()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// Waits until the next request has been read.
    pub async fn arrival(&self) {
        tokio::time::timeout(Duration::from_secs(5), self.state.arrived.notified())
            .await
            .expect("a request in 5 s");
    }

    /// Lets a held request be answered.
    pub fn release(&self) {
        self.state.released.notify_one();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let Some(seen) = read_request(&mut stream).await else { return };
    state.seen.lock().unwrap().push(seen);
    state.arrived.notify_one();
    let reply = state.script.lock().unwrap().pop_front().unwrap_or_else(|| ok(serde_json::json!({})));
    let (status, body, sent) = match reply {
        Reply::Answer(status, body) => (status, body.clone(), body),
        Reply::Truncate => (200, r#"{"RequestId":"half"}"#.to_owned(), r#"{"Requ"#.to_owned()),
        Reply::Hold => {
            state.released.notified().await;
            (200, "{}".to_owned(), "{}".to_owned())
        }
        Reply::Close => return,
    };
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{sent}", body.len());
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let first = lines.next()?.to_owned();
    let target = first.split(' ').nth(1)?.to_owned();
    let line = first.split(['?']).next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(k, v)| (k.to_lowercase(), v.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    while bytes.len() < head_end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[head_end + 4..].to_vec()).unwrap();
    let query = target.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
    Some(Seen { line, query, headers, body })
}
