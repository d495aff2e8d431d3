package gateway

import (
	"cmp"
	"log/slog"
	"syscall"
)

// reservedDescriptors are left for links, listeners, health and files.
const reservedDescriptors = 512

// connections is how many there may be: what is asked for, and not more than the system allows open files
// (RLIMIT_NOFILE, getrlimit(2)); each connection is one. 0 asks for all of them.
func connections(asked int, log *slog.Logger) int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return cmp.Or(asked, 1<<10)
	}
	allowed := int(min(limit.Cur, 1<<20))
	allowed -= min(reservedDescriptors, allowed/2)
	if asked > allowed {
		log.Warn("fewer connections than configured: the system allows no more open files", "maxConnections", asked, "allowed", allowed)
	}
	if asked == 0 || asked > allowed {
		return allowed
	}
	return asked
}
