package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"gouv.tg/messagerie/parking"
)

// garbage is how much of it may come together, in percent of the memory in use, unless $GOGC says otherwise. Nearly all of a gateway's memory
// are sessions that idle; letting it double, as is usual, costs more than collecting the little garbage there is.
const garbage = 40

// stopTime is how long running transactions may take to finish when the gateway stops.
const stopTime = 10 * time.Second

// Run runs a gateway until ctx is done, then stops it: no new connections, running transactions finish for a while.
func Run(ctx context.Context, configPath string, log *slog.Logger) error {
	config, err := ReadConfig(configPath)
	if err != nil {
		return err
	}
	g, err := New(config, log)
	if err != nil {
		return err
	}
	return g.Run(ctx)
}

// Run opens the listeners and serves until ctx is done.
func (g *Gateway) Run(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(garbage))
	}
	// What is under way must outlive ctx by stopTime.
	work, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	var err error
	if g.parked, err = parking.New(0); err != nil {
		return err
	}
	defer g.parked.Close()
	if err := g.listen(work); err != nil {
		g.closeListeners()
		return err
	}
	failed := make(chan error, 1)
	g.wg.Go(func() {
		if err := g.cells.Run(work, g.source); err != nil {
			failed <- err
		}
	})
	g.up.Store(true)
	g.log.Info("gateway is up", "listen", g.addresses())
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	g.stop(work, abort)
	return err
}

// stop closes the listeners, lets transactions finish and closes the rest.
func (g *Gateway) stop(work context.Context, abort context.CancelFunc) {
	g.up.Store(false)
	g.closeListeners()
	ctx, cancel := context.WithTimeout(work, stopTime)
	defer cancel()
	// When time is up the links go too: a handler may be waiting for a cell.
	defer context.AfterFunc(ctx, abort)()
	var drained sync.WaitGroup
	for _, s := range g.services {
		drained.Go(func() { s.listener.Drain(ctx) })
	}
	drained.Wait()
	abort()
	g.health.Close()
	g.wg.Wait()
	g.log.Info("gateway has stopped")
}

// listen opens every configured listener and starts to accept.
func (g *Gateway) listen(ctx context.Context) error {
	for _, s := range g.services {
		if s.address == "" {
			continue
		}
		l, err := net.Listen("tcp", bindAddress(s.address))
		if err != nil {
			return fmt.Errorf("cannot listen for %s: %w", s.name, err)
		}
		s.open = l
		s.listener.Handle = s.handler(ctx)
		if s.parks {
			s.listener.Poller = g.parked
		}
		g.wg.Go(func() { s.listener.Serve(l) })
	}
	if g.config.Listen.Health == "" {
		return nil
	}
	l, err := net.Listen("tcp", bindAddress(g.config.Listen.Health))
	if err != nil {
		return fmt.Errorf("cannot listen for health: %w", err)
	}
	g.healthAddr = l.Addr()
	g.wg.Go(func() { g.health.Serve(l) })
	return nil
}

func (g *Gateway) closeListeners() {
	for _, s := range g.services {
		if s.open != nil {
			s.open.Close()
		}
	}
}

// addresses lists where the gateway listens, by the name of the listener.
func (g *Gateway) addresses() map[string]string {
	out := map[string]string{}
	for _, s := range g.services {
		if s.open != nil {
			out[s.name] = s.open.Addr().String()
		}
	}
	if g.healthAddr != nil {
		out["health"] = g.healthAddr.String()
	}
	return out
}
