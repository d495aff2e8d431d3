// Package cells keeps one link to every cell, feeds the routing table from their directories and takes the streams they open.
package cells

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gouv.tg/messagerie/mailstack/gateway/route"
	"gouv.tg/messagerie/mailstack/link"
)

// ErrUnreachable reports a cell that is known and has no link at the moment.
var ErrUnreachable = errors.New("cell is not reachable")

// authTimeout bounds a verdict; a cell computes only a few password hashes at once, so a storm of logins queues there.
const authTimeout = 30 * time.Second

// Manager holds the links. Its fields are set before Run and not changed after.
type Manager struct {
	Table   *route.Table
	Keyring *link.Keyring // the gateway's certificate
	Log     *slog.Logger
	// Relay serves a stream on which the cell of a ministry sends mail on.
	Relay func(ctx context.Context, ministry string, s *link.Stream)

	mu    sync.Mutex
	peers map[string]*peer
	wg    sync.WaitGroup
}

// Run follows source until ctx is done, then closes all links.
func (m *Manager) Run(ctx context.Context, source route.Source) error {
	defer m.wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.wg.Go(func() {
		tick := time.NewTicker(time.Minute)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				m.Table.Sweep()
			case <-ctx.Done():
				return
			}
		}
	})
	return source.Watch(ctx, func(cells []route.Cell) { m.set(ctx, cells) })
}

// set starts, restarts and stops peers. The table learns of a cell before its link is dialled.
func (m *Manager) set(ctx context.Context, cells []route.Cell) {
	m.Table.SetCells(cells)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.peers == nil {
		m.peers = map[string]*peer{}
	}
	wanted := map[string]string{}
	for _, c := range cells {
		wanted[c.Ministry] = c.Address
	}
	for name, p := range m.peers {
		if wanted[name] != p.address {
			p.retire()
			delete(m.peers, name)
		}
	}
	for name, address := range wanted {
		if address == "" || m.peers[name] != nil {
			continue
		}
		p := newPeer(m, name, address)
		m.peers[name] = p
		ctx, cancel := context.WithCancel(ctx)
		p.cancel = cancel
		m.wg.Go(func() {
			defer cancel()
			p.run(ctx)
		})
	}
}

// Open opens a stream to the cell of a ministry. ErrUnreachable when there is no link.
func (m *Manager) Open(ministry string, h link.Header) (*link.Stream, error) {
	m.mu.Lock()
	p := m.peers[ministry]
	m.mu.Unlock()
	if p == nil {
		return nil, ErrUnreachable
	}
	s := p.session()
	if s == nil {
		return nil, ErrUnreachable
	}
	st, err := s.Open(h)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return st, nil
}

// Ask has an agent answer a challenge.
type Ask func(challenge []byte) (response []byte, err error)

// Auth asks the cell of a ministry for a verdict; ask has the agent answer what the cell wants to know first. An error
// means that there is no verdict, for now, or that ask has failed. When the verdict is Entered, the stream is the caller's.
func (m *Manager) Auth(ctx context.Context, ministry string, req link.AuthRequest, ask Ask) (link.AuthResponse, *link.Stream, error) {
	st, err := m.Open(ministry, link.Header{Protocol: link.ProtocolAuth, RemoteAddr: req.RemoteAddr, TLSVersion: req.TLSVersion})
	if err != nil {
		return link.AuthResponse{}, nil, err
	}
	stop := context.AfterFunc(ctx, func() { st.Close() })
	resp, err := exchange(st, req, ask)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil || !resp.Entered {
		st.Close()
		return resp, nil, err
	}
	st.SetDeadline(time.Time{})
	return resp, st, nil
}

// exchange asks on a stream.
func exchange(st *link.Stream, req link.AuthRequest, ask Ask) (link.AuthResponse, error) {
	var message any = req
	for range link.MaxChallenges {
		var resp link.AuthResponse
		st.SetDeadline(time.Now().Add(authTimeout))
		if err := link.WriteFrame(st, message); err != nil {
			return link.AuthResponse{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		if err := link.ReadFrame(st, &resp); err != nil {
			return link.AuthResponse{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		if !resp.More {
			return resp, nil
		}
		response, err := ask(resp.Challenge)
		if err != nil {
			return link.AuthResponse{}, err
		}
		message = link.AuthAnswer{Response: response}
	}
	return link.AuthResponse{}, fmt.Errorf("%w: challenges without end", ErrUnreachable)
}

// Linked lists the ministries and whether their cell has a link.
func (m *Manager) Linked() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[string]bool, len(m.peers))
	for name, p := range m.peers {
		out[name] = p.session() != nil
	}
	return out
}
