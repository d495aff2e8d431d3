package fulltext

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"gouv.tg/messagerie/mailstack/store/database"
)

// Source is the store that is searched.
type Source interface {
	// ReadContent returns the bytes of a message; an error if there is no such content (any more) or it cannot be read.
	ReadContent(ctx context.Context, content int64) ([]byte, error)
	// Watch calls changed after each commit with the contents that came to an account and those that went from it, until cancel.
	// changed does not block.
	Watch(account int64, changed func(came, gone []int64)) (cancel func())
}

// Options are settings of indexes.
type Options struct {
	Source Source
	// Busy tells that there is more important work; indexing waits then. nil: never.
	Busy   func() bool
	Logger *slog.Logger
}

const (
	// maxOpen bounds the files that are kept open, and the searches that have an index at the same time.
	maxOpen = 16
	// worthwhile is how many messages a search has to read before its account gets an index: fewer are read as fast.
	worthwhile = 500
	suffix     = ".index"
)

// Indexes are the indexes of the accounts of one store, in a folder of their own, which is of no use with any other store, nor with an older
// copy of it: ids of contents mean other messages there. They may be used by several goroutines.
type Indexes struct {
	folder  string
	options Options

	queue  *queue
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	watches map[int64]func() // of accounts that have a file
	open    map[int64]*file
	clock   int64
	closed  bool
}

// Open opens the indexes in a folder, which it makes if need be, and begins to index what comes to their accounts and what searches
// had to read. Close ends that.
func Open(folder string, o Options) (*Indexes, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("cannot open search indexes: %w", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot open search indexes: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	x := &Indexes{folder: folder, options: o, queue: newQueue(), cancel: cancel, done: make(chan struct{}),
		watches: make(map[int64]func()), open: make(map[int64]*file)}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if account, err := strconv.ParseInt(name, 10, 64); ok && err == nil {
			x.watch(account)
		}
	}
	go x.feed(ctx)
	return x, nil
}

// watch follows the commits of an account.
func (x *Indexes) watch(account int64) {
	if x.watches[account] == nil {
		x.watches[account] = x.options.Source.Watch(account, func(came, gone []int64) { x.queue.put(account, came, gone) })
	}
}

// want asks to index what a search had to read, if there is an index or it is worth one.
func (x *Indexes) want(account int64, contents []int64) {
	x.mu.Lock()
	exists := x.watches[account] != nil
	x.mu.Unlock()
	if exists || len(contents) >= worthwhile {
		x.queue.put(account, contents, nil)
	}
}

// Close stops indexing and closes all files. No search may be running.
func (x *Indexes) Close() {
	x.cancel()
	<-x.done
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	for _, cancel := range x.watches {
		cancel()
	}
	for account, f := range x.open {
		f.mu.Lock()
		f.close()
		f.mu.Unlock()
		delete(x.open, account)
	}
}

func (x *Indexes) path(account int64) string {
	return filepath.Join(x.folder, strconv.FormatInt(account, 10)+suffix)
}

// acquire returns the index of an account; nil if there is none and it is not to be made, if it cannot be opened, or if too many
// are in use. Give it back with release.
func (x *Indexes) acquire(account int64, create bool) *file {
	x.mu.Lock()
	defer x.mu.Unlock()
	f := x.open[account]
	if f == nil {
		if x.closed || !create && x.watches[account] == nil || !x.makeRoom() {
			return nil
		}
		var err error
		if f, err = openFile(x.path(account), account); err != nil {
			x.options.Logger.Warn("search has no index", "account", account, "error", err)
			return nil
		}
		x.open[account] = f
		x.watch(account)
	}
	x.clock++
	f.users++
	f.used = x.clock
	return f
}

// makeRoom closes the file that was used longest ago if there are too many.
func (x *Indexes) makeRoom() bool {
	if len(x.open) < maxOpen {
		return true
	}
	var oldest *file
	for _, f := range x.open {
		if f.users == 0 && (oldest == nil || f.used < oldest.used) {
			oldest = f
		}
	}
	if oldest == nil {
		return false
	}
	delete(x.open, oldest.account)
	oldest.close()
	return true
}

func (x *Indexes) release(f *file) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f.users--
	if f.users == 0 && x.open[f.account] != f { // it was discarded
		f.close()
	}
}

// discard throws an index away that cannot be trusted. A full disk does not mean that.
func (x *Indexes) discard(f *file, err error) {
	if database.IsFull(err) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.open[f.account] != f {
		return // somebody did already
	}
	x.options.Logger.Warn("search index is thrown away and made anew", "account", f.account, "error", err)
	x.forget(f.account)
}

// forget removes the file of an account, which its last user closes.
func (x *Indexes) forget(account int64) {
	if f := x.open[account]; f != nil {
		delete(x.open, account)
		f.mu.Lock()
		f.close()
		f.mu.Unlock()
	}
	if cancel := x.watches[account]; cancel != nil {
		cancel()
		delete(x.watches, account)
	}
	if err := removeFiles(x.path(account)); err != nil {
		x.options.Logger.Warn("cannot remove a search index", "account", account, "error", err)
	}
}

// errEmptied means that most of an index leads nowhere.
var errEmptied = errors.New("most of what it has is gone")
