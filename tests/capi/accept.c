/* Accepting connections. */
#include "check.h"

#include <netinet/in.h>
#include <poll.h>

static void check_accepted(int fd) {
    CHECK(fd >= 0);
    CHECK_INT(is_nonblocking(fd), !ACCEPTED_BLOCK);
    CHECK_INT(is_cloexec(fd), !ACCEPTED_BLOCK);
    close(fd);
}

static void the_peer_address_is_written(int listener, const char *ip) {
    size_t len;
    /* A connection for every length of the buffer. */
    for (len = 0; len <= 46; len++) {
        char *buf = canaries(len + CANARIES);
        char err[ANET_ERR_LEN];
        int client = client_of(listener), port = -7;
        memset(err, CANARY, sizeof err);
        check_accepted(anetTcpAccept(err, listener, buf, len, &port));
        check_cut(buf, len, ip, __FILE__, __LINE__, "anetTcpAccept");
        CHECK_INT(port, port_of(client));
        CHECK(untouched(err, 0, sizeof err));
        free(buf);
        close(client);
    }
    int client = client_of(listener), port = -7;
    check_accepted(anetTcpAccept(NULL, listener, NULL, 46, NULL));
    close(client);
    client = client_of(listener);
    check_accepted(anetTcpAccept(NULL, listener, NULL, 0, &port));
    CHECK_INT(port, port_of(client));
    close(client);
    client = client_of(listener);
    check_accepted(anetUnixAccept(NULL, listener));
    close(client), close(listener);
}

/* The peer reset the connection before it was accepted; getpeername fails with ENOTCONN. */
static void the_address_of_a_peer_that_is_gone_is_written(void) {
    int listener = listener_v4(), client = client_of(listener), port = -7, clients = port_of(client);
    struct linger reset;
    char ip[46];
    reset.l_onoff = 1;
    reset.l_linger = 0;
    CHECK_INT(setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    await(listener, POLLIN);
    close(client);
    check_accepted(anetTcpAccept(NULL, listener, ip, sizeof ip, &port));
    CHECK_TEXT(ip, "127.0.0.1");
    CHECK_INT(port, clients);
    close(listener);
}

static void unix_peers_share_one_name(void) {
    new_folder();
    int listener = UNIX_SERVER(NULL, path_in_folder("socket"), 0700, 511), client = client_of(listener), port = -7;
    char ip[46];
    check_accepted(anetTcpAccept(NULL, listener, ip, sizeof ip, &port));
    CHECK_TEXT(ip, "/unixsocket");
    CHECK_INT(port, 0);
    close(client);
    CHECK_INT(anetNonBlock(NULL, listener), ANET_OK);
    CHECK_FAILS(anetUnixAccept(err, listener), "accept: Resource temporarily unavailable", EAGAIN);
    close(listener);
    remove_folder();
}

/* A failure touches neither the buffer nor the port. */
static void check_refused(int fd, const char *reason, int number) {
    char ip[46];
    int port = -7;
    memset(ip, CANARY, sizeof ip);
    CHECK_FAILS(anetTcpAccept(err, fd, ip, sizeof ip, &port), reason, number);
    CHECK_FAILS(anetTcpAccept(err, fd, NULL, 0, NULL), reason, number);
    CHECK_FAILS(anetUnixAccept(err, fd), reason, number);
    CHECK(untouched(ip, 0, sizeof ip));
    CHECK_INT(port, -7);
}

static void accepts_that_fail(void) {
    int listener = listener_v4(), file = not_a_socket();
    int idle = socket(AF_INET, SOCK_STREAM, 0), datagram = socket(AF_INET, SOCK_DGRAM, 0);
    check_refused(listener, "accept: Resource temporarily unavailable", EAGAIN);
    check_refused(-1, "accept: Bad file descriptor", EBADF);
    check_refused(INT_MIN, "accept: Bad file descriptor", EBADF);
    check_refused(INT_MAX, "accept: Bad file descriptor", EBADF);
    check_refused(CLOSED, "accept: Bad file descriptor", EBADF);
    check_refused(file, "accept: Socket operation on non-socket", ENOTSOCK);
    check_refused(idle, "accept: Invalid argument", EINVAL);
    check_refused(datagram, "accept: Operation not supported", EOPNOTSUPP);

    int client = client_of(listener);
    await(listener, POLLIN);
    leave_descriptors(0);
    check_refused(listener, "accept: Too many open files", EMFILE);
    restore_descriptors();
    /* The connection is still queued. */
    check_accepted(anetTcpAccept(NULL, listener, NULL, 0, NULL));
    close(listener), close(file), close(idle), close(datagram), close(client);
}

/* As Redis does on each wake-up. */
static void a_burst_is_accepted_until_eagain(void) {
    enum { BURST = 25, LIMIT = 10 };
    int listener = listener_v4(), clients[BURST], servers[BURST], taken = 0, wakeups = 0;
    for (int i = 0; i < BURST; i++) clients[i] = client_of(listener);
    for (; taken < BURST; wakeups++) {
        char err[ANET_ERR_LEN], ip[46];
        int port;
        await(listener, POLLIN);
        for (int i = 0; i < LIMIT; i++) {
            int fd = anetTcpAccept(err, listener, ip, sizeof ip, &port);
            if (fd == ANET_ERR) {
                CHECK_INT(errno, EAGAIN);
                break;
            }
            CHECK_INT(port, port_of(clients[taken]));
            servers[taken++] = fd;
        }
    }
    CHECK_INT(wakeups, 3);
    for (int i = 0; i < BURST; i++) close(clients[i]), close(servers[i]);
    close(listener);
}

void test_accept(void) {
    the_peer_address_is_written(listener_v4(), "127.0.0.1");
    if (has_ipv6()) the_peer_address_is_written(listener_v6(), "::1");
    the_address_of_a_peer_that_is_gone_is_written();
    unix_peers_share_one_name();
    accepts_that_fail();
    a_burst_is_accepted_until_eagain();
}
