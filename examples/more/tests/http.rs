//! `examples/more/http.rs`.

use super::*;

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nHello\n";
const LAST_HELLO: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\nHello\n";
const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

fn http(args: &[&str]) -> Server {
    Server::start(&program("ANET_HTTP", env!("CARGO_BIN_EXE_http")), args)
}

/// The response that ends a connection.
fn refusal(status: &str) -> String {
    let len = status.len();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {len}\r\n\r\n{status}")
}

fn post(body: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn posted(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[track_caller]
fn assert_answers(socket: &mut TcpStream, request: &str, response: &str) {
    socket.write_all(request.as_bytes()).unwrap();
    assert_eq!(read(socket, response.len()), response, "{request}");
}

#[test]
fn a_connection_is_kept_alive_for_the_next_request() {
    let server = http(&[]);
    let mut client = server.client();
    for _ in 0..3 {
        assert_answers(&mut client, GET, HELLO);
        assert_answers(&mut client, &post("some text"), &posted("some text"));
        assert_answers(&mut client, &post(""), &posted(""));
    }
}

#[test]
fn head_has_the_head_of_get_and_no_body() {
    let server = http(&[]);
    let mut client = server.client();
    let head = HELLO.strip_suffix("Hello\n").unwrap();
    assert_answers(&mut client, &[&GET.replace("GET", "HEAD"), GET].concat(), &[head, HELLO].concat());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = http(&[]);
    let mut client = server.client();
    let bodies: Vec<String> = (0..2_000).map(|number| format!("body {number}")).collect();
    let requests: String = bodies.iter().map(|body| post(body)).collect();
    let responses: String = bodies.iter().map(|body| posted(body)).collect();
    assert_answers(&mut client, &requests, &responses);
}

#[test]
fn a_request_sent_byte_by_byte_is_answered() {
    let server = http(&[]);
    let mut client = server.client();
    for byte in post("abc").bytes() {
        client.write_all(&[byte]).unwrap();
    }
    assert_eq!(read(&mut client, posted("abc").len()), posted("abc"));
}

#[test]
fn connection_close_and_http_1_0_end_the_connection_with_the_response() {
    let server = http(&[]);
    for request in [
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\nConnection: te, Close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
    ] {
        let mut client = server.client();
        // Input after the last request is not answered, and does not turn the close into a reset.
        write!(client, "{request}{GET}").unwrap();
        assert_eq!(read_to_end(&mut client), LAST_HELLO, "{request}");
    }
}

#[test]
fn bad_requests_are_refused_and_the_connection_ends() {
    let long = "x".repeat(9_000);
    let many = "a: b\r\n".repeat(65);
    let cases = [
        ("\0".to_owned(), "400 Bad Request"),
        ("GET / HTTP/2.0\r\n\r\n".to_owned(), "400 Bad Request"),
        ("POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\nx".to_owned(), "400 Bad Request"),
        ("POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx".to_owned(), "400 Bad Request"),
        ("POST / HTTP/1.1\r\ncontent-length: 65537\r\n\r\n".to_owned(), "413 Content Too Large"),
        (format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n", u128::MAX), "413 Content Too Large"),
        (format!("GET /{long}"), "431 Request Header Fields Too Large"),
        (format!("GET / HTTP/1.1\r\nx: {long}\r\n\r\n"), "431 Request Header Fields Too Large"),
        (format!("GET / HTTP/1.1\r\n{many}\r\n"), "431 Request Header Fields Too Large"),
        ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(), "501 Not Implemented"),
    ];
    let server = http(&[]);
    for (request, status) in cases {
        let mut client = server.client();
        write!(client, "{GET}{request}").unwrap();
        assert_eq!(read_to_end(&mut client), [HELLO, &refusal(status)].concat(), "{request:.80}");
    }
}

#[test]
fn a_body_that_is_too_large_is_refused_while_it_is_being_sent() {
    let server = http(&[]);
    let mut client = server.client();
    write!(client, "POST / HTTP/1.1\r\ncontent-length: 1000000\r\n\r\n").unwrap();
    (0..10).for_each(|_| client.write_all(&[b'x'; 100_000]).unwrap());
    assert_eq!(read_to_end(&mut client), refusal("413 Content Too Large"));
}

#[test]
fn an_unknown_method_is_not_implemented_and_the_connection_goes_on() {
    let server = http(&[]);
    let response = "HTTP/1.1 501 Not Implemented\r\ncontent-length: 0\r\n\r\n";
    assert_answers(&mut server.client(), &[&GET.replace("GET", "BREW"), GET].concat(), &[response, HELLO].concat());
}

#[test]
fn a_request_that_is_not_complete_in_time_is_refused_with_408_however_it_trickles() {
    let server = http(&["--request-time", SHORT]);
    let mut client = server.client();
    write!(client, "{GET}GET / HTTP/1.1\r\n").unwrap();
    let mut trickle = client.try_clone().unwrap();
    thread::spawn(move || {
        // Until the connection has ended.
        while trickle.write_all(b"x: y\r\n").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(read_to_end(&mut client), [HELLO, &refusal("408 Request Timeout")].concat());
}

#[test]
fn the_time_of_a_request_does_not_run_while_none_has_begun() {
    let server = http(&["--request-time", "50"]);
    let mut client = server.client();
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(100));
        assert_answers(&mut client, GET, HELLO);
    }
}

#[test]
fn an_idle_connection_is_closed_without_a_response() {
    let server = http(&["--idle-time", SHORT]);
    let mut client = server.client();
    assert_answers(&mut client, GET, HELLO);
    assert_eq!(read_to_end(&mut client), "");
}

#[test]
fn a_client_that_has_sent_its_end_is_answered() {
    let server = http(&[]);
    let mut client = server.client();
    client.write_all(GET.as_bytes()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut client), HELLO);
}

/// Otherwise the server's memory would fill up.
#[test]
fn a_client_that_does_not_read_is_not_read() {
    let server = http(&["--idle-time", "60000"]);
    let mut client = server.client();
    client.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let request = post(&"x".repeat(60_000));
    let sent = (0..1_000).take_while(|_| client.write_all(request.as_bytes()).is_ok()).count();
    assert!(sent < 500, "{sent} requests were taken");
}

#[test]
fn when_the_server_ends_requests_are_answered_and_idle_connections_close() {
    let mut server = http(&[]);
    let mut idle = server.client();
    let mut busy = server.client();
    assert_answers(&mut idle, GET, HELLO);
    assert_answers(&mut busy, GET, HELLO);
    let (begin, rest) = GET.split_at(10);
    busy.write_all(begin.as_bytes()).unwrap();
    // Once a later client is answered, the server has read it.
    assert_answers(&mut server.client(), GET, HELLO);
    server.terminate();
    assert_eq!(read_to_end(&mut idle), "");
    busy.write_all(rest.as_bytes()).unwrap();
    assert_eq!(read_to_end(&mut busy), LAST_HELLO);
    drop((idle, busy));
    assert_eq!(server.status(), Some(0));
}
