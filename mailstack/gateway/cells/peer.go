package cells

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/mailstack/link"
)

// Pauses between attempts to dial a cell.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// snapshotPause is the longest silence before a directory's first snapshot is complete.
const snapshotPause = 60 * time.Second

// drainTime is how long streams of a cell that is going away may still run.
const drainTime = 5 * time.Minute

// peer keeps the link to one cell.
type peer struct {
	m          *Manager
	ministry   string
	address    string
	cancel     context.CancelFunc
	current    atomic.Pointer[link.Session]
	mechanisms atomic.Pointer[[]string] // nil until the cell has told
	retired    chan struct{}
	retire     func()
}

func newPeer(m *Manager, ministry, address string) *peer {
	p := &peer{m: m, ministry: ministry, address: address, retired: make(chan struct{})}
	p.retire = sync.OnceFunc(func() { close(p.retired) })
	return p
}

func (p *peer) session() *link.Session {
	if s := p.current.Load(); s != nil && s.Err() == nil {
		return s
	}
	return nil
}

// run dials, serves and dials again until ctx is done or the peer is retired.
func (p *peer) run(ctx context.Context) {
	log := p.m.Log.With("ministry", p.ministry, "address", p.address)
	config := p.m.Keyring.ClientConfig(link.CellURI(p.ministry))
	pause, quiet := firstPause, false
	for {
		s, err := link.Dial(ctx, p.address, config)
		if err == nil {
			log.Info("link is up")
			quiet = false
			if p.serve(ctx, s) {
				pause = firstPause
			}
			log.Info("link is down")
		} else if ctx.Err() == nil && !quiet {
			log.Warn("link cannot be made, trying on", "error", err)
			quiet = true // once for each outage
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-p.retired:
			return
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// serve runs one session to its end. It reports whether the directory came through, that is, whether the link was good.
func (p *peer) serve(ctx context.Context, s *link.Session) (good bool) {
	p.current.Store(s)
	defer p.current.CompareAndSwap(s, nil)
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-p.retired:
			p.drain(ctx, s)
			s.Close()
		case <-s.Done():
		}
	})
	wg.Go(func() {
		good = p.follow(s)
		s.Close() // a link without a directory is of no use: make it anew
	})
	s.Serve(ctx, func(ctx context.Context, st *link.Stream) {
		if st.Header.Protocol == link.ProtocolRelay {
			p.m.Relay(ctx, p.ministry, st)
		}
	})
	wg.Wait()
	return good
}

// drain waits until the streams of agents have ended, for a while. No new ones come: the peer has left the manager.
func (p *peer) drain(ctx context.Context, s *link.Session) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	end := time.After(drainTime)
	for s.NumStreams() > 1 { // the directory stays
		select {
		case <-tick.C:
		case <-end:
			return
		case <-s.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// follow feeds the table from the cell's directory until the stream ends.
func (p *peer) follow(s *link.Session) (synced bool) {
	st, err := s.Open(link.Header{Protocol: link.ProtocolDirectory})
	if err != nil {
		return false
	}
	defer st.Close()
	feed := p.m.Table.Feed(p.ministry)
	defer feed.End()
	for {
		if synced {
			st.SetReadDeadline(time.Time{}) // changes come when they come; the session notices a dead peer
		} else {
			st.SetReadDeadline(time.Now().Add(snapshotPause))
		}
		var u link.DirectoryUpdate
		err := link.ReadFrame(st, &u)
		if err == nil {
			if u.Mechanisms != nil {
				p.mechanisms.Store(&u.Mechanisms)
			}
			err = feed.Apply(u)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && s.Err() == nil {
				p.m.Log.Error("directory of a cell is lost", "ministry", p.ministry, "error", err)
			}
			return synced
		}
		synced = synced || u.Sync
	}
}
