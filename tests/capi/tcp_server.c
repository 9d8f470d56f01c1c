/* TCP listeners. */
#include "check.h"

#include <netdb.h>
#include <netinet/in.h>

/* Blocking and inherited on execve in every generation, and listening. */
static void check_listener(int fd, const char *ip) {
    char buf[46];
    CHECK(fd >= 0);
    CHECK(!is_nonblocking(fd));
    CHECK(!is_cloexec(fd));
    CHECK_INT(option_of(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    CHECK_INT(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    CHECK_INT(name_of(fd, buf, sizeof buf, NULL, OWN), 0);
    CHECK_TEXT(buf, ip);
    if (strchr(ip, ':')) CHECK_INT(option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    CHECK(port_of(fd) > 0);
    close(fd);
}

static void every_address_and_one(void) {
    check_listener(TCP_SERVER(NULL, 0, NULL, 511), "0.0.0.0");
    check_listener(TCP_SERVER(NULL, 0, text("*"), 511), "0.0.0.0");
    check_listener(TCP_SERVER(NULL, 0, text("127.0.0.2"), 511), "127.0.0.2");
    check_listener(TCP_SERVER(NULL, 0, text("127.1"), 511), "127.0.0.1");
    check_listener(TCP_SERVER(NULL, 0, text("localhost"), 511), "127.0.0.1");
}

static void every_address_and_one_of_ipv6(void) {
    check_listener(TCP6_SERVER(NULL, 0, NULL, 511), "::");
    check_listener(TCP6_SERVER(NULL, 0, text("*"), 511), "::");
    check_listener(TCP6_SERVER(NULL, 0, text("::*"), 511), "::");
    check_listener(TCP6_SERVER(NULL, 0, text("::1"), 511), "::1");
}

static void any_backlog(void) {
    const int backlogs[] = {0, 1, -1, INT_MIN, INT_MAX};
    for (size_t i = 0; i < sizeof backlogs / sizeof backlogs[0]; i++) {
        int listener = TCP_SERVER(NULL, 0, text("127.0.0.1"), backlogs[i]);
        int client = client_of(listener);
        close(client), close(listener);
    }
}

/* IPv6 excludes IPv4, so both can have a port; one that another program holds is in use. */
static void both_families_share_a_port(void) {
    int v6 = ANET_ERR;
    for (int tries = 10; v6 == ANET_ERR && tries > 0; tries--) {
        int v4 = TCP_SERVER(NULL, 0, NULL, 511);
        CHECK(v4 >= 0);
        v6 = TCP6_SERVER(NULL, port_of(v4), NULL, 511);
        close(v4);
    }
    CHECK(v6 >= 0);
    close(v6);
}

static const char taken[] = "bind: Address already in use", elsewhere[] = "bind: Cannot assign requested address";

static void addresses_in_use_or_not_local(void) {
    int v4 = listener_v4();
    CHECK_FAILS(TCP_SERVER(err, port_of(v4), text("127.0.0.1"), 511), taken, EADDRINUSE);
    CHECK_FAILS(TCP_SERVER(err, port_of(v4), NULL, 511), taken, EADDRINUSE);
    CHECK_FAILS(TCP_SERVER(err, 0, text("192.0.2.1"), 511), elsewhere, EADDRNOTAVAIL);
    close(v4);
}

static void addresses_of_ipv6_in_use_or_not_local(void) {
    int v6 = listener_v6();
    CHECK_FAILS(TCP6_SERVER(err, port_of(v6), text("::1"), 511), taken, EADDRINUSE);
    CHECK_FAILS(TCP6_SERVER(err, 0, text("2001:db8::1"), 511), elsewhere, EADDRNOTAVAIL);
    close(v6);
}

static void numbers_that_are_no_port(void) {
    const int ports[] = {-1, -6379, INT_MIN, 65536, 123456, INT_MAX};
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        char expected[ANET_ERR_LEN];
        snprintf(expected, sizeof expected, "port out of range (%d), must be 0 to 65535", ports[i]);
        CHECK_FAILS(TCP_SERVER(err, ports[i], NULL, 511), expected, EINVAL);
        CHECK_FAILS(TCP_SERVER(err, ports[i], text("127.0.0.1"), 511), expected, EINVAL);
        CHECK_FAILS(TCP6_SERVER(err, ports[i], text("::1"), 511), expected, EINVAL);
    }
}

/* None of them reaches a name server. */
static void texts_that_are_no_address(void) {
    const char *const hosts[] = {"", "::1", "::*", "no such host", "a..b", "-"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        const char *expected = resolver_text(hosts[i], AF_INET, AI_PASSIVE);
        int number = resolver_errno(hosts[i], AF_INET, AI_PASSIVE);
        CHECK_FAILS(TCP_SERVER(err, 0, text(hosts[i]), 511), expected, number);
    }
    const char *expected = resolver_text("127.0.0.1", AF_INET6, 0);
    int number = resolver_errno("127.0.0.1", AF_INET6, 0);
    CHECK_FAILS(TCP6_SERVER(err, 0, text("127.0.0.1"), 511), expected, number);
}

static void no_descriptor_is_left(void) {
    int v6 = has_ipv6();
    leave_descriptors(0);
    CHECK_FAILS(TCP_SERVER(err, 0, NULL, 511), "unable to bind socket, errno: 24", EMFILE);
    if (v6) CHECK_FAILS(TCP6_SERVER(err, 0, NULL, 511), "unable to bind socket, errno: 24", EMFILE);
    restore_descriptors();
}

void test_tcp_server(void) {
    every_address_and_one();
    any_backlog();
    addresses_in_use_or_not_local();
    if (has_ipv6()) {
        every_address_and_one_of_ipv6();
        both_families_share_a_port();
        addresses_of_ipv6_in_use_or_not_local();
    }
    numbers_that_are_no_port();
    texts_that_are_no_address();
    no_descriptor_is_left();
}
