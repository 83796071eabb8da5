use super::*;

fn to(url: &str) -> Result<Destination, BadHost> {
    let (scheme, authority) = url.split_once("://").unwrap();
    Destination::parse(Scheme::parse(scheme).unwrap(), authority)
}

fn allows(grant: &str, method: &str, url: &str) -> bool {
    Grant::parse(grant).unwrap().allows(method, &to(url).unwrap())
}

#[test]
fn a_grant_is_for_its_methods_scheme_host_and_port() {
    let slack = "POST https://hooks.slack.com";
    assert!(allows(slack, "POST", "https://hooks.slack.com"));
    assert!(allows(slack, "POST", "https://HOOKS.slack.com:443"));
    for (method, url) in [
        ("GET", "https://hooks.slack.com"),
        ("post", "https://hooks.slack.com"),
        ("POST", "http://hooks.slack.com"),
        ("POST", "http://hooks.slack.com:443"),
        ("POST", "https://hooks.slack.com:8443"),
        ("POST", "https://slack.com"),
        ("POST", "https://a.hooks.slack.com"),
        ("POST", "https://hooks.slack.com.evil.example"),
    ] {
        assert!(!allows(slack, method, url), "{method} {url}");
    }
    assert!(allows("https://api.example.com:8443", "DELETE", "https://api.example.com:8443"));
    assert!(allows("get,POST http://[2001:db8::1]", "GET", "http://[2001:DB8:0::1]"));
    assert!(allows("https://192.0.2.1", "GET", "https://[::ffff:192.0.2.1]"));
}

#[test]
fn a_star_stands_for_names_below() {
    let below = "https://*.example.com";
    assert!(allows(below, "GET", "https://a.example.com") && allows(below, "GET", "https://a.b.example.com"));
    for url in ["https://example.com", "https://aexample.com", "https://example.com.evil.net", "https://1.2.3.4"] {
        assert!(!allows(below, "GET", url), "{url}");
    }
    assert!(allows("https://*", "GET", "https://anything.example") && allows("https://*", "GET", "https://1.2.3.4"));
}

#[test]
fn a_grant_shows_as_it_is_written() {
    for text in
        ["POST https://hooks.slack.com", "GET,PUT http://*.example.com:8080", "https://*", "https://[2001:db8::1]"]
    {
        assert_eq!(Grant::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(Grant::parse(" post  https://A.example:443/ ").unwrap().to_string(), "POST https://a.example");
}

#[test]
fn what_is_no_grant_is_refused_with_the_reason() {
    for (text, reason) in [
        ("hooks.slack.com", "has no scheme"),
        ("ftp://a.example", "must begin with https:// or http://"),
        ("https://a.example/path", "must end after the host"),
        ("https://a.example?x", "must end after the host"),
        ("https://me:pw@a.example", "user name or password"),
        ("https://a.example:0", "port"),
        ("https://a.example:+80", "port"),
        ("https://a.example:65536", "port"),
        ("https://a*.example", "no host name has"),
        ("https://*a.example", "whole labels only"),
        ("https://*.1.2.3.4", "below an address"),
        ("https://", "no host"),
        ("CONNECT https://a.example", "CONNECT"),
        ("GET; https://a.example", "no method"),
        ("GET, POST https://a.example", "no method"),
    ] {
        let error = Grant::parse(text).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn a_host_that_can_be_read_in_two_ways_is_refused() {
    for number in [
        "2130706433",
        "0x7f000001",
        "017700000001",
        "127.1",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.0.0.0x1",
        "1.2.3.4.5",
        "a.0x1",
        "0x",
        "256.1.1.1",
    ] {
        assert_eq!(Host::parse(number), Err(BadHost::Number), "{number}");
    }
    for (text, error) in [
        ("127.0.0.1.", BadHost::Length),
        ("localhost.", BadHost::Length),
        ("a..b", BadHost::Length),
        (".a", BadHost::Length),
        ("", BadHost::Empty),
        ("[::1", BadHost::Address),
        ("[fe80::1%eth0]", BadHost::Address),
        ("[127.0.0.1]", BadHost::Address),
        ("a b", BadHost::Character),
        ("a%2eb", BadHost::Character),
        ("１２７.0.0.1", BadHost::Character),
        ("a\r\nHost: b", BadHost::Character),
        ("a\\b", BadHost::Character),
    ] {
        assert_eq!(Host::parse(text), Err(error), "{text}");
    }
    assert_eq!(Host::parse(&"a".repeat(64)), Err(BadHost::Length));
    assert_eq!(to("http://a@b"), Err(BadHost::UserInfo));
    assert_eq!(to("http://[::1]x:80"), Err(BadHost::Address));
}

#[test]
fn only_addresses_of_the_internet_are_public() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "172.15.0.1",
        "172.32.0.1",
        "100.63.255.255",
        "192.0.1.1",
        "2606:4700::1111",
        "2a00::1",
        "::ffff:1.1.1.1",
    ] {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
    for address in [
        "168.63.129.16",
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001::1",
        "2001:db8::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
        "fec0::1",
    ] {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn a_network_that_is_not_public_can_be_granted() {
    let egress = Egress { networks: vec!["10.0.0.0/8".parse().unwrap()], ..Egress::default() };
    assert!(egress.is_reachable("10.1.2.3".parse().unwrap()));
    assert!(egress.is_reachable("::ffff:10.1.2.3".parse().unwrap()));
    assert!(egress.is_reachable("1.1.1.1".parse().unwrap()));
    assert!(!egress.is_reachable("192.168.0.1".parse().unwrap()));
}

#[test]
fn a_secret_is_for_the_header_and_the_hosts_that_its_grant_names() {
    let mut pays = Grant::parse("POST https://api.stripe.com").unwrap();
    pays.headers.insert("authorization".to_owned(), vec!["stripe_key".to_owned()]);
    let secrets = BTreeMap::from([("stripe_key".to_owned(), Arc::new(Secret::new(*b"sk_test").unwrap()))]);
    let egress = Egress { grants: vec![Grant::parse("https://*").unwrap(), pays], secrets, ..Egress::default() };
    let secret = |method, url, header, name| egress.secret(method, &to(url).unwrap(), header, name).is_some();
    assert!(secret("POST", "https://api.stripe.com", "authorization", "stripe_key"));
    assert!(!secret("GET", "https://api.stripe.com", "authorization", "stripe_key"));
    assert!(!secret("POST", "https://evil.example", "authorization", "stripe_key"));
    assert!(!secret("POST", "https://api.stripe.com", "x-other", "stripe_key"));
    assert!(!secret("POST", "https://api.stripe.com", "authorization", "other"));
}
