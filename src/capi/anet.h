/*
 * anet.h - the socket functions of Redis 7.0, and a few of later versions, from the Rust crate anet.
 *
 * Success is 0 or a descriptor, failure is -1 with the reason in err and in errno; nothing is left open then.
 *
 * err is NULL or has ANET_ERR_LEN bytes, which are written on failure only. ip, port, bindaddr and source_addr may be
 * NULL. A buffer gets as much of a text as fits and always a NUL; one of length 0 is not touched. anetResolve and
 * anetFdToString fail with ENOSPC instead of giving a part of an address.
 */
#ifndef ANET_H
#define ANET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ANET_OK 0
#define ANET_ERR -1
#define ANET_ERR_LEN 256

/* Flags of anetResolve. */
#define ANET_NONE 0
#define ANET_IP_ONLY 1     /* addresses only, nobody is asked */
#define ANET_PREFER_IPV4 2 /* IPv6 if there is no IPv4 */
#define ANET_PREFER_IPV6 4 /* IPv4 if there is no IPv6 */

/* Whose name anetFdToString and anetFormatFdAddr tell. */
#define FD_TO_PEER_NAME 0
#define FD_TO_SOCK_NAME 1

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Connect to the first address of a host that is on its way without waiting: a non-blocking, close-on-exec descriptor,
 * with errno EINPROGRESS until it is connected. The second function does so from source_addr if it can.
 */
int anetTcpNonBlockConnect(char *err, const char *addr, int port);
int anetTcpNonBlockBestEffortBindConnect(char *err, const char *addr, int port, const char *source_addr);

/* The first address of a host as text; a buffer of 46 bytes is long enough, a shorter one may be ENOSPC. */
int anetResolve(char *err, char *host, char *ipbuf, size_t ipbuf_len, int flags);

/*
 * Listen: a blocking descriptor that is not close-on-exec. bindaddr NULL or "*" is every address of the family, and for
 * IPv6 so is "::*". Port 0 is any free one. perm is the mode of the socket's file, of which the nine permission bits
 * count, and 0 what the umask leaves.
 */
int anetTcpServer(char *err, int port, char *bindaddr, int backlog);
int anetTcp6Server(char *err, int port, char *bindaddr, int backlog);
int anetUnixServer(char *err, char *path, mode_t perm, int backlog);

/* The next connection, non-blocking and close-on-exec; errno EAGAIN if none waits on a non-blocking listener. */
int anetTcpAccept(char *err, int serversock, char *ip, size_t ip_len, int *port);
int anetUnixAccept(char *err, int serversock);

int anetNonBlock(char *err, int fd);
int anetBlock(char *err, int fd);

/* 1 if the descriptor was close-on-exec already. */
int anetCloexec(int fd);

int anetEnableTcpNoDelay(char *err, int fd);
int anetDisableTcpNoDelay(char *err, int fd);

/* In milliseconds; 0 is for ever. */
int anetSendTimeout(char *err, int fd, long long ms);
int anetRecvTimeout(char *err, int fd, long long ms);

/* The first probe after interval seconds (1 to 32767), then two more, each after a third of that time. */
int anetKeepAlive(char *err, int fd, int interval);

/* SO_MARK on Linux, its like on FreeBSD and OpenBSD; elsewhere success that tells in err that nothing was done. */
int anetSetSockMarkId(char *err, int fd, uint32_t id);

/* The error that waits on a socket, which is cleared, or 0. */
int anetGetError(int fd);

/* "/unixsocket" and 0 for a Unix socket; "?" and 0 on failure. */
int anetFdToString(int fd, char *ip, size_t ip_len, int *port, int fd_to_str_type);

/* ip:port, or [ip]:port if ip has a colon; "?:0" if fd has no name. The result is the length of the whole text. */
int anetFormatAddr(char *fmt, size_t fmt_len, char *ip, int port);
int anetFormatFdAddr(int fd, char *buf, size_t buf_len, int fd_to_str_type);

/* fds[0] to read from and fds[1] to write to, both close-on-exec, each with its flags of open(2). */
int anetPipe(int fds[2], int read_flags, int write_flags);

/* 1 for a FIFO, 0 for anything else. */
int anetIsFifo(char *filepath);

#ifdef __cplusplus
}
#endif

#endif
