/* Flags and options of descriptors. */
#include "check.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/time.h>

static void blocking_and_not(void) {
    int fd = not_a_socket();
    CHECK_INT(anetNonBlock(NULL, fd), ANET_OK);
    CHECK(is_nonblocking(fd));
    CHECK_INT(anetNonBlock(NULL, fd), ANET_OK);
    CHECK_INT(anetBlock(NULL, fd), ANET_OK);
    CHECK(!is_nonblocking(fd));
    CHECK_INT(anetBlock(NULL, fd), ANET_OK);
    close(fd);

    const int none[] = {-1, INT_MIN, CLOSED, INT_MAX};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        CHECK_FAILS(anetNonBlock(err, none[i]), "fcntl(F_GETFL): Bad file descriptor", EBADF);
        CHECK_FAILS(anetBlock(err, none[i]), "fcntl(F_GETFL): Bad file descriptor", EBADF);
    }
    int only_a_path = open("/dev/null", O_PATH);
    CHECK_FAILS(anetNonBlock(err, only_a_path), "fcntl(F_SETFL,O_NONBLOCK): Bad file descriptor", EBADF);
    close(only_a_path);
}

#if ANET_API >= 62
static void closed_on_exec(void) {
    int fd = not_a_socket();
    CHECK(!is_cloexec(fd));
    CHECK_INT(anetCloexec(fd), 0);
    CHECK(is_cloexec(fd));
    CHECK_INT(anetCloexec(fd), 1);
    close(fd);
    CHECK_FAILS_MUTE(anetCloexec(-1), EBADF);
    CHECK_FAILS_MUTE(anetCloexec(INT_MIN), EBADF);
    CHECK_FAILS_MUTE(anetCloexec(CLOSED), EBADF);
}
#endif

static void nodelay(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), file = not_a_socket(), local = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_INT(anetEnableTcpNoDelay(NULL, fd), ANET_OK);
    CHECK_INT(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    CHECK_INT(anetDisableTcpNoDelay(NULL, fd), ANET_OK);
    CHECK_INT(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 0);

    CHECK_FAILS(anetEnableTcpNoDelay(err, -1), "setsockopt TCP_NODELAY: Bad file descriptor", EBADF);
    CHECK_FAILS(anetDisableTcpNoDelay(err, CLOSED), "setsockopt TCP_NODELAY: Bad file descriptor", EBADF);
    const char *no_socket = "setsockopt TCP_NODELAY: Socket operation on non-socket";
    CHECK_FAILS(anetEnableTcpNoDelay(err, file), no_socket, ENOTSOCK);
    CHECK_FAILS(anetDisableTcpNoDelay(err, file), no_socket, ENOTSOCK);
    CHECK_FAILS(anetEnableTcpNoDelay(err, local), "setsockopt TCP_NODELAY: Operation not supported", EOPNOTSUPP);
    close(fd), close(file), close(local);
}

static long long timeout_of(int fd, int number) {
    struct timeval time;
    socklen_t len = sizeof time;
    CHECK_INT(getsockopt(fd, SOL_SOCKET, number, &time, &len), 0);
    return time.tv_sec * 1000LL + time.tv_usec / 1000;
}

static void timeouts(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), file = not_a_socket();
    const long long times[] = {40, 1500, 0, 3600000, 86400000000};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        CHECK_INT(anetSendTimeout(NULL, fd, times[i]), ANET_OK);
        CHECK_INT(timeout_of(fd, SO_SNDTIMEO), times[i]);
        CHECK_INT(anetRecvTimeout(NULL, fd, times[i] * 2), ANET_OK);
        CHECK_INT(timeout_of(fd, SO_RCVTIMEO), times[i] * 2);
    }
    /* Less than a kernel tick is rounded up to one. */
    CHECK_INT(anetSendTimeout(NULL, fd, 1), ANET_OK);
    CHECK(timeout_of(fd, SO_SNDTIMEO) >= 1);
    CHECK_INT(anetSendTimeout(NULL, fd, LLONG_MAX), ANET_OK);
    CHECK_INT(anetRecvTimeout(NULL, fd, LLONG_MAX), ANET_OK);

    const char *negative = "setsockopt SO_SNDTIMEO: Numerical argument out of domain";
    CHECK_FAILS(anetSendTimeout(err, fd, -1), negative, EDOM);
    CHECK_FAILS(anetSendTimeout(err, fd, LLONG_MIN), negative, EDOM);
    CHECK_FAILS(anetRecvTimeout(err, fd, -1000), "setsockopt SO_RCVTIMEO: Numerical argument out of domain", EDOM);
    CHECK_FAILS(anetSendTimeout(err, file, 1), "setsockopt SO_SNDTIMEO: Socket operation on non-socket", ENOTSOCK);
    CHECK_FAILS(anetRecvTimeout(err, file, 1), "setsockopt SO_RCVTIMEO: Socket operation on non-socket", ENOTSOCK);
    CHECK_FAILS(anetSendTimeout(err, -1, 1), "setsockopt SO_SNDTIMEO: Bad file descriptor", EBADF);
    CHECK_FAILS(anetRecvTimeout(err, CLOSED, 1), "setsockopt SO_RCVTIMEO: Bad file descriptor", EBADF);
    close(fd), close(file);
}

/* As in anet.c, whose callers ignore the failure: keepalive is on, with the times the socket had. */
static void keepalive_with_a_refused_interval(void) {
    const int refused[] = {0, 32768, 40000, INT_MAX, -1, INT_MIN};
    int file = not_a_socket();
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), idle = option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE);
        char expected[ANET_ERR_LEN] = "setsockopt TCP_KEEPIDLE: Invalid argument";
        if (refused[i] >= 0) {
            snprintf(expected, sizeof expected, "setsockopt TCP_KEEPIDLE: %d is out of range 1..=32767", refused[i]);
        }
        CHECK_FAILS(anetKeepAlive(err, fd, refused[i]), expected, EINVAL);
        CHECK_INT(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
        CHECK_INT(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), idle);
        CHECK_FAILS(anetKeepAlive(err, file, refused[i]), "setsockopt SO_KEEPALIVE: Socket operation on non-socket",
                    ENOTSOCK);
        close(fd);
    }
    close(file);
}

static void keepalive(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), file = not_a_socket(), local = socket(AF_UNIX, SOCK_STREAM, 0);

    const int taken[][2] = {{1, 1}, {2, 1}, {5, 1}, {10, 3}, {300, 100}, {32767, 10922}};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        CHECK_INT(anetKeepAlive(NULL, fd, taken[i][0]), ANET_OK);
        CHECK_INT(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
        CHECK_INT(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), taken[i][0]);
        CHECK_INT(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), taken[i][1]);
        CHECK_INT(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
    }
    CHECK_FAILS(anetKeepAlive(err, -1, 300), "setsockopt SO_KEEPALIVE: Bad file descriptor", EBADF);
    CHECK_FAILS(anetKeepAlive(err, CLOSED, 300), "setsockopt SO_KEEPALIVE: Bad file descriptor", EBADF);
    CHECK_FAILS(anetKeepAlive(err, file, 300), "setsockopt SO_KEEPALIVE: Socket operation on non-socket", ENOTSOCK);
    CHECK_FAILS(anetKeepAlive(err, local, 300), "setsockopt TCP_KEEPIDLE: Operation not supported", EOPNOTSUPP);
    close(fd), close(file), close(local);
}

#if ANET_API >= 70
static void mark(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), file = not_a_socket();
    const unsigned other = 7;
    /* It succeeds only with the privilege that setsockopt needs. */
    if (setsockopt(fd, SOL_SOCKET, SO_MARK, &other, sizeof other) == 0) {
        CHECK_INT(anetSetSockMarkId(NULL, fd, 4294967295U), ANET_OK);
        CHECK_INT((unsigned)option_of(fd, SOL_SOCKET, SO_MARK), 4294967295U);
    } else {
        CHECK_FAILS(anetSetSockMarkId(err, fd, 1), "setsockopt: Operation not permitted", EPERM);
    }
    CHECK_FAILS(anetSetSockMarkId(err, -1, 1), "setsockopt: Bad file descriptor", EBADF);
    CHECK_FAILS(anetSetSockMarkId(err, CLOSED, 1), "setsockopt: Bad file descriptor", EBADF);
    CHECK_FAILS(anetSetSockMarkId(err, file, 1), "setsockopt: Socket operation on non-socket", ENOTSOCK);
    close(fd), close(file);
}
#endif

#if ANET_API >= 72
static void waiting_error(void) {
    int listener = listener_v4(), file = not_a_socket(), silent = silent_port();
    CHECK_INT(anetGetError(listener), 0);
    close(listener);
    int fd = anetTcpNonBlockConnect(NULL, "127.0.0.1", port_of(silent));
    CHECK(fd >= 0);
    await(fd, POLLOUT);
    CHECK_INT(anetGetError(fd), ECONNREFUSED);
    CHECK_INT(anetGetError(fd), 0);
    errno = 0;
    CHECK_INT(anetGetError(-1), EBADF);
    CHECK_INT(errno, EBADF);
    CHECK_INT(anetGetError(CLOSED), EBADF);
    CHECK_INT(anetGetError(file), ENOTSOCK);
    CHECK_INT(errno, ENOTSOCK);
    close(fd), close(file), close(silent);
}
#endif

#if ANET_API >= ANET_VALKEY_81
static void blocking_or_not(void) {
    int fd = not_a_socket();
    CHECK_INT(anetIsBlock(NULL, fd), 1);
    CHECK_INT(anetNonBlock(NULL, fd), ANET_OK);
    CHECK_INT(anetIsBlock(NULL, fd), 0);
    close(fd);
    CHECK_FAILS(anetIsBlock(err, -1), "fcntl(F_GETFL): Bad file descriptor", EBADF);
    CHECK_FAILS(anetIsBlock(err, CLOSED), "fcntl(F_GETFL): Bad file descriptor", EBADF);
}
#endif

void test_option(void) {
    blocking_and_not();
#if ANET_API >= 62
    closed_on_exec();
#endif
    nodelay();
    timeouts();
    keepalive_with_a_refused_interval();
    keepalive();
#if ANET_API >= 70
    mark();
#endif
#if ANET_API >= 72
    waiting_error();
#endif
#if ANET_API >= ANET_VALKEY_81
    blocking_or_not();
#endif
}
