/* The declarations C servers have compiled against since Redis 7.0; one that disagrees with ours is an error. */
#include "anet.h"

#ifdef __cplusplus
extern "C" {
#endif

int anetTcpNonBlockConnect(char *, const char *, int);
int anetTcpNonBlockBestEffortBindConnect(char *, const char *, int, const char *);
int anetResolve(char *, char *, char *, size_t, int);
int anetTcpServer(char *, int, char *, int);
int anetTcp6Server(char *, int, char *, int);
int anetUnixServer(char *, char *, mode_t, int);
int anetTcpAccept(char *, int, char *, size_t, int *);
int anetUnixAccept(char *, int);
int anetNonBlock(char *, int);
int anetBlock(char *, int);
int anetCloexec(int);
int anetEnableTcpNoDelay(char *, int);
int anetDisableTcpNoDelay(char *, int);
int anetSendTimeout(char *, int, long long);
int anetRecvTimeout(char *, int, long long);
int anetFdToString(int, char *, size_t, int *, int);
int anetKeepAlive(char *, int, int);
int anetFormatAddr(char *, size_t, char *, int);
int anetFormatFdAddr(int, char *, size_t, int);
int anetPipe(int[2], int, int);
int anetSetSockMarkId(char *, int, uint32_t);

/* Of later versions. */
int anetGetError(int);
int anetIsFifo(char *);

#ifdef __cplusplus
}
#endif

#if ANET_OK != 0 || ANET_ERR != -1 || ANET_ERR_LEN != 256
#error "return values"
#endif
#if ANET_NONE != 0 || ANET_IP_ONLY != (1 << 0) || ANET_PREFER_IPV4 != (1 << 1) || ANET_PREFER_IPV6 != (1 << 2)
#error "flags"
#endif
#if FD_TO_PEER_NAME != 0 || FD_TO_SOCK_NAME != 1
#error "names"
#endif
