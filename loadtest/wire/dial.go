package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Dialer opens connections. It may be shared and copied; its fields must not change while it is in use.
type Dialer struct {
	Local      netip.Addr    // source address; zero: the system's choice
	Uplink     *Uplink       // the site's uplink; nil: no shaping
	TLS        *tls.Config   // for implicit TLS and StartTLS; nil: plaintext only
	Timeout    time.Duration // bounds the dial, handshake included; zero: only the context does
	Transcript bool          // connections keep a transcript from the start
}

// ErrNoTLS is returned when TLS is asked for and the Dialer has no configuration for it.
var ErrNoTLS = errors.New("wire: TLS was asked for, but there is no TLS configuration")

// Dial connects to address (host:port) and, for implicitTLS (RFC 8314), completes the handshake. The work is done
// on a goroutine that ends, so that the caller's stack does not keep the size that a handshake needs.
func (d *Dialer) Dial(ctx context.Context, address string, implicitTLS bool) (*Conn, error) {
	if implicitTLS && d.TLS == nil {
		return nil, ErrNoTLS
	}
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	var c *Conn
	err := apart(func() (err error) {
		c, err = d.dial(ctx, address, implicitTLS)
		return err
	})
	return c, err
}

func (d *Dialer) dial(ctx context.Context, address string, implicitTLS bool) (*Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("wire: address %q: %w", address, err)
	}
	dialer := net.Dialer{KeepAlive: -1} // parked sessions send nothing of their own accord
	if d.Local.IsValid() {
		dialer.LocalAddr = &net.TCPAddr{IP: d.Local.AsSlice(), Zone: d.Local.Zone()}
		dialer.Control = portOnConnect
	}
	raw, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c, err := newConn(raw.(*net.TCPConn), d, host)
	if err != nil {
		raw.Close()
		return nil, err
	}
	if err := c.transport.roundTrip(ctx); err != nil {
		c.Close()
		return nil, err
	}
	if implicitTLS {
		if err := c.handshake(ctx); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// portOnConnect leaves the choice of the source port to connect, which allows one port for each destination, where
// bind would allow one in all: some 28,000 sessions for a source address.
func portOnConnect(network, address string, raw syscall.RawConn) error {
	var err error
	controlled := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
	return errors.Join(controlled, os.NewSyscallError("setsockopt", err))
}

// apart runs f on a goroutine of its own and waits for it.
func apart(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return <-done
}

// configurations remembers the variants of the callers' TLS configurations, one for each server name, so that
// thousands of sessions share one.
var configurations struct {
	sync.Mutex
	known map[configurationKey]*tls.Config
}

type configurationKey struct {
	base *tls.Config
	host string
}

const maxConfigurations = 256

func configurationFor(base *tls.Config, host string) *tls.Config {
	configurations.Lock()
	defer configurations.Unlock()
	key := configurationKey{base, host}
	if known := configurations.known[key]; known != nil {
		return known
	}
	if configurations.known == nil || len(configurations.known) >= maxConfigurations {
		configurations.known = make(map[configurationKey]*tls.Config)
	}
	config := base.Clone()
	if config.ServerName == "" {
		config.ServerName = host
	}
	// Small first records serve browsers that render early; here each record would be one more system call.
	config.DynamicRecordSizingDisabled = true
	configurations.known[key] = config
	return config
}
