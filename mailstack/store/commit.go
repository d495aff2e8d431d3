package store

import (
	"fmt"

	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment"
)

// commit makes a batch's changes durable. Its error concerns all operations that have no error of their own.
func (s *Store) commit(b *batch) error {
	if err := s.Err(); err != nil {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	var err error
	if !s.apply(b.ops) {
		if err = s.rollback(); err == nil {
			err = s.applyOneByOne(b.ops)
		}
	}
	if err == nil {
		err = s.finish(b.end)
	}
	if err != nil {
		if rerr := s.rollback(); rerr != nil {
			s.fail(rerr)
		}
	}
	return fullDisk(err)
}

// fullDisk lets callers recognise SQLite's error for a full disk.
func fullDisk(err error) error {
	if database.IsFull(err) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}

func (s *Store) begin() error {
	if err := s.tx.db.Control("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("cannot begin: %w", err)
	}
	return nil
}

// apply runs the operations in the transaction. It returns false when one failed halfway.
func (s *Store) apply(ops []*op) (clean bool) {
	t := s.tx
	for _, o := range ops {
		if o.err != nil {
			continue
		}
		mark, events := t.mark(), len(t.events)
		if err := o.apply(t); err != nil {
			if t.mark() != mark || !isRefusal(err) {
				return false
			}
			t.events = t.events[:events]
			o.err = err
		}
		s.at("applied")
	}
	return t.flush() == nil
}

// applyOneByOne gives every operation a savepoint, after the batch as a whole has failed.
func (s *Store) applyOneByOne(ops []*op) error {
	t := s.tx
	if err := s.begin(); err != nil {
		return err
	}
	for _, o := range ops {
		if o.err != nil {
			continue
		}
		if err := t.db.Control("SAVEPOINT operation"); err != nil {
			return fmt.Errorf("cannot set a savepoint: %w", err)
		}
		told := t.told()
		o.err = o.apply(t)
		if o.err == nil {
			o.err = t.flush()
		}
		if o.err != nil {
			o.err = fullDisk(o.err)
			// This fails if SQLite has undone the whole transaction, and then so does the batch.
			if err := t.db.Control("ROLLBACK TO operation"); err != nil {
				return fmt.Errorf("%w (cannot go back to a savepoint: %w)", o.err, err)
			}
			t.untell(told)
			if err := t.forget(); err != nil {
				return err
			}
		}
		if err := t.db.Control("RELEASE operation"); err != nil {
			return fmt.Errorf("cannot release a savepoint: %w", err)
		}
	}
	return nil
}

// finish writes the counters and commits.
func (s *Store) finish(end segment.Position) error {
	t := s.tx
	_, err := t.db.Exec("UPDATE meta SET uid_validity = ?, next_content = ?, next_vault = ?, segment = ?, offset = ? WHERE id = 1",
		t.uidValidity, int64(t.nextContent), t.nextVault, end.Segment, end.Offset)
	if err != nil {
		return fmt.Errorf("cannot write the store's counters: %w", err)
	}
	s.at("commit")
	if err := t.db.Control("COMMIT"); err != nil {
		if !database.IsFull(err) {
			// The WAL's sync may have failed: the transaction may be on disk or not.
			s.fail(fmt.Errorf("cannot commit: %w", err))
			return s.Err()
		}
		return err
	}
	s.at("committed")
	return nil
}

// rollback ends the transaction and forgets what it had changed in memory.
func (s *Store) rollback() error {
	// SQLite may have ended the transaction by itself; then this fails, and nothing is left to undo.
	_ = s.tx.db.Control("ROLLBACK")
	s.tx.untell(told{})
	return s.tx.forget()
}
