/* Pipes and FIFOs. */
#include "check.h"

#include <sys/stat.h>

#if ANET_API >= 70
static void each_end_has_its_flags(void) {
    const int flags[] = {0, O_NONBLOCK, O_CLOEXEC, O_NONBLOCK | O_CLOEXEC};
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 4; j++) {
            int fds[2] = {-7, -7};
            char byte = 0;
            CHECK_INT(anetPipe(fds, flags[i], flags[j]), 0);
            CHECK_INT(is_nonblocking(fds[0]), (flags[i] & O_NONBLOCK) != 0);
            CHECK_INT(is_nonblocking(fds[1]), (flags[j] & O_NONBLOCK) != 0);
            CHECK(is_cloexec(fds[0]));
            CHECK(is_cloexec(fds[1]));
            CHECK_INT(write(fds[1], "x", 1), 1);
            CHECK_INT(read(fds[0], &byte, 1), 1);
            CHECK_INT(byte, 'x');
            close(fds[0]), close(fds[1]);
        }
    }
}

/* Those that fcntl(F_SETFL) knows, beside the one that the pipe is made with. */
static void other_flags_are_set_too(void) {
    int fds[2];
    CHECK_INT(anetPipe(fds, O_APPEND | O_NONBLOCK, O_APPEND), 0);
    CHECK_INT(fcntl(fds[0], F_GETFL) & (O_APPEND | O_NONBLOCK), O_APPEND | O_NONBLOCK);
    CHECK_INT(fcntl(fds[1], F_GETFL) & (O_APPEND | O_NONBLOCK), O_APPEND);
    close(fds[0]), close(fds[1]);
}

static void no_descriptor_is_left(void) {
    for (int room = 0; room < 2; room++) {
        int fds[2] = {-7, -7};
        leave_descriptors(room);
        CHECK_FAILS_MUTE(anetPipe(fds, O_NONBLOCK, 0), EMFILE);
        restore_descriptors();
        CHECK_INT(fds[0], -7);
        CHECK_INT(fds[1], -7);
    }
    CHECK_FAILS_MUTE(anetPipe(NULL, 0, 0), EFAULT);
}
#endif

#if ANET_API >= 72
static void fifos(void) {
    new_folder();
    char *path = path_in_folder("fifo");
    CHECK_INT(mkfifo(path, 0600), 0);
    CHECK_INT(anetIsFifo(path), 1);
    CHECK_INT(symlink("fifo", path_in_folder("link")), 0);
    CHECK_INT(anetIsFifo(path_in_folder("link")), 1);
    CHECK_INT(anetIsFifo(path_in_folder(".")), 0);
    CHECK_INT(anetIsFifo(text("/dev/null")), 0);
    errno = 0;
    CHECK_INT(anetIsFifo(path_in_folder("nothing")), 0);
    CHECK_INT(errno, ENOENT);
    CHECK_INT(anetIsFifo(text("")), 0);
    CHECK_INT(anetIsFifo(NULL), 0);
    CHECK_INT(errno, ENOENT);
    remove_folder();
}
#endif

void test_pipe(void) {
#if ANET_API >= 70
    each_end_has_its_flags();
    other_flags_are_set_too();
    no_descriptor_is_left();
#endif
#if ANET_API >= 72
    fifos();
#endif
}
