package fulltext

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/mime"
)

// library is a source of messages.
type library struct {
	mu    sync.Mutex
	texts map[int64][]byte
	truth map[string][]bool
	watch map[int64]func(came, gone []int64)
	reads atomic.Int64
}

func (l *library) Watch(account int64, changed func(came, gone []int64)) (cancel func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watch[account] = changed
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watch, account)
	}
}

// commit tells of a change, if anybody listens.
func (l *library) commit(account int64, came, gone []int64) {
	l.mu.Lock()
	changed := l.watch[account]
	l.mu.Unlock()
	if changed != nil {
		changed(came, gone)
	}
}

// find searches a text itself.
func (l *library) find(content int64, needles []mime.Needle) []bool {
	key := fmt.Sprint(content)
	for i := range needles {
		key += "\n" + string(needles[i].Folded())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	found, known := l.truth[key]
	if !known {
		var finder mime.Finder
		found = finder.Find(l.texts[content], needles)
		l.truth[key] = found
	}
	return found
}

func (l *library) ReadContent(_ context.Context, content int64) ([]byte, error) {
	l.reads.Add(1)
	if raw := l.get(content); raw != nil {
		return raw, nil
	}
	return nil, errors.New("no such content")
}

func (l *library) get(content int64) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.texts[content]
}

// shelf is a library of n letters, numbered from 10 in steps of 3.
func shelf(n, words int) (*library, []int64) {
	l := &library{texts: make(map[int64][]byte), truth: make(map[string][]bool), watch: make(map[int64]func(came, gone []int64))}
	var ids []int64
	for i := range n {
		id := int64(10 + 3*i)
		l.texts[id] = letter(uint64(id), words)
		ids = append(ids, id)
	}
	return l, ids
}

// bed is an open set of indexes.
type bed struct {
	*testing.T
	*Indexes
	library *library
	folder  string
}

func newBed(t *testing.T, l *library) *bed {
	b := &bed{T: t, library: l, folder: filepath.Join(t.TempDir(), "search")}
	b.reopen()
	t.Cleanup(func() { b.Close() })
	return b
}

func (b *bed) reopen() {
	b.Helper()
	if b.Indexes != nil {
		b.Close()
	}
	x, err := Open(b.folder, Options{Source: b.library, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Indexes = x
}

// ask searches contents for strings. Nothing may be lacking that is there; it returns how many contents are indexed and how many of
// those, summed over the strings, were to be read without having the string.
func (b *bed) ask(account int64, ids []int64, strings ...string) (indexed, mistaken int) {
	b.Helper()
	var needles []mime.Needle
	for _, s := range strings {
		needles = append(needles, mime.NewNeedle(s, false))
	}
	s := b.Search(account, needles)
	defer s.Close()
	lacks := make([]bool, len(needles))
	for _, id := range ids {
		known := s.Lacks(id, lacks)
		if known {
			indexed++
		}
		for i, has := range b.library.find(id, needles) {
			switch {
			case lacks[i] && (has || !known):
				b.Fatalf("content %d has %q, the index says no", id, strings[i])
			case known && !lacks[i] && !has:
				mistaken++
			}
		}
	}
	return indexed, mistaken
}

// settle waits until nothing is wanted and nothing is being indexed.
func (b *bed) settle(account int64, ids []int64) {
	b.Helper()
	for range 6000 {
		if indexed, _ := b.ask(account, ids, "xyz"); indexed == len(ids) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatal("not indexed")
}

// words returns strings that are in some of the letters, and some that are in none.
func (b *bed) words(ids []int64) []string {
	r := rand.New(rand.NewPCG(5, 5))
	list := []string{"introuvable", "nothing of the kind", "QZQ"}
	for range 8 {
		raw := b.library.texts[ids[r.IntN(len(ids))]]
		at := len(raw)/2 + r.IntN(len(raw)/2-12)
		list = append(list, string(raw[at:at+5+r.IntN(6)]))
	}
	return list
}

func TestSearch(t *testing.T) {
	for _, test := range []struct{ n, words, blocks int }{
		{700, 60, 0},   // all wait
		{4500, 60, 1},  // 4096 of 2^11 bits
		{200, 8000, 3}, // 64 of 2^17 bits
	} {
		t.Run(fmt.Sprint(test.n), func(t *testing.T) {
			l, ids := shelf(test.n, test.words)
			b := newBed(t, l)
			b.want(1, make([]int64, worthwhile)) // makes an index, whatever is in it
			b.settle(1, ids)
			for range 2 {
				words := b.words(ids)
				indexed, mistaken := b.ask(1, ids, words...)
				if indexed != len(ids) || mistaken > len(ids)*len(words)/5 {
					t.Errorf("%d of %d are indexed, %d mistaken", indexed, len(ids), mistaken)
				}
				f := b.acquire(1, false)
				if len(f.logs) != test.blocks {
					t.Errorf("%d blocks, want %d", len(f.logs), test.blocks)
				}
				b.release(f)
				b.reopen()
			}
		})
	}
}

// set changes all texts.
func (l *library) set(texts map[int64][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.texts = texts
	clear(l.truth)
}

// waiting is how many contents are in the queue.
func (b *bed) waiting() int {
	b.queue.mu.Lock()
	defer b.queue.mu.Unlock()
	return b.queue.total
}

// idle waits until there is nothing to do.
func (b *bed) idle() {
	b.Helper()
	for range 6000 {
		if b.waiting() == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	b.Fatal("not idle")
}

func TestLazily(t *testing.T) {
	l, ids := shelf(worthwhile+100, 20)
	b := newBed(t, l)
	l.commit(1, ids, nil)
	if b.waiting() != 0 {
		t.Error("an account without searches is to be indexed")
	}
	if indexed, _ := b.ask(1, ids[:worthwhile-1], "xyz"); indexed != 0 || b.waiting() != 0 {
		t.Errorf("a small search: %d indexed, %d wanted", indexed, b.waiting())
	}
	b.ask(1, ids[:worthwhile], "xyz")
	b.settle(1, ids[:worthwhile])
	if files, _ := filepath.Glob(filepath.Join(b.folder, "*"+suffix)); len(files) != 1 {
		t.Errorf("files %v", files)
	}
	b.reopen()
	l.commit(1, ids, nil) // from now on, what comes
	b.settle(1, ids)
	if indexed, _ := b.ask(2, ids[:10], "xyz"); indexed != 0 {
		t.Error("accounts share an index")
	}
	before := l.reads.Load()
	l.commit(1, append([]int64{1, 2}, ids...), nil) // two do not exist
	b.idle()
	b.Close()
	if reads := l.reads.Load() - before; reads > 2 {
		t.Errorf("%d reads of what is indexed", reads)
	}
	if len(l.watch) != 0 {
		t.Error("still watching")
	}
	b.Indexes = nil
	b.reopen()
}

func TestRemove(t *testing.T) {
	l, ids := shelf(4400, 60)
	b := newBed(t, l)
	b.ask(1, ids, "xyz")
	b.settle(1, ids)
	gone := append(append([]int64{1}, ids[:100]...), ids[4300:]...)
	words, texts := b.words(ids), l.texts
	fewer := maps.Clone(texts)
	for _, id := range gone {
		delete(fewer, id)
	}
	l.set(fewer)
	b.remove(gone)
	for range 2 {
		if indexed, _ := b.ask(1, ids, words...); indexed != len(ids)-len(gone)+1 {
			t.Fatalf("%d indexed, want %d", indexed, len(ids)-len(gone)+1)
		}
		b.reopen()
	}
	l.set(texts)
	l.commit(1, gone, nil) // they come back
	b.settle(1, ids)
	b.ask(1, ids, words...)
	b.remove(ids[:4090])
	if files, _ := filepath.Glob(filepath.Join(b.folder, "*")); len(files) != 0 || len(l.watch) != 0 {
		t.Errorf("an empty index stays: %v", files)
	}
	l.commit(1, nil, ids)
}

// remove waits until contents are forgotten.
func (b *bed) remove(gone []int64) {
	b.Helper()
	b.library.commit(1, nil, gone)
	for range 6000 {
		f := b.acquire(1, false)
		if f == nil {
			return
		}
		left := len(gone) - len(f.unknown(gone))
		b.release(f)
		if left == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	b.Fatal("not removed")
}

func TestDamage(t *testing.T) {
	l, ids := shelf(200, 8000) // blocks, and some that wait
	words := (&bed{library: l}).words(ids)
	for _, test := range []struct {
		name   string
		damage func(path string, content []byte) []byte
	}{
		{"missing", func(path string, _ []byte) []byte { os.Remove(path); return nil }},
		{"empty", func(string, []byte) []byte { return []byte{} }},
		{"another format", func(string, []byte) []byte {
			return []byte("this is no database, but it is long enough to look at as if it were one.............................")
		}},
		{"cut", func(_ string, b []byte) []byte { return b[:len(b)/2] }},
		{"zeros", func(_ string, b []byte) []byte { clear(b[len(b)/3 : len(b)/2]); return b }},
		{"bits", func(_ string, b []byte) []byte {
			for i := 20000; i < len(b); i += 997 {
				b[i] ^= 0x10
			}
			return b
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBed(t, l)
			b.want(1, make([]int64, worthwhile))
			b.settle(1, ids)
			b.Close()
			path := b.path(1)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if content = test.damage(path, content); content != nil {
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			b.Indexes = nil
			b.reopen()
			b.ask(1, ids, words...) // fails if an answer is wrong
			b.want(1, make([]int64, worthwhile))
			b.settle(1, ids)
			b.ask(1, ids, words...)
		})
	}
}

// An index of another version of the text is made anew.
func TestVersion(t *testing.T) {
	l, ids := shelf(600, 20)
	b := newBed(t, l)
	b.ask(1, ids, "xyz")
	b.settle(1, ids)
	f := b.acquire(1, false)
	if _, err := f.db.Exec("UPDATE meta SET text = text + 1"); err != nil {
		t.Fatal(err)
	}
	b.release(f)
	b.reopen()
	if indexed, _ := b.ask(1, ids, b.words(ids)...); indexed != 0 {
		t.Errorf("%d indexed", indexed)
	}
	b.settle(1, ids)
}

// What a crash leaves is what some transactions wrote, whole. After a power loss pages may be missing or old, because nothing is
// synced. Nothing that is found then is wrong.
func TestCrash(t *testing.T) {
	l, ids := shelf(200, 8000)
	b := newBed(t, l)
	words := b.words(ids)
	var s signer
	f := b.acquire(1, true)
	defer b.release(f)
	r := rand.New(rand.NewPCG(3, 3))
	var old []byte
	for i := 0; i < len(ids); i += 25 {
		var list []row
		for _, id := range ids[i:min(len(ids), i+25)] {
			list = append(list, row{id, s.sign(l.texts[id])})
		}
		if err := f.add(list); err != nil {
			t.Fatal(err)
		}
		wal, err := os.ReadFile(b.path(1) + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(b.path(1))
		if err != nil {
			t.Fatal(err)
		}
		if indexed := b.after(words, ids, content, wal); indexed != min(len(ids), i+25) {
			t.Errorf("crash after %d: %d indexed", i+25, indexed)
		}
		b.after(words, ids, content, wal[:len(wal)/2])
		if _, _, err := f.db.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		if content, err = os.ReadFile(b.path(1)); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			mixed := append([]byte{}, content...)
			const page = 16 << 10
			for at := page; at < len(mixed); at += page {
				if r.IntN(4) == 0 {
					clear(mixed[at : at+page])
					if at < len(old) {
						copy(mixed[at:at+page], old[at:])
					}
				}
			}
			b.after(words, ids, mixed, nil)
		}
		old = content
	}
}

// after searches in an index that consists of these files, and returns how many contents it has.
func (b *bed) after(words []string, ids []int64, content, wal []byte) int {
	b.Helper()
	copied := &bed{T: b.T, library: b.library, folder: b.TempDir()}
	path := filepath.Join(copied.folder, filepath.Base(b.path(1)))
	if err := errors.Join(os.WriteFile(path, content, 0o600), os.WriteFile(path+"-wal", wal, 0o600)); err != nil {
		b.Fatal(err)
	}
	copied.reopen()
	defer copied.Close()
	indexed, _ := copied.ask(1, ids, words...)
	return indexed
}

func TestManyAccounts(t *testing.T) {
	l, ids := shelf(worthwhile, 5)
	b := newBed(t, l)
	var group sync.WaitGroup
	for account := range int64(2 * maxOpen) {
		group.Go(func() {
			for range 5 {
				b.ask(account, ids, "xyz", "abc")
			}
			l.commit(account, nil, ids[:3])
		})
	}
	group.Wait()
	for account := range int64(2 * maxOpen) {
		b.settle(account, ids)
	}
	if len(b.open) > maxOpen {
		t.Errorf("%d files are open", len(b.open))
	}
}

func TestBusy(t *testing.T) {
	l, ids := shelf(worthwhile, 5)
	var busy atomic.Bool
	busy.Store(true)
	x, err := Open(t.TempDir(), Options{Source: l, Busy: busy.Load, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{T: t, Indexes: x, library: l}
	b.ask(1, ids, "xyz")
	time.Sleep(50 * time.Millisecond)
	if reads := l.reads.Load(); reads != 0 {
		t.Errorf("%d reads while there is more important work", reads)
	}
	busy.Store(false)
	b.settle(1, ids)
	busy.Store(true)
	b.ask(2, ids, "xyz")
	b.Close() // does not wait for it to end
}
