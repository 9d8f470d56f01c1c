/* Addresses as text. */
#include "check.h"

#include <netinet/in.h>
#include <sys/un.h>

static void format_any_text_and_number(void) {
    char long_ip[301];
    memset(long_ip, 'x', 300);
    long_ip[300] = '\0';
    const struct {
        const char *ip;
        int port;
    } cases[] = {
        {"127.0.0.1", 6379}, {"::1", 6379}, {"::", 0},           {"?", 0}, {"/unixsocket", 0}, {"", -1},
        {"1.2.3.4", INT_MIN}, {"a:b", INT_MAX}, {long_ip, 65535},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *ip = text(cases[i].ip);
        int port = cases[i].port;
        char whole[400];
        int written = snprintf(whole, sizeof whole, strchr(ip, ':') ? "[%s]:%d" : "%s:%d", ip, port);
        CHECK_EVERY_LENGTH(CHECK_INT(anetFormatAddr(buf, len, ip, port), written), whole);
        CHECK_INT(anetFormatAddr(NULL, 0, ip, port), written);
        CHECK_INT(anetFormatAddr(NULL, 100, ip, port), written);
        /* Nothing is written after the text, however large the stated length. */
        size_t len = strlen(whole) + 1;
        char *buf = canaries(len + CANARIES);
        CHECK_INT(anetFormatAddr(buf, SIZE_MAX, ip, port), written);
        check_cut(buf, len, whole, __FILE__, __LINE__, "anetFormatAddr");
        free(buf);
    }
    CHECK_EVERY_LENGTH(CHECK_INT(anetFormatAddr(buf, len, NULL, 80), 3), ":80");
}

/* A buffer gets a whole address or "?": a truncated one would be another address. */
static void check_whole_or_unknown(int fd, enum end end, const char *ip, int port) {
    for (size_t len = 0; len <= strlen(ip) + 3; len++) {
        char *buf = canaries(len + CANARIES);
        int number = -7, fits = len > strlen(ip);
        errno = 0;
        CHECK_INT(name_of(fd, buf, len, &number, end), fits ? 0 : ANET_ERR);
        CHECK_INT(errno, fits ? 0 : ENOSPC);
        CHECK_INT(number, fits ? port : 0);
        check_cut(buf, len, fits ? ip : "?", __FILE__, __LINE__, "anetFdToString");
        free(buf);
    }
}

#if ANET_API <= 70
static int format_name(int fd, char *buf, size_t len, enum end end) {
#if ANET_API == 60
    return end == PEER ? anetFormatPeer(fd, buf, len) : anetFormatSock(fd, buf, len);
#else
    return anetFormatFdAddr(fd, buf, len, end == PEER ? FD_TO_PEER_NAME : FD_TO_SOCK_NAME);
#endif
}
#endif

static void check_formatted(int fd, enum end end, const char *both, int number) {
#if ANET_API <= 70
    errno = 0;
    CHECK_EVERY_LENGTH(CHECK_INT(format_name(fd, buf, len, end), (long)strlen(both)), both);
    CHECK_INT(format_name(fd, NULL, 0, end), (long)strlen(both));
    CHECK_INT(errno, number);
#else
    (void)fd, (void)end, (void)both, (void)number;
#endif
}

/* Local and peer address, plain and formatted, for one descriptor. */
static void check_names(int fd, enum end end, const char *ip, int port, const char *both) {
    check_whole_or_unknown(fd, end, ip, port);
    int number = -7;
    CHECK_INT(name_of(fd, NULL, 0, &number, end), 0);
    CHECK_INT(name_of(fd, NULL, 46, NULL, end), 0);
    CHECK_INT(number, port);
    check_formatted(fd, end, both, 0);
}

static void check_no_name(int fd, enum end end, int number) {
    int port = -7;
    CHECK_EVERY_LENGTH(CHECK_FAILS_MUTE(name_of(fd, buf, len, &port, end), number), "?");
    CHECK_INT(port, 0);
    CHECK_FAILS_MUTE(name_of(fd, NULL, 0, NULL, end), number);
    check_formatted(fd, end, "?:0", number);
}

static void both_ends_of_a_connection(int listener, const char *ip, const char *format) {
    int client = client_of(listener), server = accept_next(listener);
    char own[80], peers[80];
    snprintf(own, sizeof own, format, port_of(client));
    snprintf(peers, sizeof peers, format, port_of(listener));
    check_names(client, OWN, ip, port_of(client), own);
    check_names(client, PEER, ip, port_of(listener), peers);
    check_names(server, PEER, ip, port_of(client), own);
    check_no_name(listener, PEER, ENOTCONN);
    close(client), close(server), close(listener);
}

static void unix_sockets(void) {
    int pair[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    check_names(pair[0], PEER, "/unixsocket", 0, "/unixsocket:0");
    check_names(pair[0], OWN, "/unixsocket", 0, "/unixsocket:0");
    close(pair[0]), close(pair[1]);
}

/* The kernel counts a terminator after a path of all 108 bytes, one more than the struct has. */
static void a_path_without_terminator(void) {
    struct sockaddr_un addr;
    memset(&addr, 'p', sizeof addr);
    addr.sun_family = AF_UNIX;
    const char *folder = new_folder();
    memcpy(addr.sun_path, folder, strlen(folder));
    addr.sun_path[strlen(folder)] = '/';
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    check_names(fd, OWN, "/unixsocket", 0, "/unixsocket:0");
    close(fd);
    remove_folder();
}

static void descriptors_without_a_name(void) {
    int file = not_a_socket(), kernel = socket(AF_NETLINK, SOCK_RAW, 0);
    const enum end ends[] = {PEER, OWN};
    for (size_t i = 0; i < 2; i++) {
        check_no_name(-1, ends[i], EBADF);
        check_no_name(INT_MIN, ends[i], EBADF);
        check_no_name(CLOSED, ends[i], EBADF);
        check_no_name(file, ends[i], ENOTSOCK);
    }
    CHECK(kernel >= 0);
    check_no_name(kernel, OWN, EAFNOSUPPORT);
    close(file), close(kernel);
}

void test_text(void) {
    format_any_text_and_number();
    both_ends_of_a_connection(listener_v4(), "127.0.0.1", "127.0.0.1:%d");
    if (has_ipv6()) both_ends_of_a_connection(listener_v6(), "::1", "[::1]:%d");
    unix_sockets();
    a_path_without_terminator();
    descriptors_without_a_name();
}
