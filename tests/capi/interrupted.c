/* Run while fcntl is interrupted: the flag is still set and reported. */
#include "anet.h"

int main(void) {
    return anetCloexec(0) != 0 || anetCloexec(0) != 1;
}
