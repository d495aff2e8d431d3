package imap

import (
	"bytes"
	"strconv"
)

// updates writes what a view tells.
type updates struct {
	out    []byte
	modseq bool
}

func (u *updates) Keywords(flags []byte) {
	u.out = append(append(append(u.out, "* FLAGS ("...), flags...), ")\r\n* OK [PERMANENTFLAGS ("...)
	u.out = append(append(u.out, flags...), " \\*)] a new keyword\r\n"...)
}

func (u *updates) Expunge(seq uint32) { u.number(seq, " EXPUNGE\r\n") }
func (u *updates) Exists(n uint32)    { u.number(n, " EXISTS\r\n") }

func (u *updates) Changed(seq, uid uint32, flags []byte, modseq uint64) {
	u.number(seq, " FETCH (UID ")
	u.out = strconv.AppendUint(u.out, uint64(uid), 10)
	u.out = append(append(append(u.out, " FLAGS ("...), flags...), ')')
	if u.modseq {
		u.out = append(strconv.AppendUint(append(u.out, " MODSEQ ("...), modseq, 10), ')')
	}
	u.out = append(u.out, ")\r\n"...)
}

func (u *updates) number(n uint32, text string) {
	u.out = append(strconv.AppendUint(append(u.out, "* "...), uint64(n), 10), text...)
}

// update tells what changed in the selected mailbox.
func (x *session) update(expunges bool) {
	if x.view == nil {
		return
	}
	u := updates{out: x.c.Out, modseq: x.condstore}
	x.view.Update(expunges, &u)
	x.c.Out = u.out
}

// idle is RFC 2177: changes are pushed as they happen until the client says DONE.
func (x *session) idle(p *parser) (string, error) {
	if !p.end() {
		return "", errSyntax
	}
	x.c.Out = append(x.c.Out, "+ idling\r\n"...)
	if x.view != nil {
		x.view.Idle(x.wake)
		defer x.stopIdle()
	}
	x.update(true)
	if x.c.Flush() != nil {
		x.leaving = true
		return "", nil
	}
	x.mu.Lock()
	x.idling = x.view != nil
	x.mu.Unlock()
	x.wake() // for what came between the update and now
	line, err := x.c.ReadLine()
	if err != nil {
		x.leaving = true
		return "", nil
	}
	done := bytes.EqualFold(line, []byte("DONE"))
	x.stopIdle()
	if !done {
		return "", errSyntax
	}
	return "OK done", nil
}

// stopIdle returns when no push runs nor will run.
func (x *session) stopIdle() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.idling = false
	if x.view != nil {
		x.view.Idle(nil)
	}
}

// wake starts a push unless one is about to begin. It does not wait: a mailbox calls it under its lock.
func (x *session) wake() {
	if x.pushing.CompareAndSwap(false, true) {
		x.Go(x.push)
	}
}

func (x *session) push() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.pushing.Store(false) // under the lock: one push runs and one waits at most
	if !x.idling {
		return
	}
	err := x.c.Push(func(out []byte) []byte {
		u := updates{out: out, modseq: x.condstore}
		x.view.Update(true, &u)
		if len(u.out) > 0 {
			x.Pushes.Add(1)
		}
		return u.out
	})
	if err != nil {
		_ = x.c.Net().Close() // ends the read that waits for DONE
	}
}
