package fulltext

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"gouv.tg/messagerie/mailstack/mime"
	"gouv.tg/messagerie/mailstack/store/database"
)

// formatVersion is that of the tables and signatures.
const formatVersion = 1

// New messages wait as rows until there are enough of a size for a block.
const schema = `
CREATE TABLE meta (
  id     INTEGER PRIMARY KEY CHECK (id = 1),
  format INTEGER NOT NULL, -- formatVersion
  text   INTEGER NOT NULL  -- mime.TextVersion
);
CREATE TABLE waiting (
  content   INTEGER PRIMARY KEY,
  log       INTEGER NOT NULL, -- the signature has 2^log bits; 0: it is empty
  signature BLOB    NOT NULL  -- sealed
);
CREATE INDEX waiting_log ON waiting (log);
CREATE TABLE blocks (
  id       INTEGER PRIMARY KEY,
  log      INTEGER NOT NULL,
  contents BLOB    NOT NULL -- sealed; ascending, as differences
);
CREATE TABLE bits (
  id   INTEGER PRIMARY KEY, -- of the block, times the number of groups, and of the group in it
  bits BLOB    NOT NULL     -- sealed
);
CREATE TABLE gone (content INTEGER PRIMARY KEY);
`

// file is the index of one account. All methods but those of its list may be called by several goroutines.
type file struct {
	account int64
	path    string

	mu           sync.Mutex
	db           *database.Conn // nil: closed, or not to be trusted
	checkpointed int64          // changes of rows that have been moved into the file
	directory

	users int // guarded by the list of open files, like the next
	used  int64
}

// directory is what an open index has in memory.
type directory struct {
	ids     []int64         // contents that are indexed, ascending
	places  []place         // where each is
	logs    map[uint32]int  // of blocks
	waiting [maxLog + 1]int // signatures that wait, by log
	gone    map[int64]bool  // contents in blocks that the account has no more
}

// place is where a content's signature is: a block and the number in it; block 0 is none: among the waiting.
type place struct{ block, row uint32 }

// row is a content and its signature.
type row struct {
	content   int64
	signature []byte
}

// openFile opens the index of an account, or makes an empty one. One that cannot be used is thrown away: nothing is lost but time.
func openFile(path string, account int64) (*file, error) {
	f := &file{account: account, path: path}
	err := f.open()
	if err != nil {
		f.close()
		if rerr := removeFiles(path); rerr != nil {
			return nil, rerr
		}
		err = f.open()
	}
	if err != nil {
		f.close()
		return nil, fmt.Errorf("cannot open search index: %w", err)
	}
	return f, nil
}

// removeFiles removes an index.
func removeFiles(path string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (f *file) open() (err error) {
	f.db, err = database.Open(f.path, database.Options{CacheKiB: 256, PageBytes: 16 << 10, Unsynced: true})
	if err != nil {
		return err
	}
	tables := false
	if _, err = f.db.Row(func(*database.Rows) { tables = true }, "SELECT 1 FROM sqlite_schema"); err != nil {
		return err
	}
	if !tables {
		if err := f.db.Script("BEGIN; " + schema + " COMMIT"); err != nil {
			return err
		}
		if _, err := f.db.Exec("INSERT INTO meta VALUES (1, ?, ?)", formatVersion, mime.TextVersion); err != nil {
			return err
		}
	}
	found, err := f.db.Row(func(*database.Rows) {}, "SELECT 1 FROM meta WHERE format = ? AND text = ?", formatVersion, mime.TextVersion)
	if err == nil && !found {
		err = errors.New("search index is of another version")
	}
	if err == nil {
		err = f.load()
	}
	return err
}

// load reads which contents are indexed.
func (f *file) load() error {
	f.directory = directory{logs: make(map[uint32]int), gone: make(map[int64]bool)}
	err := f.db.Each(func(r *database.Rows) error { f.gone[r.Int(0)] = true; return nil }, "SELECT content FROM gone")
	if err != nil {
		return err
	}
	err = f.db.Each(func(r *database.Rows) error {
		contents, err := unseal(blockKey(r.Int(0), int(r.Int(1))), r.View(2))
		if err != nil {
			return err
		}
		return f.loadBlock(uint32(r.Int(0)), int(r.Int(1)), contents)
	}, "SELECT id, log, contents FROM blocks")
	if err != nil {
		return err
	}
	err = f.db.Each(func(r *database.Rows) error {
		log := r.Int(1)
		if log < 0 || log > maxLog {
			return errDamaged
		}
		f.waiting[log]++
		f.ids, f.places = append(f.ids, r.Int(0)), append(f.places, place{})
		return nil
	}, "SELECT content, log FROM waiting")
	if err == nil {
		f.sort()
	}
	return err
}

// blockKey is what the contents of a block are sealed with.
func blockKey(id int64, log int) int64 { return id<<8 | int64(log) }

// loadBlock reads the contents of a block.
func (f *file) loadBlock(id uint32, log int, contents []byte) error {
	if log < minLog || log > maxLog {
		return errDamaged
	}
	f.logs[id] = log
	content := int64(0)
	for i := range rows(log) {
		difference, n := binary.Uvarint(contents)
		if n <= 0 {
			return errDamaged
		}
		content += int64(difference)
		contents = contents[n:]
		if !f.gone[content] {
			f.ids, f.places = append(f.ids, content), append(f.places, place{id, uint32(i)})
		}
	}
	return nil
}

// sort sorts the contents.
func (d *directory) sort() {
	order := make([]int, len(d.ids))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(d.ids[a], d.ids[b]) })
	ids, places := make([]int64, len(order)), make([]place, len(order))
	for i, from := range order {
		ids[i], places[i] = d.ids[from], d.places[from]
	}
	d.ids, d.places = ids, places
}

// put notes where a content is now, new or not; the contents may be out of order afterwards, which it tells.
func (d *directory) put(content int64, at place) (ordered bool) {
	if i, found := slices.BinarySearch(d.ids, content); found {
		d.places[i] = at
		return true
	}
	ordered = len(d.ids) == 0 || d.ids[len(d.ids)-1] < content
	d.ids, d.places = append(d.ids, content), append(d.places, at)
	return ordered
}

// find returns where a content is.
func (d *directory) find(content int64) (at place, found bool) {
	i, found := slices.BinarySearch(d.ids, content)
	if found {
		at = d.places[i]
	}
	return at, found
}

func (f *file) close() {
	if f.db != nil {
		// What a failed close leaves behind is found when the file is opened again.
		_ = f.db.Close()
		f.db = nil
	}
}
