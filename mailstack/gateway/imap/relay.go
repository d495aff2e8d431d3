package imap

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"gouv.tg/messagerie/mailstack/gateway/guard"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/parking"
)

// relay moves bytes between an agent and its cell. Each direction is parked until there is something to move: a session that
// idles has no goroutine and no buffer, here and in the link. A goroutine that is woken moves what there is and parks again.
type relay struct {
	srv  *Server
	ctx  context.Context
	raw  *guard.Conn
	tls  *tls.Conn
	cell *link.Stream

	// Of whoever reads from the agent:
	brisk  bool          // the agent has sent something soon after it was waited for
	parked time.Duration // when it was last parked, since start

	mu       sync.Mutex
	ended    bool        // both connections are closed
	goodbye  string      // what to tell the agent when the cell has finished; "": nothing, or told by the cell
	deadline *time.Timer // the agent has sent its last, and the cell has this long to finish
	back     bool        // the cell has handed the agent back: whoever reads from the agent resumes
}

// chunks are the buffers of the moment; one holds what fits a record.
var chunks = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// quietAfter is how much may have come in at once for the agent to be thought quiet when there is no more. After more than that it is looked
// again: the next packets of a large message are most likely there.
const quietAfter = 4 << 10

// An agent whose commands follow each other closely is waited for, by a goroutine and with buffers, as long as a command takes:
// that is quicker than to park it between any two. There are places for some of them.
const lingerTime = time.Millisecond

var lingering = make(chan struct{}, 32)

// start is what times are counted from.
var start = time.Now()

// begin starts the relay. The connection is its own from now on.
func (r *relay) begin() {
	r.parked = time.Since(start) // clients say something when they have logged in
	r.raw.Keep()
	r.cell.Park(r.fromCell)
	r.fromAgent()
}

// send writes to the cell, which has a time to take what it is sent.
func (r *relay) send(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	r.cell.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := r.cell.Write(b)
	return err
}

// fromAgent moves what the agent has sent.
func (r *relay) fromAgent() {
	buf := chunks.Get().(*[16 << 10]byte)
	defer chunks.Put(buf)
	parking.Lend(r.tls)
	r.raw.Allow(1)
	r.brisk = time.Since(start)-r.parked < lingerTime
	moved, lingers := 0, false
	for {
		n, err := r.tls.Read(buf[:])
		if lingers {
			<-lingering
			lingers, r.brisk = false, err == nil
		}
		if n > 0 && r.send(buf[:n]) != nil {
			r.end()
			return
		}
		moved += n
		switch {
		case r.handedBack():
			r.resume()
			return
		case err == nil:
		case !errors.Is(err, parking.ErrWouldBlock):
			r.agentEnds(err)
			return
		case moved > quietAfter:
			moved = 0
			r.raw.Allow(1)
		case r.brisk && r.linger():
			lingers = true
		case r.parkAgent():
			return
		}
	}
}

// linger has the next read wait, if there is a place for it.
func (r *relay) linger() bool {
	select {
	case lingering <- struct{}{}:
		r.raw.Linger(lingerTime)
		return true
	default:
		return false
	}
}

// parkAgent is false when the cell has handed the agent back just now.
func (r *relay) parkAgent() bool {
	parking.Trim(r.tls)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.back {
		return false
	}
	r.parked = time.Since(start)
	if !r.ended && r.raw.Park(r.fromAgent) != nil {
		go r.end()
	}
	return true
}

// agentEnds has the cell finish what it was asked, and end.
func (r *relay) agentEnds(err error) {
	var timeout net.Error
	goodbye := ""
	switch {
	case r.raw.Draining():
		goodbye = "* BYE Server is stopping\r\n"
	case errors.As(err, &timeout) && timeout.Timeout():
		goodbye = "* BYE Autologout\r\n" // RFC 9051, 5.4
	}
	r.mu.Lock()
	if r.back {
		r.mu.Unlock()
		r.resume()
		return
	}
	if !r.ended {
		r.goodbye = goodbye
		r.deadline = time.AfterFunc(streamTimeout, r.end)
	}
	r.mu.Unlock()
	r.cell.CloseWrite()
}

// fromCell moves what the cell has sent.
func (r *relay) fromCell() {
	buf := chunks.Get().(*[16 << 10]byte)
	defer chunks.Put(buf)
	for {
		n, err := r.cell.Read(buf[:])
		if err != nil {
			r.cellEnds(err)
			return
		}
		r.listen(buf[:n])
		if _, err := r.tls.Write(buf[:n]); err != nil {
			r.end()
			return
		}
		if r.cell.Buffered() == 0 {
			r.cell.Park(r.fromCell)
			return
		}
	}
}

// listen notes whether the cell says goodbye itself.
func (r *relay) listen(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.goodbye != "" && (bytes.HasPrefix(b, []byte("* BYE ")) || bytes.Contains(b, []byte("\r\n* BYE "))) {
		r.goodbye = ""
	}
}

// cellEnds ends the session, or returns the agent to where it may log in again.
func (r *relay) cellEnds(err error) {
	r.mu.Lock()
	goodbye, agentEnded := r.goodbye, r.deadline != nil
	r.back = errors.Is(err, io.EOF) && r.cell.HandedBack()
	back := r.back
	r.mu.Unlock()
	switch {
	case !back:
		if goodbye != "" {
			r.tls.Write([]byte(goodbye))
		}
		r.end()
	case agentEnded || r.raw.Unpark():
		r.resume()
	}
}

func (r *relay) handedBack() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.back
}

// end closes both connections, once.
func (r *relay) end() {
	r.mu.Lock()
	ended := r.ended
	r.ended = true
	if r.deadline != nil {
		r.deadline.Stop()
	}
	r.mu.Unlock()
	if ended {
		return
	}
	r.cell.Close()
	r.tls.Close()
	r.raw.Close()
}

// resume returns the agent to the not authenticated state (RFC 8437). What it sent after the command that did so comes
// back from the cell, and is read before anything else.
func (r *relay) resume() {
	r.mu.Lock()
	if r.deadline != nil {
		r.deadline.Stop()
	}
	r.mu.Unlock()
	r.raw.Wait()
	r.raw.SetIdle(PreAuthTimeout)
	r.raw.SetUntil(time.Now().Add(PreAuthTimeout))
	r.cell.SetReadDeadline(time.Now().Add(streamTimeout))
	r.cell.Reclaim()
	c := &conn{srv: r.srv, ctx: r.ctx, raw: r.raw, tls: r.tls}
	c.r = newReader(io.MultiReader(&returned{r.cell}, r.tls), c.write)
	c.run()
}

// returned reads what a cell has returned, and closes the stream at its end.
type returned struct{ st *link.Stream }

func (r *returned) Read(b []byte) (int, error) {
	n, err := r.st.Read(b)
	if err != nil {
		r.st.Close()
	}
	return n, err
}
