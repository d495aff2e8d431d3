package faults

import "sync"

// Ledger is what the senders know of every message of every round. It may be used by several goroutines.
type Ledger struct {
	mu       sync.Mutex
	messages map[string]*Message // by token
}

// NewLedger makes an empty one.
func NewLedger() *Ledger { return &Ledger{messages: map[string]*Message{}} }

// Begin records a message before anything of it is sent: whatever happens next, it is known.
func (l *Ledger) Begin(m *Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages[m.Token] = m
}

// Settle records a message's outcome.
func (l *Ledger) Settle(m *Message, outcome Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.Outcome = outcome
}

// Count is how many messages have the outcome.
func (l *Ledger) Count(outcome Outcome) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, m := range l.messages {
		if m.Outcome == outcome {
			n++
		}
	}
	return n
}

// Message finds a message by its token.
func (l *Ledger) Message(token string) (*Message, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m, ok := l.messages[token]
	return m, ok
}

// each calls yield for every message, with the ledger locked.
func (l *Ledger) each(yield func(*Message)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.messages {
		yield(m)
	}
}
