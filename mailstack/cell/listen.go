package cell

import (
	"errors"
	"fmt"
	"net"
	"os"
)

func (c *cell) listen() (err error) {
	for _, l := range []struct {
		name    string
		address string
		to      *net.Listener
	}{
		{"link", c.config.Listen.Link, &c.linkListen},
		{"admin", c.config.Listen.Admin, &c.adminListen},
		{"health", c.config.Listen.Health, &c.health},
	} {
		if *l.to, err = net.Listen("tcp", bindAddress(l.address)); err != nil {
			return fmt.Errorf("cannot listen for %s: %w", l.name, err)
		}
	}
	if c.config.AdminSocket != "" {
		c.adminUnix, err = listenUnix(c.config.AdminSocket)
	}
	return err
}

// listenUnix listens on a socket that only this user can open. A socket left by an earlier process is replaced.
func listenUnix(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot listen for admin: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for admin: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("cannot listen for admin: %w", err)
	}
	return l, nil
}
