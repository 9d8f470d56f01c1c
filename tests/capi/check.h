/* The vocabulary of the C tests. A failing check prints its place and exits. Valid C99 and C++17. */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "anet.h"

#define CHECK(condition) check_that((condition), __FILE__, __LINE__, #condition)
#define CHECK_INT(value, expected) check_int((value), (expected), __FILE__, __LINE__, #value)
#define CHECK_TEXT(value, expected) check_text((value), (expected), __FILE__, __LINE__, #value)

/*
 * The call returns -1 and sets errno. It is made twice, with `err` as an error buffer, which then has the text and
 * nothing behind it, and with `err` as NULL.
 */
#define CHECK_FAILS(call, text, number)                                                                                \
    do {                                                                                                               \
        char err_buffer[ANET_ERR_LEN + CANARIES];                                                                      \
        char *err = err_buffer;                                                                                        \
        memset(err_buffer, CANARY, sizeof err_buffer);                                                                 \
        errno = 0;                                                                                                     \
        CHECK_INT((call), ANET_ERR);                                                                                   \
        CHECK_INT(errno, (number));                                                                                    \
        CHECK_TEXT(err, (text));                                                                                       \
        CHECK(untouched(err_buffer, strlen(err_buffer) + 1, sizeof err_buffer));                                       \
        err = NULL;                                                                                                    \
        errno = 0;                                                                                                     \
        CHECK_INT((call), ANET_ERR);                                                                                   \
        CHECK_INT(errno, (number));                                                                                    \
    } while (0)

/* The call has no error buffer. */
#define CHECK_FAILS_MUTE(call, number)                                                                                 \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        CHECK_INT((call), ANET_ERR);                                                                                   \
        CHECK_INT(errno, (number));                                                                                    \
    } while (0)

/*
 * The call writes `whole` to `buf` of `len` bytes, as snprintf would, for every length from 0 to more than enough.
 */
#define CHECK_EVERY_LENGTH(call, whole)                                                                                \
    do {                                                                                                               \
        size_t len;                                                                                                    \
        for (len = 0; len <= strlen(whole) + 3; len++) {                                                               \
            char *buf = canaries(len + CANARIES);                                                                      \
            call;                                                                                                      \
            check_cut(buf, len, (whole), __FILE__, __LINE__, #call);                                                   \
            free(buf);                                                                                                 \
        }                                                                                                              \
    } while (0)

/* The fill byte of memory that must stay untouched, and how many follow a buffer. */
#define CANARY '#'
#define CANARIES 16

void check_that(int condition, const char *file, int line, const char *what);
void check_int(long value, long expected, const char *file, int line, const char *what);
void check_text(const char *value, const char *expected, const char *file, int line, const char *what);
void check_cut(const char *buf, size_t len, const char *whole, const char *file, int line, const char *what);

char *canaries(size_t len);
int untouched(const char *bytes, size_t from, size_t to);

/*
 * What the generations of anet.h have in different forms, so that one test says it for all of them: listeners, the two
 * ends of a connection, and how descriptors are made.
 */
#if ANET_API >= ANET_VALKEY_90
#define TCP_SERVER(err, port, bindaddr, backlog) anetTcpServer((err), (port), (bindaddr), (backlog), 0)
#define TCP6_SERVER(err, port, bindaddr, backlog) anetTcp6Server((err), (port), (bindaddr), (backlog), 0)
#define BIND_CONNECT(err, addr, port, source) anetTcpNonBlockBestEffortBindConnect((err), (addr), (port), (source), 0)
#else
#define TCP_SERVER anetTcpServer
#define TCP6_SERVER anetTcp6Server
#define BIND_CONNECT anetTcpNonBlockBestEffortBindConnect
#endif
#if ANET_API >= ANET_VALKEY_80
#define UNIX_SERVER(err, path, perm, backlog) anetUnixServer((err), (path), (perm), (backlog), NULL)
#define UNIX_LISTENERS_BLOCK 0
#else
#define UNIX_SERVER anetUnixServer
#define UNIX_LISTENERS_BLOCK 1
#endif
#if ANET_API == 60
#define RESOLVE(err, host, buf, len) anetResolve((err), (host), (buf), (len))
#define RESOLVE_IP(err, host, buf, len) anetResolveIP((err), (host), (buf), (len))
#else
#define RESOLVE(err, host, buf, len) anetResolve((err), (host), (buf), (len), ANET_NONE)
#define RESOLVE_IP(err, host, buf, len) anetResolve((err), (host), (buf), (len), ANET_IP_ONLY)
#endif
#define ACCEPTED_BLOCK (ANET_API < 70)
#define ACCEPTED_NODELAY (ANET_API >= ANET_VALKEY_81)

enum end { PEER, OWN };
int name_of(int fd, char *ip, size_t len, int *port, enum end end);

/* A string that a function takes as `char *` and does not change. */
char *text(const char *literal);

int is_nonblocking(int fd);
int is_cloexec(int fd);
/* The value of a socket option that is an int. */
int option_of(int fd, int level, int number);
int port_of(int fd);
int open_fds(void);
/* Waits until the descriptor is ready, for a minute at most. */
void await(int fd, short events);

/* A descriptor that is not open. */
#define CLOSED 1000

/* A descriptor that is no socket; the caller closes it. */
int not_a_socket(void);
/* Whether this host has IPv6 on its loopback device. */
int has_ipv6(void);
/* A listener on 127.0.0.1 or ::1, non-blocking. */
int listener_v4(void);
int listener_v6(void);
/* A socket bound to a port of 127.0.0.1 that does not listen, so the port stays closed while it is open. */
int silent_port(void);
/* A blocking client of the listener. */
int client_of(int listener);
/* Accepts the next connection. */
int accept_next(int listener);
/* Two connected TCP sockets. */
void connected_pair(int *client, int *server);

/* Leaves room for this many more descriptors. */
void leave_descriptors(int count);
void restore_descriptors(void);

/* An empty directory with a short path, and its removal with the files in it. */
const char *new_folder(void);
void remove_folder(void);
/* A path in that directory. */
char *path_in_folder(const char *name);

/* The C library's answer for a host of this family, and the errno it leaves. */
const char *resolver_text(const char *host, int family, int flags);
int resolver_errno(const char *host, int family, int flags);

/* The pending error of a socket, which is cleared. */
int pending_error(int fd);

/* The tests, one per file. */
void test_accept(void);
void test_connect(void);
void test_faults(void);
void test_generation(void);
void test_option(void);
void test_pipe(void);
void test_resolve(void);
void test_tcp_server(void);
void test_text(void);
void test_unix_server(void);

#endif
