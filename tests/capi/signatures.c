/* The declarations of each generation as its servers have compiled against them; one that disagrees is an error. */
#include "anet.h"

#ifdef __cplusplus
extern "C" {
#endif

int anetTcpNonBlockConnect(char *, const char *, int);
int anetTcpAccept(char *, int, char *, size_t, int *);
int anetUnixAccept(char *, int);
int anetNonBlock(char *, int);
int anetBlock(char *, int);
int anetEnableTcpNoDelay(char *, int);
int anetDisableTcpNoDelay(char *, int);
int anetSendTimeout(char *, int, long long);
int anetRecvTimeout(char *, int, long long);
int anetKeepAlive(char *, int, int);
int anetFormatAddr(char *, size_t, char *, int);

#if ANET_API == 60
int anetResolve(char *, char *, char *, size_t);
int anetResolveIP(char *, char *, char *, size_t);
int anetPeerToString(int, char *, size_t, int *);
int anetSockName(int, char *, size_t, int *);
int anetFormatPeer(int, char *, size_t);
int anetFormatSock(int, char *, size_t);
#else
int anetResolve(char *, char *, char *, size_t, int);
int anetFdToString(int, char *, size_t, int *, int);
int anetCloexec(int);
#endif

#if ANET_API == 62 || ANET_API == 70
int anetFormatFdAddr(int, char *, size_t, int);
#endif

#if ANET_API >= 62 && ANET_API < 1000
int anetAcceptFailureNeedsRetry(int);
#endif

#if ANET_API >= 70
int anetPipe(int[2], int, int);
int anetSetSockMarkId(char *, int, uint32_t);
#endif

#if ANET_API >= 72
int anetGetError(int);
int anetIsFifo(char *);
#endif

#if ANET_API < 1000
int anetUnixServer(char *, char *, mode_t, int);
#else
int anetUnixServer(char *, char *, mode_t, int, char *);
int anetRetryAcceptOnError(int);
#endif

#if ANET_API >= 1081
int anetIsBlock(char *, int);
#endif

#if ANET_API < 1090
int anetTcpNonBlockBestEffortBindConnect(char *, const char *, int, const char *);
int anetTcpServer(char *, int, char *, int);
int anetTcp6Server(char *, int, char *, int);
#else
int anetTcpNonBlockBestEffortBindConnect(char *, const char *, int, const char *, int);
int anetTcpServer(char *, int, char *, int, int);
int anetTcp6Server(char *, int, char *, int, int);
int anetHasMptcp(void);
#endif

#ifdef __cplusplus
}
#endif

#if ANET_OK != 0 || ANET_ERR != -1 || ANET_ERR_LEN != 256
#error "return values"
#endif
#if ANET_NONE != 0 || ANET_IP_ONLY != (1 << 0)
#error "flags"
#endif
#if ANET_API >= 74 && (ANET_PREFER_IPV4 != (1 << 1) || ANET_PREFER_IPV6 != (1 << 2))
#error "preferences"
#endif
#if ANET_API < 74 && (defined(ANET_PREFER_IPV4) || defined(ANET_PREFER_IPV6))
#error "preferences of a later generation"
#endif
#if (ANET_API == 62 || ANET_API == 70) && (FD_TO_PEER_NAME != 0 || FD_TO_SOCK_NAME != 1)
#error "names"
#endif
#if ANET_API != 62 && ANET_API != 70 && (defined(FD_TO_PEER_NAME) || defined(FD_TO_SOCK_NAME))
#error "names of another generation"
#endif
