/* The part of a program that is written for Redis 7.0; `mixed_v90.c` has the other. */
#define ANET_API 70
#include "mixed.h"

#include "anet.h"

int peer_port_70(int fd) {
    int port = -1;
    anetFdToString(fd, NULL, 0, &port, FD_TO_PEER_NAME);
    return port;
}

int own_port_70(int fd) {
    int port = -1;
    anetFdToString(fd, NULL, 0, &port, FD_TO_SOCK_NAME);
    return port;
}
