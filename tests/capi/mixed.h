/* What the part for Redis 7.0 has. */
int peer_port_70(int fd);
int own_port_70(int fd);
