/* Connections started without waiting. */
#include "check.h"

#include <poll.h>

/* It is in progress, completes, and has the expected source. */
static void check_arrives(int fd, int number, int listener, const char *source) {
    char ip[46];
    int port = -7;
    CHECK(fd >= 0);
    CHECK_INT(number, EINPROGRESS);
    CHECK(is_nonblocking(fd));
    CHECK(is_cloexec(fd));
    await(fd, POLLOUT);
    CHECK_INT(pending_error(fd), 0);
    await(listener, POLLIN);
    int server = anetTcpAccept(NULL, listener, ip, sizeof ip, &port);
    CHECK(server >= 0);
    CHECK_TEXT(ip, source);
    CHECK_INT(port, port_of(fd));
    close(server), close(fd);
}

static void by_address_and_name(void) {
    int v4 = listener_v4(), fd;
    char err[ANET_ERR_LEN];
    const char *const names[] = {"127.0.0.1", "127.1", "localhost"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        errno = 0;
        fd = anetTcpNonBlockConnect(err, names[i], port_of(v4));
        check_arrives(fd, errno, v4, "127.0.0.1");
    }
    close(v4);
}

static void by_address_of_ipv6(void) {
    int listener = listener_v6();
    errno = 0;
    int fd = anetTcpNonBlockConnect(NULL, "::1", port_of(listener));
    check_arrives(fd, errno, listener, "::1");
    close(listener);
}

static void from_the_source_if_possible(void) {
    int listener = listener_v4(), port = port_of(listener);
    const struct {
        const char *wanted, *seen;
    } sources[] = {
        {NULL, "127.0.0.1"},        {"127.0.0.1", "127.0.0.1"}, {"127.0.0.2", "127.0.0.2"},
        {"192.0.2.1", "127.0.0.1"}, {"::1", "127.0.0.1"},       {"no such host", "127.0.0.1"},
        {"", "127.0.0.1"},          {"*", "127.0.0.1"},         {"localhost", "127.0.0.1"},
    };
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        char err[ANET_ERR_LEN];
        errno = 0;
        int fd = BIND_CONNECT(err, "127.0.0.1", port, sources[i].wanted);
        check_arrives(fd, errno, listener, sources[i].seen);
    }
    close(listener);
}

static void refused_later(void) {
    int silent = silent_port(), fd = anetTcpNonBlockConnect(NULL, "127.0.0.1", port_of(silent));
    CHECK(fd >= 0);
    CHECK_INT(errno, EINPROGRESS);
    await(fd, POLLOUT);
    CHECK_INT(pending_error(fd), ECONNREFUSED);
    close(fd), close(silent);
}

static void refused_at_once(void) {
    /* TCP has no multicast. */
    const char *unreachable = "creating socket: Network is unreachable", *host = "224.0.0.1";
    CHECK_FAILS(anetTcpNonBlockConnect(err, host, 6379), unreachable, ENETUNREACH);
    CHECK_FAILS(BIND_CONNECT(err, host, 6379, "127.0.0.1"), unreachable, ENETUNREACH);
    /* A link-local address needs a scope. */
    const char *invalid = "creating socket: Invalid argument";
    if (has_ipv6()) CHECK_FAILS(anetTcpNonBlockConnect(err, "fe80::1", 6379), invalid, EINVAL);
    leave_descriptors(0);
    const char *too_many = "creating socket: Too many open files";
    CHECK_FAILS(anetTcpNonBlockConnect(err, "127.0.0.1", 6379), too_many, EMFILE);
    CHECK_FAILS(BIND_CONNECT(err, "127.0.0.1", 6379, "127.0.0.1"), too_many, EMFILE);
    restore_descriptors();
}

static void numbers_that_are_no_port(void) {
    const int ports[] = {-1, INT_MIN, 65536, INT_MAX};
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        char expected[ANET_ERR_LEN];
        snprintf(expected, sizeof expected, "port out of range (%d), must be 0 to 65535", ports[i]);
        CHECK_FAILS(anetTcpNonBlockConnect(err, "127.0.0.1", ports[i]), expected, EINVAL);
        CHECK_FAILS(BIND_CONNECT(err, "::1", ports[i], NULL), expected, EINVAL);
    }
}

/* None of them reaches a name server. */
static void texts_that_are_no_host(void) {
    const char *const hosts[] = {"", "no such host", "a..b", "[::1]"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        const char *expected = resolver_text(hosts[i], AF_UNSPEC, 0);
        int number = resolver_errno(hosts[i], AF_UNSPEC, 0);
        CHECK_FAILS(anetTcpNonBlockConnect(err, hosts[i], 6379), expected, number);
        CHECK_FAILS(BIND_CONNECT(err, hosts[i], 6379, "127.0.0.1"), expected, number);
    }
    const char *expected = resolver_text("", AF_UNSPEC, 0);
    CHECK_FAILS(anetTcpNonBlockConnect(err, NULL, 6379), expected, resolver_errno("", AF_UNSPEC, 0));
}

void test_connect(void) {
    by_address_and_name();
    if (has_ipv6()) by_address_of_ipv6();
    from_the_source_if_possible();
    refused_later();
    refused_at_once();
    numbers_that_are_no_port();
    texts_that_are_no_host();
}
