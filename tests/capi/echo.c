/* An echo server that prints its address. A client that does not read its replies is dropped. */
#include "anet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* As in Redis: a listener must not keep the clients waiting. */
#define ACCEPTS_PER_WAKEUP 10

static char err[ANET_ERR_LEN];

static void die(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static int watch(int epoll, int fd) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.fd = fd;
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void accept_clients(int epoll, int listener) {
    char ip[46];
    int left, port;
    for (left = ACCEPTS_PER_WAKEUP; left > 0; left--) {
        int fd = anetTcpAccept(err, listener, ip, sizeof ip, &port);
        if (fd == ANET_ERR) {
            if (errno != EAGAIN) fprintf(stderr, "%s\n", err);
            return;
        }
        if (anetEnableTcpNoDelay(err, fd) == ANET_ERR || anetKeepAlive(err, fd, 300) == ANET_ERR) {
            fprintf(stderr, "%s:%d: %s\n", ip, port, err);
            close(fd);
        } else if (watch(epoll, fd) == -1) {
            close(fd);
        }
    }
}

static void echo(int fd) {
    char buf[4096];
    ssize_t len = recv(fd, buf, sizeof buf, 0);
    if (len == -1 && errno == EAGAIN) return;
    if (len <= 0 || send(fd, buf, (size_t)len, MSG_NOSIGNAL) != len) close(fd);
}

int main(int argc, char **argv) {
    struct epoll_event events[64];
    char addr[64];
    int listener = anetTcpServer(err, argc > 1 ? atoi(argv[1]) : 0, argc > 2 ? argv[2] : NULL, 511);
    if (listener == ANET_ERR || anetNonBlock(err, listener) == ANET_ERR) die(err);
    anetCloexec(listener);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll == -1 || watch(epoll, listener) == -1) die("epoll");
    anetFormatFdAddr(listener, addr, sizeof addr, FD_TO_SOCK_NAME);
    printf("listening on %s\n", addr);
    fflush(stdout);
    for (;;) {
        int i, ready = epoll_wait(epoll, events, 64, -1);
        for (i = 0; i < ready; i++) {
            if (events[i].data.fd == listener)
                accept_clients(epoll, listener);
            else
                echo(events[i].data.fd);
        }
    }
}
