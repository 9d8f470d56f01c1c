#include "check.h"

#include <dirent.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>

static void fail(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: %s", file, line, what);
}

static void end(void) {
    fputs("\n", stderr);
    fflush(stderr);
    _exit(1);
}

void check_that(int condition, const char *file, int line, const char *what) {
    if (condition) return;
    fail(file, line, what);
    end();
}

void check_int(long value, long expected, const char *file, int line, const char *what) {
    if (value == expected) return;
    int number = errno;
    fail(file, line, what);
    fprintf(stderr, " is %ld, not %ld (errno %d, %s)", value, expected, number, strerror(number));
    end();
}

void check_text(const char *value, const char *expected, const char *file, int line, const char *what) {
    if (!strcmp(value, expected)) return;
    fail(file, line, what);
    fprintf(stderr, " is \"%s\", not \"%s\"", value, expected);
    end();
}

void check_cut(const char *buf, size_t len, const char *whole, const char *file, int line, const char *what) {
    size_t visible = strlen(whole);
    if (len > 0 && visible > len - 1) visible = len - 1;
    int right = untouched(buf, len, len + CANARIES);
    if (len > 0) right = right && !memcmp(buf, whole, visible) && buf[visible] == '\0';
    if (right) return;
    fail(file, line, what);
    fprintf(stderr, " left \"%.*s\" in %zu bytes, not \"%.*s\"", (int)len, buf, len, (int)visible, whole);
    end();
}

char *canaries(size_t len) {
    char *buf = (char *)malloc(len);
    CHECK(buf != NULL);
    memset(buf, CANARY, len);
    return buf;
}

int untouched(const char *bytes, size_t from, size_t to) {
    for (; from < to; from++)
        if (bytes[from] != CANARY) return 0;
    return 1;
}

int name_of(int fd, char *ip, size_t len, int *port, enum end end) {
#if ANET_API >= 72
    return anetFdToString(fd, ip, len, port, end == PEER);
#elif ANET_API >= 62
    return anetFdToString(fd, ip, len, port, end == PEER ? FD_TO_PEER_NAME : FD_TO_SOCK_NAME);
#else
    return end == PEER ? anetPeerToString(fd, ip, len, port) : anetSockName(fd, ip, len, port);
#endif
}

char *text(const char *literal) {
    return (char *)literal;
}

int is_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    CHECK(flags >= 0);
    return (flags & O_NONBLOCK) != 0;
}

int is_cloexec(int fd) {
    int flags = fcntl(fd, F_GETFD);
    CHECK(flags >= 0);
    return (flags & FD_CLOEXEC) != 0;
}

int option_of(int fd, int level, int number) {
    int value = -1;
    socklen_t len = sizeof value;
    CHECK_INT(getsockopt(fd, level, number, &value, &len), 0);
    return value;
}

int port_of(int fd) {
    struct sockaddr_in6 addr;
    socklen_t len = sizeof addr;
    CHECK_INT(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    return ntohs(addr.sin6_port); /* which stands where that of IPv4 does */
}

int open_fds(void) {
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    CHECK(folder != NULL);
    while (readdir(folder)) count++;
    closedir(folder);
    return count - 3; /* ".", ".." and the folder's own */
}

void await(int fd, short events) {
    struct pollfd ready;
    ready.fd = fd;
    ready.events = events;
    CHECK_INT(poll(&ready, 1, 60000), 1);
}

int not_a_socket(void) {
    int fd = open("/dev/null", O_RDWR);
    CHECK(fd >= 0);
    return fd;
}

int has_ipv6(void) {
    struct sockaddr_in6 addr;
    memset(&addr, 0, sizeof addr);
    addr.sin6_family = AF_INET6;
    addr.sin6_addr = in6addr_loopback;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    int has = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0;
    if (fd >= 0) close(fd);
    return has;
}

int listener_v4(void) {
    int fd = TCP_SERVER(NULL, 0, text("127.0.0.1"), 511);
    CHECK(fd >= 0);
    CHECK_INT(anetNonBlock(NULL, fd), ANET_OK);
    return fd;
}

int listener_v6(void) {
    int fd = TCP6_SERVER(NULL, 0, text("::1"), 511);
    CHECK(fd >= 0);
    CHECK_INT(anetNonBlock(NULL, fd), ANET_OK);
    return fd;
}

int silent_port(void) {
    struct sockaddr_in addr;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    memset(&addr, 0, sizeof addr);
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

int client_of(int listener) {
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    CHECK_INT(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    int fd = socket(addr.ss_family, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&addr, len), 0);
    return fd;
}

int accept_next(int listener) {
    await(listener, POLLIN);
    int fd = anetTcpAccept(NULL, listener, NULL, 0, NULL);
    CHECK(fd >= 0);
    return fd;
}

void connected_pair(int *client, int *server) {
    int listener = listener_v4();
    *client = client_of(listener);
    *server = accept_next(listener);
    close(listener);
}

static struct rlimit descriptors;

void leave_descriptors(int count) {
    struct rlimit few;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
    few = descriptors;
    int lowest_free = dup(0);
    CHECK(lowest_free >= 0);
    close(lowest_free);
    few.rlim_cur = (rlim_t)(lowest_free + count);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
}

void restore_descriptors(void) {
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &descriptors), 0);
}

static char folder[] = "/tmp/anet-capi-XXXXXX";

const char *new_folder(void) {
    strcpy(folder, "/tmp/anet-capi-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    return folder;
}

void remove_folder(void) {
    DIR *files = opendir(folder);
    struct dirent *file;
    CHECK(files != NULL);
    while ((file = readdir(files)))
        if (file->d_name[0] != '.') CHECK_INT(unlink(path_in_folder(file->d_name)), 0);
    closedir(files);
    CHECK_INT(rmdir(folder), 0);
}

char *path_in_folder(const char *name) {
    static char path[sizeof folder + 256];
    CHECK(strlen(name) < 256);
    strcpy(path, folder);
    strcat(path, "/");
    strcat(path, name);
    return path;
}

static int resolve(const char *host, int family, int flags) {
    struct addrinfo hints, *found;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags;
    errno = 0;
    int code = getaddrinfo(host, NULL, &hints, &found);
    CHECK(code != 0);
    return code;
}

const char *resolver_text(const char *host, int family, int flags) {
    return gai_strerror(resolve(host, family, flags));
}

int resolver_errno(const char *host, int family, int flags) {
    resolve(host, family, flags);
    return errno;
}

int pending_error(int fd) {
    return option_of(fd, SOL_SOCKET, SO_ERROR);
}
