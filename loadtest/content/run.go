package content

import (
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
)

// Run is what one worker knows of one run's messages, and what it found. Safe for concurrent use.
type Run struct {
	id      string
	worker  int
	options Options
	sizes   sizes

	number  atomic.Uint64 // messages composed
	threads threads
	ledger  ledger
	reports reports

	mu        sync.Mutex
	mailboxes map[mailboxKey]*mailbox
	messages  atomic.Int64 // remembered in all mailboxes
}

type mailboxKey struct{ account, name string }

// NewRun returns the Run of one worker. Tokens name it by the id, cut to 24 letters, digits and hyphens, and a mark of the seed: a run
// with another seed makes other messages.
func NewRun(id string, worker int, seed uint64, o Options) *Run {
	o = o.withDefaults()
	r := &Run{id: runName(id, seed), worker: max(worker, 0), options: o, sizes: newSizes(o), mailboxes: map[mailboxKey]*mailbox{}}
	r.ledger.accounts = map[string]*account{}
	return r
}

// Recipients draws a number of recipients: geometric with the mean of the options, at least 1, at most 100.
func (r *Run) Recipients(rng *rand.Rand) int { return recipients(rng, r.options.RecipientsMean) }

// Tracked says whether the deliveries to an account are followed: always the same for an address, on every worker.
func (r *Run) Tracked(account string) bool {
	h := sum(emptyDigest, strings.ToLower(account)).mixed()
	return float64(h>>11) < r.options.Witnesses*(1<<53)
}

// own says whether this worker made the message in this run.
func (r *Run) own(id *identity) bool { return id.run == r.id && id.worker == r.worker }

// mailbox returns what is shared by all the sessions of a mailbox. If nothing is and none is to be kept, or there is no room, it is
// the caller's own.
func (r *Run) mailbox(account, name string, keep bool) *mailbox {
	if strings.EqualFold(name, "INBOX") {
		name = "INBOX"
	}
	key := mailboxKey{strings.ToLower(account), name}
	r.mu.Lock()
	defer r.mu.Unlock()
	if box := r.mailboxes[key]; box != nil {
		return box
	}
	box := &mailbox{run: r, account: key.account, name: key.name, shared: keep && len(r.mailboxes) < r.options.MaxTracked}
	switch {
	case box.shared:
		r.mailboxes[key] = box
	case keep:
		r.reports.untracked.Add(1)
	}
	return box
}
