/* The part of a program that is written for Valkey 9, and its main function: both parts agree on every address. */
#define ANET_API ANET_VALKEY_90
#include "mixed.h"

#include "anet.h"

#include <poll.h>

static int port_of(int fd, int remote) {
    int port = -1;
    anetFdToString(fd, NULL, 0, &port, remote);
    return port;
}

int main(void) {
    struct pollfd ready;
    int listener = anetTcpServer(NULL, 0, NULL, 511, 0), port = port_of(listener, 0);
    int client = anetTcpNonBlockConnect(NULL, "127.0.0.1", port);
    ready.fd = listener;
    ready.events = POLLIN;
    if (poll(&ready, 1, 60000) != 1) return 1;
    int server = anetTcpAccept(NULL, listener, NULL, 0, NULL);
    if (port_of(server, 0) != port || own_port_70(server) != port) return 2;
    if (port_of(client, 1) != port || peer_port_70(client) != port) return 3;
    if (port_of(server, 1) != port_of(client, 0) || peer_port_70(server) != own_port_70(client)) return 4;
    return 0;
}
