package imap

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"gouv.tg/messagerie/loadtest/wire"
)

// reading bounds how long a poller's goroutine waits for the rest of a response.
const reading = 30 * time.Second

// idling is what an idle session has beyond its Client. The connection belongs to the poller while parked, to one of its goroutines
// or to a renewal while busy, and to whoever calls the Client when released.
type idling struct {
	client  *Client
	poller  *wire.Poller
	onEvent func(error)
	phase   phase // belongs to whoever has the connection

	mu       sync.Mutex
	place    place
	due      bool          // renewal's time came
	claimed  chan struct{} // Done waits for it to be closed
	err      error         // why the connection is gone
	position int           // in the renewals' heap; -1: not there
	at       time.Time     // of the next renewal
}

type place int

const (
	parked place = iota
	busy
	released
)

// phase is how far the server is. All but waiting occur only while IDLE is renewed.
type phase int

const (
	waiting   phase = iota // "+" came: the server tells what happens
	ending                 // DONE was sent, its tagged response is to come
	beginning              // IDLE was sent, "+" is to come
)

// Idle sends IDLE (RFC 2177), waits for "+" and parks the connection: no goroutine, no buffers. It is renewed every 29 minutes. What comes
// before "+" goes to the Observer alone.
//
// onEvent is called, never twice at once, after untagged data was read and given to the Observer, from a goroutine of the poller;
// with an error the connection is gone and it is the last call, and it may also come from the renewal. While it runs the session reads
// nothing, so it should be short; it must not call methods of the Client except Has, Conn and Disconnect. Until Done, other commands fail
// with ErrIdle. An *Error says that the server refused IDLE; the session goes on.
func (c *Client) Idle(ctx context.Context, p *wire.Poller, onEvent func(err error)) error {
	m := c.begin(ctx, "IDLE")
	m.text = append(m.text, "\r\n"...)
	m.flow()
	m.flush()
	for m.ready() {
		k, err := m.response()
		m.broken(err)
		if k == continuation {
			break
		}
		if m.over = k == tagged; m.over && err == nil && m.result.Status == "OK" {
			m.broken(protocolError("the end of IDLE before its beginning"))
		}
	}
	if m.ready() {
		m.result.Status = "OK"
	}
	if err := m.close(); err != nil {
		return err
	}
	s := &idling{client: c, poller: p, onEvent: onEvent, position: -1}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.idle.Store(s)
	if err := p.Park(c.conn, s.ready); err != nil {
		c.idle.Store(nil)
		c.conn.Close()
		return fmt.Errorf("imap: IDLE: %w", err)
	}
	c.renewals.schedule(s, c.renewals.interval)
	return nil
}

// Done sends DONE and waits for its tagged response; then the client can be used again. When it returns no onEvent runs or will run.
// What comes in between goes to the Observer. If the connection was lost, that is the error, whether onEvent was told or not.
func (c *Client) Done(ctx context.Context) error {
	s := c.idle.Load()
	if s == nil {
		return ErrNotIdle
	}
	s.claim(ctx)
	c.renewals.remove(s)
	c.idle.Store(nil)
	if s.err != nil {
		c.conn.Close()
		return fmt.Errorf("imap: IDLE: %w", s.err)
	}
	m := &command{client: c, ctx: ctx, name: "DONE", sent: true}
	m.start()
	m.broken(ctx.Err())
	for s.phase == beginning && m.ready() {
		k, err := m.response()
		m.broken(err)
		if k == continuation {
			s.phase = waiting
		}
		m.over = k == tagged
	}
	if s.phase == waiting {
		m.text = append(m.text, "DONE\r\n"...)
		m.flow()
		m.flush()
	}
	m.finish()
	return m.close()
}

// claim takes the connection back, from a poller's goroutine if need be. When the context ends, that goroutine's reading ends too.
func (s *idling) claim(ctx context.Context) {
	s.mu.Lock()
	if s.place == parked && s.poller.Unpark(s.client.conn) {
		s.place = released
	}
	if s.place == released {
		s.mu.Unlock()
		return
	}
	claimed := make(chan struct{})
	s.claimed = claimed
	s.mu.Unlock()
	select {
	case <-claimed:
		return
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.client.conn.SetDeadline(past)
	s.mu.Unlock()
	<-claimed
}

// disconnect closes the connection wherever it is.
func (s *idling) disconnect() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.place == parked {
		// Whether or not the poller was just about to call ready: it will find the connection released.
		s.place, s.err = released, net.ErrClosed
		s.client.renewals.remove(s)
	}
	return s.client.conn.Close()
}

// ready is called by the poller when there is something to read.
func (s *idling) ready() {
	s.mu.Lock()
	if s.place != parked {
		s.mu.Unlock()
		return
	}
	s.place = busy
	if s.claimed != nil {
		s.mu.Unlock()
		s.leave(nil)
		return
	}
	s.client.conn.SetDeadline(time.Now().Add(reading))
	s.mu.Unlock()

	told, err := s.read()
	if told && err == nil {
		s.onEvent(nil)
	}
	s.leave(err)
}

// leave parks the connection again, or gives it to Done, or tells that it is gone.
func (s *idling) leave(err error) {
	s.mu.Lock()
	for s.due && s.claimed == nil && err == nil {
		s.due = false
		s.mu.Unlock()
		err = s.renew()
		s.mu.Lock()
	}
	if err == nil && s.claimed == nil {
		s.place = parked
		if err = s.poller.Park(s.client.conn, s.ready); err == nil {
			s.mu.Unlock()
			return
		}
		s.place = busy
	}
	s.err = err
	tell := err != nil && s.claimed == nil
	s.mu.Unlock()

	if tell {
		s.client.renewals.remove(s)
		s.client.conn.Close()
		s.onEvent(fmt.Errorf("imap: IDLE: %w", err))
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.place = released
	if s.claimed != nil {
		close(s.claimed)
	}
}

// read takes in what came, and takes the steps of a renewal. told: there was something for the Observer.
func (s *idling) read() (told bool, err error) {
	c := s.client
	p := parser{reader: reader{src: c.conn}, observer: c.observer}
	for {
		p.tag = c.tagText()
		k, err := p.response()
		switch {
		case err == io.EOF:
			return p.told, io.ErrUnexpectedEOF
		case err != nil:
			return p.told, err
		case p.bye != nil:
			return p.told, p.bye
		}
		if err := s.step(k, &p); err != nil {
			return p.told, err
		}
		if c.conn.Buffered() == 0 {
			return p.told, nil
		}
	}
}

// step goes from one phase of a renewal to the next.
func (s *idling) step(k kind, p *parser) error {
	c := s.client
	switch {
	case k == untagged:
		return nil
	case k == tagged && s.phase == ending && p.result.Status == "OK":
		c.tag++
		s.phase = beginning
		return s.send(c.tagText() + " IDLE\r\n")
	case k == continuation && s.phase == beginning:
		s.phase = waiting
		c.renewals.schedule(s, c.renewals.interval)
		return nil
	case k == tagged:
		refused := p.result
		return &refused
	}
	return protocolError("a continuation request that nobody waits for")
}

// renew begins a renewal, or finds that the one before was not answered.
func (s *idling) renew() error {
	if s.phase != waiting {
		return fmt.Errorf("no answer to the renewal of IDLE: %w", context.DeadlineExceeded)
	}
	s.client.renewals.schedule(s, s.client.renewals.patience)
	s.phase = ending
	s.client.conn.SetDeadline(time.Now().Add(reading))
	return s.send("DONE\r\n")
}

func (s *idling) send(line string) error {
	if _, err := s.client.conn.WriteString(line); err != nil {
		return err
	}
	return s.client.conn.Flush()
}

// expire is called when renewal's time came.
func (s *idling) expire() {
	s.mu.Lock()
	if s.place == released || s.claimed != nil {
		s.mu.Unlock()
		return
	}
	s.due = true
	if s.place == busy || !s.poller.Unpark(s.client.conn) {
		s.mu.Unlock() // whoever has the connection sees that it is due
		return
	}
	s.place = busy
	s.mu.Unlock()
	s.leave(nil)
}
