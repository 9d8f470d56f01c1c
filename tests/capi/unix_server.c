/* Unix listeners. */
#include "check.h"

#include <poll.h>
#include <sys/stat.h>

static int mode_of(const char *path) {
    struct stat status;
    CHECK_INT(lstat(path, &status), 0);
    CHECK(S_ISSOCK(status.st_mode));
    return status.st_mode & 07777;
}

static int is_there(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0;
}

static int serve(char *path, mode_t perm) {
    int fd = UNIX_SERVER(NULL, path, perm, 511);
    CHECK(fd >= 0);
    CHECK_INT(is_nonblocking(fd), !UNIX_LISTENERS_BLOCK);
    CHECK_INT(is_cloexec(fd), !UNIX_LISTENERS_BLOCK);
    CHECK_INT(option_of(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    return fd;
}

static void the_mode_is_the_requested_one(void) {
    const mode_t masks[] = {0, 022, 077, 0777};
    const mode_t modes[] = {0600, 0660, 0700, 0755, 0777};
    char *path = path_in_folder("mode");
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        mode_t before = umask(masks[i]);
        int fd = serve(path, 0);
        CHECK_INT(mode_of(path), 0777 & ~masks[i]);
        close(fd);
        CHECK_INT(unlink(path), 0);
        for (size_t j = 0; j < sizeof modes / sizeof modes[0]; j++) {
            fd = serve(path, modes[j]);
            CHECK_INT(mode_of(path), modes[j]);
            close(fd);
            CHECK_INT(unlink(path), 0);
        }
        umask(before);
    }
}

static void clients_connect(void) {
    char *path = path_in_folder("clients");
    int listener = serve(path, 0700), client = client_of(listener);
    await(listener, POLLIN);
    int server = anetUnixAccept(NULL, listener);
    char byte = 0;
    CHECK(server >= 0);
    CHECK_INT(is_nonblocking(server), !ACCEPTED_BLOCK);
    CHECK_INT(is_cloexec(server), !ACCEPTED_BLOCK);
    CHECK_INT(write(client, "x", 1), 1);
    CHECK_INT(read(server, &byte, 1), 1);
    close(listener), close(client), close(server);
}

static void paths_of_107_and_108_bytes(void) {
    char path[400];
    memset(path, 'p', sizeof path);
    size_t folder = strlen(path_in_folder(""));
    memcpy(path, path_in_folder(""), folder);
    path[107] = '\0';
    close(serve(path, 0700));
    CHECK_INT(mode_of(path), 0700);

    const size_t too_long[] = {108, 109, 399};
    for (size_t i = 0; i < sizeof too_long / sizeof too_long[0]; i++) {
        char expected[ANET_ERR_LEN];
        memset(path + 107, 'p', sizeof path - 107);
        path[too_long[i]] = '\0';
        snprintf(expected, sizeof expected, "unix socket path too long (%zu), must be under 108", too_long[i]);
        CHECK_FAILS(UNIX_SERVER(err, path, 0700, 511), expected, ENAMETOOLONG);
    }
}

static void paths_in_use(void) {
    char *path = path_in_folder("taken");
    const char *taken = "bind: Address already in use";
    int live = serve(path, 0700);
    CHECK_FAILS(UNIX_SERVER(err, path, 0777, 511), taken, EADDRINUSE);
    CHECK_INT(mode_of(path), 0700);
    int client = client_of(live);
    close(client), close(live);
    /* Left by a dead server. */
    close(serve(path, 0770));
    CHECK_INT(mode_of(path), 0770);

    path = path_in_folder("file");
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    CHECK_INT(write(file, "kept", 4), 4);
    CHECK_FAILS(UNIX_SERVER(err, path, 0700, 511), taken, EADDRINUSE);
    CHECK_INT(lseek(file, 0, SEEK_END), 4);
    CHECK(is_there(path));
    close(file);
}

static void paths_that_do_not_exist(void) {
    CHECK_FAILS(UNIX_SERVER(err, text(""), 0700, 511), "address: Empty path", EINVAL);
    CHECK_FAILS(UNIX_SERVER(err, NULL, 0700, 511), "address: Empty path", EINVAL);
    char *path = path_in_folder("nowhere/socket");
    CHECK_FAILS(UNIX_SERVER(err, path, 0700, 511), "bind: No such file or directory", ENOENT);
    path = path_in_folder("file/socket");
    CHECK_FAILS(UNIX_SERVER(err, path, 0, 511), "bind: Not a directory", ENOTDIR);
}

static void no_descriptor_is_left(void) {
    char *path = path_in_folder("unborn");
    leave_descriptors(0);
    CHECK_FAILS(UNIX_SERVER(err, path, 0700, 511), "creating socket: Too many open files", EMFILE);
    restore_descriptors();
    CHECK(!is_there(path));
}

void test_unix_server(void) {
    new_folder();
    the_mode_is_the_requested_one();
    clients_connect();
    paths_of_107_and_108_bytes();
    paths_in_use();
    paths_that_do_not_exist();
    no_descriptor_is_left();
    remove_folder();
}
