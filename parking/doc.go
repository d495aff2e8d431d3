// Package parking keeps idle connections: one epoll watches all of them, and a parked one has no goroutine and no buffer,
// those of crypto/tls included.
package parking
