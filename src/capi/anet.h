/*
 * anet.h - the socket functions of Redis and Valkey, from the Rust crate anet.
 *
 * ANET_API is the generation your code is written for: 60, 62, 70, 72, 74 or 80 for Redis 6.0 to 8.0, 72 for Valkey
 * 7.2, and ANET_VALKEY_80, ANET_VALKEY_81 or ANET_VALKEY_90 for Valkey 8.0 to 9. Without it, 70. The functions of other
 * generations are not declared, and functions that differ between generations have a symbol for each form.
 *
 * Functions return 0 or a descriptor on success, and -1 on failure, with the reason in err and in errno. A failure
 * leaves no descriptor open.
 *
 * err is NULL or has ANET_ERR_LEN bytes, which are written on failure only. ip, port, bindaddr and source_addr may be
 * NULL. A buffer receives as much of a text as fits, always with a NUL; a buffer of length 0 is left alone. anetResolve
 * and anetFdToString fail with ENOSPC instead of writing a part of an address.
 */
#define ANET_VALKEY_80 1080
#define ANET_VALKEY_81 1081
#define ANET_VALKEY_90 1090

#ifndef ANET_API
#define ANET_API 70
#endif

#if ANET_API != 60 && ANET_API != 62 && ANET_API != 70 && ANET_API != 72 && ANET_API != 74 && ANET_API != 80 &&        \
    ANET_API != ANET_VALKEY_80 && ANET_API != ANET_VALKEY_81 && ANET_API != ANET_VALKEY_90
#error "ANET_API is not a generation of anet.h"
#endif

#ifdef ANET_H
#if !defined(ANET_API_DECLARED) || ANET_API_DECLARED + 0 != ANET_API
#error "another anet.h, or this one for another ANET_API, is included already"
#endif
#endif

#ifndef ANET_H
#define ANET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A number, which stays what it is if ANET_API changes. */
#if ANET_API == 60
#define ANET_API_DECLARED 60
#elif ANET_API == 62
#define ANET_API_DECLARED 62
#elif ANET_API == 70
#define ANET_API_DECLARED 70
#elif ANET_API == 72
#define ANET_API_DECLARED 72
#elif ANET_API == 74
#define ANET_API_DECLARED 74
#elif ANET_API == 80
#define ANET_API_DECLARED 80
#elif ANET_API == ANET_VALKEY_80
#define ANET_API_DECLARED ANET_VALKEY_80
#elif ANET_API == ANET_VALKEY_81
#define ANET_API_DECLARED ANET_VALKEY_81
#else
#define ANET_API_DECLARED ANET_VALKEY_90
#endif

#define ANET_OK 0
#define ANET_ERR -1
#define ANET_ERR_LEN 256

/* Flags of anetResolve. */
#define ANET_NONE 0
#define ANET_IP_ONLY 1 /* numeric addresses only, without a lookup */
#if ANET_API >= 74
#define ANET_PREFER_IPV4 2 /* IPv6 if there is no IPv4 */
#define ANET_PREFER_IPV6 4 /* IPv4 if there is no IPv6 */
#endif

/* Which address anetFdToString and anetFormatFdAddr write. */
#if ANET_API == 62 || ANET_API == 70
#define FD_TO_PEER_NAME 0
#define FD_TO_SOCK_NAME 1
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Starts connecting to the first address of a host for which that works. Returns a non-blocking, close-on-exec
 * descriptor, with EINPROGRESS in errno until it is connected.
 */
int anetTcpNonBlockConnect(char *err, const char *addr, int port);

/* Connects from source_addr if possible. mptcp asks for Multipath TCP; TCP if the peer or the kernel lacks it. */
#if ANET_API >= ANET_VALKEY_90
#define anetTcpNonBlockBestEffortBindConnect anetTcpNonBlockBestEffortBindConnect_v90
int anetTcpNonBlockBestEffortBindConnect(char *err, const char *addr, int port, const char *source_addr, int mptcp);
#else
#define anetTcpNonBlockBestEffortBindConnect anetTcpNonBlockBestEffortBindConnect_60
int anetTcpNonBlockBestEffortBindConnect(char *err, const char *addr, int port, const char *source_addr);
#endif

/* Writes the first address of a host; a buffer of 46 bytes always suffices. */
#if ANET_API == 60
#define anetResolve anetResolve_60
int anetResolve(char *err, char *host, char *ipbuf, size_t ipbuf_len);
int anetResolveIP(char *err, char *host, char *ipbuf, size_t ipbuf_len);
#else
#define anetResolve anetResolve_62
int anetResolve(char *err, char *host, char *ipbuf, size_t ipbuf_len, int flags);
#endif

/*
 * Listens. Returns a blocking descriptor that is not close-on-exec. bindaddr NULL or "*" means every address of the
 * family, and for IPv6 so does "::*". Port 0 means any free port. With mptcp, clients may use Multipath TCP.
 */
#if ANET_API >= ANET_VALKEY_90
#define anetTcpServer anetTcpServer_v90
#define anetTcp6Server anetTcp6Server_v90
int anetTcpServer(char *err, int port, char *bindaddr, int backlog, int mptcp);
int anetTcp6Server(char *err, int port, char *bindaddr, int backlog, int mptcp);
#else
#define anetTcpServer anetTcpServer_60
#define anetTcp6Server anetTcp6Server_60
int anetTcpServer(char *err, int port, char *bindaddr, int backlog);
int anetTcp6Server(char *err, int port, char *bindaddr, int backlog);
#endif

/*
 * Listens on a path. perm is the mode of the file, of which the nine permission bits count; 0 leaves it to the umask.
 * With a group argument (the name of the file's group, or NULL) the descriptor is non-blocking and close-on-exec,
 * without one it is neither.
 */
#if ANET_API >= ANET_VALKEY_80
#define anetUnixServer anetUnixServer_v80
int anetUnixServer(char *err, char *path, mode_t perm, int backlog, char *group);
#else
#define anetUnixServer anetUnixServer_60
int anetUnixServer(char *err, char *path, mode_t perm, int backlog);
#endif

/*
 * Accepts the next connection, with EAGAIN in errno if none is queued on a non-blocking listener. The descriptor is
 * non-blocking and close-on-exec since 7.0, and neither before. From Valkey 8.1 on, anetTcpAccept sets TCP_NODELAY.
 */
#if ANET_API >= ANET_VALKEY_81
#define anetTcpAccept anetTcpAccept_v81
#define anetUnixAccept anetUnixAccept_70
#elif ANET_API >= 70
#define anetTcpAccept anetTcpAccept_70
#define anetUnixAccept anetUnixAccept_70
#else
#define anetTcpAccept anetTcpAccept_60
#define anetUnixAccept anetUnixAccept_60
#endif
int anetTcpAccept(char *err, int serversock, char *ip, size_t ip_len, int *port);
int anetUnixAccept(char *err, int serversock);

/* 1 if an accept failed with this errno because of one connection alone: the next one may succeed. */
#if ANET_API >= ANET_VALKEY_80
int anetRetryAcceptOnError(int err);
#elif ANET_API >= 62
int anetAcceptFailureNeedsRetry(int err);
#endif

int anetNonBlock(char *err, int fd);
int anetBlock(char *err, int fd);

#if ANET_API >= ANET_VALKEY_81
/* 1 if the descriptor is blocking. */
int anetIsBlock(char *err, int fd);
#endif

#if ANET_API >= 62
/* 1 if the descriptor was close-on-exec already. */
int anetCloexec(int fd);
#endif

int anetEnableTcpNoDelay(char *err, int fd);
int anetDisableTcpNoDelay(char *err, int fd);

/* In milliseconds; 0 means no limit. */
int anetSendTimeout(char *err, int fd, long long ms);
int anetRecvTimeout(char *err, int fd, long long ms);

/*
 * Sends the first probe after interval seconds (1 to 32767), then two more, each after a third of that time. With an
 * interval out of range it fails, and keepalive is on with the times that the socket had.
 */
int anetKeepAlive(char *err, int fd, int interval);

#if ANET_API >= 70
/* Sets SO_MARK on Linux and its equivalent on FreeBSD and OpenBSD. Elsewhere it does nothing and says so in err. */
int anetSetSockMarkId(char *err, int fd, uint32_t id);
#endif

#if ANET_API >= 72
/* Returns and clears the pending error of a socket, or 0. */
int anetGetError(int fd);
#endif

/*
 * Writes the address of the peer, or the socket's own: "/unixsocket" and 0 for a Unix socket, "?" and 0 on failure.
 * Before 7.2 the last argument is FD_TO_PEER_NAME or FD_TO_SOCK_NAME; since then it is 1 for the peer and 0 for the
 * socket itself.
 */
#if ANET_API >= 72
#define anetFdToString anetFdToString_72
int anetFdToString(int fd, char *ip, size_t ip_len, int *port, int remote);
#elif ANET_API >= 62
#define anetFdToString anetFdToString_62
int anetFdToString(int fd, char *ip, size_t ip_len, int *port, int fd_to_str_type);
#else
int anetPeerToString(int fd, char *ip, size_t ip_len, int *port);
int anetSockName(int fd, char *ip, size_t ip_len, int *port);
#endif

/* Writes ip:port, or [ip]:port if ip has a colon. Returns the length of the whole text. */
int anetFormatAddr(char *fmt, size_t fmt_len, char *ip, int port);

/* The same for the addresses of a socket; "?:0" if it has none. */
#if ANET_API == 62 || ANET_API == 70
int anetFormatFdAddr(int fd, char *buf, size_t buf_len, int fd_to_str_type);
#elif ANET_API == 60
int anetFormatPeer(int fd, char *buf, size_t buf_len);
int anetFormatSock(int fd, char *buf, size_t buf_len);
#endif

#if ANET_API >= 70
/* Opens fds[0] for reading and fds[1] for writing, both close-on-exec, each with its flags of open(2). */
int anetPipe(int fds[2], int read_flags, int write_flags);
#endif

#if ANET_API >= 72
/* 1 for a FIFO, 0 for anything else. */
int anetIsFifo(char *filepath);
#endif

#if ANET_API >= ANET_VALKEY_90
/* Whether the system has Multipath TCP. */
int anetHasMptcp(void);
#endif

#ifdef __cplusplus
}
#endif

#endif
