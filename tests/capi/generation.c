/* What one generation of anet.h has and another has not, or has in another form. */
#include "check.h"

#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>

static void peers_and_own_names_are_not_swapped(void) {
    int client, server, port = -7;
    char ip[46];
    connected_pair(&client, &server);
    CHECK_INT(name_of(server, ip, sizeof ip, &port, PEER), 0);
    CHECK_INT(port, port_of(client));
    CHECK_INT(name_of(server, ip, sizeof ip, &port, OWN), 0);
    CHECK_INT(port, port_of(server));
#if ANET_API >= 72
    /* Any number but 0 is the peer. */
    CHECK_INT(anetFdToString(server, ip, sizeof ip, &port, -5), 0);
    CHECK_INT(port, port_of(client));
#elif ANET_API >= 62
    /* Any number but 0 is the socket itself. */
    CHECK_INT(anetFdToString(server, ip, sizeof ip, &port, -5), 0);
    CHECK_INT(port, port_of(server));
#endif
    close(client), close(server);
}

static void accepted_connections_have_nodelay_since_valkey_81(void) {
    int client, server;
    connected_pair(&client, &server);
    CHECK_INT(option_of(server, IPPROTO_TCP, TCP_NODELAY), ACCEPTED_NODELAY);
    close(client), close(server);
}

#if ANET_API >= 62
static int needs_retry(int number) {
#if ANET_API >= ANET_VALKEY_80
    return anetRetryAcceptOnError(number);
#else
    return anetAcceptFailureNeedsRetry(number);
#endif
}

static void failures_of_one_connection_are_worth_a_retry(void) {
    const int peers[] = {
        ECONNABORTED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH,
    };
    const int others[] = {0, EAGAIN, EMFILE, ENFILE, EINVAL, EBADF, ENOTSOCK, EINTR, -1, INT_MIN, INT_MAX};
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) CHECK_INT(needs_retry(peers[i]), 1);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) CHECK_INT(needs_retry(others[i]), 0);
}
#endif

#if ANET_API >= ANET_VALKEY_80
static void a_unix_listener_does_not_block(void) {
    int listener = anetUnixServer(NULL, path_in_folder("empty"), 0700, 511, NULL);
    CHECK_FAILS(anetUnixAccept(err, listener), "accept: Resource temporarily unavailable", EAGAIN);
    close(listener);
}

static void the_file_has_the_group(void) {
    struct stat status;
    char *path = path_in_folder("grouped");
    struct group *own = getgrgid(getegid());
    CHECK(own != NULL);
    char name[256];
    snprintf(name, sizeof name, "%s", own->gr_name);
    close(anetUnixServer(NULL, path, 0760, 511, name));
    CHECK_INT(stat(path, &status), 0);
    CHECK_INT(status.st_gid, getegid());
    CHECK_INT(status.st_mode & 0777, 0760);
    /* A user in no other group cannot give the file away. */
    struct group *other = getgrnam("daemon");
    if (other == NULL || geteuid() != 0) return;
    gid_t daemon = other->gr_gid;
    close(anetUnixServer(NULL, path, 0660, 511, text("daemon")));
    CHECK_INT(stat(path, &status), 0);
    CHECK_INT(status.st_gid, daemon);
    CHECK_INT(status.st_mode & 0777, 0660);
}

static void groups_that_do_not_exist(void) {
    struct stat status;
    char *path = path_in_folder("no_group");
    const char *unknown = "getgrnam error for group 'no such group': No such file or directory";
    CHECK_FAILS(anetUnixServer(err, path, 0700, 511, text("no such group")), unknown, ENOENT);
    CHECK_FAILS(anetUnixServer(err, path, 0700, 511, text("")), "getgrnam error for group '': No such file or directory",
                ENOENT);
    CHECK_INT(stat(path, &status), -1);
    path = path_in_folder("nowhere/socket");
    CHECK_FAILS(anetUnixServer(err, path, 0700, 511, text("root")), "bind: No such file or directory", ENOENT);
}
#endif

#if ANET_API >= ANET_VALKEY_90
static int protocol_of(int fd) {
    return option_of(fd, SOL_SOCKET, SO_PROTOCOL);
}

static void check_mptcp(int listener, const char *host) {
    CHECK(listener >= 0);
    CHECK(!is_nonblocking(listener));
    CHECK(!is_cloexec(listener));
    int has_mptcp = protocol_of(listener) == IPPROTO_MPTCP;
    /* With a source and without. */
    const char *const sources[] = {NULL, host};
    for (size_t i = 0; i < 2; i++) {
        int client = anetTcpNonBlockBestEffortBindConnect(NULL, host, port_of(listener), sources[i], 1);
        CHECK(client >= 0);
        CHECK_INT(protocol_of(client), has_mptcp ? IPPROTO_MPTCP : IPPROTO_TCP);
        int server = accept_next(listener);
        CHECK_INT(protocol_of(server), has_mptcp ? IPPROTO_MPTCP : IPPROTO_TCP);
        CHECK_INT(option_of(server, IPPROTO_TCP, TCP_NODELAY), 1);
        close(client), close(server);
    }
    /* A client of TCP. */
    int client = client_of(listener), server = accept_next(listener);
    CHECK_INT(protocol_of(server), IPPROTO_TCP);
    close(client), close(server), close(listener);
}

/* A peer without it gets TCP. */
static void mptcp_to_a_listener_of_tcp(void) {
    int listener = listener_v4();
    int client = anetTcpNonBlockBestEffortBindConnect(NULL, "127.0.0.1", port_of(listener), NULL, 1);
    CHECK(client >= 0);
    int server = accept_next(listener);
    CHECK_INT(protocol_of(server), IPPROTO_TCP);
    char byte = 0;
    await(client, POLLOUT);
    CHECK_INT(write(client, "x", 1), 1);
    await(server, POLLIN);
    CHECK_INT(read(server, &byte, 1), 1);
    CHECK_INT(byte, 'x');
    close(client), close(server), close(listener);
}
#endif

void test_generation(void) {
    peers_and_own_names_are_not_swapped();
    accepted_connections_have_nodelay_since_valkey_81();
#if ANET_API >= 62
    failures_of_one_connection_are_worth_a_retry();
#endif
#if ANET_API >= ANET_VALKEY_80
    new_folder();
    a_unix_listener_does_not_block();
    the_file_has_the_group();
    groups_that_do_not_exist();
    remove_folder();
#endif
#if ANET_API >= ANET_VALKEY_90
    CHECK_INT(anetHasMptcp(), 1);
    check_mptcp(anetTcpServer(NULL, 0, text("127.0.0.1"), 511, 1), "127.0.0.1");
    if (has_ipv6()) check_mptcp(anetTcp6Server(NULL, 0, text("::1"), 511, 1), "::1");
    mptcp_to_a_listener_of_tcp();
#endif
}
