// Package pull copies mailboxes from another IMAP server into cells: resumable, verified, with a proof that maps every
// message there to one here. Nobody's mail may land in another's box: before anything is copied, evidence is gathered of
// whose the mailboxes are, and rows that it does not speak for are refused.
package pull

import (
	"context"
	"crypto/tls"
	"sync"
	"time"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/archive"
)

// Limits.
const (
	MaxConcurrency = 64
	maxRows        = 200_000
	maxMappingFile = 256 << 20
	maxBoxes       = 5000      // mailboxes of one account
	maxMessages    = 5_000_000 // of one mailbox
	batchMessages  = 200
	batchBytes     = 8 << 20 // of a batch, unless one message alone has more
	sampleSize     = 50      // messages that evidence is taken from
	attempts       = 8       // in a row without progress
	firstPause     = time.Second
	longestPause   = time.Minute
)

// Cell is where mail goes: an admin.Client, or a remote.Cell.
type Cell interface {
	Describe(ctx context.Context, address string) (admin.Description, error)
	Import(ctx context.Context, address string, r archive.Reader, yield func(admin.ImportResult) error) error
	Digests(ctx context.Context, address, mailbox string, after uint32, yield func(admin.Digest) error) error
}

// Options say how to pull.
type Options struct {
	Source      string                    // host:port of the IMAP server, which speaks TLS
	TLS         *tls.Config               // trusts it; ServerName is set
	Locate      func(address string) Cell // that holds the account; nil: none does
	Concurrency int                       // accounts at the same time, each with one connection
	State       string                    // folder
	Progress    func(Progress)            // calls come one at a time

	pause time.Duration // before the first retry; tests shorten it
}

// Progress is how far a run is.
type Progress struct {
	Accounts, Done    int // of the mapping
	Messages          int64
	Bytes             int64
	Account, Activity string // the last thing that happened
}

// tally reports progress.
type tally struct {
	mu     sync.Mutex
	now    Progress
	report func(Progress)
}

func (t *tally) add(account, activity string, done int, messages int, bytes int64) {
	if t.report == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.Account, t.now.Activity = account, activity
	t.now.Done += done
	t.now.Messages += int64(messages)
	t.now.Bytes += bytes
	t.report(t.now)
}

// each runs f for every row, some at a time, until ctx ends.
func each(ctx context.Context, rows []Row, concurrency int, f func(i int, r *Row)) {
	var group sync.WaitGroup
	places := make(chan struct{}, max(1, min(concurrency, MaxConcurrency)))
	for i := range rows {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			group.Wait()
			return
		}
		group.Go(func() {
			defer func() { <-places }()
			f(i, &rows[i])
		})
	}
	group.Wait()
}
