/* To be run while fcntl is interrupted: the flag is set and told all the same. */
#include "anet.h"

int main(void) {
    return anetCloexec(0) != 0 || anetCloexec(0) != 1;
}
