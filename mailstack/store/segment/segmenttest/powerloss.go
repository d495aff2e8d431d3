// Package segmenttest has a file system for tests that loses what was not synced.
package segmenttest

import (
	"errors"
	"math/rand/v2"
	"os"
	"sync"

	"gouv.tg/messagerie/mailstack/store/segment"
)

// sector is what a disk writes as a whole.
const sector = 512

// PowerLoss is a file system that remembers what was not synced, for PowerCut to take some of it away. The files of a log
// lie on the machine's file system. It keeps copies in memory: tests use small segments.
type PowerLoss struct {
	segment.OS
	// Before is called, if it is set, before a file is created ("create"), written ("write"), truncated ("truncate"), synced
	// ("sync") or removed ("remove"), and before the folder is synced ("syncdir"). Its error is returned instead.
	Before func(step string) error

	mu    sync.Mutex
	files map[string]*state
}

// state is what is known of a file.
type state struct {
	entry   bool   // its folder entry is durable
	removed bool   // but that is not durable
	synced  []byte // its content then
	changes []change
}

// change is a write, or with nil bytes a change of the size.
type change struct {
	at    int64
	bytes []byte
}

func (p *PowerLoss) step(name string) error {
	if p.Before == nil {
		return nil
	}
	return p.Before(name)
}

// Open implements segment.FS.
func (p *PowerLoss) Open(path string, create bool) (segment.File, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if create {
		if err := p.step("create"); err != nil {
			return nil, err
		}
	}
	old, err := os.ReadFile(path)
	existed := err == nil
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := p.OS.Open(path, create)
	if err != nil {
		return nil, err
	}
	if p.files == nil {
		p.files = make(map[string]*state)
	}
	if s := p.files[path]; s == nil || s.removed {
		p.files[path] = &state{entry: existed, synced: old}
	}
	return &file{f, p, p.files[path]}, nil
}

// Remove implements segment.FS.
func (p *PowerLoss) Remove(path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.step("remove"); err != nil {
		return err
	}
	s := p.files[path]
	if s == nil {
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s = &state{entry: true, synced: old}
		if p.files == nil {
			p.files = make(map[string]*state)
		}
		p.files[path] = s
	}
	s.removed = true
	return p.OS.Remove(path)
}

// SyncDir implements segment.FS.
func (p *PowerLoss) SyncDir(path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.step("syncdir"); err != nil {
		return err
	}
	for name, s := range p.files {
		s.entry = true
		if s.removed {
			delete(p.files, name)
		}
	}
	return nil
}

type file struct {
	segment.File
	fs *PowerLoss
	s  *state
}

func (f *file) WriteAt(b []byte, at int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step("write"); err != nil {
		return 0, err
	}
	f.s.changes = append(f.s.changes, change{at, append([]byte{}, b...)})
	return f.File.WriteAt(b, at)
}

func (f *file) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step("truncate"); err != nil {
		return err
	}
	f.s.changes = append(f.s.changes, change{at: size})
	return f.File.Truncate(size)
}

func (f *file) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step("sync"); err != nil {
		return err
	}
	all := f.s.after(func(int64) bool { return true }, len(f.s.changes))
	f.s.synced, f.s.changes = all, nil
	return nil
}

// after is the content once those sectors that keep wants are written, with the size after the first n changes.
func (s *state) after(keep func(at int64) bool, n int) []byte {
	b := append([]byte{}, s.synced...)
	grow := func(size int64) {
		if more := size - int64(len(b)); more > 0 {
			b = append(b, make([]byte, more)...)
		}
	}
	size := int64(len(b))
	for i, c := range s.changes {
		if c.bytes == nil && i < n {
			b = b[:min(int64(len(b)), c.at)]
			grow(c.at)
		}
		end := c.at + int64(len(c.bytes))
		for at := c.at; at < end; {
			next := min(end, (at/sector+1)*sector)
			grow(next)
			if keep(at) {
				copy(b[at:next], c.bytes[at-c.at:])
			}
			at = next
		}
		if i < n {
			size = int64(len(b))
		}
	}
	return b[:size]
}

// PowerCut changes the files to what a power cut may leave: of what was written since a file's last sync any sectors, of
// its sizes since then any; files without a durable folder entry, or removed without a durable removal, may be there or not.
// Whatever uses the files must have been closed.
func (p *PowerLoss) PowerCut(rng *rand.Rand) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for path, s := range p.files {
		chance := rng.IntN(5) // of four
		left := s.after(func(int64) bool { return rng.IntN(4) < chance }, rng.IntN(len(s.changes)+1))
		if (s.removed || !s.entry) && rng.IntN(2) == 0 {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			continue
		}
		if err := os.WriteFile(path, left, 0o600); err != nil {
			return err
		}
	}
	p.files = nil
	return nil
}
