/*
 * Injected failures of system calls. Each test runs in a child with a seccomp filter, which makes
 * a call with a given argument return an error number.
 */
#include "check.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Any argument will do. */
#define ANY_ARGUMENT -1

#if defined(ANET_FORCE_ACCEPT_FALLBACK) || ANET_API < 70
#define ACCEPT SYS_accept
#else
#define ACCEPT SYS_accept4
#endif

static struct sock_filter filter[64];
static unsigned short filter_len;

static void add(unsigned short code, unsigned k, unsigned char jump_if_true, unsigned char jump_if_false) {
    struct sock_filter instruction = BPF_JUMP(code, k, jump_if_true, jump_if_false);
    filter[filter_len++] = instruction;
}

/* From here on `call` fails with `number` if its argument at `place` is `value`. Only its low half is compared. */
static void let_fail(long call, int place, unsigned value, int number) {
    unsigned char to_the_next = place == ANY_ARGUMENT ? 1 : 3;
    add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    add(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, to_the_next);
    if (place != ANY_ARGUMENT) {
        add(BPF_LD | BPF_W | BPF_ABS, (unsigned)(offsetof(struct seccomp_data, args) + 8 * (size_t)place), 0, 0);
        add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    }
    add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)number, 0, 0);
}

static void install(void) {
    struct sock_fprog program;
    add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    program.len = filter_len;
    program.filter = filter;
    CHECK_INT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_INT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* Runs a test with the rules set so far, and clears them. */
static void in_a_child(void (*test)(void)) {
    int status = -1;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int before = open_fds();
        install();
        test();
        CHECK_INT(open_fds(), before);
        _exit(0);
    }
    filter_len = 0;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

static void a_host_without_ipv6(void) {
    CHECK_FAILS(TCP6_SERVER(err, 0, NULL, 511), "unable to bind socket, errno: 97", EAFNOSUPPORT);
    const char *unsupported = "creating socket: Address family not supported by protocol";
    CHECK_FAILS(anetTcpNonBlockConnect(err, "::1", 6379), unsupported, EAFNOSUPPORT);
}

static void no_v6only(void) {
    if (!has_ipv6()) return;
    CHECK_FAILS(TCP6_SERVER(err, 0, text("::1"), 511), "setsockopt: Protocol not available", ENOPROTOOPT);
}

static void no_reuse(void) {
    const char *expected = "setsockopt SO_REUSEADDR: Cannot allocate memory";
    CHECK_FAILS(TCP_SERVER(err, 0, text("127.0.0.1"), 511), expected, ENOMEM);
    CHECK_FAILS(anetTcpNonBlockConnect(err, "127.0.0.1", 6379), expected, ENOMEM);
}

static void no_bind(void) {
    CHECK_FAILS(TCP_SERVER(err, 80, NULL, 511), "bind: Permission denied", EACCES);
    CHECK_FAILS(UNIX_SERVER(err, path_in_folder("s"), 0700, 511), "bind: Permission denied", EACCES);
}

static void no_listen(void) {
    struct stat status;
    CHECK_FAILS(TCP_SERVER(err, 0, NULL, 511), "listen: Address already in use", EADDRINUSE);
    CHECK_FAILS(UNIX_SERVER(err, path_in_folder("s"), 0700, 511), "listen: Address already in use", EADDRINUSE);
    CHECK_INT(lstat(path_in_folder("s"), &status), -1);
}

static void no_chmod(void) {
    struct stat status;
    CHECK_FAILS(UNIX_SERVER(err, path_in_folder("s"), 0700, 511), "chmod: Operation not permitted", EPERM);
    CHECK_INT(lstat(path_in_folder("s"), &status), -1);
}

/* The server makes the calls that it wants; a listener is made without any. */
static void no_fcntl_at_all(void) {
    close(TCP_SERVER(NULL, 0, NULL, 511));
    int fd = UNIX_SERVER(NULL, path_in_folder("without_fcntl"), 0700, 511);
    CHECK(fd >= 0);
    CHECK_INT(unlink(path_in_folder("without_fcntl")), 0);
    close(fd);
}

#if ANET_API >= 70
static void no_getfl(void) {
    int fds[2] = {-7, -7};
    char byte;
    /* A new pipe has no flags, so F_GETFL is not needed. */
    CHECK_INT(anetPipe(fds, O_NONBLOCK, 0), 0);
    CHECK_INT(read(fds[0], &byte, 1), -1);
    CHECK_INT(errno, EAGAIN);
    close(fds[0]), close(fds[1]);
}

static void no_setfl(void) {
    int fds[2] = {-7, -7};
    CHECK_FAILS_MUTE(anetPipe(fds, O_NONBLOCK, 0), EACCES);
    CHECK_INT(fds[0], -7);
}
#endif

#if ANET_API >= 62
static void no_setfd(void) {
    int fd = not_a_socket();
    CHECK_FAILS_MUTE(anetCloexec(fd), EACCES);
    close(fd);
}
#endif

static void no_keepalive_times(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_FAILS(anetKeepAlive(err, fd, 300), "setsockopt TCP_KEEPINTVL: Protocol not available", ENOPROTOOPT);
    close(fd);
}

static void no_keepalive_count(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_FAILS(anetKeepAlive(err, fd, 300), "setsockopt TCP_KEEPCNT: Protocol not available", ENOPROTOOPT);
    close(fd);
}

static void aborted_connections(void) {
    int listener = listener_v4();
    CHECK_FAILS(anetTcpAccept(err, listener, NULL, 0, NULL), "accept: Software caused connection abort", ECONNABORTED);
    close(listener);
}

#if ANET_API >= 70
static void no_accept4(void) {
    int listener = listener_v4(), client = client_of(listener), server = accept_next(listener);
    CHECK(is_nonblocking(server));
    CHECK(is_cloexec(server));
    close(server), close(client);
    CHECK_FAILS(anetTcpAccept(err, listener, NULL, 0, NULL), "accept: Resource temporarily unavailable", EAGAIN);
    close(listener);
}

/* The connection is lost, but not its descriptor. */
static void no_accept4_and_no_setfd(void) {
    char err[ANET_ERR_LEN];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(listen(listener, 511), 0);
    int client = client_of(listener);
    CHECK_INT(anetTcpAccept(err, listener, NULL, 0, NULL), ANET_ERR);
    CHECK_INT(errno, EACCES);
    CHECK_TEXT(err, "anetCloexec: Permission denied");
    close(client), close(listener);
}
#endif

#if ANET_API >= ANET_VALKEY_80
static void no_chown(void) {
    struct stat status;
    const char *expected = "chown error for group 'root': Operation not permitted";
    CHECK_FAILS(anetUnixServer(err, path_in_folder("s"), 0700, 511, text("root")), expected, EPERM);
    CHECK_INT(lstat(path_in_folder("s"), &status), -1);
}
#endif

#if ANET_API >= ANET_VALKEY_81
/* The connection is worth more than the option. */
static void no_nodelay(void) {
    int listener = listener_v4(), client = client_of(listener), server = accept_next(listener);
    CHECK_INT(option_of(server, IPPROTO_TCP, TCP_NODELAY), 0);
    close(server), close(client), close(listener);
}
#endif

#if ANET_API >= ANET_VALKEY_90
static int protocol_of(int fd) {
    return option_of(fd, SOL_SOCKET, SO_PROTOCOL);
}

/* Clients that ask for Multipath TCP fall back to TCP as well. */
static void no_mptcp(void) {
    int listener = anetTcpServer(NULL, 0, text("127.0.0.1"), 511, 1);
    CHECK(listener >= 0);
    CHECK_INT(protocol_of(listener), IPPROTO_TCP);
    int client = anetTcpNonBlockBestEffortBindConnect(NULL, "127.0.0.1", port_of(listener), NULL, 1);
    CHECK(client >= 0);
    CHECK_INT(protocol_of(client), IPPROTO_TCP);
    close(accept_next(listener)), close(client), close(listener);
}
#endif

void test_faults(void) {
    new_folder();
    let_fail(SYS_socket, 0, AF_INET6, EAFNOSUPPORT);
    in_a_child(a_host_without_ipv6);
    let_fail(SYS_setsockopt, 1, IPPROTO_IPV6, ENOPROTOOPT);
    in_a_child(no_v6only);
    let_fail(SYS_setsockopt, 2, SO_REUSEADDR, ENOMEM);
    in_a_child(no_reuse);
    let_fail(SYS_bind, ANY_ARGUMENT, 0, EACCES);
    in_a_child(no_bind);
    let_fail(SYS_listen, ANY_ARGUMENT, 0, EADDRINUSE);
    in_a_child(no_listen);
    let_fail(SYS_fchmod, ANY_ARGUMENT, 0, EPERM);
    in_a_child(no_chmod);
    let_fail(SYS_fcntl, 1, F_GETFL, EACCES);
    let_fail(SYS_fcntl, 1, F_SETFL, EACCES);
    let_fail(SYS_fcntl, 1, F_GETFD, EACCES);
    let_fail(SYS_fcntl, 1, F_SETFD, EACCES);
    in_a_child(no_fcntl_at_all);
#if ANET_API >= 70
    let_fail(SYS_fcntl, 1, F_GETFL, EACCES);
    in_a_child(no_getfl);
    let_fail(SYS_fcntl, 1, F_SETFL, EACCES);
    in_a_child(no_setfl);
#endif
#if ANET_API >= 62
    let_fail(SYS_fcntl, 1, F_SETFD, EACCES);
    in_a_child(no_setfd);
#endif
    let_fail(SYS_setsockopt, 2, TCP_KEEPINTVL, ENOPROTOOPT);
    in_a_child(no_keepalive_times);
    let_fail(SYS_setsockopt, 2, TCP_KEEPCNT, ENOPROTOOPT);
    in_a_child(no_keepalive_count);
    let_fail(ACCEPT, ANY_ARGUMENT, 0, ECONNABORTED);
    in_a_child(aborted_connections);
#if ANET_API >= 70
    let_fail(SYS_accept4, ANY_ARGUMENT, 0, ENOSYS);
    in_a_child(no_accept4);
    let_fail(SYS_accept4, ANY_ARGUMENT, 0, ENOSYS);
    let_fail(SYS_fcntl, 1, F_SETFD, EACCES);
    in_a_child(no_accept4_and_no_setfd);
    let_fail(SYS_pipe2, ANY_ARGUMENT, 0, ENOSYS);
    in_a_child(test_pipe);
#endif
#if ANET_API >= ANET_VALKEY_80
    let_fail(SYS_fchownat, ANY_ARGUMENT, 0, EPERM);
    in_a_child(no_chown);
#endif
#if ANET_API >= ANET_VALKEY_81
    let_fail(SYS_setsockopt, 2, TCP_NODELAY, ENOPROTOOPT);
    in_a_child(no_nodelay);
#endif
#if ANET_API >= ANET_VALKEY_90
    const int without_mptcp[] = {EPROTONOSUPPORT, ENOPROTOOPT, EINVAL};
    for (size_t i = 0; i < sizeof without_mptcp / sizeof without_mptcp[0]; i++) {
        let_fail(SYS_socket, 2, IPPROTO_MPTCP, without_mptcp[i]);
        in_a_child(no_mptcp);
    }
#endif
    remove_folder();
}
