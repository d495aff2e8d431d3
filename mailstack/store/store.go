package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment"
)

const (
	readers        = 4
	readerCacheKiB = 512
	writerCacheKiB = 4096
)

// Options say where and how a store is kept.
type Options struct {
	Dir          string        // made if it does not exist
	SegmentBytes int64         // size at which a new segment file is started; 0: 256 MiB
	VaultFor     time.Duration // how long expunged messages can be recovered; 0: not at all
	Logger       *slog.Logger

	fs  segment.FS       // tests inject faults
	now func() time.Time // tests move the clock
	at  func(string)     // tests look at the disk between two steps of the writer

	postponeFrom int64 // tests postpone less
}

// Store is an open store. Its methods may be called by any number of goroutines.
type Store struct {
	path   string
	logger *slog.Logger
	now    func() time.Time
	at     func(string)
	lock   *os.File
	log    *segment.Log
	tx     *tx // the writer's

	closing sync.RWMutex // held to enqueue, and to close the queue
	closed  bool
	pending chan *op
	written chan struct{} // closed when the writer has ended
	readers chan *database.Conn
	failed  atomic.Pointer[error]

	commits, operations, commitTime atomic.Int64 // see Stats

	checkpointed    int64 // the writer's
	subscribers     subscribers
	receivers       receivers
	accountsChanged notifier
	queueChanged    notifier
	sweep           chan struct{}
	postponed       chan struct{} // flags wait to be settled
	stopKeeping     context.CancelFunc
	keepers         sync.WaitGroup // housekeeping
	compacting      chan struct{}  // one place: one compaction at a time
	deadBytes       atomic.Int64   // see Stats
}

// Open opens or creates a store, repairs what a crash has left (a torn tail behind the last acknowledged
// byte) and starts its writer. Bytes that are missing although they were acknowledged are logged, and
// reported by Check. ErrLocked: another process has the store open.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{
		path:    filepath.Join(o.Dir, "metadata.db"),
		logger:  o.Logger,
		now:     o.now,
		at:      o.at,
		pending: make(chan *op, maxPending),
		written: make(chan struct{}),
		readers: make(chan *database.Conn, readers),
		sweep:   make(chan struct{}, 1),

		postponed:  make(chan struct{}, 1),
		compacting: make(chan struct{}, 1),
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.at == nil {
		s.at = func(string) {}
	}
	if err := s.open(ctx, o); err != nil {
		s.release()
		return nil, fmt.Errorf("cannot open the store in %s: %w", o.Dir, err)
	}
	for range readers {
		s.readers <- nil // opened when it is first needed
	}
	s.subscribers.accounts, s.subscribers.mailboxes = make(map[AccountID][]*subscriber), make(map[MailboxID][]*subscriber)
	keeping, stop := context.WithCancel(context.Background())
	s.stopKeeping = stop
	s.postponed <- struct{}{} // perhaps, before the store was opened
	go s.write()
	s.keepers.Go(func() { s.keepHouse(keeping) })
	s.keepers.Go(func() { s.keepSettled(keeping) })
	s.keepers.Go(func() { s.keepCompact(keeping) })
	return s, nil
}

func (s *Store) open(ctx context.Context, o Options) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	if err := s.takeLock(filepath.Join(o.Dir, "lock")); err != nil {
		return err
	}
	// SQLite gives its other files the mode of this one.
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	db, err := database.Open(s.path, database.Options{CacheKiB: writerCacheKiB})
	if err != nil {
		return err
	}
	s.tx = &tx{db: db}
	if err := migrate(db, s.now()); err != nil {
		return err
	}
	if s.tx, err = newTx(db); err != nil {
		return errors.Join(err, db.Close())
	}
	s.tx.vaultFor, s.tx.postponeFrom = o.VaultFor, cmp.Or(o.postponeFrom, postponeFrom)
	var end segment.Position
	if _, err := db.Row(func(r *database.Rows) { end = segment.Position{Segment: uint32(r.Int(0)), Offset: r.Int(1)} },
		"SELECT segment, offset FROM meta"); err != nil {
		return err
	}
	log, recovery, err := segment.Open(segment.Options{
		Dir: filepath.Join(o.Dir, "segments"), SegmentBytes: o.SegmentBytes, FS: o.fs, Acknowledged: end,
	})
	if err != nil {
		return err
	}
	s.log = log
	for _, damage := range recovery.Damage {
		s.logger.Error("acknowledged messages are missing", "error", damage)
	}
	if recovery.Truncated > 0 || recovery.Orphans > 0 {
		s.logger.Info("recovered after a crash", "tornBytes", recovery.Truncated, "orphans", recovery.Orphans)
	}
	return segment.OS{}.SyncDir(o.Dir)
}

// takeLock keeps a second process out; the kernel drops the lock with the process.
func (s *Store) takeLock(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	s.lock = f
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return ErrLocked
		}
		return fmt.Errorf("cannot lock %s: %w", path, err)
	}
	return nil
}

// release closes what open has opened. Everything acknowledged is on disk already.
func (s *Store) release() error {
	var errs []error
	if s.tx != nil {
		errs = append(errs, s.tx.db.Close())
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Close lets waiting operations finish, refuses new ones with ErrClosed, and closes the
// files. It may be called more than once.
func (s *Store) Close() error {
	s.closing.Lock()
	if s.closed {
		s.closing.Unlock()
		<-s.written
		return nil
	}
	s.closed = true
	s.stopKeeping()
	close(s.pending)
	s.closing.Unlock()
	s.keepers.Wait()
	<-s.written
	var errs []error
	for range readers {
		if c := <-s.readers; c != nil {
			errs = append(errs, c.Close())
		}
	}
	close(s.readers)
	errs = append(errs, s.release())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot close the store: %w", err)
	}
	return nil
}

// Err tells why the store refuses writes; nil while it takes them. The error wraps ErrFailed and stays
// until the store is opened again.
func (s *Store) Err() error {
	if p := s.failed.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *Store) fail(err error) {
	err = fmt.Errorf("%w: %w", ErrFailed, err)
	if s.failed.CompareAndSwap(nil, &err) {
		s.logger.Error("store refuses writes from now on", "error", err)
	}
}

// read runs f with a connection of its own, on the state of the last commit.
func (s *Store) read(ctx context.Context, f func(*database.Conn) error) error {
	var c *database.Conn
	var ok bool
	select {
	case c, ok = <-s.readers:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !ok {
		return ErrClosed
	}
	defer func() { s.readers <- c }()
	if c == nil {
		var err error
		if c, err = database.Open(s.path, database.Options{CacheKiB: readerCacheKiB, ReadOnly: true}); err != nil {
			return err
		}
	}
	return f(c)
}

// snapshot is read with all of f on the state of one commit.
func (s *Store) snapshot(ctx context.Context, f func(*database.Conn) error) error {
	return s.read(ctx, func(c *database.Conn) error {
		if err := c.Control("BEGIN"); err != nil {
			return err
		}
		err := f(c)
		if rerr := c.Control("ROLLBACK"); err == nil {
			err = rerr
		}
		return err
	})
}

// Stats returns figures of the whole store.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	var st Stats
	err := s.read(ctx, func(c *database.Conn) error {
		_, err := c.Row(func(r *database.Rows) { st.Accounts, st.Messages, st.QueueLength = r.Int(0), r.Int(1), r.Int(2) },
			"SELECT (SELECT COUNT(*) FROM accounts), (SELECT COALESCE(SUM(messages), 0) FROM account_state), (SELECT COUNT(*) FROM queue)")
		return err
	})
	if err == nil {
		st.SegmentBytes, err = s.log.Size()
	}
	if err != nil {
		return Stats{}, fmt.Errorf("cannot get the store's figures: %w", err)
	}
	st.DeadBytes = s.deadBytes.Load()
	st.Commits, st.Operations, st.CommitTime = s.commits.Load(), s.operations.Load(), time.Duration(s.commitTime.Load())
	return st, nil
}
